// From the wish to record to the first packet: row and journal, sign, channel; and back, where one of them fails.
#include <utility>

#include "base/log.h"
#include "recorder/recorder_impl.h"

namespace lestapenna::recorder {

namespace {

/// Time zero: one moment on both clocks, the wall clock's in whole milliseconds.
journal::SessionHead new_head() {
    const ClockReading now = read_clocks();
    const auto start = std::chrono::floor<milliseconds>(now.wall);
    return {SessionId::make(), start, now.boot - (now.wall - start), this_boot()};
}

StartError not_opened(const Error& error) {
    return {error.kind == ErrorKind::locked ? StartTrouble::recorded : StartTrouble::disk, error.message};
}

journal::SessionHead head_of(const journal::Unfinished& unfinished) {
    return journal::head_to_go_on(unfinished, read_clocks(), this_boot());
}

}  // namespace

catalog::Session Recorder::Impl::row() const {
    catalog::Session row{head.id, where.guild.text(), channel.text(), head.start};
    row.text_channel_id = where.text_channel.text();
    if (where.started_by != UserId{}) row.started_by = where.started_by.text();
    row.language = where.language;
    if (opened && opened->before) {
        row.encryption = opened->before->encryption;
        row.privacy_code = opened->before->privacy_code;
    }
    if (capture) capture->call().note(row);
    return row;
}

net::Task<Started> Recorder::Impl::open() {
    // What the thread works with is its own, or outlives us: nobody stops it when we go.
    auto work = [disk = on_disk(), row = row(), as = head, again = unfinished.has_value()] {
        return again ? disk.go_on(row, as) : disk.begin(row, as);
    };
    auto done = co_await tools.blocking.run(std::move(work));
    if (!done) co_return not_opened(done.error());
    opened = std::make_shared<OnDisk::Opened>(std::move(*done));
    row_noted = row();
    co_return Ok{};
}

net::Task<Started> Recorder::Impl::announce() {
    const SignTools with = sign_tools();
    Announcement what{where.guild, channel, where.text_channel, head.id, where.language, unfinished.has_value()};
    const auto put_up = co_await put_up_sign(with, std::move(what));
    if (!put_up) co_return StartError{StartTrouble::no_sign, put_up.error().message};
    sign = *put_up;
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
    auto work = [disk = on_disk(), began = std::exchange(opened, nullptr), session = head.id] {
        return disk.take_back(std::move(*began), session);
    };
    const Status removed = co_await tools.blocking.run(std::move(work));
    if (!removed) log().warn("session {}: {}", head.id.text(), removed.error().message);
    const SignTools with = sign_tools();
    co_await take_down_sign(with, where.guild, sign, false);
}

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

}  // namespace lestapenna::recorder
