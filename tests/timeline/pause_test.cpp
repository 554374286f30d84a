// Pauses: what nobody wanted to be stored is no loss, is not concealed, and moves nothing.
#include <gtest/gtest.h>

#include "packets.h"

namespace lestapenna::timeline {
namespace {

constexpr UserId kAnna{111};

Journal anna() {
    Journal j;
    j.event(0, journal::Join{BootTime{}, kAnna}).event(0, journal::Binding{BootTime{}, 1, kAnna});
    return j;
}

/// Somebody who never stops sending, from `from_ms` to `to_ms`; the one packet of each 20 ms that is sent at 0 has seq
/// 10.
Journal& talking(Journal& j, double from_ms, double to_ms) {
    for (auto n = static_cast<std::int64_t>(from_ms / 20); n < static_cast<std::int64_t>(to_ms / 20); ++n) {
        j.packet({static_cast<std::uint16_t>(10 + n), static_cast<std::uint32_t>(n * kFrame),
                  static_cast<double>(n) * 20 + 7});
    }
    return j;
}

TEST(Pause, WhatIsNotStoredIsNotLost) {
    Journal j = anna();
    talking(j, 0, 4'000).event(4'000, journal::Pause{});
    j.event(9'000, journal::Resume{});
    const Timeline t = talking(j, 9'000, 12'000).finish(30'000);
    const Counts counts = t.counts_of(kAnna);
    EXPECT_EQ(counts.received, 350U);
    EXPECT_EQ(counts.lost, 0U);
    EXPECT_EQ(counts.concealed, 0U);
    EXPECT_FALSE(t.has_gaps());
    ASSERT_EQ(t.pauses.size(), 1U);
    ASSERT_EQ(t.connections.size(), 1U);
    ASSERT_EQ(t.connections[0].streams.size(), 2U);
    const auto& after = t.connections[0].streams[1].packets;
    ASSERT_EQ(after.size(), 150U);
    EXPECT_EQ(after.front().missing, 0U) << "nothing is concealed";
    EXPECT_NEAR(ms_of(after.front().at), 9'007, 0.03) << "and it is where it was said";
    EXPECT_NEAR(ms_of(t.connections[0].streams[0].packets.back().at), 3'987, 0.03);
}

TEST(Pause, WhatIsLostBesidesIsStillLost) {
    Journal j = anna();
    talking(j, 0, 2'000);
    talking(j, 2'100, 4'000).event(4'000, journal::Pause{}).event(9'000, journal::Resume{});
    talking(j, 9'000, 10'000);
    const Timeline t = talking(j, 10'040, 12'000).finish(30'000);
    EXPECT_EQ(t.counts_of(kAnna).lost, 5U + 2U);
}

TEST(Pause, WhatHadArrivedBeforeItIsJournaledAfterIt) {
    Journal j = anna();
    talking(j, 0, 4'000).event(4'010, journal::Pause{});
    talking(j, 4'000, 4'003);  // was in the socket at 4,007
    j.event(9'000, journal::Resume{});
    const Timeline t = talking(j, 9'000, 10'000).finish(30'000);
    ASSERT_EQ(t.connections[0].streams.size(), 2U);
    EXPECT_EQ(t.connections[0].streams[0].packets.size(), 200U);
    EXPECT_EQ(t.counts_of(kAnna).lost, 0U);
}

// 65,536 packets of 20 ms are 21 min 50.72 s: the sequence has gone round, and stands a little behind where it was.
TEST(Pause, TheSequenceMayGoRoundMeanwhile) {
    Journal j = anna();
    talking(j, 0, 10'000).event(10'000, journal::Pause{});
    const double back = 65'536 * 20 + 5'000;
    j.event(back, journal::Resume{});
    const Timeline t = talking(j, back, back + 2'000).finish(back + 60'000);
    const Counts counts = t.counts_of(kAnna);
    EXPECT_EQ(counts.received, 600U);
    EXPECT_EQ(counts.duplicate + counts.lost + counts.stray, 0U);
    EXPECT_NEAR(ms_of(t.connections[0].streams.back().packets.front().at), back + 7, 0.03);
}

TEST(Pause, OrInAnOutage) {
    Journal j = anna();
    talking(j, 0, 10'000);
    const double back = 65'536 * 20 + 5'000;
    const Timeline t = talking(j, back, back + 2'000).finish(back + 60'000);
    const Counts counts = t.counts_of(kAnna);
    EXPECT_EQ(counts.received, 600U) << "none is taken for a copy of what came 21 minutes before";
    EXPECT_EQ(counts.duplicate + counts.stray, 0U);
    EXPECT_NEAR(ms_of(t.connections[0].streams.back().packets.front().at), back + 7, 0.03);
}

TEST(Pause, AnOpenOneCutsAsAClosedOne) {
    const auto until_the_pause = [] {
        Journal j = anna();
        talking(j, 0, 4'000).event(4'000, journal::Pause{});
        return j;
    };
    Journal whole = until_the_pause();
    whole.event(400'000, journal::Resume{});
    const Timeline later = talking(whole, 400'000, 402'000).finish(500'000);
    const Timeline meanwhile = until_the_pause().so_far();
    ASSERT_EQ(meanwhile.pauses.size(), 1U);
    const auto& then = meanwhile.connections.at(0).streams.at(0).packets;
    const auto& now = later.connections.at(0).streams.at(0).packets;
    ASSERT_EQ(then.size(), now.size());
    for (std::size_t i = 0; i < then.size(); ++i) EXPECT_EQ(then[i].at, now[i].at) << i;
}

}  // namespace
}  // namespace lestapenna::timeline
