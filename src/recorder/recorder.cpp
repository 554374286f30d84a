#include "recorder/recorder.h"

#include <system_error>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "base/log.h"
#include "recorder/capture.h"
#include "recorder/notice.h"

namespace lestapenna::recorder {

namespace {

constexpr seconds kClockEvery{1};  ///< readers close windows by it (docs/journal-format.md)

enum class State : std::uint8_t { idle, starting, recording, ending, over };

/// Time zero: one moment on both clocks, the wall clock's in whole milliseconds.
struct TimeZero {
    UnixTime start;
    BootTime anchor;
};
TimeZero time_zero() {
    const ClockReading now = read_clocks();
    const auto start = std::chrono::floor<milliseconds>(now.wall);
    return {start, now.boot - (now.wall - start)};
}

}  // namespace

struct Recorder::Impl : std::enable_shared_from_this<Impl> {
    Impl(Tools with, Where at)
        : tools(std::move(with)),
          where(std::move(at)),
          channel(where.voice_channel),
          changed(tools.loop),
          ending(tools.loop),
          over(tools.loop) {}

    net::Task<Result<journal::Writer>> open_journal();
    net::Task<Result<Ok, StartError>> begin();
    net::Task<Result<Ok, StartError>> join();
    net::Task<> give_up();
    net::Task<Status> finish(EndCause why);
    static net::Task<> tick(std::shared_ptr<Impl> self);
    static net::Task<> end_by_itself(std::shared_ptr<Impl> self, EndCause why);
    void on_voice(const discord::VoiceEvent& event);
    void end_soon(EndCause why);
    void look_around();
    void abandon();
    [[nodiscard]] Report report() const;

    Tools tools;
    Where where;
    ChannelId channel;  ///< where we are: moderators move us
    SessionId id = SessionId::make();
    TimeZero zero = time_zero();

    State state = State::idle;
    EndCause cause = EndCause::stopped;
    bool connected = false;
    bool stop_asked = false;
    bool abandoned = false;               ///< the Recorder is gone: an end under way touches nothing any more
    std::optional<discord::Ended> ended;  ///< what Voice said

    Sign sign;
    std::optional<journal::Writer> writer;  ///< the loop's while it records, then the blocking thread's
    std::optional<Capture> capture;
    std::unique_ptr<discord::Voice> voice;
    Report last;  ///< once the writer is gone

    net::Signal changed;  ///< connected, or not to be
    net::Signal ending;
    net::Signal over;
    Status result = Ok{};
};

// ---- start

net::Task<Result<journal::Writer>> Recorder::Impl::open_journal() {
    const catalog::Session row{
        id, where.guild.text(), channel.text(), zero.start, {}, catalog::SessionStatus::recording};
    const journal::SessionHead head{id, zero.start, zero.anchor, this_boot()};
    // What the thread works with is its own, or outlives us: nobody stops it when we go.
    auto work = [&catalog = tools.catalog, &committer = tools.committer, root = tools.journal_root, row, head,
                 options = tools.journal]() -> Result<journal::Writer> {
        if (auto listed = catalog.insert_session(row); !listed) return listed.error();
        auto opened = journal::Writer::open(committer, root, head, options);
        if (opened) return opened;
        if (auto marked = catalog.set_status(row.id, catalog::SessionStatus::failed); !marked)
            log().warn("session {}: {}", row.id.text(), marked.error().message);
        return opened;
    };
    co_return co_await tools.blocking.run(std::move(work));
}

net::Task<Result<Ok, StartError>> Recorder::Impl::begin() {
    auto put_up =
        co_await put_up_sign(tools.rest, tools.guilds, tools.self, where.guild, channel, where.text_channel, id);
    if (!put_up) co_return StartError{StartTrouble::no_sign, put_up.error().message};
    sign = std::move(*put_up);
    if (stop_asked) co_return StartError{StartTrouble::stopped, "stopped before it began"};
    co_return co_await join();
}

net::Task<Result<Ok, StartError>> Recorder::Impl::join() {
    capture.emplace(*writer, tools.self, [this](const discord::VoiceEvent& event) { on_voice(event); });
    voice =
        std::make_unique<discord::Voice>(tools.loop, where.guild, tools.self, tools.voice, *capture,
                                         [this](std::optional<ChannelId> to) { tools.ask_gateway(where.guild, to); });
    voice->join(channel);
    const discord::VoiceTiming& timing = tools.voice.timing;
    static_cast<void>(co_await changed.wait_for(timing.answer + timing.open + 5 * timing.discovery));
    if (stop_asked) co_return StartError{StartTrouble::stopped, "stopped before it began"};
    if (ended)
        co_return StartError{StartTrouble::refused, "Discord does not let the bot into the channel: " + ended->message};
    if (!connected) {
        co_return StartError{
            StartTrouble::no_answer,
            "the voice channel does not answer: it is full, or the bot lacks the permission \"Connect\""};
    }
    co_return Ok{};
}

/// Takes back what start() did, but for the row.
net::Task<> Recorder::Impl::give_up() {
    if (voice) voice->leave();
    voice.reset();
    last = report();
    capture.reset();
    auto remove = [writer = std::move(writer), &catalog = tools.catalog, root = tools.journal_root,
                   session = id]() mutable {
        writer.reset();
        std::error_code ignored;
        std::filesystem::remove_all(root / session.text(), ignored);
        return catalog.set_status(session, catalog::SessionStatus::failed);
    };
    writer.reset();
    const Status removed = co_await tools.blocking.run(std::move(remove));
    if (!removed) log().warn("session {}: {}", id.text(), removed.error().message);
    co_await take_down_sign(tools.rest, where.guild, sign, false);
}

Recorder::Recorder(Tools tools, Where where) : impl_(std::make_shared<Impl>(std::move(tools), std::move(where))) {}

net::Task<Result<Ok, StartError>> Recorder::start() {
    const auto self = impl_;
    self->state = State::starting;
    auto opened = co_await self->open_journal();
    Result<Ok, StartError> begun = Ok{};
    if (opened) {
        self->writer.emplace(std::move(*opened));
        begun = co_await self->begin();
        if (!begun) co_await self->give_up();
    } else {
        begun = StartError{opened.error().kind == ErrorKind::locked ? StartTrouble::recorded : StartTrouble::disk,
                           opened.error().message};
    }
    if (!begun) {
        self->state = State::over;
        self->cause = self->stop_asked ? EndCause::stopped : EndCause::refused;
        self->over.set();
        co_return begun;
    }
    self->state = State::recording;
    net::spawn(self->tools.loop, Impl::tick(self));
    co_return begun;
}

// ---- while it records

/// On a grid, so that there is one in each second however late the loop is.
net::Task<> Recorder::Impl::tick(std::shared_ptr<Impl> self) {
    BootTime next = BootClock::now();
    while (self->state == State::recording) {
        const ClockReading now = read_clocks();
        self->capture->tick(now.boot, std::chrono::floor<milliseconds>(now.wall));
        while (next <= now.boot) next += kClockEvery;
        static_cast<void>(co_await self->ending.wait_for(next - now.boot));
    }
}

void Recorder::Impl::on_voice(const discord::VoiceEvent& event) {
    if (std::holds_alternative<discord::Connected>(event)) {
        connected = true;
        look_around();
        changed.set();
    } else if (const auto* moved = std::get_if<discord::Moved>(&event)) {
        channel = moved->to;
        look_around();
    } else if (const auto* end = std::get_if<discord::Ended>(&event)) {
        ended = *end;
        changed.set();
        end_soon(end->reason == discord::EndReason::refused ? EndCause::refused : EndCause::removed);
    } else if (const auto* lost = std::get_if<discord::Disconnected>(&event)) {
        log().warn("session {}: the voice connection is lost ({}, {}), it is being restored", id.text(), lost->code,
                   lost->reason);
    }
}

/// Who is in our channel, by what the main gateway said last.
void Recorder::Impl::look_around() {
    const auto* guild = tools.guilds.guild(where.guild);
    // After a fresh READY the guild is unknown until its GUILD_CREATE: nobody left because of that.
    if (!connected || guild == nullptr || !guild->available) return;
    const BootTime now = BootClock::now();
    std::set<UserId> users;
    for (const auto& one : tools.guilds.in_channel(where.guild, channel)) users.insert(one.user);
    for (const UserId user : capture->set_present(std::move(users), now)) {
        const catalog::Track row{id, user, tools.guilds.name_of(where.guild, user)};
        tools.blocking.post([&catalog = tools.catalog, row] {
            if (auto named = catalog.upsert_track(row); !named) log().warn("{}", named.error().message);
        });
    }
    const auto own = guild->voice_states.find(tools.self);
    if (own != guild->voice_states.end()) capture->set_deaf(own->second.deaf, now);
}

void Recorder::on_event(const discord::Event& event) {
    const auto self = impl_;
    if (!self->voice) return;
    const GuildId ours = self->where.guild;
    if (const auto* state = std::get_if<discord::VoiceState>(&event)) {
        if (state->guild != ours) return;
        self->voice->on_voice_state(*state);
        self->look_around();
    } else if (const auto* server = std::get_if<discord::VoiceServer>(&event)) {
        if (server->guild == ours) self->voice->on_voice_server(*server);
    } else if (const auto* guild = std::get_if<discord::GuildCreate>(&event)) {
        if (guild->id == ours) self->look_around();
    } else if (const auto* gone = std::get_if<discord::ChannelDelete>(&event)) {
        if (gone->guild == ours && gone->id == self->channel) self->end_soon(EndCause::removed);
    } else if (const auto* left = std::get_if<discord::GuildDelete>(&event)) {
        if (left->id == ours && !left->unavailable) self->end_soon(EndCause::removed);
    }
}

// ---- end

/// From within a call of Voice or of the gateway's owner: neither may lose its footing.
void Recorder::Impl::end_soon(EndCause why) {
    if (state != State::recording) return;
    state = State::ending;
    net::spawn(tools.loop, end_by_itself(shared_from_this(), why));
}

net::Task<> Recorder::Impl::end_by_itself(std::shared_ptr<Impl> self, EndCause why) {
    log().warn("session {} ends: {}", self->id.text(), self->ended ? self->ended->message : "the channel is gone");
    const Status finished = co_await self->finish(why);
    if (!finished) log().error("session {}: {}", self->id.text(), finished.error().message);
}

net::Task<Status> Recorder::Impl::finish(EndCause why) {
    state = State::ending;
    cause = why;
    ending.set();
    voice->leave();  // what has come already is heard first
    const BootTime now = BootClock::now();
    capture->finish(now);
    last = report();
    auto close = [writer = std::move(writer), &catalog = tools.catalog, session = id, now,
                  zero = zero]() mutable -> Status {
        Status closed = writer->wait_for_room();
        if (closed && !writer->append(journal::End{now}))
            closed = Error{ErrorKind::failed, "the journal has no room for its end: the disk is too slow or full"};
        if (closed) closed = writer->flush();
        writer.reset();
        const auto end = zero.start + std::chrono::floor<milliseconds>(now - zero.anchor);
        Status listed = catalog.set_end(session, end);
        if (listed) listed = catalog.set_status(session, catalog::SessionStatus::ending);
        return closed ? listed : closed;
    };
    writer.reset();
    result = co_await tools.blocking.run(std::move(close));
    if (abandoned) co_return result;
    voice.reset();
    co_await take_down_sign(tools.rest, where.guild, sign, true);
    state = State::over;
    over.set();
    co_return result;
}

net::Task<Status> Recorder::stop() {
    const auto self = impl_;
    if (self->state == State::recording) {
        const Status finished = co_await self->finish(EndCause::stopped);
        co_return finished;
    }
    if (self->state == State::idle) co_return Ok{};
    self->stop_asked = true;  // start() sees it and takes everything back
    self->changed.set();
    co_await self->over.wait();
    co_return self->result;
}

net::Task<EndCause> Recorder::over() {
    const auto self = impl_;
    co_await self->over.wait();
    co_return self->cause;
}

/// Nobody is there any more to wait for an end.
void Recorder::Impl::abandon() {
    abandoned = true;
    state = State::over;
    if (voice) voice->leave();
    if (capture) capture->finish(BootClock::now());
    voice.reset();
    ending.set();
    over.set();
    if (!writer) return;
    const auto closing = std::make_shared<std::optional<journal::Writer>>(std::move(writer));
    writer.reset();
    tools.blocking.post([closing] { closing->reset(); });
}

Recorder::~Recorder() {
    impl_->abandon();
}

// ---- what one may ask

Report Recorder::Impl::report() const {
    Report now = last;
    if (capture) {
        now.packets = capture->packets();
        now.oversized = capture->oversized();
    }
    if (writer) {
        now.refused = writer->refused();
        now.durable_records = writer->durable();
    }
    if (voice) now.voice = voice->counts();
    return now;
}

Report Recorder::report() const {
    return impl_->report();
}
const SessionId& Recorder::session() const {
    return impl_->id;
}
UnixTime Recorder::start_time() const {
    return impl_->zero.start;
}

}  // namespace lestapenna::recorder
