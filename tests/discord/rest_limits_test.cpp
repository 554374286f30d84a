#include "discord/rest_limits.h"

#include <gtest/gtest.h>

namespace lestapenna::discord {
namespace {

using Tickets = std::vector<RestLimits::Ticket>;

constexpr BootTime kStart{seconds(1'000)};
constexpr BootTime kNever = kStart + seconds(1'000);

const LimitedBy kPostA{"POST /channels/{channel}/messages", "A", true};
const LimitedBy kPostB{"POST /channels/{channel}/messages", "B", true};
const LimitedBy kPatchA{"PATCH /channels/{channel}/messages/{message}", "A", true};
const LimitedBy kCallback{"POST /interactions/{interaction}/{token}/callback", "I", false};

LimitNews news(std::string bucket, std::int64_t remaining, nanoseconds reset_after) {
    LimitNews news;
    news.bucket = std::move(bucket);
    news.remaining = remaining;
    news.reset_after = reset_after;
    return news;
}

LimitNews blocked(nanoseconds time, bool globally) {
    LimitNews news;
    news.blocked_for = time;
    news.blocked_globally = globally;
    return news;
}

TEST(RestLimits, OneAtATimeInOrder) {
    RestLimits limits(50);
    const auto first = limits.enter(kPostA, kStart, kNever);
    const auto second = limits.enter(kPostA, kStart, kNever);
    const auto other = limits.enter(kPostB, kStart, kNever);
    EXPECT_EQ(limits.poll(kStart).go, (Tickets{first, other}));
    EXPECT_TRUE(limits.poll(kStart).go.empty());
    limits.answered(first, {}, kStart);
    EXPECT_TRUE(limits.poll(kStart).go.empty()) << "the first may yet be tried again";
    limits.leave(first);
    EXPECT_EQ(limits.poll(kStart).go, Tickets{second});
}

TEST(RestLimits, TriedAgainStaysFirst) {
    RestLimits limits(50);
    const auto first = limits.enter(kPostA, kStart, kNever);
    const auto second = limits.enter(kPostA, kStart, kNever);
    limits.poll(kStart);
    limits.again(first, kStart + seconds(2));
    const auto turn = limits.poll(kStart);
    EXPECT_TRUE(turn.go.empty());
    EXPECT_EQ(turn.next, kStart + seconds(2));
    EXPECT_EQ(limits.poll(kStart + seconds(2)).go, Tickets{first});
    limits.leave(first);
    EXPECT_EQ(limits.poll(kStart + seconds(2)).go, Tickets{second});
}

TEST(RestLimits, AnEmptyBucketHoldsUntilItsReset) {
    RestLimits limits(50);
    const auto first = limits.enter(kPostA, kStart, kNever);
    limits.poll(kStart);
    limits.answered(first, news("hash", 0, seconds(5)), kStart);
    limits.leave(first);
    const auto second = limits.enter(kPostA, kStart, kNever);
    EXPECT_EQ(limits.poll(kStart).next, kStart + seconds(5));
    const auto elsewhere = limits.enter(kPostB, kStart, kNever);
    EXPECT_EQ(limits.poll(kStart).go, Tickets{elsewhere}) << "another channel is another limit";
    EXPECT_TRUE(limits.poll(kStart + milliseconds(4'999)).go.empty());
    EXPECT_EQ(limits.poll(kStart + seconds(5)).go, Tickets{second});
}

TEST(RestLimits, RoutesOfOneBucketShareALine) {
    RestLimits limits(50);
    for (const auto& by : {kPostA, kPatchA}) {
        const auto ticket = limits.enter(by, kStart, kNever);
        EXPECT_EQ(limits.poll(kStart).go, Tickets{ticket});
        limits.answered(ticket, news("same", 1, seconds(1)), kStart);
        limits.leave(ticket);
    }
    const auto post = limits.enter(kPostA, kStart, kNever);
    const auto patch = limits.enter(kPatchA, kStart, kNever);
    EXPECT_EQ(limits.poll(kStart).go, Tickets{post});
    limits.leave(post);
    EXPECT_EQ(limits.poll(kStart).go, Tickets{patch});
}

TEST(RestLimits, AGlobalPauseHoldsAllButInteractions) {
    RestLimits limits(50);
    const auto first = limits.enter(kPostA, kStart, kNever);
    limits.poll(kStart);
    limits.answered(first, blocked(seconds(7), true), kStart);
    limits.again(first, kStart);
    limits.enter(kPostB, kStart, kNever);
    const auto callback = limits.enter(kCallback, kStart, kNever);
    const auto turn = limits.poll(kStart);
    EXPECT_EQ(turn.go, Tickets{callback});
    EXPECT_EQ(turn.next, kStart + seconds(7));
    EXPECT_EQ(limits.poll(kStart + seconds(7)).go.size(), 2U);
}

TEST(RestLimits, ABlockOfOneBucketHoldsOnlyThat) {
    RestLimits limits(50);
    const auto first = limits.enter(kPostA, kStart, kNever);
    limits.poll(kStart);
    limits.answered(first, blocked(seconds(7), false), kStart);
    limits.again(first, kStart);
    const auto other = limits.enter(kPostB, kStart, kNever);
    EXPECT_EQ(limits.poll(kStart).go, Tickets{other});
    EXPECT_EQ(limits.poll(kStart + seconds(7)).go, Tickets{first});
}

TEST(RestLimits, NoMoreThanFiftyInAnySecond) {
    RestLimits limits(50);
    const auto enter = [&](int i) { return limits.enter({"GET /users/@me", std::to_string(i), true}, kStart, kNever); };
    for (int i = 0; i < 120; ++i) enter(i);
    std::vector<std::pair<BootTime, std::size_t>> went;
    BootTime now = kStart;
    for (;;) {
        const auto turn = limits.poll(now);
        if (!turn.go.empty()) went.emplace_back(now, turn.go.size());
        for (const auto ticket : turn.go) limits.leave(ticket);
        if (!turn.next) break;
        ASSERT_GT(*turn.next, now);
        now = *turn.next;
    }
    const std::vector<std::pair<BootTime, std::size_t>> expected = {
        {kStart, 50}, {kStart + seconds(1), 50}, {kStart + seconds(2), 20}};
    EXPECT_EQ(went, expected);
    EXPECT_EQ(limits.waiting(), 0U);
}

TEST(RestLimits, WhatCanNotLeaveInTimeIsHopelessAtOnce) {
    RestLimits limits(50);
    const auto first = limits.enter(kPostA, kStart, kStart + seconds(3));
    const auto second = limits.enter(kPostA, kStart, kStart + seconds(20));
    limits.poll(kStart);
    limits.answered(first, blocked(seconds(10), false), kStart);
    limits.again(first, kStart);
    const auto turn = limits.poll(kStart);
    EXPECT_EQ(turn.hopeless, Tickets{first});
    EXPECT_EQ(turn.next, kStart + seconds(10));
    EXPECT_EQ(limits.poll(kStart + seconds(10)).go, Tickets{second});
}

TEST(RestLimits, ThousandsOfChannelsAreForgotten) {
    RestLimits limits(1'000'000);
    BootTime now = kStart;
    for (int i = 0; i < 5'000; ++i) {
        now += seconds(1);
        const auto ticket = limits.enter({"POST", std::to_string(i), true}, now, now + seconds(1));
        ASSERT_EQ(limits.poll(now).go, Tickets{ticket});
        limits.answered(ticket, news("hash", 0, seconds(5)), now);
        limits.leave(ticket);
    }
    EXPECT_LE(limits.known(), 1'100U);
    limits.enter({"POST", "4999", true}, now, now + seconds(10));
    EXPECT_EQ(limits.poll(now).next, now + seconds(5));
}

}  // namespace
}  // namespace lestapenna::discord
