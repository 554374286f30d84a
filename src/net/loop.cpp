#include "net/loop.h"

#include <cstdlib>
#include <exception>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include "base/log.h"
#include "net/await.h"

namespace lestapenna::net {

namespace {

void end_process(const std::exception_ptr& thrown) {
    if (!thrown) return;
    try {
        std::rethrow_exception(thrown);
    } catch (const std::exception& exception) {
        log().critical("a task of the event loop threw, which is a defect: {}", exception.what());
    } catch (...) {
        log().critical("a task of the event loop threw, which is a defect");
    }
    log().flush();
    std::abort();
}

}  // namespace

void spawn(Loop& loop, Task<> task) {
    asio::co_spawn(loop, std::move(task), end_process);
}

void spawn(const asio::any_io_executor& executor, Task<> task) {
    asio::co_spawn(executor, std::move(task), end_process);
}

Task<> sleep_for(nanoseconds time) {
    asio::steady_timer timer(co_await asio::this_coro::executor, time);
    co_await timer.async_wait(kAwait);
}

struct Signal::Impl {
    struct Waiter {
        Waiter(std::shared_ptr<Impl> on, asio::steady_timer::time_point until)
            : signal(std::move(on)), timer(signal->loop, until) {
            signal->waiters.push_back(this);
        }
        Waiter(const Waiter&) = delete;
        Waiter& operator=(const Waiter&) = delete;
        ~Waiter() { std::erase(signal->waiters, this); }
        std::shared_ptr<Impl> signal;
        asio::steady_timer timer;
        bool woken = false;  // not Impl::set: a reset() may come between the waking and the waiter's turn
    };

    explicit Impl(Loop& on) : loop(on) {}

    void wake() {
        for (Waiter* waiter : waiters) {
            waiter->woken = true;
            waiter->timer.cancel();
        }
    }

    static Task<bool> wait(std::shared_ptr<Impl> self, asio::steady_timer::time_point until) {
        if (self->set) co_return true;
        Waiter waiter(std::move(self), until);
        co_await waiter.timer.async_wait(kAwait);
        co_return waiter.woken;
    }

    static Task<> wait(std::shared_ptr<Impl> self) {
        co_await wait(std::move(self), asio::steady_timer::time_point::max());
    }

    Loop& loop;
    bool set = false;
    std::vector<Waiter*> waiters;
};

Signal::Signal(Loop& loop) : impl_(std::make_shared<Impl>(loop)) {}

Signal::~Signal() {
    set();
}

void Signal::set() {
    impl_->set = true;
    impl_->wake();
}

void Signal::reset() {
    impl_->set = false;
}

bool Signal::is_set() const {
    return impl_->set;
}

Task<> Signal::wait() {
    return Impl::wait(impl_);
}

Task<bool> Signal::wait_for(nanoseconds time) {
    return Impl::wait(impl_, std::chrono::steady_clock::now() + time);
}

}  // namespace lestapenna::net
