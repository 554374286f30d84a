// Slash commands: registering them, and answering those who use them (discord-gateway.md sections 5.2 and 5.3).
#include <algorithm>

#include "discord/json.h"
#include "sandbox/loopback_rest.h"

namespace lestapenna::sandbox {

namespace json = discord::json;
using rest_answers::error;
using rest_answers::nothing;
using rest_answers::ok;

namespace {

constexpr int kChatInput = 1;

// Types of an interaction's response.
enum Response : int { kMessage = 4, kDeferred = 5, kUpdate = 7, kMost = 12 };

bool is_command(const nlohmann::json& command) {
    constexpr std::size_t kMostName = 32;  // characters; bytes are at most four times as many
    const auto& name = json::text(command, "name");
    return !name.empty() && name.size() <= 4 * kMostName;
}

bool same_command(const nlohmann::json& a, const nlohmann::json& b) {
    return json::text(a, "name") == json::text(b, "name") &&
           json::integer<int>(a, "type").value_or(kChatInput) == json::integer<int>(b, "type").value_or(kChatInput);
}

}  // namespace

// The list the path names; null as long as nothing was registered. An application has its bot's id.
RestApi::Or<RestApi::CommandList> RestApi::commands_of(const Call& call) {
    if (call.words[0] != call.bot->id.text()) return error(403, 20012, "You are not authorized to perform this action");
    if (!call.in_guild) return CommandList{std::nullopt, commands_[{call.bot->id, std::nullopt}]};
    const auto guild = GuildId::parse(call.words[1]);
    if (!guild || !world_.is_member(*guild, call.bot->id)) return error(403, 50001, "Missing Access");
    return CommandList{guild, commands_[{call.bot->id, guild}]};
}

// A command keeps its id as long as its name.
RestApi::Json RestApi::with_ids(const Json& command, UserId bot, const CommandList& list) {
    Json whole{{"type", kChatInput},      {"description", ""}, {"default_member_permissions", nullptr},
               {"dm_permission", true},   {"nsfw", false},     {"contexts", nullptr},
               {"integration_types", {0}}};
    whole.update(command);
    const auto known = std::ranges::find_if(list.commands, [&](const Json& old) { return same_command(old, command); });
    whole["id"] = known != list.commands.end() ? known->at("id") : Json(std::to_string(world_.next_id()));
    whole["application_id"] = bot.text();
    whole["version"] = std::to_string(world_.next_id());
    if (list.guild) whole["guild_id"] = list.guild->text();
    return whole;
}

RestApi::Answer RestApi::get_commands(const Call& call) {
    auto list = commands_of(call);
    if (!list) return list.error();
    return ok(list->commands.is_array() ? list->commands : Json::array());
}

RestApi::Answer RestApi::put_commands(const Call& call) {
    auto list = commands_of(call);
    if (!list) return list.error();
    constexpr std::size_t kMostCommands = 100;
    const bool sound = call.body.is_array() && call.body.size() <= kMostCommands;
    if (!sound || !std::ranges::all_of(call.body, is_command)) {
        return error(400, 50035, "Invalid Form Body: an array of at most 100 commands, each with a name, is wanted");
    }
    Json made = Json::array();
    for (const auto& command : call.body) made.push_back(with_ids(command, call.bot->id, *list));
    list->commands = std::move(made);
    return ok(list->commands);
}

RestApi::Answer RestApi::post_command(const Call& call) {
    auto list = commands_of(call);
    if (!list) return list.error();
    if (!is_command(call.body)) return error(400, 50035, "Invalid Form Body: a command with a name is wanted");
    Json& all = list->commands;
    Json made = with_ids(call.body, call.bot->id, *list);
    const auto known = std::ranges::find_if(all, [&](const Json& old) { return same_command(old, call.body); });
    if (known != all.end()) {
        *known = made;
    } else {
        all.push_back(made);
    }
    return ok(made);
}

RestApi::Answer RestApi::delete_command(const Call& call) {
    auto list = commands_of(call);
    if (!list) return list.error();
    const auto& id = call.words.back();
    Json& all = list->commands;
    const auto known = std::ranges::find_if(all, [&](const Json& old) { return json::text(old, "id") == id; });
    if (known == all.end()) return error(404, 10063, "Unknown application command");
    all.erase(known);
    return nothing();
}

RestApi::Json RestApi::commands(UserId bot) const {
    Json all;
    for (const auto& [key, list] : commands_) {
        if (key.first != bot) continue;
        for (const auto& command : list) all.push_back(command);
        if (all.is_null() && list.is_array()) all = Json::array();
    }
    return all;
}

// ---- answering

RestApi::Answer RestApi::interaction_callback(const Call& call) {
    auto* const asked = world_.interaction(call.words[1]);
    if (asked == nullptr || std::to_string(asked->id) != call.words[0]) return error(404, 10062, "Unknown interaction");
    if (asked->answered) return error(400, 40060, "Interaction has already been acknowledged.");
    if (BootClock::now() - asked->asked > options_.answer_within) return error(404, 10062, "Unknown interaction");
    const auto type = json::integer<int>(call.body, "type").value_or(0);
    if (type < 1 || type > kMost)
        return error(400, 50035, "Invalid Form Body: type is none of an interaction response");
    Json resource{{"type", type}};
    if (type == kMessage || type == kDeferred) {
        WorldMessage draft;
        draft.channel = asked->channel;
        const auto& data = json::object(call.body, "data");
        if (type == kDeferred) {
            draft.flags = json::integer<std::uint32_t>(data, "flags").value_or(0) & WorldMessage::kEphemeral;
            draft.flags |= WorldMessage::kLoading;
        } else {
            auto read = read_message(call, data, draft);
            if (!read) return read.error();
            draft = std::move(*read);
        }
        resource["message"] = payloads::message(world_, answer_interaction(*asked, std::move(draft)));
    }
    asked->answered = true;
    if (call.query.find("with_response=true") == std::string_view::npos) return nothing();
    Json about{{"id", std::to_string(asked->id)}, {"type", 2}};
    if (asked->original) about["response_message_id"] = asked->original->text();
    return ok({{"interaction", about}, {"resource", resource}});
}

WorldMessage& RestApi::answer_interaction(WorldInteraction& asked, WorldMessage message) {
    constexpr int kAnswersCommand = 20;
    constexpr int kReply = 19;
    message.channel = asked.channel;
    message.author = asked.bot;
    message.interaction = asked.id;
    message.type = asked.original ? kReply : kAnswersCommand;
    message.answers = asked.original;
    WorldMessage& written = publish(std::move(message));
    if (!asked.original) asked.original = written.id;
    return written;
}

// Of /webhooks/{application}/{token}: one that was answered in time is a webhook, as long as its token lives.
RestApi::Or<WorldInteraction*> RestApi::answered_one(const Call& call) {
    auto* const asked = world_.interaction(call.words[1]);
    if (asked == nullptr || asked->bot.text() != call.words[0]) return error(404, 10015, "Unknown Webhook");
    if (BootClock::now() - asked->asked > options_.interaction_lifetime) {
        return error(401, 50027, "Invalid Webhook Token");
    }
    if (!asked->answered) return error(404, 10015, "Unknown Webhook");
    return asked;
}

// Of /webhooks/{application}/{token}/messages/{id or @original}.
RestApi::Or<WorldMessage*> RestApi::answer_of(const Call& call) {
    const auto known = answered_one(call);
    if (!known) return known.error();
    const auto* const asked = *known;
    const auto id = call.words[2] == "@original" ? asked->original : MessageId::parse(call.words[2]);
    auto* const message = id ? world_.message(asked->channel, *id) : nullptr;
    if (message == nullptr || message->interaction != asked->id) return error(404, 10008, "Unknown Message");
    return message;
}

RestApi::Answer RestApi::get_answer(const Call& call) {
    const auto message = answer_of(call);
    return message ? ok(payloads::message(world_, **message)) : message.error();
}

RestApi::Answer RestApi::edit_answer(const Call& call) {
    const auto message = answer_of(call);
    return message ? change_message(**message, call, call.body) : message.error();
}

RestApi::Answer RestApi::delete_answer(const Call& call) {
    const auto message = answer_of(call);
    if (!message) return message.error();
    const auto channel = (*message)->channel;
    const auto id = (*message)->id;
    const bool hidden = ((*message)->flags & WorldMessage::kEphemeral) != 0;
    world_.remove_message(channel, id);
    if (!hidden) hooks_.message_deleted(channel, id);
    return nothing();
}

RestApi::Answer RestApi::follow_up(const Call& call) {
    const auto known = answered_one(call);
    if (!known) return known.error();
    auto* const asked = *known;
    auto* const original = asked->original ? world_.message(asked->channel, *asked->original) : nullptr;
    // Right after "is thinking", the first one takes its place.
    const bool fills = original != nullptr && (original->flags & WorldMessage::kLoading) != 0;
    if (fills) return change_message(*original, call, call.body);
    WorldMessage draft;
    draft.channel = asked->channel;
    auto message = read_message(call, call.body, draft);
    if (!message) return message.error();
    return ok(payloads::message(world_, answer_interaction(*asked, std::move(*message))));
}

}  // namespace lestapenna::sandbox
