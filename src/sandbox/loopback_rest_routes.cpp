// What each route answers; the table of all of them stands first.
#include <algorithm>
#include <array>

#include "discord/json.h"
#include "sandbox/loopback_rest.h"
#include "sandbox/permissions.h"

namespace lestapenna::sandbox {

namespace json = discord::json;
using rest_answers::error;
using rest_answers::nothing;
using rest_answers::ok;

namespace {

constexpr std::size_t kMostCharacters = 2'000;  // of a message
constexpr std::size_t kMostNick = 32;

// Seen in the wild or stricter: clients learn them from the headers.
constexpr RateLimit kWriting{"5a1f0e5b2c6d4f7889aa", 5, milliseconds{5'000}};
constexpr RateLimit kEditing{"6b2e1f4c3d7e5a8990bb", 5, milliseconds{5'000}};
constexpr RateLimit kDeleting{"7c3d2a5d4e8f6b9aa1cc", 5, milliseconds{1'000}};
constexpr RateLimit kNaming{"8d4c3b6e5f907cabb2dd", 5, milliseconds{10'000}};

/// Characters, not bytes: whatever does not continue one.
std::size_t characters(std::string_view text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

net::HttpResponse unknown(int code, std::string_view what) {
    return error(404, code, "Unknown " + std::string(what));
}

net::HttpResponse missing_permissions() {
    return error(403, 50013, "Missing Permissions");
}

net::HttpResponse invalid(std::string_view what) {
    return error(400, 50035, "Invalid Form Body: " + std::string(what));
}

}  // namespace

std::span<const RestApi::Route> RestApi::routes() {
    using Api = RestApi;
    static constexpr std::array kRoutes{
        Route{"GET", "/gateway", &Api::get_gateway, nullptr, true},
        Route{"GET", "/gateway/bot", &Api::get_gateway_bot},
        Route{"GET", "/users/@me", &Api::get_self},
        Route{"GET", "/applications/@me", &Api::get_application},
        Route{"GET", "/oauth2/applications/@me", &Api::get_application},
        Route{"POST", "/users/@me/channels", &Api::open_direct},
        Route{"GET", "/users/@me/guilds", &Api::list_own_guilds},
        Route{"GET", "/users/*", &Api::get_user},
        Route{"GET", "/channels/*", &Api::get_channel},
        Route{"POST", "/channels/*/typing", &Api::type_in_channel},
        Route{"GET", "/channels/*/messages", &Api::list_messages},
        Route{"POST", "/channels/*/messages", &Api::create_message, &kWriting},
        Route{"GET", "/channels/*/messages/*", &Api::get_message},
        Route{"PATCH", "/channels/*/messages/*", &Api::edit_message, &kEditing},
        Route{"DELETE", "/channels/*/messages/*", &Api::delete_message, &kDeleting},
        Route{"GET", "/guilds/*", &Api::get_guild},
        Route{"GET", "/guilds/*/channels", &Api::list_channels},
        Route{"GET", "/guilds/*/roles", &Api::list_roles},
        Route{"PATCH", "/guilds/*/members/@me", &Api::change_own_nick, &kNaming},
        Route{"GET", "/guilds/*/members/*", &Api::get_member},
        Route{"PATCH", "/guilds/*/members/*", &Api::change_member},
        Route{"PATCH", "/guilds/*/voice-states/@me", &Api::change_own_voice_state},
        Route{"GET", "/guilds/*/voice-states/*", &Api::get_voice_state},
        Route{"GET", "/applications/*/commands", &Api::get_commands},
        Route{"PUT", "/applications/*/commands", &Api::put_commands},
        Route{"POST", "/applications/*/commands", &Api::post_command},
        Route{"DELETE", "/applications/*/commands/*", &Api::delete_command},
        Route{"GET", "/applications/*/guilds/*/commands", &Api::get_commands},
        Route{"PUT", "/applications/*/guilds/*/commands", &Api::put_commands},
        Route{"POST", "/applications/*/guilds/*/commands", &Api::post_command},
        Route{"DELETE", "/applications/*/guilds/*/commands/*", &Api::delete_command},
        Route{"POST", "/interactions/*/*/callback", &Api::interaction_callback, nullptr, true},
        Route{"POST", "/webhooks/*/*", &Api::follow_up, nullptr, true},
        Route{"GET", "/webhooks/*/*/messages/*", &Api::get_answer, nullptr, true},
        Route{"PATCH", "/webhooks/*/*/messages/*", &Api::edit_answer, nullptr, true},
        Route{"DELETE", "/webhooks/*/*/messages/*", &Api::delete_answer, nullptr, true},
    };
    return kRoutes;
}

// ---- who and where

RestApi::Answer RestApi::get_gateway(const Call& /*call*/) {
    return ok({{"url", gateway_url_}});
}

RestApi::Answer RestApi::get_gateway_bot(const Call& /*call*/) {
    const Json limit{{"total", 1'000}, {"remaining", 999}, {"reset_after", 0}, {"max_concurrency", 1}};
    return ok({{"url", gateway_url_}, {"shards", 1}, {"session_start_limit", limit}});
}

RestApi::Answer RestApi::get_self(const Call& call) {
    return ok(payloads::user(*call.bot));
}

RestApi::Answer RestApi::get_application(const Call& call) {
    return ok(payloads::application(*call.bot, options_.message_content_allowed));
}

RestApi::Answer RestApi::list_own_guilds(const Call& call) {
    Json list = Json::array();
    for (const auto id : world_.guilds_of(call.bot->id)) {
        list.push_back(payloads::partial_guild(*world_.guild(id), call.bot->id));
    }
    return ok(list);
}

RestApi::Answer RestApi::get_user(const Call& call) {
    const auto id = UserId::parse(call.words[0]);
    const auto* const user = id ? world_.user(*id) : nullptr;
    return user == nullptr ? unknown(10013, "User") : ok(payloads::user(*user));
}

RestApi::Answer RestApi::open_direct(const Call& call) {
    const auto id = json::id<UserId>(call.body, "recipient_id");
    if (!id || world_.user(*id) == nullptr || *id == call.bot->id) return error(400, 50033, "Invalid Recipient(s)");
    return ok(payloads::channel(world_, *world_.channel(world_.direct_channel(call.bot->id, *id))));
}

// ---- messages

RestApi::Or<const WorldChannel*> RestApi::channel_of(const Call& call) {
    const auto id = ChannelId::parse(call.words[0]);
    const auto* const channel = id ? world_.channel(*id) : nullptr;
    if (channel == nullptr) return unknown(10003, "Channel");
    if (!may(world_, call.bot->id, *channel, permission::view_channel)) return error(403, 50001, "Missing Access");
    return channel;
}

// No file is bigger than the guild takes.
bool RestApi::fits(const Call& call, ChannelId channel) const {
    const auto* const place = world_.channel(channel);
    const auto most = largest_file(place != nullptr && place->guild ? world_.guild(*place->guild) : nullptr);
    return std::ranges::all_of(call.files, [&](const net::FormPart& file) { return file.body.size() <= most; });
}

RestApi::Or<WorldMessage*> RestApi::message_of(const Call& call) {
    const auto channel = channel_of(call);
    if (!channel) return channel.error();
    const auto id = MessageId::parse(call.words[1]);
    auto* const message = id ? world_.message((*channel)->id, *id) : nullptr;
    const bool hidden = message != nullptr && (message->flags & WorldMessage::kEphemeral) != 0;
    if (message == nullptr || hidden) return unknown(10008, "Message");
    return message;
}

// `draft` with what the body says. Files count whether or not the JSON lists them.
RestApi::Or<WorldMessage> RestApi::read_message(const Call& call, const Json& body, const WorldMessage& draft) {
    WorldMessage message = draft;
    if (!fits(call, draft.channel)) return error(413, 40005, "Request entity too large");
    if (!body.is_object()) return error(400, 50006, "Cannot send an empty message");
    if (const auto* const content = json::field(body, "content")) {
        if (!content->is_string()) return invalid("content is no text");
        message.content = content->get<std::string>();
    } else if (body.contains("content")) {
        message.content.clear();
    }
    if (characters(message.content) > kMostCharacters) return invalid("content: Must be 2000 or fewer in length.");
    for (const auto& [key, list] : {std::pair{"embeds", &message.embeds}, {"components", &message.components}}) {
        if (body.contains(key)) *list = json::array(body, key);
    }
    for (const auto& file : call.files) {
        message.attachments.push_back({world_.next_id(), file.filename, file.content_type, file.body.size()});
    }
    constexpr std::uint32_t kSettable = WorldMessage::kEphemeral | (1U << 2) | (1U << 12);  // embeds off, silent
    message.flags |= json::integer<std::uint32_t>(body, "flags").value_or(0) & kSettable;
    if (message.content.empty() && message.embeds.empty() && message.components.empty() &&
        message.attachments.empty()) {
        return error(400, 50006, "Cannot send an empty message");
    }
    return message;
}

WorldMessage& RestApi::publish(WorldMessage message) {
    auto& written = world_.add_message(std::move(message));
    if ((written.flags & WorldMessage::kLoading) == 0) note_posted(written);
    hooks_.message_created(written);
    return written;
}

RestApi::Answer RestApi::type_in_channel(const Call& call) {
    const auto channel = channel_of(call);
    return channel ? nothing() : channel.error();
}

RestApi::Answer RestApi::list_messages(const Call& call) {
    const auto channel = channel_of(call);
    if (!channel) return channel.error();
    constexpr std::size_t kMostListed = 50;
    Json list = Json::array();
    const auto& all = world_.messages();
    for (auto message = all.rbegin(); message != all.rend() && list.size() < kMostListed; ++message) {
        const bool shown = message->channel == (*channel)->id && (message->flags & WorldMessage::kEphemeral) == 0;
        if (shown) list.push_back(payloads::message(world_, *message));
    }
    return ok(list);
}

RestApi::Answer RestApi::create_message(const Call& call) {
    const auto channel = channel_of(call);
    if (!channel) return channel.error();
    const auto wanted = permission::send_messages | (call.files.empty() ? 0 : permission::attach_files);
    if (!may(world_, call.bot->id, **channel, wanted)) return missing_permissions();
    const auto refuses = [this](UserId who) { return world_.user(who) != nullptr && world_.user(who)->refuses_direct; };
    if (std::ranges::any_of((*channel)->recipients, refuses)) {
        return error(403, 50007, "Cannot send messages to this user");
    }
    WorldMessage draft;
    draft.channel = (*channel)->id;
    draft.author = call.bot->id;
    const auto* const nonce = json::field(call.body, "nonce");
    if (nonce != nullptr) draft.nonce = nonce->is_string() ? nonce->get<std::string>() : nonce->dump();
    if (nonce != nullptr && json::flag(call.body, "enforce_nonce")) {
        const auto* const earlier = world_.message_with_nonce(draft.channel, draft.author, draft.nonce);
        if (earlier != nullptr) return ok(payloads::message(world_, *earlier));
    }
    const auto& reference = json::object(call.body, "message_reference");
    draft.answers = json::id<MessageId>(reference, "message_id");
    if (draft.answers && world_.message(draft.channel, *draft.answers) == nullptr) {
        const bool must_exist =
            json::field(reference, "fail_if_not_exists") == nullptr || json::flag(reference, "fail_if_not_exists");
        if (must_exist) return invalid("message_reference: Unknown message");
        draft.answers.reset();
    }
    constexpr int kReply = 19;
    if (draft.answers) draft.type = kReply;
    auto message = read_message(call, call.body, draft);
    if (!message) return message.error();
    message->flags &= ~WorldMessage::kEphemeral;  // only answers to interactions may be
    return ok(payloads::message(world_, publish(std::move(*message))));
}

RestApi::Answer RestApi::get_message(const Call& call) {
    const auto message = message_of(call);
    return message ? ok(payloads::message(world_, **message)) : message.error();
}

RestApi::Answer RestApi::change_message(WorldMessage& message, const Call& call, const Json& body) {
    WorldMessage draft = message;
    if (body.is_object() && body.contains("attachments")) {  // the list is complete: what is not on it goes
        const auto& kept = json::array(body, "attachments");
        std::erase_if(draft.attachments, [&](const Attachment& file) {
            return std::ranges::none_of(kept, [&](const Json& one) { return json::decimal(one, "id") == file.id; });
        });
    }
    draft.flags &= ~WorldMessage::kLoading;
    auto changed = read_message(call, body, draft);
    if (!changed) return changed.error();
    changed->flags = (changed->flags & ~WorldMessage::kEphemeral) | (message.flags & WorldMessage::kEphemeral);
    message = std::move(*changed);
    message.edited = unix_now();
    note_posted(message);
    hooks_.message_changed(message);
    return ok(payloads::message(world_, message));
}

RestApi::Answer RestApi::edit_message(const Call& call) {
    const auto message = message_of(call);
    if (!message) return message.error();
    if ((*message)->author != call.bot->id) return error(403, 50005, "Cannot edit a message authored by another user");
    return change_message(**message, call, call.body);
}

RestApi::Answer RestApi::delete_message(const Call& call) {
    const auto message = message_of(call);
    if (!message) return message.error();
    if ((*message)->author != call.bot->id) return missing_permissions();
    const auto channel = (*message)->channel;
    const auto id = (*message)->id;
    world_.remove_message(channel, id);
    hooks_.message_deleted(channel, id);
    return nothing();
}

RestApi::Answer RestApi::get_channel(const Call& call) {
    const auto channel = channel_of(call);
    return channel ? ok(payloads::channel(world_, **channel)) : channel.error();
}

// ---- guilds

RestApi::Or<WorldGuild*> RestApi::guild_of(const Call& call) {
    const auto id = GuildId::parse(call.words[0]);
    auto* const guild = id ? world_.guild(*id) : nullptr;
    if (guild == nullptr || !guild->members.contains(call.bot->id)) return unknown(10004, "Guild");
    return guild;
}

RestApi::Or<UserId> RestApi::member_of(const Call& call, const WorldGuild& guild) {
    if (call.words[1] == "@me") return call.bot->id;
    const auto id = UserId::parse(call.words[1]);
    if (!id || !guild.members.contains(*id)) return unknown(10007, "Member");
    return *id;
}

RestApi::Answer RestApi::get_guild(const Call& call) {
    const auto guild = guild_of(call);
    return guild ? ok(payloads::guild(world_, **guild)) : guild.error();
}

RestApi::Answer RestApi::list_channels(const Call& call) {
    const auto guild = guild_of(call);
    if (!guild) return guild.error();
    Json list = Json::array();
    for (const auto id : (*guild)->channels) list.push_back(payloads::channel(world_, *world_.channel(id)));
    return ok(list);
}

RestApi::Answer RestApi::list_roles(const Call& call) {
    const auto guild = guild_of(call);
    return guild ? ok(payloads::guild(world_, **guild)["roles"]) : guild.error();
}

RestApi::Answer RestApi::get_member(const Call& call) {
    const auto guild = guild_of(call);
    if (!guild) return guild.error();
    const auto id = member_of(call, **guild);
    return id ? ok(payloads::member(world_, **guild, *id)) : id.error();
}

RestApi::Answer RestApi::change_own_nick(const Call& call) {
    const auto guild = guild_of(call);
    if (!guild) return guild.error();
    if ((permissions_in(**guild, call.bot->id) & permission::change_nickname) == 0) return missing_permissions();
    const auto& nick = json::text(call.body, "nick");
    if (characters(nick) > kMostNick) return invalid("nick: Must be 32 or fewer in length.");
    if (call.body.is_object() && call.body.contains("nick")) {
        (*guild)->members[call.bot->id].nick = nick;
        hooks_.member_changed((*guild)->id, call.bot->id);
    }
    return ok(payloads::member(world_, **guild, call.bot->id));
}

// What a bot with a moderator's permissions does to others.
RestApi::Answer RestApi::change_member(const Call& call) {
    const auto guild = guild_of(call);
    if (!guild) return guild.error();
    const auto id = member_of(call, **guild);
    if (!id) return id.error();
    const bool in_voice = world_.voice_state((*guild)->id, *id) != nullptr;
    const bool has_channel = call.body.is_object() && call.body.contains("channel_id");
    const bool has_deaf = json::field(call.body, "deaf") != nullptr;
    if ((has_channel || has_deaf) && !in_voice) return error(400, 40032, "Target user is not connected to voice.");
    if (call.body.is_object() && call.body.contains("nick"))
        (*guild)->members[*id].nick = json::text(call.body, "nick");
    hooks_.member_changed((*guild)->id, *id);
    if (has_deaf) hooks_.member_deafened((*guild)->id, *id, json::flag(call.body, "deaf"));
    if (has_channel) hooks_.member_moved((*guild)->id, *id, json::id<ChannelId>(call.body, "channel_id"));
    return ok(payloads::member(world_, **guild, *id));
}

RestApi::Answer RestApi::get_voice_state(const Call& call) {
    const auto guild = guild_of(call);
    if (!guild) return guild.error();
    const auto id = member_of(call, **guild);
    const auto* const state = id ? world_.voice_state((*guild)->id, *id) : nullptr;
    return state == nullptr ? unknown(10065, "Voice State") : ok(payloads::voice_state(world_, *state));
}

RestApi::Answer RestApi::change_own_voice_state(const Call& call) {
    const auto guild = guild_of(call);
    if (!guild) return guild.error();
    const auto* const state = world_.voice_state((*guild)->id, call.bot->id);
    if (state == nullptr) return unknown(10065, "Voice State");
    if (json::field(call.body, "suppress") != nullptr) {
        const bool suppress = json::flag(call.body, "suppress");
        const auto* const channel = world_.channel(*state->channel);
        const bool moderates = channel != nullptr && may(world_, call.bot->id, *channel, permission::mute_members);
        if (!suppress && !moderates) return missing_permissions();
        hooks_.suppressed((*guild)->id, call.bot->id, suppress);
    }
    return nothing();
}

}  // namespace lestapenna::sandbox
