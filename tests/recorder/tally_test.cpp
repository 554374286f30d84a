// What $stato counts, against what was sent.
#include "recorder/tally.h"

#include <algorithm>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "recorder/durable_lag.h"

namespace lestapenna::recorder {
namespace {

constexpr UserId kAnna{1001};
constexpr UserId kBruno{1002};

BootTime at(int ms) {
    return BootTime{milliseconds(ms)};
}

void hear(Tally& tally, std::uint32_t ssrc, std::initializer_list<std::uint16_t> seqs) {
    for (const std::uint16_t seq : seqs) tally.count(ssrc, seq, at(seq));
}

TEST(Tally, ALossIsAHoleBetweenTheFirstAndTheLast) {
    Tally tally;
    tally.bind(7, kAnna);
    hear(tally, 7, {65'534, 65'535, 0, 2, 5});
    const auto anna = tally.sums().at(kAnna);
    EXPECT_EQ(anna.packets, 5U);
    EXPECT_EQ(anna.lost, 3U);
    EXPECT_EQ(anna.last, at(65'535));
}

TEST(Tally, WhatIsOvertakenOrDoubledIsNotLost) {
    Tally tally;
    hear(tally, 7, {10, 12, 11, 11, 12, 13, 9, 9});
    const auto nobody = tally.sums().at(UserId{});
    EXPECT_EQ(nobody.packets, 8U);
    EXPECT_EQ(nobody.lost, 0U);
}

TEST(Tally, WhatNobodyClaimedIsTheirsWhoDoes) {
    Tally tally;
    tally.count(7, 1, at(0));
    EXPECT_EQ(tally.sums().at(UserId{}).packets, 1U);
    tally.bind(7, kAnna);
    EXPECT_EQ(tally.sums().size(), 1U);
    EXPECT_EQ(tally.sums().at(kAnna).packets, 1U);
    // The SSRC passes to somebody else: what was heard before stays with whom it was heard of.
    tally.bind(7, kBruno);
    tally.count(7, 500, at(9));
    EXPECT_EQ(tally.sums().at(kAnna).packets, 1U);
    EXPECT_EQ(tally.sums().at(kBruno).packets, 1U);
    EXPECT_EQ(tally.sums().at(kBruno).lost, 0U);
}

TEST(Tally, AClientThatBeganAnewHasLostNothing) {
    Tally tally;
    tally.bind(7, kAnna);
    tally.bind(8, kAnna);
    hear(tally, 7, {1, 3, 40'000, 40'002});
    tally.count(8, 9, at(50'000));
    EXPECT_EQ(tally.sums().at(kAnna).packets, 5U);
    EXPECT_EQ(tally.sums().at(kAnna).lost, 2U);
    EXPECT_EQ(tally.sums().at(kAnna).last, at(50'000));
}

TEST(Tally, APauseIsNoLoss) {
    Tally tally;
    hear(tally, 7, {1, 2, 4});
    tally.part(at(400));
    hear(tally, 7, {500, 501});
    EXPECT_EQ(tally.sums().at(UserId{}).lost, 1U);
    tally.count(7, 5, at(399));  // it had to wait for its key
    hear(tally, 7, {503});
    EXPECT_EQ(tally.sums().at(UserId{}).lost, 2U);
    EXPECT_EQ(tally.sums().at(UserId{}).packets, 7U);
}

TEST(Tally, WhatStayedClosedCameAndIsCountedByReason) {
    using enum journal::ClosedReason;
    Tally tally;
    hear(tally, 7, {1});
    tally.count(7, 2, at(2), no_user);
    tally.count(7, 3, at(3), no_key);
    tally.count(7, 4, at(4), no_key);
    EXPECT_EQ(tally.sums().at(UserId{}).closed, (Closed{0, 1, 2}));
    tally.bind(7, kAnna);
    tally.count(8, 1, at(5), forged);
    tally.bind(8, kAnna);
    const auto anna = tally.sums().at(kAnna);
    EXPECT_EQ(anna.closed, (Closed{0, 1, 2, 1}));
    EXPECT_EQ(anna.packets, 5U);
    EXPECT_EQ(anna.lost, 0U);
    EXPECT_EQ(tally.sums().size(), 1U);
}

TEST(Tally, AJitteringLineIsCountedToThePacket) {
    constexpr std::uint64_t kSeed = 20261122;
    std::printf("seed %llu\n", static_cast<unsigned long long>(kSeed));
    std::mt19937_64 random(kSeed);
    constexpr std::uint32_t kSent = 200'000;                        // three times round
    std::vector<std::pair<std::uint64_t, std::uint32_t>> arrivals;  // when, which
    std::uint64_t lost = 0;
    for (std::uint32_t n = 0; n < kSent; ++n) {
        const bool edge = n == 0 || n + 1 == kSent;
        if (!edge && random() % 50 == 0) {
            ++lost;
            continue;
        }
        arrivals.emplace_back(n * 20 + (edge ? 0 : random() % 400), n);
        if (random() % 100 == 0) arrivals.emplace_back(n * 20 + random() % 400, n);
    }
    std::ranges::stable_sort(arrivals, {}, [](const auto& one) { return one.first; });
    Tally tally;
    for (const auto& [when, n] : arrivals)
        tally.count(7, static_cast<std::uint16_t>(65'000 + n), at(static_cast<int>(when)));
    EXPECT_EQ(tally.sums().at(UserId{}).packets, arrivals.size());
    EXPECT_EQ(tally.sums().at(UserId{}).lost, lost);
}

TEST(DurableLag, IsTheAgeOfTheOldestThatIsNotDurable) {
    DurableLag lag;
    EXPECT_EQ(lag.age(0, at(0)), nanoseconds(0));
    lag.look(10, 10, at(1'000));
    EXPECT_EQ(lag.age(10, at(1'500)), nanoseconds(0));
    lag.look(20, 10, at(2'000));
    lag.look(30, 10, at(3'000));
    EXPECT_EQ(lag.age(10, at(3'500)), milliseconds(1'500));
    EXPECT_EQ(lag.age(25, at(3'500)), milliseconds(500));
    lag.look(40, 25, at(4'000));
    EXPECT_EQ(lag.age(25, at(4'000)), milliseconds(1'000));
    EXPECT_EQ(lag.age(40, at(9'000)), nanoseconds(0));
    // The disk hangs for hours: it goes on ageing.
    for (int second = 0; second < 10'000; ++second)
        lag.look(100U + static_cast<unsigned>(second), 40, at(10'000 + 1'000 * second));
    EXPECT_EQ(lag.age(40, at(10'010'000)), seconds(10'000));
}

}  // namespace
}  // namespace lestapenna::recorder
