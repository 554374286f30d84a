// Spreads independent pieces of work over threads. The order of work never shows in a result: each piece writes only
// its own.
#pragma once

#include <cstddef>
#include <functional>

namespace lestapenna {

/// CPUs this process may run on, at least 1.
unsigned usable_cpus() noexcept;

/// Calls `work(i)` for each i in [0, count), on up to `threads` threads (the caller's included), and returns when all
/// are done. `work` must not throw; pieces are begun in order.
void parallel_for(std::size_t count, unsigned threads, const std::function<void(std::size_t)>& work);

}  // namespace lestapenna
