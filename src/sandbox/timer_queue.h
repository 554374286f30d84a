// Things to do later, on the loop: in order of their time, of equal times in the order they were asked for.
//
// Thread: the loop's. Ownership: destroying it forgets what is still to come, from within such a thing too. One kernel
// timer whatever the number.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "net/loop.h"

namespace lestapenna::sandbox {

class TimerQueue {
  public:
    using Clock = std::chrono::steady_clock;

    explicit TimerQueue(net::Loop& loop);
    ~TimerQueue();
    TimerQueue(const TimerQueue&) = delete;
    TimerQueue& operator=(const TimerQueue&) = delete;

    /// At `when`; what is due already is done before this returns, with all that was due before it, unless the caller
    /// is such a thing itself: then right after it.
    void at(Clock::time_point when, std::function<void()> what);

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace lestapenna::sandbox
