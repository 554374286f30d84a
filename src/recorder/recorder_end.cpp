// The ways out of a session: stopped, ended by itself, or left where it stands.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "recorder/recorder_impl.h"

namespace lestapenna::recorder {

namespace {

constexpr seconds kAgainFirst{1};
constexpr seconds kAgainMost{15};

}  // namespace

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
    say(Ending{why});
    result = co_await end_on_disk(now);
    if (abandoned) co_return result;
    voice.reset();
    say(Ended{why});
    // Last, and with the table still ours: a session that begins puts up a sign of its own.
    const SignTools with = sign_tools();
    co_await take_down_sign(with, where.guild, sign, true);
    if (abandoned) co_return result;
    state = State::over;
    over.set();
    co_return result;
}

/// Again and again while the disk does not take it: what is in memory goes only with the process.
net::Task<Status> Recorder::Impl::end_on_disk(BootTime now) {
    auto as_known = row();
    const auto closing = std::exchange(opened, nullptr);
    for (seconds wait = kAgainFirst;; wait = std::min(2 * wait, kAgainMost)) {
        auto work = [disk = on_disk(), closing, as_known, as = head, now] {
            return disk.end(*closing, as_known, as, now);
        };
        Status done = co_await tools.blocking.run(std::move(work));
        if (done || abandoned) co_return done;
        log().error("session {} is over, but its end can not be written yet: {}", head.id.text(), done.error().message);
        if (wait == kAgainFirst) say(Unwritten{});
        co_await net::sleep_for(wait);
        if (abandoned) co_return done;
    }
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
    tools.blocking.post([closing = std::exchange(opened, nullptr)]() mutable { closing.reset(); });
}

Recorder::~Recorder() {
    impl_->abandon();
}

}  // namespace lestapenna::recorder
