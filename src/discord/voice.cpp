#include "discord/voice.h"

#include <algorithm>
#include <random>
#include <utility>

#include "base/log.h"
#include "dave/session.h"
#include "discord/backoff.h"
#include "discord/voice_close.h"
#include "discord/voice_session.h"

namespace lestapenna::discord {
namespace {

/// In a row, without having stood for VoiceTiming::steady: then rejoin, which waits in between.
constexpr int kMostResumes = 3;

VoiceOptions with_identity(VoiceOptions options) {
    if (!options.identity) options.identity = std::make_shared<const mls::KeyPair>(mls::KeyPair::generate());
    return options;
}

}  // namespace

// One coroutine, drive(), lives from join() to the end: it waits until the main gateway has said where to connect,
// attends to that session until it is over, and asks again. Events of the main gateway interrupt it: they change the
// members, drop the session where it is outdated, and set `news`.
struct Voice::Impl : std::enable_shared_from_this<Voice::Impl> {
    Impl(net::Loop& on, GuildId in, UserId me, VoiceOptions with, Listener& to, AskGateway gateway)
        : loop(on),
          guild(in),
          self(me),
          options(with_identity(std::move(with))),
          listener(&to),
          ask(std::move(gateway)),
          news(on),
          random(std::random_device{}()) {}

    void join(ChannelId channel);
    void leave();
    void on_voice_state(const VoiceState& state);
    void on_voice_server(const VoiceServer& named);
    void close();

    static net::Task<> drive(std::shared_ptr<Impl> me, int life);
    static net::Task<> await_server(std::shared_ptr<Impl> me, int life, nanoseconds patience);
    static net::Task<nanoseconds> attend(std::shared_ptr<Impl> me, int life);

    [[nodiscard]] bool connected() const { return session && session->connected(); }
    [[nodiscard]] bool ready() const { return wanted && in_channel == wanted && server && !session_id.empty(); }
    void open_session();
    void drop_session(std::uint16_t code, const std::string& reason);
    [[nodiscard]] bool try_resume(const SessionLoss& loss, CloseAction action);
    nanoseconds after(const SessionLoss& loss, const CloseRule& rule);
    nanoseconds back_off();
    void end(EndReason reason, std::uint16_t code, const std::string& message);

    net::Loop& loop;
    const GuildId guild;
    const UserId self;
    const VoiceOptions options;
    Listener* const listener;
    const AskGateway ask;
    VoiceCounts counts;

    int life = 0;  // raised by each join() from idle and each end: what belongs to an older one stops
    net::Signal news;
    std::optional<ChannelId> wanted;      // nothing: idle
    std::optional<ChannelId> in_channel;  // as the main gateway said
    std::string session_id;
    std::optional<VoiceServer> server;  // to be connected to; used once
    bool asking = false;                // again, and no server was named since
    std::shared_ptr<VoiceSession> session;

    int generation = 0;  // of the last session that was connected
    int failures = 0;    // in a row
    int refusals = 0;    // in a row, by codes that are not forgiven for ever
    int resumes = 0;     // in a row
    std::uint16_t last_code = 0;
    int deaf_steps = 0;
    bool speaking = false;
    bool deafened = false;
    Encryption encryption;    // as it was told last
    std::minstd_rand random;  // jitter
};

// ---- what the caller says

void Voice::Impl::join(ChannelId channel) {
    if (wanted == channel) return;
    const bool idle = !wanted;
    wanted = channel;
    server.reset();
    if (idle) {
        failures = refusals = resumes = deaf_steps = 0;
        last_code = 0;
        net::spawn(loop, drive(shared_from_this(), ++life));
    }
    ask(channel);
}

void Voice::Impl::leave() {
    if (wanted) end(EndReason::left, 0, "left the channel");
}

void Voice::Impl::on_voice_state(const VoiceState& state) {
    if (!wanted || state.guild != guild || state.user != self) return;
    if (!state.channel) {
        // Before we were anywhere it can only be the echo of an earlier leave().
        if (in_channel)
            end(EndReason::removed, last_code, "removed from the voice channel, or the channel was deleted");
        return;
    }
    const bool moved = in_channel && in_channel != state.channel;
    if (state.channel != wanted) {
        if (!moved) return;  // where we still are, or an echo of what was wanted before
        wanted = state.channel;
    }
    in_channel = state.channel;
    deafened = state.deaf;
    const bool new_id = !state.session_id.empty() && state.session_id != session_id;
    if (new_id) session_id = state.session_id;
    if (session) session->set_deafened(deafened);
    if (session && !session->was_connected()) {
        session->set_channel(*in_channel);
        if (new_id) {  // it identifies with the old id: again, with the same server
            server = VoiceServer{guild, session->credentials().token, session->endpoint()};
            drop_session(0, "");
        }
    }
    news.set();
    if (!moved) return;
    const int now = life;
    if (session && session->was_connected()) drop_session(0, "moved to another channel");
    if (life == now) listener->on_event(Moved{*in_channel});
}

void Voice::Impl::on_voice_server(const VoiceServer& named) {
    if (!wanted || named.guild != guild) return;
    const bool gone = named.endpoint.empty();
    server = gone ? std::nullopt : std::optional(named);
    news.set();
    drop_session(0, gone ? "the voice server goes away" : "another voice server was named");
}

void Voice::Impl::end(EndReason reason, std::uint16_t code, const std::string& message) {
    const int now = life;
    if (const auto last = session) last->drain();
    if (life != now) return;  // the listener has ended it

    const bool take_back = reason != EndReason::removed || asking;  // what was asked for may still be granted
    close();
    if (take_back) ask(std::nullopt);
    listener->on_event(Ended{reason, code, message});
}

void Voice::Impl::close() {
    ++life;
    wanted.reset();
    in_channel.reset();
    server.reset();
    session_id.clear();
    asking = false;
    if (session) session->abandon();
    if (session && session->was_connected()) generation = session->generation();
    session.reset();
    news.set();
}

// ---- from one session to the next

net::Task<> Voice::Impl::drive(std::shared_ptr<Impl> me, int life) {
    nanoseconds patience = me->options.timing.answer;  // join() has just asked
    for (;;) {
        co_await await_server(me, life, patience);
        if (me->life != life) co_return;
        if (!me->ready()) {
            ++me->counts.rejoins;
            me->asking = true;
            me->ask(me->wanted);
            co_await await_server(me, life, me->options.timing.answer);
            if (me->life != life) co_return;
        }
        if (!me->ready()) {
            log().warn("voice: no answer of the main gateway to the request to join; it is asked again");
            patience = me->back_off();
            continue;
        }
        me->open_session();
        patience = co_await attend(me, life);
        if (me->life != life) co_return;
    }
}

/// Until ready(), another life, or the end of patience.
net::Task<> Voice::Impl::await_server(std::shared_ptr<Impl> me, int life, nanoseconds patience) {
    const BootTime until = BootClock::now() + patience;
    for (;;) {
        me->news.reset();
        const nanoseconds left = until - BootClock::now();
        if (me->life != life || me->ready() || left <= nanoseconds{0}) co_return;
        co_await me->news.wait_for(left);
    }
}

void Voice::Impl::open_session() {
    const VoiceServer to = *std::exchange(server, std::nullopt);
    asking = false;
    const VoiceSetting setting{loop, options, *listener, counts, encryption, deaf_steps};
    voice::Credentials who{guild, self, session_id, to.token};
    session = std::make_shared<VoiceSession>(setting, std::move(who), to.endpoint, *in_channel, generation + 1);
    session->set_speaking(speaking);
    session->set_deafened(deafened);
    session->identify();
}

/// Until the session is over, resumes included. Returns how long to wait for the main gateway before it is asked.
net::Task<nanoseconds> Voice::Impl::attend(std::shared_ptr<Impl> me, int life) {
    const std::shared_ptr<VoiceSession> mine = me->session;
    for (;;) {
        co_await mine->lost();
        if (me->life != life || me->session != mine) co_return me->options.timing.answer;
        const SessionLoss loss = mine->loss();
        const CloseRule rule = close_rule(loss.code);
        if (mine->stood() >= me->options.timing.steady) me->failures = me->refusals = me->resumes = 0;
        me->last_code = loss.code;
        log().info("voice: {} ({}{}{})", rule.meaning, loss.code, loss.reason.empty() ? "" : ": ", loss.reason);
        if (!me->try_resume(loss, rule.action)) co_return me->after(loss, rule);
        if (me->life != life || me->session != mine) co_return me->options.timing.answer;
    }
}

bool Voice::Impl::try_resume(const SessionLoss& loss, CloseAction action) {
    const std::shared_ptr<VoiceSession> mine = session;
    const bool was_up = mine->stood() > nanoseconds{0};  // else it was a resume that failed, or never more
    if (action != CloseAction::resume || !was_up || !loss.may_resume || resumes == kMostResumes) return false;
    ++resumes;
    ++counts.resumes;
    mine->resume();
    listener->on_event(Disconnected{mine->generation(), loss.code, true, loss.reason});
    return true;
}

nanoseconds Voice::Impl::after(const SessionLoss& loss, const CloseRule& rule) {
    const std::string why = "the voice server closed with " + std::to_string(loss.code) + ": " + rule.meaning;
    if (rule.action == CloseAction::end || (rule.tries > 0 && ++refusals > rule.tries)) {
        end(EndReason::refused, loss.code, why);
        return nanoseconds{0};
    }
    drop_session(loss.code, loss.code == 0 ? loss.reason : why);
    if (rule.slowly) return options.timing.rate_limited;
    return rule.action == CloseAction::wait ? options.timing.moved : back_off();
}

/// At once the first time, then 1, 2, 4, 8, 16 s, a quarter more or less.
nanoseconds Voice::Impl::back_off() {
    if (failures++ == 0) return nanoseconds{0};
    const nanoseconds wait = doubled(options.timing.backoff_first, failures - 1, options.timing.backoff_most);
    return between(wait * 3 / 4, wait * 5 / 4, random);
}

void Voice::Impl::drop_session(std::uint16_t code, const std::string& reason) {
    const std::shared_ptr<VoiceSession> gone = session;
    if (!gone) return;
    gone->drain();
    if (session != gone) return;  // the listener has ended it
    session.reset();
    gone->abandon();
    if (!gone->was_connected()) return;
    generation = gone->generation();
    listener->on_event(Disconnected{generation, code, false, reason});
}

// ---- the public face

Voice::Voice(net::Loop& loop, GuildId guild, UserId self, VoiceOptions options, Listener& listener, AskGateway ask)
    : impl_(std::make_shared<Impl>(loop, guild, self, std::move(options), listener, std::move(ask))) {}

Voice::~Voice() {
    impl_->close();
}

// The listener may destroy the Voice from within a call: the Impl is held until it returns.

void Voice::join(ChannelId channel) {
    const auto held = impl_;
    held->join(channel);
}

void Voice::leave() {
    const auto held = impl_;
    held->leave();
}

void Voice::on_voice_state(const VoiceState& state) {
    const auto held = impl_;
    held->on_voice_state(state);
}

void Voice::on_voice_server(const VoiceServer& server) {
    const auto held = impl_;
    held->on_voice_server(server);
}

void Voice::set_speaking(bool speaking) {
    impl_->speaking = speaking;
    if (impl_->session) impl_->session->set_speaking(speaking);
}

bool Voice::send(std::uint32_t timestamp, std::span<const std::uint8_t> opus) {
    return impl_->session && impl_->session->send(timestamp, opus);
}

std::uint16_t Voice::last_seq() const {
    return impl_->session ? impl_->session->last_seq() : std::uint16_t{0};
}

bool Voice::connected() const {
    return impl_->connected();
}

bool Voice::may_speak() const {
    return impl_->session && impl_->session->may_speak();
}

const VoiceCounts& Voice::counts() const {
    return impl_->counts;
}

}  // namespace lestapenna::discord
