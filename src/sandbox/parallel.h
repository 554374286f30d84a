// Independent pieces of work on all cores. The result must not depend on who does what.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

namespace lestapenna::sandbox {

/// Calls work(0) ... work(count - 1), each once, and returns when all have returned. `work` must not throw.
template <class Work>
void for_each_index(std::size_t count, const Work& work) {
    std::atomic<std::size_t> next{0};
    const auto run = [&] {
        for (std::size_t i = next++; i < count; i = next++) work(i);
    };
    std::vector<std::jthread> helpers;
    const std::size_t threads = std::min<std::size_t>(count, std::max(1U, std::thread::hardware_concurrency()));
    for (std::size_t i = 1; i < threads; ++i) helpers.emplace_back(run);
    run();
}

}  // namespace lestapenna::sandbox
