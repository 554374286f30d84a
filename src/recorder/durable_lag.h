// How old the oldest record is that is not durable yet: told from the writer's counts, looked at each second, so that
// no record needs a time of its own. Thread: one. Exact to the time between two looks, never too much.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>

#include "base/time.h"

namespace lestapenna::recorder {

class DurableLag {
  public:
    void look(std::uint64_t accepted, std::uint64_t durable, BootTime now) {
        while (!looks_.empty() && looks_.front().accepted <= durable) looks_.pop_front();
        // A disk that hangs for an hour: the first look still tells.
        if (accepted > durable && looks_.size() < kMostLooks) looks_.push_back({accepted, now});
    }
    [[nodiscard]] nanoseconds age(std::uint64_t durable, BootTime now) const {
        const auto open = std::ranges::find_if(looks_, [&](const Look& look) { return look.accepted > durable; });
        return open == looks_.end() ? nanoseconds{0} : now - open->at;
    }

  private:
    struct Look {
        std::uint64_t accepted = 0;
        BootTime at;
    };
    static constexpr std::size_t kMostLooks = 3'600;
    std::deque<Look> looks_;
};

}  // namespace lestapenna::recorder
