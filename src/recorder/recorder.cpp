#include "recorder/recorder.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/log.h"
#include "recorder/capture.h"
#include "recorder/durable_lag.h"
#include "recorder/notice.h"
#include "recorder/on_disk.h"

namespace lestapenna::recorder {

namespace {

constexpr seconds kClockEvery{1};  ///< readers close windows by it (docs/journal-format.md)

enum class State : std::uint8_t { idle, starting, recording, ending, over };

using Started = Result<Ok, StartError>;

/// Time zero: one moment on both clocks, the wall clock's in whole milliseconds.
journal::SessionHead new_head() {
    const ClockReading now = read_clocks();
    const auto start = std::chrono::floor<milliseconds>(now.wall);
    return {SessionId::make(), start, now.boot - (now.wall - start), this_boot()};
}

catalog::Session row_of(const journal::SessionHead& head, const Where& where) {
    catalog::Session row{head.id, where.guild.text(), where.voice_channel.text(), head.start};
    row.text_channel_id = where.text_channel.text();
    if (where.started_by != UserId{}) row.started_by = where.started_by.text();
    row.language = where.language;
    return row;
}

StartError not_opened(const Error& error) {
    return {error.kind == ErrorKind::locked ? StartTrouble::recorded : StartTrouble::disk, error.message};
}

}  // namespace

struct Recorder::Impl : std::enable_shared_from_this<Impl> {
    Impl(Tools with, Where at, journal::SessionHead as, std::optional<journal::Unfinished> left)
        : tools(std::move(with)),
          where(std::move(at)),
          head(std::move(as)),
          unfinished(std::move(left)),
          channel(where.voice_channel),
          changed(tools.loop),
          ending(tools.loop),
          over(tools.loop) {
        if (unfinished) known = unfinished->known;
    }

    net::Task<Started> open();
    net::Task<Started> announce();
    net::Task<Started> join();
    net::Task<> give_up();
    net::Task<Status> finish(EndCause why);
    static net::Task<> tick(std::shared_ptr<Impl> self);
    static net::Task<> end_by_itself(std::shared_ptr<Impl> self, EndCause why);
    void on_voice(const discord::VoiceEvent& event);
    void end_soon(EndCause why);
    [[nodiscard]] const discord::Guilds::Guild* known_guild() const;
    void look_around();
    void look_for_people(nanoseconds passed);
    void name_track(UserId user);
    void abandon();
    void say(const Happening& what) const {
        if (tools.tell && !abandoned) tools.tell(what);
    }
    [[nodiscard]] SignTools sign_tools() const {
        return {tools.rest, tools.guilds, tools.blocking, tools.catalog, tools.self};
    }
    [[nodiscard]] OnDisk on_disk() const { return {tools.catalog, tools.committer, tools.journal_root, tools.journal}; }
    [[nodiscard]] Report report() const;
    [[nodiscard]] std::vector<Heard> heard() const;

    Tools tools;
    Where where;
    journal::SessionHead head;
    std::optional<journal::Unfinished> unfinished;  ///< what we go on with
    ChannelId channel;                              ///< where we are: moderators move us

    State state = State::idle;
    EndCause cause = EndCause::stopped;
    bool joined = false;  ///< we were connected once
    bool looked = false;  ///< we know who was there when we came
    bool stop_asked = false;
    bool abandoned = false;               ///< the Recorder is gone: an end under way touches nothing any more
    std::optional<discord::Ended> ended;  ///< what Voice said
    std::set<UserId> known;               ///< whoever was ever there
    nanoseconds empty_for{0};
    std::map<std::uint16_t, std::uint64_t> voice_closes;

    Sign sign;
    std::optional<OnDisk::Opened> opened;  ///< the loop's while it records, then the blocking thread's
    std::optional<Capture> capture;
    std::unique_ptr<discord::Voice> voice;
    DurableLag lag;
    Report last;  ///< once the writer is gone

    net::Signal changed;  ///< connected, or not to be
    net::Signal ending;
    net::Signal over;
    Status result = Ok{};
};

// ---- start

net::Task<Started> Recorder::Impl::open() {
    // What the thread works with is its own, or outlives us: nobody stops it when we go.
    auto work = [disk = on_disk(), row = row_of(head, where), as = head, again = unfinished.has_value()] {
        return again ? disk.go_on(as) : disk.begin(row, as);
    };
    auto done = co_await tools.blocking.run(std::move(work));
    if (!done) co_return not_opened(done.error());
    opened.emplace(std::move(*done));
    co_return Ok{};
}

net::Task<Started> Recorder::Impl::announce() {
    const SignTools with = sign_tools();
    Announcement what{where.guild, channel, where.text_channel, head.id, where.language, unfinished.has_value()};
    auto put_up = co_await put_up_sign(with, std::move(what));
    if (!put_up) co_return StartError{StartTrouble::no_sign, put_up.error().message};
    sign = std::move(*put_up);
    if (stop_asked) co_return StartError{StartTrouble::stopped, "stopped before it began"};
    co_return Ok{};
}

net::Task<Started> Recorder::Impl::join() {
    capture.emplace(opened->writer, tools.self, [this](const discord::VoiceEvent& event) { on_voice(event); });
    if (unfinished) capture->go_on(*unfinished, head.anchor + unfinished->until.time_since_epoch());
    voice =
        std::make_unique<discord::Voice>(tools.loop, where.guild, tools.self, tools.voice, *capture,
                                         [this](std::optional<ChannelId> to) { tools.ask_gateway(where.guild, to); });
    voice->join(channel);
    const discord::VoiceTiming& timing = tools.voice.timing;
    static_cast<void>(co_await changed.wait_for(timing.answer + timing.open + 5 * timing.discovery));
    if (stop_asked) co_return StartError{StartTrouble::stopped, "stopped before it began"};
    if (ended) {
        co_return StartError{StartTrouble::refused, "Discord does not let the bot into the channel: " + ended->message};
    }
    if (!joined) {
        co_return StartError{
            StartTrouble::no_answer,
            "the voice channel does not answer: it is full, or the bot lacks the permission \"Connect\""};
    }
    co_return Ok{};
}

/// Takes back what start() did, as on_disk.h has it.
net::Task<> Recorder::Impl::give_up() {
    if (voice) voice->leave();
    voice.reset();
    last = report();
    capture.reset();
    auto work = [disk = on_disk(), opened_before = std::move(*opened), session = head.id]() mutable {
        return disk.take_back(std::move(opened_before), session);
    };
    opened.reset();
    const Status removed = co_await tools.blocking.run(std::move(work));
    if (!removed) log().warn("session {}: {}", head.id.text(), removed.error().message);
    const SignTools with = sign_tools();
    co_await take_down_sign(with, where.guild, sign, false);
}

namespace {

journal::SessionHead head_of(const journal::Unfinished& unfinished) {
    return journal::head_to_go_on(unfinished, read_clocks(), this_boot());
}

}  // namespace

Recorder::Recorder(Tools tools, Where where)
    : impl_(std::make_shared<Impl>(std::move(tools), std::move(where), new_head(), std::nullopt)) {}

Recorder::Recorder(Tools tools, Where where, journal::Unfinished unfinished) {
    auto head = head_of(unfinished);
    impl_ = std::make_shared<Impl>(std::move(tools), std::move(where), std::move(head), std::move(unfinished));
}

net::Task<Started> Recorder::start() {
    const auto self = impl_;
    self->state = State::starting;
    Started begun = co_await self->open();
    if (begun) {
        begun = co_await self->announce();
        if (begun) begun = co_await self->join();
        if (!begun) co_await self->give_up();
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
    BootTime before = next;
    while (self->state == State::recording) {
        const ClockReading now = read_clocks();
        self->capture->tick(now.boot, std::chrono::floor<milliseconds>(now.wall));
        self->lag.look(self->opened->writer.accepted(), self->opened->writer.durable(), now.boot);
        self->look_for_people(now.boot - before);
        before = now.boot;
        while (next <= now.boot) next += kClockEvery;
        static_cast<void>(co_await self->ending.wait_for(next - now.boot));
    }
}

void Recorder::Impl::on_voice(const discord::VoiceEvent& event) {
    if (std::holds_alternative<discord::Connected>(event)) {
        joined = true;
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
        ++voice_closes[lost->code];
        log().warn("session {}: the voice connection is lost ({}, {}), it is being restored", head.id.text(),
                   lost->code, lost->reason);
    }
}

/// Null while the main gateway does not tell what is so: after a fresh READY a guild is unknown until its GUILD_CREATE,
/// and nobody left because of that.
const discord::Guilds::Guild* Recorder::Impl::known_guild() const {
    const auto* const guild = tools.guilds.guild(where.guild);
    const bool told = guild != nullptr && guild->available && (!tools.gateway_is_up || tools.gateway_is_up());
    return told ? guild : nullptr;
}

/// Who is in our channel, by what the main gateway said last.
void Recorder::Impl::look_around() {
    const auto* const guild = known_guild();
    if (!joined || guild == nullptr) return;
    const BootTime now = BootClock::now();
    std::set<UserId> users;
    for (const auto& one : tools.guilds.in_channel(where.guild, channel)) users.insert(one.user);
    // Who is there when a session begins has seen it begin.
    const bool begins = !unfinished && !looked;
    looked = true;
    const Capture::Change change = capture->set_present(std::move(users), now);
    const auto own = guild->voice_states.find(tools.self);
    const bool deafened = own != guild->voice_states.end() && capture->set_deaf(own->second.deaf, now);
    look_for_people(nanoseconds{0});

    for (const UserId user : change.left) say(Left{user});
    for (const UserId user : change.came) {
        name_track(user);
        if (!known.insert(user).second || begins) continue;
        say(Joined{user, tools.guilds.name_of(where.guild, user), tools.guilds.is_bot(where.guild, user)});
    }
    if (deafened) say(Deafened{capture->is_deaf()});
}

/// `passed`: since we looked last. Bots are no people: two recorders would keep each other company for ever.
void Recorder::Impl::look_for_people(nanoseconds passed) {
    if (known_guild() == nullptr) return;
    const auto is_person = [this](UserId user) { return !tools.guilds.is_bot(where.guild, user); };
    empty_for = std::ranges::any_of(capture->present(), is_person) ? nanoseconds{0} : empty_for + passed;
    if (empty_for >= tools.empty_end) end_soon(EndCause::empty);
}

void Recorder::Impl::name_track(UserId user) {
    auto work = [disk = on_disk(), session = head.id, user, name = tools.guilds.name_of(where.guild, user),
                 bot = tools.guilds.is_bot(where.guild, user)] {
        if (auto named = disk.name(session, user, name, bot); !named) log().warn("{}", named.error().message);
    };
    tools.blocking.post(std::move(work));
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
    } else if (std::holds_alternative<discord::Resumed>(event)) {
        self->look_around();
    }
}

bool Recorder::pause() {
    return impl_->state == State::recording && impl_->capture->pause(BootClock::now());
}
bool Recorder::resume() {
    return impl_->state == State::recording && impl_->capture->resume(BootClock::now());
}
bool Recorder::note(UserId user, std::string_view text) {
    return impl_->state == State::recording && impl_->capture->note(user, text, BootClock::now());
}

// ---- end

/// From within a call of Voice or of the gateway's owner: neither may lose its footing.
void Recorder::Impl::end_soon(EndCause why) {
    if (state != State::recording) return;
    state = State::ending;
    net::spawn(tools.loop, end_by_itself(shared_from_this(), why));
}

net::Task<> Recorder::Impl::end_by_itself(std::shared_ptr<Impl> self, EndCause why) {
    log().info("session {} ends: {}", self->head.id.text(),
               self->ended              ? self->ended->message
               : why == EndCause::empty ? "nobody is left"
                                        : "the channel is gone");
    const Status finished = co_await self->finish(why);
    if (!finished) log().error("session {}: {}", self->head.id.text(), finished.error().message);
}

net::Task<Status> Recorder::Impl::finish(EndCause why) {
    state = State::ending;
    cause = why;
    ending.set();
    voice->leave();  // what has come already is heard first
    const BootTime now = BootClock::now();
    capture->finish(now);
    last = report();
    auto work = [disk = on_disk(), open = std::move(*opened), as = head, now]() mutable {
        return disk.end(std::move(open), as, now);
    };
    opened.reset();
    result = co_await tools.blocking.run(std::move(work));
    if (abandoned) co_return result;
    voice.reset();
    const SignTools with = sign_tools();
    co_await take_down_sign(with, where.guild, sign, true);
    if (abandoned) co_return result;
    state = State::over;
    over.set();
    say(Ended{why});
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
    if (!opened) return;
    const auto closing = std::make_shared<std::optional<OnDisk::Opened>>(std::move(opened));
    opened.reset();
    tools.blocking.post([closing] { closing->reset(); });
}

Recorder::~Recorder() {
    impl_->abandon();
}

// ---- what one may ask

std::vector<Heard> Recorder::Impl::heard() const {
    auto sums = capture->tally().sums();
    for (const UserId user : capture->present()) sums[user];
    std::vector<Heard> all;
    for (const auto& [user, sum] : sums) {
        Heard& one = all.emplace_back();
        one.user = user;
        if (user != UserId{}) one.name = tools.guilds.name_of(where.guild, user);
        one.bot = tools.guilds.is_bot(where.guild, user);
        one.present = capture->present().contains(user);
        one.packets = sum.packets;
        one.lost = sum.lost;
        one.last = sum.last;
    }
    return all;
}

Report Recorder::Impl::report() const {
    Report now = last;
    if (capture) {
        now.packets = capture->packets();
        now.oversized = capture->oversized();
        now.paused = capture->kept_out();
        now.is_paused = capture->is_paused();
        now.deaf = capture->is_deaf();
        now.heard = heard();
    }
    if (opened) {
        now.refused = opened->writer.refused();
        now.durable_records = opened->writer.durable();
        now.not_durable = lag.age(opened->writer.durable(), BootClock::now());
        now.last_sync = opened->writer.last_sync();
    }
    now.connected = voice && voice->connected();
    if (voice) now.voice = voice->counts();
    now.channel = channel;
    now.voice_closes = voice_closes;
    return now;
}

Report Recorder::report() const {
    return impl_->report();
}
const SessionId& Recorder::session() const {
    return impl_->head.id;
}
UnixTime Recorder::start_time() const {
    return impl_->head.start;
}

}  // namespace lestapenna::recorder
