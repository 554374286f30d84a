#include "discord/gateway.h"

#include <algorithm>
#include <random>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "discord/backoff.h"
#include "discord/gateway_messages.h"
#include "discord/window.h"
#include "net/websocket.h"

namespace lestapenna::discord {

namespace {

using net::Task;

constexpr std::size_t kSendsPerWindow = 115;  // Discord closes at 120 a minute; five are left for heartbeats
constexpr int kResumeTries = 5;               // connections in a row that came to nothing; then a new session
constexpr std::uint16_t kOurClose = 4200;     // neither 1000 nor 1001: those would end the session
constexpr std::uint16_t kGoodbye = 1000;
constexpr seconds kGoodbyeTime(3);
constexpr std::size_t kMaxSessionId = 512;  // it must fit a frame of 4,096 bytes with the token

enum class Pause : std::uint8_t {
    none,             ///< only while connections come to something; else as `backoff`
    backoff,          ///< longer with each failure in a row
    invalid_session,  ///< what op 9 asks for
    rate_limited,
};

/// What follows a connection.
struct Next {
    bool keep_session = true;
    Pause pause = Pause::backoff;
    std::optional<Error> fatal{};
};

Next give_up(Error error) {
    return {false, Pause::none, std::move(error)};
}

/// What identify gave, for resume.
struct Session {
    std::string id;
    std::string resume_url;  ///< empty: none that we may use
};

/// The last op 4 of a guild.
struct Wish {
    std::optional<ChannelId> channel;
    bool self_mute = false;
    bool self_deaf = false;
    bool sent = false;
};

/// One websocket. It is over as soon as we or they are done with it; closing it goes on behind that.
struct Link {
    Link(net::Loop& loop, std::unique_ptr<net::WebSocket> the_socket, nanoseconds send_window)
        : socket(std::move(the_socket)), over(loop), closed(loop), sends(kSendsPerWindow, send_window) {}

    void send(std::string frame) {
        sends.note(BootClock::now());
        socket->send(std::move(frame));
    }
    /// Only the first reason counts.
    void end(Next with) {
        if (!next) next = std::move(with);
        over.set();
    }
    void leave(Next with, std::uint16_t code) {
        if (next) return;
        end(std::move(with));
        socket->close(code, "");
    }

    std::unique_ptr<net::WebSocket> socket;
    std::optional<Next> next;
    net::Signal over;    ///< `next` is decided
    net::Signal closed;  ///< nothing will be read any more
    Window sends;
    bool greeted = false;  ///< Hello came
    bool stands = false;   ///< READY or RESUMED came
    bool acknowledged = true;
    bool flush_planned = false;
};

template <class T>
struct Outcome {
    explicit Outcome(net::Loop& loop) : known(loop) {}
    net::Signal known;
    std::optional<T> value;
};

template <class T>
Task<> settle(std::shared_ptr<Outcome<T>> outcome, Task<T> task) {
    T value = co_await std::move(task);
    outcome->value.emplace(std::move(value));
    outcome->known.set();
}

}  // namespace

struct Gateway::Impl : std::enable_shared_from_this<Gateway::Impl> {
    Impl(net::Loop& the_loop, Rest& the_rest, GatewayOptions the_options, Handler the_handler)
        : loop(the_loop),
          rest(the_rest),
          options(std::move(the_options)),
          handler(std::move(the_handler)),
          random(std::random_device{}()),
          intents(options.intents),
          stopped(loop) {}

    net::Loop& loop;
    Rest& rest;
    GatewayOptions options;
    Handler handler;
    GatewayCounts counts;
    std::mt19937_64 random;
    std::uint32_t intents;
    bool lost_content = false;

    net::Signal stopped;
    std::function<void()> interrupt;  ///< ends the wait that run() is in, if it is in one
    std::shared_ptr<Link> link;
    int failures = 0;        ///< connections in a row that came to nothing
    BootTime identify_from;  ///< no identify before

    std::optional<Session> session;
    std::optional<std::int64_t> sequence;
    UserId self_id;
    std::map<GuildId, Wish> wishes;

    [[nodiscard]] bool ready() const { return link && link->stands && !link->next; }

    // run() and its parts, in the order of their use
    static Task<Status> run(std::shared_ptr<Impl> self);
    static Task<Next> connect_and_stay(std::shared_ptr<Impl> self);
    static Task<std::variant<std::string, Next>> find_address(std::shared_ptr<Impl> self);
    static Task<> read_loop(std::shared_ptr<Impl> self, std::shared_ptr<Link> on);
    static Task<> insist(std::shared_ptr<Link> on, nanoseconds time, bool Link::*came, const char* what);
    static Task<> beat(std::shared_ptr<Impl> self, std::shared_ptr<Link> on, nanoseconds interval);
    template <class T>
    static Task<std::optional<T>> unless_stopped(std::shared_ptr<Impl> self, Task<T> task);
    nanoseconds length_of(Pause pause);

    void stop();
    Next after(const net::Closed& closed);
    void on_message(const std::shared_ptr<Link>& on, const net::Message& message);
    void on_hello(const std::shared_ptr<Link>& on, const Json& data);
    void on_dispatch(Link& on, const GatewayFrame& frame);
    bool take_ready(const Ready& ready, const Json& data);
    void follow_own_state(const VoiceState& state);
    void flush_wishes();
    static Task<> flush_later(std::shared_ptr<Impl> self, std::shared_ptr<Link> on, nanoseconds wait);
};

// Connections ----------------------------------------------------------------------------------------------------

Task<Status> Gateway::Impl::run(std::shared_ptr<Impl> self) {
    while (!self->stopped.is_set()) {
        Next next = co_await connect_and_stay(self);
        const bool came_to_something = self->link && self->link->stands;
        self->link.reset();
        if (self->stopped.is_set()) break;
        if (next.fatal) co_return std::move(*next.fatal);

        self->failures = came_to_something ? 0 : self->failures + 1;
        if (!next.keep_session || self->failures >= kResumeTries) self->session.reset();
        const bool at_once = next.pause == Pause::none && came_to_something;
        if (!at_once) co_await self->stopped.wait_for(self->length_of(next.pause));
    }
    co_return Ok{};
}

Task<Next> Gateway::Impl::connect_and_stay(std::shared_ptr<Impl> self) {
    auto address = co_await find_address(self);
    if (auto* next = std::get_if<Next>(&address)) co_return std::move(*next);

    net::ConnectOptions to;
    to.url = gateway_address(std::get<std::string>(address));
    to.trust = self->options.trust;
    auto attempt = co_await unless_stopped(self, net::connect(std::move(to)));
    if (!attempt) co_return Next{};
    if (!*attempt) {
        log().warn("discord: {}", attempt->error().message);
        co_return Next{};
    }
    const auto on = std::make_shared<Link>(self->loop, std::move(**attempt), self->options.timing.send_window);
    self->link = on;
    net::spawn(self->loop, read_loop(self, on));
    net::spawn(self->loop, insist(on, self->options.timing.hello, &Link::greeted, "Hello"));
    co_await on->over.wait();
    if (self->stopped.is_set()) co_await on->closed.wait_for(kGoodbyeTime);
    co_return *on->next;
}

/// The session's own address, else what REST says. It is one that the token may be sent to.
Task<std::variant<std::string, Next>> Gateway::Impl::find_address(std::shared_ptr<Impl> self) {
    if (self->session && !self->session->resume_url.empty()) co_return self->session->resume_url;

    const auto info = co_await unless_stopped(self, self->rest.gateway_bot());
    if (!info) co_return Next{};
    if (!*info) {
        const RestError& error = info->error();
        if (error.status == 401) co_return give_up({ErrorKind::usage, error.message});
        log().warn("discord: the gateway's address is not known: {}", error.message);
        co_return Next{};
    }
    const GatewayInfo& found = **info;
    const auto url = net::Url::parse(found.url);
    if (!url || !url->scheme.starts_with("ws")) {
        ++self->counts.malformed;
        log().warn("discord: the gateway's address is none: {}", in_quotes(found.url));
        co_return Next{};
    }
    if (!url->safe_for_secrets()) {
        co_return give_up(
            {ErrorKind::usage, "the gateway's address is not encrypted and the token does not go there (" +
                                   in_quotes(found.url) + "): is discord.api_base right?"});
    }
    if (self->session) co_return found.url;
    if (found.remaining_identifies <= 0) {
        log().warn("discord: all sessions of the day are used up; the next one is allowed in {} s",
                   std::chrono::duration_cast<seconds>(found.reset_after).count());
        co_await self->stopped.wait_for(found.reset_after);
        co_return Next{};
    }
    co_await self->stopped.wait_for(self->identify_from - BootClock::now());
    co_return found.url;
}

/// Nothing when stop() came first; the task then goes on by itself and its value is dropped.
template <class T>
Task<std::optional<T>> Gateway::Impl::unless_stopped(std::shared_ptr<Impl> self, Task<T> task) {
    if (self->stopped.is_set()) co_return std::nullopt;
    const auto outcome = std::make_shared<Outcome<T>>(self->loop);
    net::spawn(self->loop, settle(outcome, std::move(task)));
    self->interrupt = [outcome] { outcome->known.set(); };
    co_await outcome->known.wait();
    self->interrupt = nullptr;
    co_return std::move(outcome->value);
}

nanoseconds Gateway::Impl::length_of(Pause pause) {
    const GatewayTiming& timing = options.timing;
    if (pause == Pause::rate_limited) return timing.rate_limited;
    if (pause == Pause::invalid_session) {
        return between(timing.invalid_session_least, timing.invalid_session_most, random);
    }
    const nanoseconds full = doubled(timing.backoff_first, failures, timing.backoff_most);
    return between(full / 2, full, random);
}

Next Gateway::Impl::after(const net::Closed& closed) {
    ++counts.closes[closed.code];
    log().info("discord: the gateway closed with {} {}", closed.code, in_quotes(closed.reason));
    switch (after_close(closed.code)) {
        case AfterClose::resume:
            return {true, Pause::backoff};
        case AfterClose::identify:
            return {false, Pause::backoff};
        case AfterClose::identify_later:
            return {false, Pause::rate_limited};
        case AfterClose::stop:
            return give_up({ErrorKind::usage, advice_on_close(closed.code)});
        case AfterClose::drop_intents:
            break;
    }
    if ((intents & intents::privileged) == 0) return give_up({ErrorKind::usage, advice_on_close(closed.code)});
    lost_content = (intents & intents::message_content) != 0;
    intents &= ~intents::privileged;
    log().warn("discord: {}; until then only slash commands are understood", advice_on_close(closed.code));
    return {false, Pause::backoff};
}

void Gateway::Impl::stop() {
    stopped.set();
    if (interrupt) interrupt();
    if (link) link->leave({}, kGoodbye);
}

// One connection -------------------------------------------------------------------------------------------------

Task<> Gateway::Impl::read_loop(std::shared_ptr<Impl> self, std::shared_ptr<Link> on) {
    for (;;) {
        auto incoming = co_await on->socket->read();
        if (const auto* closed = std::get_if<net::Closed>(&incoming)) {
            if (!on->next) on->end(self->after(*closed));
            break;
        }
        if (!on->next) self->on_message(on, std::get<net::Message>(incoming));
    }
    on->closed.set();
}

/// Gives the connection up when something does not come in time.
Task<> Gateway::Impl::insist(std::shared_ptr<Link> on, nanoseconds time, bool Link::*came, const char* what) {
    const bool is_over = co_await on->over.wait_for(time);
    if (is_over || (*on).*came) co_return;
    log().warn("discord: no {} from the gateway in time", what);
    on->leave({}, kOurClose);
}

Task<> Gateway::Impl::beat(std::shared_ptr<Impl> self, std::shared_ptr<Link> on, nanoseconds interval) {
    nanoseconds wait = between(nanoseconds(0), interval, self->random);  // else all bots beat at once after an outage
    while (!co_await on->over.wait_for(wait)) {
        if (!on->acknowledged) {
            ++self->counts.zombies;
            log().warn("discord: the gateway did not answer a heartbeat; resuming elsewhere");
            on->leave({true, Pause::none}, kOurClose);
            co_return;
        }
        on->acknowledged = false;
        on->send(heartbeat_frame(self->sequence));
        wait = interval;
    }
}

void Gateway::Impl::on_message(const std::shared_ptr<Link>& on, const net::Message& message) {
    const auto frame = message.binary ? std::nullopt : parse_gateway_frame(message.bytes);
    if (!frame) {
        ++counts.malformed;
        return;
    }
    switch (frame->op) {
        case opcode::dispatch:
            return on_dispatch(*on, *frame);
        case opcode::heartbeat:
            return on->send(heartbeat_frame(sequence));
        case opcode::reconnect:
            return on->leave({true, Pause::none}, kOurClose);
        case opcode::invalid_session:
            if (!frame->data.is_boolean()) ++counts.malformed;
            return on->leave({frame->data == true, Pause::invalid_session}, kOurClose);
        case opcode::hello:
            return on_hello(on, frame->data);
        case opcode::heartbeat_ack:
            on->acknowledged = true;
            return;
        default:
            ++counts.unknown_events;
    }
}

void Gateway::Impl::on_hello(const std::shared_ptr<Link>& on, const Json& data) {
    const auto interval = heartbeat_interval(data);
    if (!interval || on->greeted) {
        ++counts.malformed;
        return;
    }
    on->greeted = true;
    net::spawn(loop, beat(shared_from_this(), on, *interval));
    net::spawn(loop, insist(on, options.timing.ready, &Link::stands, "session"));
    if (session && sequence) {
        ++counts.resumes;
        on->send(resume_frame(options.token, session->id, *sequence));
    } else {
        ++counts.identifies;
        identify_from = BootClock::now() + options.timing.identify_gap;
        session.reset();
        sequence.reset();
        on->send(identify_frame(options.token, intents));
    }
}

void Gateway::Impl::on_dispatch(Link& on, const GatewayFrame& frame) {
    if (frame.sequence) sequence = frame.sequence;
    auto parsed = parse_event(frame.name, frame.data);
    if (const auto* none = std::get_if<NoEvent>(&parsed)) {
        ++(*none == NoEvent::unknown ? counts.unknown_events : counts.malformed);
        return;
    }
    const Event& event = std::get<Event>(parsed);
    const auto* ready = std::get_if<Ready>(&event);
    if (ready != nullptr && !take_ready(*ready, frame.data)) {
        ++counts.malformed;
        return;
    }
    if (ready != nullptr || std::holds_alternative<Resumed>(event)) {
        on.stands = true;
        log().info("discord: the session {}", ready != nullptr ? "stands" : "goes on");
    }
    if (const auto* state = std::get_if<VoiceState>(&event)) follow_own_state(*state);
    ++counts.events;
    if (handler) handler(event);
    flush_wishes();
}

/// A new session: it knows nothing of what we wished in the old one.
bool Gateway::Impl::take_ready(const Ready& ready, const Json& data) {
    Session found{json::text(data, "session_id"), json::text(data, "resume_gateway_url")};
    if (found.id.empty() || found.id.size() > kMaxSessionId || !sequence) return false;
    const auto url = net::Url::parse(found.resume_url);
    if (!url || !url->scheme.starts_with("ws") || !url->safe_for_secrets()) found.resume_url.clear();
    session = std::move(found);
    self_id = ready.self.id;
    std::erase_if(wishes, [](const auto& wish) { return !wish.second.channel; });
    for (auto& [guild, wish] : wishes) wish.sent = false;
    return true;
}

// Op 4 -----------------------------------------------------------------------------------------------------------

/// Who was moved or thrown out does not go back by itself after the next READY.
void Gateway::Impl::follow_own_state(const VoiceState& state) {
    const auto wish = wishes.find(state.guild);
    if (state.user == self_id && wish != wishes.end() && wish->second.sent) wish->second.channel = state.channel;
}

/// Sends what was not sent yet, as far as the rate limit allows; the rest later.
void Gateway::Impl::flush_wishes() {
    if (!ready()) return;
    for (auto& [guild, wish] : wishes) {
        if (wish.sent) continue;
        if (const nanoseconds wait = link->sends.wait(BootClock::now()); wait > nanoseconds(0)) {
            if (!std::exchange(link->flush_planned, true))
                net::spawn(loop, flush_later(shared_from_this(), link, wait));
            return;
        }
        wish.sent = true;
        link->send(voice_state_frame(guild, wish.channel, wish.self_mute, wish.self_deaf));
    }
}

Task<> Gateway::Impl::flush_later(std::shared_ptr<Impl> self, std::shared_ptr<Link> on, nanoseconds wait) {
    // A named local: g++ 12.2 breaks coroutines whose body has none and awaits in a condition.
    const bool is_over = co_await on->over.wait_for(wait);
    if (is_over) co_return;
    on->flush_planned = false;
    self->flush_wishes();
}

// The public face ------------------------------------------------------------------------------------------------

Gateway::Gateway(net::Loop& loop, Rest& rest, GatewayOptions options, Handler handler)
    : impl_(std::make_shared<Impl>(loop, rest, std::move(options), std::move(handler))) {}

Gateway::~Gateway() {
    impl_->handler = nullptr;
    impl_->stop();
}

net::Task<Status> Gateway::run() {
    return Impl::run(impl_);
}

void Gateway::stop() {
    impl_->stop();
}

void Gateway::update_voice_state(GuildId guild, std::optional<ChannelId> channel, bool self_mute, bool self_deaf) {
    impl_->wishes[guild] = {channel, self_mute, self_deaf, false};
    impl_->flush_wishes();
}

bool Gateway::ready() const {
    return impl_->ready();
}

bool Gateway::lost_message_content() const {
    return impl_->lost_content;
}

const GatewayCounts& Gateway::counts() const {
    return impl_->counts;
}

}  // namespace lestapenna::discord
