#include "discord/rest.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <random>
#include <utility>

#include <boost/asio/steady_timer.hpp>

#include "base/log.h"
#include "discord/backoff.h"
#include "discord/rest_answers.h"
#include "discord/rest_calls.h"
#include "discord/rest_limits.h"
#include "net/http_client.h"

namespace lestapenna::discord {

namespace {

using net::HttpResponse;
using net::Task;

constexpr int kRepeats = 3;         // after 5xx and lost answers
constexpr int kPatient = 5;         // 429s in a row to one call that are believed; then their waits have a least
constexpr seconds kAnswerFirst(3);  // an interaction's first answer: later Discord takes none

/// Fit for an HTTP header: tokens are letters, digits, dots, dashes and underscores.
bool is_token(const std::string& text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

std::string without(std::string text, const std::string& secret) {
    if (secret.empty()) return text;
    for (std::size_t at = 0; (at = text.find(secret, at)) != std::string::npos;) text.replace(at, secret.size(), "***");
    return text;
}

Call with_own_token(Call call, const std::string& token) {
    call.authorized = false;
    call.limited_by.global = false;
    call.limited_by.major = token;
    call.secret = percent_encode(token);
    return call;
}

}  // namespace

struct Rest::Impl : std::enable_shared_from_this<Rest::Impl> {
    Impl(net::Loop& the_loop, RestOptions the_options)
        : loop(the_loop),
          options(std::move(the_options)),
          limits(options.timing.global_per_second),
          random(std::random_device{}()),
          timer(loop) {
        net::HttpClientOptions http_options;
        http_options.trust = options.trust;
        http_options.max_connections_per_host = 32;  // a callback has 3 s: it must not wait behind slow answers
        http = std::make_unique<net::HttpClient>(loop, std::move(http_options));
        while (options.api_base.ends_with('/')) options.api_base.pop_back();
    }

    /// A call in its line; set when it may leave or is hopeless.
    struct Waiter {
        explicit Waiter(net::Loop& loop) : woken(loop) {}
        net::Signal woken;
        bool go = false;
    };

    /// What a call has been through.
    struct History {
        BootTime deadline;
        BootTime last_try;
        int lost = 0;     ///< tries that ended with 5xx or without an answer
        int limited = 0;  ///< 429s
    };

    net::Loop& loop;
    RestOptions options;
    RestLimits limits;
    RestCounts counts;
    std::unique_ptr<net::HttpClient> http;  ///< null: closed
    bool token_refused = false;
    std::mt19937_64 random;
    net::asio::steady_timer timer;
    std::map<RestLimits::Ticket, std::shared_ptr<Waiter>> waiters;

    void pump();
    void close();
    void wake_all();
    std::string nonce();
    nanoseconds backoff(int failures);
    nanoseconds patience(const Call& call) const;
    net::HttpRequest request_of(const Call& call) const;
    std::optional<RestError> obstacle(const Call& call) const;

    static Task<RestResult<HttpResponse>> perform(std::shared_ptr<Impl> self, Call call);
    static Task<RestResult<HttpResponse>> tries(std::shared_ptr<Impl> self, const Call& call, RestLimits::Ticket ticket,
                                                History history);
    static Task<bool> turn(std::shared_ptr<Impl> self, RestLimits::Ticket ticket, BootTime deadline);
    bool again_after(const Call& call, const HttpResponse* answer, RestLimits::Ticket ticket, History& history);
    RestResult<HttpResponse> judge(const Call& call, HttpResponse answer, const History& history);
    static Task<RestResult<>> done(std::shared_ptr<Impl> self, Call call);
    static Task<RestResult<std::vector<OwnGuild>>> all_guilds(std::shared_ptr<Impl> self);
    template <class T>
    static Task<RestResult<T>> parsed(std::shared_ptr<Impl> self, Call call, std::optional<T> (*parse)(const Json&));
};

// The lines ------------------------------------------------------------------------------------------------------

/// Wakes whose turn it is, and itself when the next one's time comes.
void Rest::Impl::pump() {
    const BootTime now = BootClock::now();
    const RestLimits::Turn turn = limits.poll(now);
    const auto wake = [&](RestLimits::Ticket ticket, bool go) {
        const auto waiter = waiters.find(ticket);
        if (waiter == waiters.end()) return;
        waiter->second->go = go;
        waiter->second->woken.set();
    };
    for (const auto ticket : turn.go) wake(ticket, true);
    for (const auto ticket : turn.hopeless) wake(ticket, false);
    timer.cancel();
    if (!turn.next) return;
    timer.expires_after(*turn.next - now);
    timer.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
        const auto self = weak.lock();
        if (!error && self) self->pump();
    });
}

void Rest::Impl::wake_all() {
    for (const auto& [ticket, waiter] : waiters) waiter->woken.set();
}

void Rest::Impl::close() {
    http.reset();
    timer.cancel();
    wake_all();
}

/// Waits for its turn. False: it will not come before the deadline, or nothing is sent any more.
Task<bool> Rest::Impl::turn(std::shared_ptr<Impl> self, RestLimits::Ticket ticket, BootTime deadline) {
    const auto waiter = std::make_shared<Waiter>(self->loop);
    self->waiters[ticket] = waiter;
    self->pump();
    co_await waiter->woken.wait_for(deadline - BootClock::now());
    self->waiters.erase(ticket);
    co_return waiter->go;
}

// One call -------------------------------------------------------------------------------------------------------

Task<RestResult<HttpResponse>> Rest::Impl::perform(std::shared_ptr<Impl> self, Call call) {
    const BootTime now = BootClock::now();
    History history;
    history.deadline = now + self->options.timing.give_up;
    history.last_try = call.try_within ? std::min(now + *call.try_within, history.deadline) : history.deadline;
    const auto ticket = self->limits.enter(call.limited_by, now, history.last_try);
    auto result = co_await tries(self, call, ticket, history);
    self->limits.leave(ticket);
    if (self->http) self->pump();
    co_return result;
}

Task<RestResult<HttpResponse>> Rest::Impl::tries(std::shared_ptr<Impl> self, const Call& call,
                                                 RestLimits::Ticket ticket, History history) {
    for (;;) {
        if (auto error = self->obstacle(call)) co_return std::move(*error);
        const bool go = co_await turn(self, ticket, history.last_try);
        if (auto error = self->obstacle(call)) co_return std::move(*error);
        if (!go) {
            RestError error{429, 0, ""};
            error.message = "Discord's rate limit holds " + call.limited_by.route + " back for longer than it may take";
            co_return error;
        }
        ++self->counts.requests;
        const nanoseconds timeout = std::min(self->patience(call), history.deadline - BootClock::now());
        auto answer = co_await self->http->send(self->request_of(call), timeout);
        if (auto error = self->obstacle(call)) co_return std::move(*error);
        if (self->again_after(call, answer ? &*answer : nullptr, ticket, history)) continue;
        if (answer) co_return self->judge(call, std::move(*answer), history);
        RestError error;
        error.message = "no answer from Discord to " + call.limited_by.route + ": " +
                        without(without(answer.error().message, self->options.token), call.secret);
        co_return error;
    }
}

/// Why nothing may be sent now.
std::optional<RestError> Rest::Impl::obstacle(const Call& call) const {
    if (!http) return RestError{0, 0, call.limited_by.route + " was given up: the bot is shutting down"};
    if (!token_refused) return std::nullopt;
    return RestError{401, 0,
                     "Discord refuses the bot's token, and nothing is sent to it any more: set discord.token to "
                     "the one in its developer portal and start again"};
}

/// Counts what came of a try, and whether there is another: if so the ticket is back in its line. `answer` null: none.
bool Rest::Impl::again_after(const Call& call, const HttpResponse* answer, RestLimits::Ticket ticket,
                             History& history) {
    const BootTime now = BootClock::now();
    if (answer != nullptr) {
        LimitNews news = limits_of(*answer);
        if (news.blocked_for) *news.blocked_for += options.timing.margin;
        limits.answered(ticket, news, now);
    }
    if (answer != nullptr && answer->status == 429) {
        ++counts.rate_limited;
        log().debug("discord: {} is rate limited", call.limited_by.route);
        if (!call.wait_when_limited) return false;
        limits.again(ticket, ++history.limited > kPatient ? now + backoff(history.limited - kPatient) : now);
        return true;
    }
    if (answer != nullptr && answer->status < 500) return false;
    ++(answer != nullptr ? counts.server_errors : counts.no_answer);
    ++history.lost;
    const BootTime next = now + backoff(history.lost);
    if (call.repeat == Repeat::never || history.lost > kRepeats || next >= history.last_try) return false;
    limits.again(ticket, next);
    return true;
}

RestResult<HttpResponse> Rest::Impl::judge(const Call& call, HttpResponse answer, const History& history) {
    if (answer.status >= 200 && answer.status < 300) return answer;
    RestError error = error_of(call.limited_by.route, answer);
    // The first try arrived after all, only its answer did not.
    if (history.lost > 0 && call.done_code != 0 && error.code == call.done_code) return answer;
    if (answer.status == 401 && call.authorized) {
        token_refused = true;
        wake_all();
        return *obstacle(call);
    }
    return error;
}

net::HttpRequest Rest::Impl::request_of(const Call& call) const {
    net::HttpRequest request;
    request.method = call.method;
    request.target = options.api_base + call.path;
    request.headers.emplace_back("User-Agent", options.user_agent);
    if (call.authorized) request.headers.emplace_back("Authorization", "Bot " + options.token);
    if (!call.content_type.empty()) request.headers.emplace_back("Content-Type", call.content_type);
    request.body = call.body;
    return request;
}

nanoseconds Rest::Impl::backoff(int failures) {
    const nanoseconds first = options.timing.backoff_first;
    const nanoseconds full = doubled(first, failures, 64 * first);
    return between(full / 2, full, random);
}

/// For one try.
nanoseconds Rest::Impl::patience(const Call& call) const {
    const RestTiming& timing = options.timing;
    return timing.request + seconds(call.body.size() / timing.least_rate);
}

std::string Rest::Impl::nonce() {
    return std::to_string(random());  // at most 20 digits; Discord allows 25
}

Task<RestResult<>> Rest::Impl::done(std::shared_ptr<Impl> self, Call call) {
    auto answer = co_await perform(std::move(self), std::move(call));
    if (!answer) co_return answer.error();
    co_return Ok{};
}

template <class T>
Task<RestResult<T>> Rest::Impl::parsed(std::shared_ptr<Impl> self, Call call, std::optional<T> (*parse)(const Json&)) {
    const std::string route = call.limited_by.route;
    auto answer = co_await perform(self, std::move(call));
    if (!answer) co_return answer.error();
    const auto body = parse_json(answer->body);
    auto value = body ? parse(*body) : std::nullopt;
    if (value) co_return std::move(*value);
    ++self->counts.malformed;
    co_return malformed_answer(route, answer->status);
}

/// Page by page, as long as they are full and lead on.
Task<RestResult<std::vector<OwnGuild>>> Rest::Impl::all_guilds(std::shared_ptr<Impl> self) {
    constexpr std::size_t kPage = 200;
    std::vector<OwnGuild> all;
    for (GuildId after{};;) {
        Call call = make_call("GET", "/users/@me/guilds", {});
        call.path += "?limit=" + std::to_string(kPage) + "&after=" + after.text();
        auto page = co_await parsed(self, std::move(call), parse_own_guilds);
        if (!page) co_return page.error();
        const bool more = page->size() >= kPage && page->back().id > after;
        if (more) after = page->back().id;
        std::ranges::move(*page, std::back_inserter(all));
        if (!more) co_return all;
    }
}

// The calls ------------------------------------------------------------------------------------------------------

Result<Rest> Rest::make(net::Loop& loop, RestOptions options) {
    const auto url = net::Url::parse(options.api_base);
    if (!url) return Error{ErrorKind::usage, "discord.api_base is no URL: " + url.error().message};
    if (url->scheme != "http" && url->scheme != "https") {
        return Error{ErrorKind::usage, "discord.api_base must begin with https://"};
    }
    if (!url->safe_for_secrets()) {
        return Error{ErrorKind::usage,
                     "discord.api_base would send the bot's token in the clear to " + url->host + ": use https"};
    }
    if (!is_token(options.token)) {
        return Error{ErrorKind::usage, options.token.empty()
                                           ? "there is no bot token: set discord.token (or DISCORD_TOKEN)"
                                           : "discord.token holds characters that no token has: copy it again"};
    }
    return Rest(std::make_shared<Impl>(loop, std::move(options)));
}

Rest::Rest(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Rest::Rest(Rest&&) noexcept = default;
Rest& Rest::operator=(Rest&& other) noexcept {
    std::swap(impl_, other.impl_);
    return *this;
}
Rest::~Rest() {
    if (impl_) impl_->close();
}

void Rest::close() {
    impl_->close();
}

const RestCounts& Rest::counts() const {
    return impl_->counts;
}

Task<RestResult<GatewayInfo>> Rest::gateway_bot() {
    return Impl::parsed(impl_, make_call("GET", "/gateway/bot", {}), parse_gateway_info);
}

Task<RestResult<User>> Rest::current_user() {
    return Impl::parsed(impl_, make_call("GET", "/users/@me", {}), parse_user);
}

Task<RestResult<OwnApplication>> Rest::own_application() {
    return Impl::parsed(impl_, make_call("GET", "/applications/@me", {}), parse_own_application);
}

Task<RestResult<std::vector<OwnGuild>>> Rest::own_guilds() {
    return Impl::all_guilds(impl_);
}

Task<RestResult<MessageId>> Rest::create_message(ChannelId channel, OutgoingMessage message) {
    message.ephemeral = false;  // only interactions have that
    Json body = message_json(message);
    body["nonce"] = message.nonce.empty() ? impl_->nonce() : message.nonce;  // the same again gives the first message
    body["enforce_nonce"] = true;
    Call call = make_call("POST", "/channels/{channel}/messages", {channel.text()});
    return Impl::parsed(impl_, with_files(std::move(call), body, message.files), parse_created<MessageId>);
}

Task<RestResult<>> Rest::edit_message(ChannelId channel, MessageId message, OutgoingMessage to) {
    to.ephemeral = false;
    to.reply_to.reset();
    Call call = make_call("PATCH", "/channels/{channel}/messages/{message}", {channel.text(), message.text()});
    return Impl::done(impl_, with_files(std::move(call), message_json(to), to.files));
}

Task<RestResult<>> Rest::delete_message(ChannelId channel, MessageId message) {
    constexpr int kUnknownMessage = 10008;
    Call call = make_call("DELETE", "/channels/{channel}/messages/{message}", {channel.text(), message.text()});
    call.done_code = kUnknownMessage;
    return Impl::done(impl_, std::move(call));
}

Task<RestResult<ChannelId>> Rest::open_direct_channel(UserId user) {
    Call call = make_call("POST", "/users/@me/channels", {});  // the second time it gives the same channel
    const Json body = {{"recipient_id", user.text()}};
    return Impl::parsed(impl_, with_json(std::move(call), body), parse_created<ChannelId>);
}

Task<RestResult<>> Rest::set_own_nickname(GuildId guild, std::optional<std::string> nick) {
    Call call = make_call("PATCH", "/guilds/{guild}/members/@me", {guild.text()});
    call.repeat = Repeat::never;
    call.wait_when_limited = false;
    const Json body = {{"nick", nick ? Json(*nick) : Json(nullptr)}};
    return Impl::done(impl_, with_json(std::move(call), body));
}

Task<RestResult<Json>> Rest::commands(ApplicationId application) {
    Call call = make_call("GET", "/applications/{application}/commands", {application.text()});
    call.path += "?with_localizations=true";
    const auto list = [](const Json& body) { return body.is_array() ? std::optional<Json>(body) : std::nullopt; };
    return Impl::parsed<Json>(impl_, std::move(call), list);
}

Task<RestResult<>> Rest::put_commands(ApplicationId application, const Json& commands, std::optional<GuildId> guild) {
    Call call = make_call("PUT", "/applications/{application}/commands", {application.text()});
    if (guild) {
        call = make_call("PUT", "/applications/{application}/guilds/{guild}/commands",
                         {application.text(), guild->text()});
        call.limited_by.major = guild->text();
    }
    return Impl::done(impl_, with_json(std::move(call), commands));
}

namespace {

Call callback(const Interaction& to) {
    constexpr int kAlreadyAcknowledged = 40060;
    Call call = make_call("POST", "/interactions/{interaction}/{token}/callback", {std::to_string(to.id), to.token});
    call.done_code = kAlreadyAcknowledged;
    call.try_within = kAnswerFirst;
    return with_own_token(std::move(call), to.token);
}

}  // namespace

Task<RestResult<>> Rest::reply(const Interaction& to, OutgoingMessage message) {
    constexpr int kMessageNow = 4;
    message.reply_to.reset();
    const Json body = {{"type", kMessageNow}, {"data", message_json(message)}};
    return Impl::done(impl_, with_files(callback(to), body, message.files));
}

Task<RestResult<>> Rest::defer(const Interaction& to, bool ephemeral) {
    constexpr int kMessageLater = 5;
    constexpr int kEphemeral = 64;
    Json body = {{"type", kMessageLater}};
    if (ephemeral) body["data"] = {{"flags", kEphemeral}};
    return Impl::done(impl_, with_json(callback(to), body));
}

Task<RestResult<>> Rest::edit_reply(const Interaction& to, OutgoingMessage message) {
    message.ephemeral = false;  // decided by the first answer
    message.reply_to.reset();
    Call call =
        make_call("PATCH", "/webhooks/{application}/{token}/messages/@original", {to.application.text(), to.token});
    return Impl::done(impl_,
                      with_files(with_own_token(std::move(call), to.token), message_json(message), message.files));
}

Task<RestResult<>> Rest::follow_up(const Interaction& to, OutgoingMessage message) {
    message.reply_to.reset();
    Call call = make_call("POST", "/webhooks/{application}/{token}", {to.application.text(), to.token});
    call.repeat = Repeat::never;  // webhooks have no nonce
    return Impl::done(impl_,
                      with_files(with_own_token(std::move(call), to.token), message_json(message), message.files));
}

}  // namespace lestapenna::discord
