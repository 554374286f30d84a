#include "sandbox/console.h"

#include <algorithm>
#include <array>
#include <vector>

#include <fmt/format.h>

#include "base/nearest.h"
#include "base/text.h"
#include "discord/json.h"
#include "sandbox/console_words.h"

namespace lestapenna::sandbox {

namespace json = discord::json;

namespace {

using Json = nlohmann::json;

template <class T>
T number(const Json& order, const char* key, T otherwise) {
    return json::integer<T>(order, key).value_or(otherwise);
}

milliseconds span(const Json& order, const char* key) {
    constexpr std::int64_t kMost = 3'600'000;  // an hour: nobody waits longer for a test
    return milliseconds(std::clamp<std::int64_t>(number<std::int64_t>(order, key, 0), 0, kMost));
}

double share(const Json& order, const char* key) {
    return std::clamp(json::number(order, key).value_or(0), 0.0, 1.0);
}

}  // namespace

struct Console::Order {
    const char* name;
    const char* takes;
    const char* does;
    Reply (Console::*obey)(const Json&);
};

const std::vector<Console::Order>& Console::orders() {
    static const std::vector<Order> kOrders{
        {"type", "user, text, [channel]", "the person types a message", &Console::type},
        {"use_command", "person, bot, name, [options], [channel], [locale: \"it\"]",
         "the person uses a slash command of the bot", &Console::use_command},
        {"add_person", "name", "somebody new", &Console::add_person},
        {"add_bot", "name", "one more bot; answers its token", &Console::add_bot},
        {"add_channel", "name, [voice: true], [user_limit], [stage: false]", "one more channel; text with voice: false",
         &Console::add_channel},
        {"remove_channel", "channel", "the channel is deleted", &Console::remove_channel},
        {"move", "user, channel, [code: 4014]", "a moderator moves a user; code 0 leaves the voice socket open",
         &Console::move},
        {"kick", "user", "a moderator disconnects a user from voice", &Console::kick},
        {"deafen", "user, [deaf: true]", "a moderator deafens a user", &Console::deafen},
        {"suppress", "user, [suppress: true]", "audience of a stage, or with false a speaker", &Console::suppress},
        {"add_role", "name, permissions", "a new role; permissions as a number in text", &Console::add_role},
        {"set_role", "[role], permissions", "what a role allows; without a role @everyone", &Console::set_role},
        {"give_role", "user, role", "the user has the role", &Console::change_roles},
        {"take_role", "user, role", "the user has it no more", &Console::change_roles},
        {"set_overwrite", "[channel], [user | role], [allow], [deny]",
         "what a channel allows or denies to a user or role, else to @everyone", &Console::set_overwrite},
        {"set_user_limit", "[channel], limit", "how many may be in a voice channel; 0: any number",
         &Console::set_user_limit},
        {"set_guild", "[owner], [premium_tier], [locale]", "what a guild is", &Console::change_guild},
        {"refuse_direct", "user, [refuse: true]", "takes no direct messages", &Console::refuse_direct},
        {"add_member", "user", "joins the guild", &Console::change_members},
        {"remove_member", "user", "leaves it; a bot is thrown out", &Console::change_members},
        {"close_gateway", "bot, [code: 4000]", "closes its gateway", &Console::gateway_trouble},
        {"drop_gateway", "bot", "cuts its TCP connection; the session may be resumed", &Console::gateway_trouble},
        {"forget_session", "bot", "its next resume gets op 9 false", &Console::gateway_trouble},
        {"ask_reconnect", "bot", "op 7", &Console::gateway_trouble},
        {"invalidate", "bot, [resumable: false]", "op 9", &Console::gateway_trouble},
        {"mute_gateway_acks", "bot, [muted: true]", "its heartbeats stay unanswered", &Console::gateway_trouble},
        {"send_gateway", "bot, text", "sends any text", &Console::gateway_trouble},
        {"hold_voice", "user, [hold: true]", "op 4 gets no answer", &Console::gateway_trouble},
        {"change_voice_server", "[channel], [null_first: false]", "everybody there gets another voice server",
         &Console::change_voice_server},
        {"close_voice", "user, [code: 4015]", "closes its voice websocket; it may resume", &Console::voice_trouble},
        {"drop_voice", "user", "cuts its voice websocket", &Console::voice_trouble},
        {"mute_udp", "user, [muted: true]", "nothing is forwarded to it any more", &Console::voice_trouble},
        {"send_voice", "user, text", "sends any text on its voice websocket", &Console::voice_trouble},
        {"forwarding", "[user], [channel], [loss], [duplicate], [reorder], [delay_ms], [jitter_ms], [extras]",
         "the line to a user, or to all: shares from 0 to 1", &Console::forwarding},
        {"speaking_news", "user, when: at_once|late|never, [late_ms: 500]", "when a user learns of op 5",
         &Console::speaking_news},
        {"refuse_resumes", "[channel], [on: true]", "voice resumes are closed with 4006", &Console::server_trouble},
        {"mute_discovery", "[channel], [on: true]", "IP discovery stays unanswered", &Console::server_trouble},
        {"mute_voice_acks", "[channel], [on: true]", "voice heartbeats stay unanswered", &Console::server_trouble},
        {"encryption",
         "[channel], [enabled: true], [plain_clients], [winner], [first_transition_zero], [sole_member_drops_to_zero], "
         "[welcome_whole], [ready_within_ms: 2000], [batch_ms: 0]",
         "how calls are end-to-end encrypted; what is left out is as at the start", &Console::set_encryption},
        {"misbehave", "user, how, [channel]", "trouble with the next message of that kind to this user",
         &Console::misbehave},
        {"revoke_and_repeat", "[channel]", "what is proposed is taken back and made again", &Console::change_group},
        {"reset_group", "[channel]", "all are put out of the group and in again", &Console::change_group},
        {"add_fault", "[method], [path], [times: 1], [status], [body], [headers], [delay_ms], [cut: half|reset]",
         "what REST does instead of answering", &Console::add_fault},
        {"rate_limit", "[path], [retry_after_s: 1], [global: false]", "the next request there gets a 429",
         &Console::rate_limit},
        {"where", "user", "its voice channel, or null", &Console::where},
        {"posted", "", "all messages that bots posted", &Console::posted},
        {"requests", "", "all REST requests with their status", &Console::requests},
        {"traffic", "bot", "counts of its gateway", &Console::traffic},
        {"call", "[channel]", "its encryption: version, epoch, who committed it, counts", &Console::call},
    };
    return kOrders;
}

std::string Console::help() {
    std::string text;
    for (const auto& order : orders()) {
        text += fmt::format("  {} {{{}}}\n      {}\n", order.name, order.takes, order.does);
    }
    return text;
}

std::string Console::obey(std::string_view line) {
    const auto failure = [](const std::string& why) { return discord::print_json({{"error", why}}); };
    const auto order = discord::parse_json(line);
    if (!order || !order->is_object()) return failure(R"(a JSON object on one line is wanted, like {"do":"posted"})");
    const auto wanted = name_of(*order);
    const auto found = std::ranges::find(orders(), wanted, &Order::name);
    if (found == orders().end()) {
        std::vector<std::string_view> names;
        for (const auto& known : orders()) names.emplace_back(known.name);
        return failure("unknown order " + in_quotes(wanted) + "; did you mean " + std::string(nearest(wanted, names)) +
                       "?");
    }
    auto reply = (this->*found->obey)(*order);
    if (!reply) return failure(wanted + ": " + reply.error());
    Json answer{{"ok", true}};
    if (reply->is_object()) answer.update(*reply);
    return discord::print_json(answer);
}

ChannelId Console::voice_channel(const Json& order) const {
    return json::id<ChannelId>(order, "channel").value_or(place_.voice);
}

ChannelId Console::text_channel(const Json& order) const {
    return json::id<ChannelId>(order, "channel").value_or(place_.text);
}

// ---- what people do

Console::Reply Console::type(const Json& order) {
    const auto user = who(order);
    if (!user) return std::string(kNoUser);
    return Json{{"message_id", discord_.type(*user, text_channel(order), json::text(order, "text")).text()}};
}

Console::Reply Console::use_command(const Json& order) {
    const auto person = json::id<UserId>(order, "person");
    const auto user = person ? person : json::id<UserId>(order, "user");
    const auto bot = json::id<UserId>(order, "bot");
    if (!user || !bot) return std::string(R"("person" and "bot" must be ids as text)");
    const auto& locale = json::text(order, "locale");
    const auto id = discord_.use_command(*user, text_channel(order), *bot, json::text(order, "name"),
                                         json::array(order, "options"), locale.empty() ? "it" : locale);
    return Json{{"interaction_id", std::to_string(id)}};
}

Console::Reply Console::add_person(const Json& order) {
    return Json{{"user_id", discord_.add_person(json::text(order, "name")).text()}};
}

Console::Reply Console::add_bot(const Json& order) {
    const auto bot = discord_.add_bot(json::text(order, "name"));
    return Json{{"user_id", bot.user.text()}, {"token", bot.token}};
}

Console::Reply Console::add_channel(const Json& order) {
    const auto& name = json::text(order, "name");
    if (json::flag(order, "stage")) {
        return Json{{"channel_id", discord_.add_stage_channel(place_.guild, name).text()}};
    }
    const auto id = on(order, "voice")
                        ? discord_.add_voice_channel(place_.guild, name, number<int>(order, "user_limit", 0))
                        : discord_.add_text_channel(place_.guild, name);
    return Json{{"channel_id", id.text()}};
}

Console::Reply Console::remove_channel(const Json& order) {
    const auto channel = json::id<ChannelId>(order, "channel");
    if (!channel) return std::string(R"("channel" must be an id as text)");
    discord_.remove_channel(*channel);
    return Json();
}

// ---- what moderators do

Console::Reply Console::move(const Json& order) {
    const auto user = who(order);
    const auto channel = json::id<ChannelId>(order, "channel");
    if (!user || !channel) return std::string(R"("user" and "channel" must be ids as text)");
    constexpr std::uint16_t kDisconnected = 4014;
    discord_.move(place_.guild, *user, *channel, number<std::uint16_t>(order, "code", kDisconnected));
    const auto state = discord_.voice_state(place_.guild, *user);
    if (!state || state->channel != channel) return std::string("the user is in no voice channel, or that is none");
    return Json();
}

Console::Reply Console::kick(const Json& order) {
    const auto user = who(order);
    if (!user || !discord_.voice_state(place_.guild, *user)) return std::string("the user is in no voice channel");
    discord_.kick_from_voice(place_.guild, *user);
    return Json();
}

Console::Reply Console::deafen(const Json& order) {
    const auto user = who(order);
    if (!user || !discord_.voice_state(place_.guild, *user)) return std::string("the user is in no voice channel");
    discord_.deafen(place_.guild, *user, on(order, "deaf"));
    return Json();
}

Console::Reply Console::suppress(const Json& order) {
    const auto user = who(order);
    if (!user || !discord_.voice_state(place_.guild, *user)) return std::string("the user is in no voice channel");
    discord_.suppress(place_.guild, *user, on(order, "suppress"));
    return Json();
}

// ---- trouble

Console::Reply Console::gateway_trouble(const Json& order) {
    const auto bot = who(order);
    if (!bot) return std::string(R"("bot" must be an id as text)");
    const auto what = name_of(order);
    constexpr std::uint16_t kUnknownError = 4000;
    if (what == "close_gateway") discord_.close_gateway(*bot, number<std::uint16_t>(order, "code", kUnknownError));
    if (what == "drop_gateway") discord_.drop_gateway(*bot);
    if (what == "forget_session") discord_.forget_session(*bot);
    if (what == "ask_reconnect") discord_.ask_reconnect(*bot);
    if (what == "invalidate") discord_.invalidate(*bot, json::flag(order, "resumable"));
    if (what == "mute_gateway_acks") discord_.mute_heartbeat_acks(*bot, on(order, "muted"));
    if (what == "send_gateway") discord_.send_raw(*bot, json::text(order, "text"));
    if (what == "hold_voice") discord_.hold_voice_answers(*bot, on(order, "hold"));
    return Json();
}

Console::Reply Console::voice_trouble(const Json& order) {
    const auto user = who(order);
    const auto state = user ? discord_.voice_state(place_.guild, *user) : std::nullopt;
    if (!state) return std::string("the user is in no voice channel");
    auto& server = discord_.voice_server(*state->channel);
    const auto what = name_of(order);
    constexpr std::uint16_t kServerCrashed = 4015;
    if (what == "close_voice") {
        server.close(place_.guild, *user, number<std::uint16_t>(order, "code", kServerCrashed));
    }
    if (what == "drop_voice") server.drop(place_.guild, *user);
    if (what == "mute_udp") server.mute_udp(place_.guild, *user, on(order, "muted"));
    if (what == "send_voice") server.send_raw(place_.guild, *user, json::text(order, "text"), false);
    return Json();
}

Console::Reply Console::change_voice_server(const Json& order) {
    discord_.change_voice_server(voice_channel(order), json::flag(order, "null_first"));
    return Json();
}

Console::Reply Console::forwarding(const Json& order) {
    Forwarding line;
    line.loss = share(order, "loss");
    line.duplicate = share(order, "duplicate");
    line.reorder = share(order, "reorder");
    line.delay = span(order, "delay_ms");
    line.jitter = span(order, "jitter_ms");
    line.extras = json::flag(order, "extras");
    discord_.voice_server(voice_channel(order)).set_forwarding(who(order), line);
    return Json();
}

Console::Reply Console::speaking_news(const Json& order) {
    constexpr std::array kNames{"at_once", "late", "never"};
    const auto user = who(order);
    if (!user) return std::string(kNoUser);
    const auto* const when = std::ranges::find(kNames, json::text(order, "when"));
    if (when == kNames.end()) return std::string(R"("when" must be at_once, late or never)");
    constexpr milliseconds kLate{500};
    const auto late = json::field(order, "late_ms") == nullptr ? kLate : span(order, "late_ms");
    discord_.voice_server(voice_channel(order))
        .speaking_news(*user, static_cast<SpeakingNews>(when - kNames.begin()), late);
    return Json();
}

Console::Reply Console::server_trouble(const Json& order) {
    auto& server = discord_.voice_server(voice_channel(order));
    const auto what = name_of(order);
    if (what == "refuse_resumes") server.refuse_resumes(on(order, "on"));
    if (what == "mute_discovery") server.mute_discovery(on(order, "on"));
    if (what == "mute_voice_acks") server.mute_heartbeat_acks(on(order, "on"));
    return Json();
}

Console::Reply Console::add_fault(const Json& order) {
    RestFault fault;
    fault.method = json::text(order, "method");
    fault.path = json::text(order, "path");
    fault.times = std::max(number<int>(order, "times", 1), 1);
    fault.status = number<int>(order, "status", 0);
    fault.body = json::text(order, "body");
    fault.delay = span(order, "delay_ms");
    for (const auto& [name, value] : json::object(order, "headers").items()) {
        if (!value.is_string()) return std::string(R"("headers" must be an object of texts)");
        fault.headers.emplace_back(name, value.get<std::string>());
    }
    constexpr int kLeast = 200;
    constexpr int kMost = 599;
    if (fault.status != 0 && (fault.status < kLeast || fault.status > kMost)) {
        return std::string(R"("status" must be 200 to 599, or absent for the right answer)");
    }
    const auto& cut = json::text(order, "cut");
    if (!cut.empty() && cut != "half" && cut != "reset") return std::string(R"("cut" must be half or reset)");
    if (cut == "half") fault.cut = RestFault::Cut::half;
    if (cut == "reset") fault.cut = RestFault::Cut::reset;
    discord_.add_fault(std::move(fault));
    return Json();
}

Console::Reply Console::rate_limit(const Json& order) {
    const seconds retry_after(std::max(number<int>(order, "retry_after_s", 1), 0));
    discord_.add_fault(RestFault::rate_limit(json::text(order, "path"), retry_after, json::flag(order, "global")));
    return Json();
}

// ---- questions

Console::Reply Console::where(const Json& order) {
    const auto user = who(order);
    if (!user) return std::string(kNoUser);
    const auto state = discord_.voice_state(place_.guild, *user);
    return Json{{"channel_id", state && state->channel ? Json(state->channel->text()) : Json(nullptr)},
                {"nick", discord_.nickname(place_.guild, *user)}};
}

Console::Reply Console::posted(const Json& /*order*/) {
    Json list = Json::array();
    for (const auto& message : discord_.posted()) {
        list.push_back(
            {{"id", message.id.text()},
             {"channel_id", message.channel.text()},
             {"author_id", message.author.text()},
             {"content", message.content},
             {"ephemeral", message.ephemeral},
             {"edited", message.edited},
             {"answers", message.answers ? Json(message.answers->text()) : Json(nullptr)},
             {"interaction_id", message.interaction == 0 ? Json(nullptr) : Json(std::to_string(message.interaction))},
             {"direct_to", message.direct_to ? Json(message.direct_to->text()) : Json(nullptr)},
             {"files", message.file_names},
             {"file_bytes", message.file_bytes}});
    }
    return Json{{"posted", std::move(list)}};
}

Console::Reply Console::requests(const Json& /*order*/) {
    Json list = Json::array();
    for (const auto& asked : discord_.requests()) {
        list.push_back(
            {{"method", asked.method}, {"path", asked.path}, {"body", asked.body}, {"status", asked.status}});
    }
    return Json{{"requests", std::move(list)}};
}

Console::Reply Console::traffic(const Json& order) {
    const auto bot = who(order);
    if (!bot) return std::string(R"("bot" must be an id as text)");
    const auto counts = discord_.traffic(*bot);
    return Json{{"connections", counts.connections}, {"identifies", counts.identifies},
                {"resumes", counts.resumes},         {"invalid_sessions", counts.invalid_sessions},
                {"heartbeats", counts.heartbeats},   {"client_closes", counts.client_closes}};
}

}  // namespace lestapenna::sandbox
