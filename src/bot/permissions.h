// Who may do what (docs/architecture.md section 9), and what Discord lets us do. Pure functions of what is known; any
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "catalog/catalog.h"
#include "discord/guilds.h"
#include "discord/permissions.h"

namespace lestapenna::bot {

namespace permission = discord::permission;

/// What a member with these roles may do in a channel, by Discord's algorithm: owner and administrators everything;
/// @everyone and roles, then the channel's overwrites for @everyone, for roles, for the member. Without a channel (or
/// one that is unknown): in the guild.
std::uint64_t permissions_of(const discord::Guilds::Guild& guild, GuildId id, UserId user,
                             const std::vector<discord::RoleId>& roles, std::optional<ChannelId> channel);

/// Who asks, as the command said and the gateway knows.
struct Asker {
    UserId user;
    std::vector<discord::RoleId> roles{};
    std::uint64_t permissions = 0;             ///< in the guild
    std::optional<ChannelId> voice_channel{};  ///< where they are
};

enum class Refusal : std::uint8_t {
    not_in_voice,        ///< start: be in a voice channel
    lacks_role,          ///< start: discord.start_role names a role they have not
    not_of_the_session,  ///< stop, pause, resume, note: neither started it, nor in the channel, nor Manage Guild
    not_recorded,        ///< download: neither recorded in it, nor started it, nor Manage Guild
    not_manager,         ///< recover: no Manage Guild
};

/// `start_role` of the configuration: any, or a role's id or name.
std::optional<Refusal> may_start(const Asker& asker, const discord::Guilds::Guild& guild, std::string_view start_role);
/// Stop, pause, resume, note.
std::optional<Refusal> may_steer(const Asker& asker, UserId started_by, ChannelId recorded_channel);
std::optional<Refusal> may_download(const Asker& asker, const catalog::Session& session,
                                    const std::vector<catalog::Track>& tracks);
std::optional<Refusal> may_recover(const Asker& asker);

/// What the bot itself lacks to record `voice` and speak in `text`, as permission bits; and whether the channel is
/// full.
struct Obstacles {
    std::uint64_t missing_in_voice = 0;
    std::uint64_t missing_in_text = 0;
    bool full = false;
};
Obstacles obstacles(const discord::Guilds& guilds, GuildId guild, UserId self, ChannelId voice, ChannelId text);

}  // namespace lestapenna::bot
