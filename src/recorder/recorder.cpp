#include "recorder/recorder.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/log.h"
#include "recorder/recorder_impl.h"

namespace lestapenna::recorder {

namespace {

constexpr seconds kClockEvery{1};  ///< readers close windows by it (docs/journal-format.md)

}  // namespace

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
        self->note_encryption();
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
        note_place();
        look_around();
    } else if (const auto* end = std::get_if<discord::Ended>(&event)) {
        ended = *end;
        changed.set();
        end_soon(end->reason == discord::EndReason::refused ? EndCause::refused : EndCause::removed);
    } else if (const auto* closed = std::get_if<discord::CannotOpen>(&event)) {
        cannot_open(*closed);
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

/// A call in which people come and go has a new privacy code each time: at most one write a second.
void Recorder::Impl::note_encryption() {
    auto now = row();
    if (now.encryption == row_noted->encryption && now.privacy_code == row_noted->privacy_code) return;
    row_noted = now;
    auto work = [disk = on_disk(), now = std::move(now)] {
        if (auto kept = disk.note_encryption(now); !kept) log().warn("{}", kept.error().message);
    };
    tools.blocking.post(std::move(work));
}

void Recorder::Impl::cannot_open(const discord::CannotOpen& what) {
    // A Voice says it again only of who was heard in between; one after a rejoin does not know what was said.
    const BootTime now = BootClock::now();
    const auto [told, first] = closed_told.try_emplace({what.user, what.gave_up}, now);
    if (!first && now - told->second < discord::kToldApart) return;
    told->second = now;
    log().warn("session {}: what user {} says can not be opened{}", head.id.text(), what.user.text(),
               what.gave_up ? ", and is given up" : "");
    say(CannotOpen{what.user, what.user == UserId{} ? "" : tools.guilds.name_of(where.guild, what.user), what.gave_up});
}

/// Who goes on after a restart looks for people where we are.
void Recorder::Impl::note_place() {
    auto work = [disk = on_disk(), row = row()] {
        if (auto noted = disk.note_place(row); !noted) log().warn("{}", noted.error().message);
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
    } else if (std::holds_alternative<discord::Ready>(event)) {
        // A new session lists every guild we are in: thrown out while the gateway was away, we are told only here.
        if (self->tools.guilds.guild(ours) == nullptr) self->end_soon(EndCause::removed);
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
        one.closed = sum.closed;
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
        now.call = capture->call().now();
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
