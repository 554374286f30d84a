// "At most N in any span of time", counted exactly: the last N times are remembered. Pure, time is injected; one thread
// at a time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>

#include "base/time.h"

namespace lestapenna::discord {

class Window {
  public:
    /// `limit` of at least 1.
    Window(std::size_t limit, nanoseconds span) : limit_(std::max<std::size_t>(limit, 1)), span_(span) {}

    /// How long until one more fits; 0: now.
    [[nodiscard]] nanoseconds wait(BootTime now) const {
        if (times_.size() < limit_) return nanoseconds(0);
        return std::max(nanoseconds(0), times_.front() + span_ - now);
    }
    /// One more, whether it fits or not.
    void note(BootTime now) {
        if (times_.size() == limit_) times_.pop_front();
        times_.push_back(now);
    }

  private:
    std::size_t limit_;
    nanoseconds span_;
    std::deque<BootTime> times_;
};

}  // namespace lestapenna::discord
