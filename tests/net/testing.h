// A loop that runs one coroutine to its end, and fails the test when that takes too long.
#pragma once

#include <functional>
#include <utility>

#include <gtest/gtest.h>

#include "net/loop.h"

namespace lestapenna::net::test {

/// Runs `scenario` and then whatever is left on the loop: a task that never ends is a failure too.
inline void on_loop(Loop& loop, std::function<Task<>()> scenario, nanoseconds limit = seconds(60)) {
    bool done = false;
    const auto run = [](std::function<Task<>()> body, bool& finished) -> Task<> {
        Task<> task = body();
        co_await std::move(task);
        finished = true;
    };
    spawn(loop, run(std::move(scenario), done));
    loop.run_for(std::chrono::duration_cast<std::chrono::steady_clock::duration>(limit));
    EXPECT_TRUE(done) << "the scenario did not come to its end";
    EXPECT_TRUE(loop.stopped()) << "something is still under way on the loop";
}

inline void on_loop(const std::function<Task<>(Loop&)>& scenario, nanoseconds limit = seconds(60)) {
    Loop loop;
    on_loop(
        loop, [&] { return scenario(loop); }, limit);
}

}  // namespace lestapenna::net::test
