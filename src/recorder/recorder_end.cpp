// The ways out of a session: stopped, ended by itself, or left where it stands.
#include <utility>

#include "base/log.h"
#include "recorder/recorder_impl.h"

namespace lestapenna::recorder {

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

}  // namespace lestapenna::recorder
