// The JSON of gateway and REST as Discord writes it (API v10), with the fields that discord.js and dysnomia read
// (standin.md section 3, standin-findings.md). Pure functions of the world; any thread.
#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

#include "sandbox/world.h"

namespace lestapenna::sandbox::payloads {

using Json = nlohmann::json;

/// ISO 8601 with microseconds, like 2026-01-01T10:00:00.000000+00:00.
std::string iso(UnixTime time);

Json user(const WorldUser& user);
/// With `user` in it or, as in a message, without.
Json member(const World& world, const WorldGuild& guild, UserId user, bool with_user = true);
Json channel(const World& world, const WorldChannel& channel);
/// One of the guild's.
Json role(const WorldGuild& guild, const discord::Role& role);
/// What REST and GUILD_CREATE have in common.
Json guild(const World& world, const WorldGuild& guild);
/// As `bot` sees it, who asked for `intents`: without presences only itself and who is in a voice channel are members.
Json guild_create(const World& world, const WorldGuild& guild, UserId bot, std::uint32_t intents);
/// With `guild_id` and `member`, as VOICE_STATE_UPDATE and REST have it, or without, as GUILD_CREATE.
Json voice_state(const World& world, const discord::VoiceState& state, bool whole = true);
Json voice_server(const discord::VoiceServer& server);
Json ready(const World& world, const WorldUser& bot, const std::string& session_id, const std::string& gateway_url);
/// As REST and MESSAGE_CREATE have it but for `guild_id` and `member`, which only the latter has (message_create).
Json message(const World& world, const WorldMessage& message);
/// As `reader` gets it: without the MESSAGE_CONTENT intent others' messages are empty, unless they mention it or are
/// direct.
Json message_create(const World& world, const WorldMessage& message, UserId reader, bool may_read_all);
/// As GET /users/@me/guilds lists it.
Json partial_guild(const WorldGuild& guild, UserId member);
/// `reads_content`: the intent is switched on in the developer portal.
Json application(const WorldUser& bot, bool reads_content);
/// `options` as they stand in an interaction's data.
Json interaction(const World& world, const WorldInteraction& interaction, const std::string& command_id,
                 const Json& options);

}  // namespace lestapenna::sandbox::payloads
