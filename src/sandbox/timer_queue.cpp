#include "sandbox/timer_queue.h"

#include <map>
#include <utility>

#include <boost/asio/steady_timer.hpp>

namespace lestapenna::sandbox {

struct TimerQueue::Impl : std::enable_shared_from_this<Impl> {
    explicit Impl(net::Loop& loop) : timer(loop) {}

    net::asio::steady_timer timer;
    std::multimap<Clock::time_point, std::function<void()>> queue;  // equal times stay in order
    bool running = false;
    bool stopped = false;

    void run_due() {
        if (running) return;
        running = true;
        const auto self = shared_from_this();  // a thing may destroy the queue
        while (!stopped && !queue.empty() && queue.begin()->first <= Clock::now()) {
            const auto what = std::move(queue.begin()->second);
            queue.erase(queue.begin());
            what();
        }
        running = false;
        if (!stopped) wait();
    }

    void wait() {
        if (queue.empty()) return;
        timer.expires_at(queue.begin()->first);
        timer.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
            const auto self = weak.lock();
            if (!error && self && !self->stopped) self->run_due();
        });
    }
};

TimerQueue::TimerQueue(net::Loop& loop) : impl_(std::make_shared<Impl>(loop)) {}

TimerQueue::~TimerQueue() {
    impl_->stopped = true;
    impl_->timer.cancel();
    impl_->queue.clear();
}

void TimerQueue::at(Clock::time_point when, std::function<void()> what) {
    const auto position = impl_->queue.emplace(when, std::move(what));
    // Otherwise the timer is set for an earlier one.
    if (position == impl_->queue.begin() || when <= Clock::now()) impl_->run_due();
}

}  // namespace lestapenna::sandbox
