#include "net/loop.h"

#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "testing.h"

namespace lestapenna::net {
namespace {

using test::on_loop;

Task<> count_when(Signal& signal, int& woken) {
    co_await signal.wait();
    ++woken;
}

TEST(Signal, WakesEverybodyOnceSetAndNobodyBefore) {
    on_loop([](Loop& loop) -> Task<> {
        Signal signal(loop);
        int woken = 0;
        for (int i = 0; i < 10; ++i) spawn(loop, count_when(signal, woken));
        const bool early = co_await signal.wait_for(milliseconds(5));
        EXPECT_FALSE(early);
        EXPECT_EQ(woken, 0);
        signal.set();
        EXPECT_TRUE(signal.is_set());
        const bool now = co_await signal.wait_for(milliseconds(0));
        EXPECT_TRUE(now);
        const bool all = co_await test::eventually([&] { return woken == 10; });
        EXPECT_TRUE(all);
    });
}

TEST(Signal, AResetRightAfterTheSetStillWakesWhoWaited) {
    on_loop([](Loop& loop) -> Task<> {
        Signal signal(loop);
        int woken = 0;
        spawn(loop, count_when(signal, woken));
        co_await sleep_for(milliseconds(1));  // it waits now
        signal.set();
        signal.reset();
        const bool first = co_await test::eventually([&] { return woken == 1; });
        EXPECT_TRUE(first);
        const bool again = co_await signal.wait_for(milliseconds(1));
        EXPECT_FALSE(again);
        signal.set();
    });
}

TEST(Signal, AWaiterMayOutliveIt) {
    on_loop([](Loop& loop) -> Task<> {
        auto signal = std::make_unique<Signal>(loop);
        int woken = 0;
        spawn(loop, count_when(*signal, woken));
        co_await sleep_for(milliseconds(1));
        signal.reset();
        const bool ended = co_await test::eventually([&] { return woken == 1; });
        EXPECT_TRUE(ended);
    });
}

TEST(Signal, ALoopMayGoWhileSomebodyWaits) {
    auto loop = std::make_unique<Loop>();
    auto signal = std::make_unique<Signal>(*loop);
    int woken = 0;
    spawn(*loop, count_when(*signal, woken));
    loop->poll();
    signal.reset();
    loop.reset();
    EXPECT_EQ(woken, 0);
}

TEST(Spawn, WorksFromAnyThread) {
    Loop loop;
    int ran = 0;  // the loop's thread alone writes it
    const auto count = [](int& counter) -> Task<> {
        ++counter;
        co_return;
    };
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            for (int k = 0; k < 250; ++k) spawn(loop, count(ran));
        });
    }
    for (auto& thread : threads) thread.join();
    loop.run();
    EXPECT_EQ(ran, 1000);
}

TEST(SpawnDeathTest, WhatATaskThrowsEndsTheProcess) {
    EXPECT_DEATH(
        {
            Loop loop;
            const auto thrower = []() -> Task<> {
                throw std::runtime_error("a defect of ours");
                co_return;
            };
            spawn(loop, thrower());
            loop.run();
        },
        "a defect of ours");
}

}  // namespace
}  // namespace lestapenna::net
