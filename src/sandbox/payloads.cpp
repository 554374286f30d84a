#include "sandbox/payloads.h"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "discord/gateway.h"
#include "sandbox/permissions.h"

namespace lestapenna::sandbox::payloads {

namespace {

constexpr int kDirect = 1;  // channel type

Json optional_text(const std::string& text) {
    return text.empty() ? Json(nullptr) : Json(text);
}

Json users(const World& world, const std::vector<UserId>& ids) {
    Json list = Json::array();
    for (const auto id : ids) {
        if (const auto* const known = world.user(id)) list.push_back(user(*known));
    }
    return list;
}

Json overwrites(const WorldChannel& channel) {
    Json list = Json::array();
    for (const auto& one : channel.overwrites) {
        list.push_back({{"id", std::to_string(one.id)},
                        {"type", one.for_role ? 0 : 1},
                        {"allow", std::to_string(one.allow)},
                        {"deny", std::to_string(one.deny)}});
    }
    return list;
}

bool mentions(const std::string& content, UserId user) {
    return content.find("<@" + user.text() + ">") != std::string::npos ||
           content.find("<@!" + user.text() + ">") != std::string::npos;
}

// Whoever can be mentioned there and is.
std::vector<UserId> mentioned(const World& world, const WorldMessage& message) {
    std::vector<UserId> found;
    const auto* const place = world.channel(message.channel);
    if (place == nullptr || message.content.find("<@") == std::string::npos) return found;
    std::vector<UserId> present = place->recipients;
    if (const auto* const guild = place->guild ? world.guild(*place->guild) : nullptr) {
        for (const auto& [id, _] : guild->members) present.push_back(id);
    }
    std::ranges::copy_if(present, std::back_inserter(found), [&](UserId id) { return mentions(message.content, id); });
    return found;
}

Json attachments(const WorldMessage& message) {
    Json list = Json::array();
    for (const auto& file : message.attachments) {
        const auto url =
            fmt::format("https://cdn.invalid/attachments/{}/{}/{}", message.channel.text(), file.id, file.name);
        list.push_back({{"id", std::to_string(file.id)},
                        {"filename", file.name},
                        {"size", file.bytes},
                        {"url", url},
                        {"proxy_url", url},
                        {"content_type", optional_text(file.content_type)}});
    }
    return list;
}

}  // namespace

std::string iso(UnixTime time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(time - day);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}000+00:00", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                       clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

Json user(const WorldUser& user) {
    Json json{{"id", user.id.text()}, {"username", user.name},
              {"discriminator", "0"}, {"global_name", user.bot ? Json(nullptr) : Json(user.name)},
              {"avatar", nullptr},    {"public_flags", 0}};
    if (user.bot) json["bot"] = true;
    return json;
}

Json member(const World& world, const WorldGuild& guild, UserId id, bool with_user) {
    const auto membership = guild.members.find(id);
    const auto* const state = world.voice_state(guild.id, id);
    Json json{{"nick", nullptr},
              {"avatar", nullptr},
              {"roles", Json::array()},
              {"premium_since", nullptr},
              {"deaf", state != nullptr && state->deaf},
              {"mute", state != nullptr && state->mute},
              {"pending", false},
              {"communication_disabled_until", nullptr},
              {"flags", 0}};
    if (membership != guild.members.end()) {
        json["joined_at"] = iso(membership->second.joined);
        json["nick"] = optional_text(membership->second.nick);
        for (const auto role : membership->second.roles) json["roles"].push_back(role.text());
    }
    const auto* const known = world.user(id);
    if (with_user && known != nullptr) json["user"] = user(*known);
    return json;
}

Json channel(const World& world, const WorldChannel& channel) {
    Json json{{"id", channel.id.text()}, {"last_message_id", nullptr}, {"flags", 0}};
    if (!channel.guild) {
        auto people = channel.recipients;
        std::erase_if(people, [&](UserId id) { return world.user(id) == nullptr || world.user(id)->bot; });
        json["type"] = kDirect;
        json["recipients"] = users(world, people);
        return json;
    }
    json["type"] = static_cast<int>(channel.kind);
    json["guild_id"] = channel.guild->text();
    json["name"] = channel.name;
    json["parent_id"] = nullptr;
    json["nsfw"] = false;
    json["permission_overwrites"] = overwrites(channel);
    json["rate_limit_per_user"] = 0;
    const auto* const guild = world.guild(*channel.guild);
    const auto& order = guild->channels;
    json["position"] = std::ranges::find(order, channel.id) - order.begin();
    if (channel.kind == discord::ChannelKind::text) {
        json["topic"] = nullptr;
    } else {
        json["bitrate"] = 64'000;
        json["user_limit"] = channel.user_limit;
        json["rtc_region"] = nullptr;
    }
    return json;
}

Json role(const WorldGuild& guild, const discord::Role& role) {
    const auto position = std::ranges::find(guild.roles, role.id, &discord::Role::id) - guild.roles.begin();
    return {{"id", role.id.text()},
            {"name", role.name},
            {"permissions", std::to_string(role.permissions)},
            {"position", position},
            {"color", 0},
            {"colors", {{"primary_color", 0}, {"secondary_color", nullptr}, {"tertiary_color", nullptr}}},
            {"hoist", false},
            {"managed", false},
            {"mentionable", false},
            {"icon", nullptr},
            {"unicode_emoji", nullptr},
            {"flags", 0}};
}

Json guild(const World&, const WorldGuild& guild) {
    Json roles = Json::array();
    for (const auto& one : guild.roles) roles.push_back(role(guild, one));
    return {{"id", guild.id.text()},
            {"name", guild.name},
            {"icon", nullptr},
            {"splash", nullptr},
            {"discovery_splash", nullptr},
            {"banner", nullptr},
            {"description", nullptr},
            {"owner_id", guild.owner.text()},
            {"region", "deprecated"},
            {"afk_channel_id", nullptr},
            {"afk_timeout", 300},
            {"system_channel_id", nullptr},
            {"system_channel_flags", 0},
            {"rules_channel_id", nullptr},
            {"public_updates_channel_id", nullptr},
            {"safety_alerts_channel_id", nullptr},
            {"application_id", nullptr},
            {"vanity_url_code", nullptr},
            {"roles", std::move(roles)},
            {"emojis", Json::array()},
            {"stickers", Json::array()},
            {"features", Json::array()},
            {"verification_level", 0},
            {"default_message_notifications", 1},
            {"explicit_content_filter", 0},
            {"mfa_level", 0},
            {"nsfw", false},
            {"nsfw_level", 0},
            {"premium_tier", guild.premium_tier},
            {"premium_subscription_count", 0},
            {"premium_progress_bar_enabled", false},
            {"preferred_locale", guild.locale},
            {"max_members", 500'000},
            {"max_video_channel_users", 25}};
}

Json guild_create(const World& world, const WorldGuild& guild, UserId bot, std::uint32_t intents) {
    constexpr std::uint32_t kPresences = 1U << 8;
    Json json = payloads::guild(world, guild);
    json["joined_at"] = iso(guild.members.at(bot).joined);
    json["large"] = false;
    json["unavailable"] = false;
    json["member_count"] = guild.members.size();
    for (const auto* const empty :
         {"threads", "presences", "stage_instances", "guild_scheduled_events", "soundboard_sounds"}) {
        json[empty] = Json::array();
    }
    Json& channels = json["channels"] = Json::array();
    for (const auto id : guild.channels) channels.push_back(channel(world, *world.channel(id)));
    Json& members = json["members"] = Json::array();
    for (const auto& [id, _] : guild.members) {
        const bool told = id == bot || guild.voice_states.contains(id) || (intents & kPresences) != 0;
        if (told) members.push_back(member(world, guild, id));
    }
    Json& states = json["voice_states"] = Json::array();
    if ((intents & discord::intents::guild_voice_states) == 0) return json;
    for (const auto& [_, state] : guild.voice_states) states.push_back(voice_state(world, state, false));
    return json;
}

Json voice_state(const World& world, const discord::VoiceState& state, bool whole) {
    Json json{{"channel_id", state.channel ? Json(state.channel->text()) : Json(nullptr)},
              {"user_id", state.user.text()},
              {"session_id", state.session_id},
              {"deaf", state.deaf},
              {"mute", state.mute},
              {"self_deaf", state.self_deaf},
              {"self_mute", state.self_mute},
              {"self_video", false},
              {"suppress", state.suppress},
              {"request_to_speak_timestamp", nullptr}};
    if (!whole) return json;
    json["guild_id"] = state.guild.text();
    if (const auto* const where = world.guild(state.guild)) json["member"] = member(world, *where, state.user);
    return json;
}

Json voice_server(const discord::VoiceServer& server) {
    return {{"token", server.token}, {"guild_id", server.guild.text()}, {"endpoint", optional_text(server.endpoint)}};
}

Json ready(const World& world, const WorldUser& bot, const std::string& session_id, const std::string& gateway_url) {
    Json self = user(bot);
    self.update({{"verified", true}, {"mfa_enabled", false}, {"email", nullptr}, {"flags", 0}});
    Json guilds = Json::array();
    for (const auto id : world.guilds_of(bot.id)) guilds.push_back({{"id", id.text()}, {"unavailable", true}});
    return {{"v", 10},
            {"user", std::move(self)},
            {"user_settings", Json::object()},
            {"guilds", std::move(guilds)},
            {"private_channels", Json::array()},
            {"relationships", Json::array()},
            {"session_id", session_id},
            {"session_type", "normal"},
            {"resume_gateway_url", gateway_url},
            {"shard", {0, 1}},
            {"application", {{"id", bot.id.text()}, {"flags", 0}}},
            {"geo_ordered_rtc_regions", Json::array()},
            {"_trace", Json::array()}};
}

Json message(const World& world, const WorldMessage& message) {
    const auto* const author = world.user(message.author);
    Json json{{"id", message.id.text()},
              {"channel_id", message.channel.text()},
              {"author", author == nullptr ? Json::object() : user(*author)},
              {"content", message.content},
              {"timestamp", iso(message.written)},
              {"edited_timestamp", message.edited ? Json(iso(*message.edited)) : Json(nullptr)},
              {"tts", false},
              {"mention_everyone", false},
              {"mentions", users(world, mentioned(world, message))},
              {"mention_roles", Json::array()},
              {"attachments", attachments(message)},
              {"embeds", message.embeds},
              {"components", message.components},
              {"pinned", false},
              {"type", message.type},
              {"flags", message.flags}};
    if (!message.nonce.empty()) json["nonce"] = message.nonce;
    if (message.answers) {
        json["message_reference"] = {
            {"type", 0}, {"message_id", message.answers->text()}, {"channel_id", message.channel.text()}};
    }
    if (message.interaction != 0) {
        json["webhook_id"] = message.author.text();
        json["application_id"] = message.author.text();
    }
    return json;
}

Json message_create(const World& world, const WorldMessage& message, UserId reader, bool may_read_all) {
    Json json = payloads::message(world, message);
    const auto* const place = world.channel(message.channel);
    const auto* const guild = place != nullptr && place->guild ? world.guild(*place->guild) : nullptr;
    if (guild == nullptr) return json;
    json["guild_id"] = guild->id.text();
    json["member"] = member(world, *guild, message.author, false);
    if (may_read_all || message.author == reader || mentions(message.content, reader)) return json;
    json["content"] = "";
    json["embeds"] = json["attachments"] = json["components"] = Json::array();
    return json;
}

Json partial_guild(const WorldGuild& guild, UserId member) {
    return {{"id", guild.id.text()},
            {"name", guild.name},
            {"icon", nullptr},
            {"banner", nullptr},
            {"owner", guild.owner == member},
            {"permissions", std::to_string(permissions_in(guild, member))},
            {"features", Json::array()}};
}

Json application(const WorldUser& bot, bool reads_content) {
    constexpr int kMessageContentLimited = 1 << 19;  // of a bot in fewer than 100 guilds
    return {{"id", bot.id.text()},
            {"name", bot.name},
            {"icon", nullptr},
            {"description", ""},
            {"bot_public", false},
            {"bot_require_code_grant", false},
            {"bot", user(bot)},
            {"owner", nullptr},
            {"team", nullptr},
            {"verify_key", std::string(64, '0')},
            {"flags", reads_content ? kMessageContentLimited : 0}};
}

Json interaction(const World& world, const WorldInteraction& asked, const std::string& command_id,
                 const Json& options) {
    Json json{{"id", std::to_string(asked.id)},
              {"application_id", asked.bot.text()},
              {"type", 2},
              {"token", asked.token},
              {"version", 1},
              {"channel_id", asked.channel.text()},
              {"locale", asked.locale},
              {"app_permissions", "0"},
              {"authorizing_integration_owners", Json::object()},
              {"entitlements", Json::array()},
              {"attachment_size_limit", largest_file(nullptr)},
              {"data", {{"id", command_id}, {"name", asked.command}, {"type", 1}, {"options", options}}}};
    const auto* const place = world.channel(asked.channel);
    if (place == nullptr) return json;
    json["channel"] = channel(world, *place);  // discord.js takes the channel's id from here
    json["app_permissions"] = std::to_string(permissions_in(world, *place, asked.bot));
    const auto* const guild = place->guild ? world.guild(*place->guild) : nullptr;
    json["context"] = guild == nullptr ? 1 : 0;
    if (guild == nullptr) {
        if (const auto* const person = world.user(asked.user)) json["user"] = user(*person);
        return json;
    }
    json["guild_id"] = guild->id.text();
    json["guild_locale"] = guild->locale;
    json["guild"] = {{"id", guild->id.text()}, {"locale", guild->locale}, {"features", Json::array()}};
    json["attachment_size_limit"] = largest_file(guild);
    json["authorizing_integration_owners"]["0"] = guild->id.text();
    json["member"] = member(world, *guild, asked.user);
    json["member"]["permissions"] = std::to_string(permissions_in(world, *place, asked.user));
    return json;
}

}  // namespace lestapenna::sandbox::payloads
