// The timeline's rules one by one, on records made by hand.
#include <random>

#include <gtest/gtest.h>

#include "packets.h"

namespace lestapenna::timeline {
namespace {

constexpr UserId kAnna{111};
constexpr UserId kBruno{222};

journal::Binding bind(std::uint32_t ssrc, UserId user) {
    return {BootTime{}, ssrc, user};
}

TEST(Timeline, PacketsWithoutABindingAreNobodysAndStay) {
    const Timeline t = Journal().run(10, 1000, 500, 20).finish(2000);
    ASSERT_EQ(t.connections.size(), 1U);
    EXPECT_EQ(t.connections[0].user, UserId{});
    EXPECT_EQ(t.counts_of({}).received, 20U);
}

TEST(Timeline, ABindingClaimsWhatWasThereBefore) {
    const Timeline t = Journal().run(10, 1000, 500, 20).event(1000, bind(1, kAnna)).finish(2000);
    EXPECT_EQ(t.counts_of(kAnna).received, 20U);
}

TEST(Timeline, AnSsrcMayPassToSomebodyElse) {
    Journal j;
    j.event(0, bind(1, kAnna)).run(10, 1000, 500, 20).event(5000, bind(1, kBruno)).run(900, 777'000, 6000, 30);
    const Timeline t = j.finish(9000);
    EXPECT_EQ(t.counts_of(kAnna).received, 20U);
    EXPECT_EQ(t.counts_of(kBruno).received, 30U);
    EXPECT_EQ(t.counts_of(kAnna).lost + t.counts_of(kBruno).lost, 0U);
}

TEST(Timeline, AConnectionLastsFromJoinToLeave) {
    Journal j;
    j.event(1234.9, journal::Join{BootTime{}, kAnna}).event(1300, bind(1, kAnna)).run(10, 1000, 3000, 20);
    j.event(8000.5, journal::Leave{BootTime{}, kAnna});
    const Timeline t = j.finish(20'000);
    ASSERT_EQ(t.connections.size(), 1U);
    EXPECT_EQ(ms_of(t.connections[0].start), 1234);
    EXPECT_NEAR(ms_of(t.connections[0].end), 8000.5, 0.03);
    EXPECT_TRUE(t.connections[0].left);
    EXPECT_EQ(ms_of(t.connections[0].streams[0].packets[0].at), 3000);
}

TEST(Timeline, SpeechBeforeTheJoinEventBeginsTheConnection) {
    Journal j;
    j.event(0, bind(1, kAnna)).run(10, 1000, 900.7, 20).event(1000, journal::Join{BootTime{}, kAnna});
    const Timeline t = j.finish(5000);
    ASSERT_EQ(t.connections.size(), 1U);
    EXPECT_EQ(ms_of(t.connections[0].start), 900);
}

TEST(Timeline, WhoComesBackHasTwoConnectionsAndARestartOfOursMakesNone) {
    Journal j;
    j.event(0, bind(1, kAnna)).event(0, bind(2, kAnna));
    j.event(100, journal::Join{BootTime{}, kAnna}).run(10, 1000, 200, 20);
    j.event(2000, journal::Join{BootTime{}, kAnna});  // we were restarted; she never left
    j.event(4000, journal::Leave{BootTime{}, kAnna})
        .event(9000, journal::Join{BootTime{}, kAnna})
        .run(5, 9, 9500, 10, 2);
    const Timeline t = j.finish(12'000);
    ASSERT_EQ(t.connections.size(), 2U);
    EXPECT_EQ(t.connections[0].streams.size(), 1U);
    EXPECT_EQ(t.connections[1].streams.size(), 1U);
    EXPECT_EQ(ms_of(t.connections[1].start), 9000);
}

TEST(Timeline, AnImportHasOneConnectionPerSsrc) {
    Journal j;
    j.event(0, bind(1, kAnna)).event(0, bind(2, kAnna)).run(1, 1, 100, 10, 1).run(1, 1, 5000, 10, 2);
    const Timeline t = j.finish(9000);
    ASSERT_EQ(t.connections.size(), 2U);
    EXPECT_EQ(ms_of(t.connections[0].end), 300);
    EXPECT_EQ(ms_of(t.connections[1].end), 5200);
}

TEST(Timeline, WhatStartsAnewDoesNotWaitForTheUsersOtherSources) {
    for (const std::uint32_t other : {500U, 1500U}) {
        Journal j;
        j.event(0, bind(900, kAnna)).event(0, bind(other, kAnna)).event(0, journal::Join{BootTime{}, kAnna});
        j.run(10, 1000, 100, 100, 900).run(40'000, 3'000'000'000U, 20'000, 100, 900).run(7, 7, 40'000, 500, other);
        const Timeline t = j.finish(60'000);
        EXPECT_EQ(t.counts_of(kAnna).runaway, 0U);
        std::uint64_t at_twenty = 0;
        for (const Stream& stream : t.connections.at(0).streams) at_twenty += ms_of(stream.packets.at(0).at) == 20'000;
        EXPECT_EQ(at_twenty, 1U) << other;
    }
}

TEST(Timeline, WhoIsBackAtOnceIsBackAtOnce) {
    Journal j;
    j.event(0, bind(1, kAnna))
        .event(0, bind(2, kAnna))
        .event(0, journal::Join{BootTime{}, kAnna})
        .run(1, 1, 100, 50, 1);
    j.event(9000, journal::Leave{BootTime{}, kAnna})
        .event(9500, journal::Join{BootTime{}, kAnna})
        .run(1, 1, 9600, 100, 2);
    const Timeline t = j.finish(20'000);
    ASSERT_EQ(t.connections.size(), 2U);
    EXPECT_EQ(ms_of(t.connections[0].end), 9000);
    EXPECT_EQ(ms_of(t.connections[1].start), 9500);
    EXPECT_EQ(t.connections[1].streams.at(0).packets.size(), 100U);
}

TEST(Timeline, ThreeSourcesOfOneUserNeverShareTheNameOfAFile) {
    Journal j{seconds(30)};
    for (const std::uint32_t ssrc : {1U, 2U, 3U}) j.event(0, bind(ssrc, kAnna));
    for (int i = 0; i < 4500; ++i) {
        if (i < 250) j.run(static_cast<std::uint16_t>(i), static_cast<std::uint32_t>(i * kFrame), 20.0 * i, 1, 1);
        if (i >= 3000) j.run(static_cast<std::uint16_t>(i), static_cast<std::uint32_t>(i * kFrame), 20.0 * i, 1, 2);
        j.run(static_cast<std::uint16_t>(i), static_cast<std::uint32_t>(i * kFrame), 20.0 * i, 1, 3);
    }
    const Timeline t = j.finish(120'000);
    ASSERT_EQ(t.connections.size(), 1U);
    EXPECT_EQ(t.connections[0].streams.size(), 3U);
}

TEST(Timeline, AFloodOfPausesCostsNoSquare) {
    Journal j;
    for (int i = 0; i < 60'000; ++i) {
        j.packet({static_cast<std::uint16_t>(i), static_cast<std::uint32_t>(i % 2 * 100'000), i * 29'000.0 / 60'000,
                  false, 1});
    }
    EXPECT_EQ(j.finish(40'000).counts_of({}).received, 60'000U);
}

TEST(Timeline, AnAdvancingClockKeepsItsPauseAndAStandingOneIsGivenIt) {
    const Timeline advancing = Journal().run(10, 1000, 0, 50).run(60, 1000 + 48 * 4000, 4000, 50).finish(9000);
    EXPECT_EQ(ms_of(advancing.connections[0].streams[0].packets[50].at), 4000);
    const Timeline standing = Journal().run(10, 1000, 0, 50).run(60, 1000 + 50 * kFrame, 4000, 50).finish(9000);
    EXPECT_EQ(ms_of(standing.connections[0].streams[0].packets[50].at), 4000);
    EXPECT_EQ(advancing.counts_of({}).lost + standing.counts_of({}).lost, 0U);
}

TEST(Timeline, AStallThenABurstMovesNothing) {
    Journal j;
    for (int i = 0; i < 200; ++i) {
        const double sent = 20.0 * i;
        const double arrival = sent > 1000 && sent < 2500 ? 2500 : sent;
        j.packet({static_cast<std::uint16_t>(i), static_cast<std::uint32_t>(i * kFrame), arrival, false, 1});
    }
    const Timeline t = j.finish(9000);
    const auto& packets = t.connections[0].streams[0].packets;
    ASSERT_EQ(packets.size(), 200U);
    for (std::size_t i = 0; i < 200; ++i) ASSERT_EQ(ms_of(packets[i].at), 20.0 * static_cast<double>(i));
}

TEST(Timeline, ARunInsideAStallOfAStandingClockIsCountedAsUnplaceable) {
    Journal j;
    j.run(0, 0, 0, 50);
    for (int i = 0; i < 25; ++i) {  // said at 5 s, all of it held back until 7 s
        j.packet({static_cast<std::uint16_t>(50 + i), static_cast<std::uint32_t>((50 + i) * kFrame), 7000, false, 1});
    }
    j.run(75, 75 * kFrame, 10'000, 50);
    const Timeline t = j.finish(20'000);
    EXPECT_EQ(t.counts_of({}).unplaceable_runs, 1U);
    EXPECT_EQ(ms_of(t.connections[0].streams[0].packets.back().at), 10'000 + 49 * 20);
}

TEST(Timeline, ReorderDuplicatesAndBothWraps) {
    std::vector<Sent> sent;
    for (int i = 0; i < 400; ++i) {
        sent.push_back({static_cast<std::uint16_t>(65'400 + i),
                        static_cast<std::uint32_t>(0xFFFFFFFFU - 100 * 960U + static_cast<std::uint32_t>(i) * 960U),
                        20.0 * i, false, 1});
    }
    std::swap(sent[130], sent[133]);
    std::swap(sent[200], sent[201]);
    sent.insert(sent.begin() + 300, sent[140]);
    sent.erase(sent.begin() + 50, sent.begin() + 53);
    Journal j;
    for (const Sent& s : sent) j.packet(s);
    const Timeline t = j.finish(9000);
    const Counts counts = t.counts_of({});
    EXPECT_EQ(counts.received, 397U);
    EXPECT_EQ(counts.lost, 3U);
    EXPECT_EQ(counts.duplicate, 1U);
    EXPECT_EQ(counts.concealed, 3U);
    const auto& packets = t.connections[0].streams[0].packets;
    EXPECT_EQ(packets[50].missing, 3);
    EXPECT_EQ(ms_of(packets[50].at), 53 * 20);
    EXPECT_EQ(ms_of(packets.back().at), 399 * 20);
}

TEST(Timeline, ARestartedSourceIsNotALoss) {
    const Timeline t = Journal().run(10, 1000, 0, 100).run(40'000, 3'000'000'000U, 5000, 100).finish(9000);
    ASSERT_EQ(t.connections[0].streams.size(), 2U);
    EXPECT_EQ(t.counts_of({}).lost, 0U);
    EXPECT_EQ(ms_of(t.connections[0].streams[1].packets[0].at), 5000);
}

TEST(Timeline, ALonePacketFromNowhereMovesNothing) {
    const Timeline t = Journal()
                           .run(10, 1000, 0, 100)
                           .packet({30'000, 5, 2000, false, 1})
                           .run(110, 1000 + 100 * kFrame, 2000, 100)
                           .finish(9000);
    ASSERT_EQ(t.connections[0].streams.size(), 1U);
    EXPECT_EQ(t.counts_of({}).stray, 1U);
    EXPECT_EQ(t.counts_of({}).lost, 0U);
    EXPECT_EQ(t.counts_of({}).received, 200U);
}

TEST(Timeline, ALongOutageThatBothClocksShowIsLoss) {
    const Timeline t =
        Journal().run(10, 1000, 0, 100).run(10 + 5'100, 1000 + 5'100 * 960, 102'000, 100).finish(200'000);
    ASSERT_EQ(t.connections[0].streams.size(), 1U);
    EXPECT_EQ(t.counts_of({}).lost, 5'000U);
    EXPECT_EQ(ms_of(t.connections[0].streams[0].packets[100].at), 102'000);
}

TEST(Timeline, AClockThatWrapsWhileNobodySpeaks) {
    for (const double hours : {7.0, 13.0, 20.0, 26.0, 40.0}) {
        const double ms = hours * 3'600'000;
        const auto ticks = static_cast<std::uint32_t>(static_cast<std::uint64_t>(ms) * 48);
        const Timeline advancing = Journal().run(10, 1000, 0, 50).run(60, 1000 + ticks, ms, 50).finish(ms + 5000);
        EXPECT_EQ(ms_of(advancing.connections[0].streams[0].packets[50].at), ms) << hours;
        const Timeline standing = Journal().run(10, 1000, 0, 50).run(60, 1000 + 50 * kFrame, ms, 50).finish(ms + 5000);
        EXPECT_EQ(ms_of(standing.connections[0].streams[0].packets[50].at), ms) << hours;
    }
}

TEST(Timeline, WhatComesAfterItsWindowClosedIsCountedAndNotPlaced) {
    Journal j{seconds(30)};
    j.run(10, 0, 0, 100);
    j.packet({111, 101 * 960, 2020, false, 1});  // 110 is missing
    j.event(45'000, journal::Clock{});           // 30 s + 15 s: the first window is closed
    j.packet({110, 100 * 960, 45'100, false, 1});
    const Timeline t = j.finish(60'000);
    EXPECT_EQ(t.counts_of({}).late, 1U);
    EXPECT_EQ(t.counts_of({}).lost, 0U);
    EXPECT_EQ(t.counts_of({}).received, 102U);
    const auto& packets = t.connections[0].streams[0].packets;
    ASSERT_EQ(packets.size(), 101U);
    EXPECT_EQ(packets[100].missing, 1);
    EXPECT_EQ(ms_of(packets[100].at), 2020);
}

TEST(Timeline, InTimeByAMillisecond) {
    Journal j{seconds(30)};
    j.run(10, 0, 0, 100).packet({111, 101 * 960, 2020, false, 1}).event(44'999, journal::Clock{});
    j.packet({110, 100 * 960, 44'999.5, false, 1});
    const Timeline t = j.finish(60'000);
    EXPECT_EQ(t.counts_of({}).late, 0U);
    EXPECT_EQ(t.connections[0].streams[0].packets.size(), 102U);
}

TEST(Timeline, WhoSendsHoursInASecondDoesNotMakeTheSessionLonger) {
    Journal j;
    for (int i = 0; i < 3000; ++i)
        j.packet({static_cast<std::uint16_t>(i), static_cast<std::uint32_t>(i * 960), i / 10.0, false, 1});
    const Timeline t = j.finish(1000);
    EXPECT_LE(ms_of(t.end()), 6000);
    EXPECT_GT(t.counts_of({}).runaway, 2000U);
    EXPECT_TRUE(t.has_gaps());
}

TEST(Timeline, UndecryptablePacketsAreCountedWhereTheyWouldHaveBeen) {
    Journal j;
    j.run(10, 0, 0, 20);
    journal::Packet closed;
    closed.ssrc = 1;
    closed.seq = 30;
    closed.rtp_timestamp = 20 * 960;
    closed.undecryptable = closed.parked = true;
    closed.closed = journal::ClosedReason::no_key;
    closed.payload_size = 90;
    j.event(400, closed).run(31, 21 * 960, 420, 20);
    const Timeline t = j.finish(1000);
    EXPECT_EQ(t.counts_of({}).undecryptable, 1U);
    EXPECT_EQ(t.counts_of({}).closed[static_cast<std::size_t>(journal::ClosedReason::no_key)], 1U);
    EXPECT_EQ(t.counts_of({}).parked, 1U);
    EXPECT_EQ(t.counts_of({}).lost, 0U);
    EXPECT_EQ(t.connections[0].streams[0].packets[20].missing, 1);
    EXPECT_TRUE(t.has_gaps());
}

TEST(Timeline, PausesGapsAndNotes) {
    Journal j;
    j.event(1000, journal::Pause{}).event(2000, journal::Resume{});
    j.event(5000, journal::Gap{BootTime{seconds(1)}, BootTime{seconds(3)}, journal::GapReason::kernel_drop, 7});
    j.event(6000, journal::Marker{BootTime{}, kAnna, "il drago"});
    const Timeline t = j.finish(9000);
    ASSERT_EQ(t.pauses.size(), 1U);
    EXPECT_EQ(t.pauses[0].second - t.pauses[0].first, seconds(1));
    ASSERT_EQ(t.outages.size(), 1U);
    EXPECT_EQ(t.outages[0].from, Journal::at(3000));
    EXPECT_TRUE(t.has_gaps());
    ASSERT_EQ(t.notes.size(), 1U);
    EXPECT_EQ(t.notes[0].text, "il drago");
}

/// Whatever arrives: nothing crashes, nothing overlaps, every packet is accounted for.
TEST(Timeline, Rubbish) {
    for (unsigned seed = 0; seed < 300; ++seed) {
        std::mt19937_64 random(seed);
        Journal j{seconds(30)};
        double now = 0;
        std::uint64_t added = 0;
        auto seq = static_cast<std::uint16_t>(random());
        auto timestamp = static_cast<std::uint32_t>(random());
        for (int i = 0; i < 400; ++i, ++added) {
            const auto dice = random() % 100;
            seq = static_cast<std::uint16_t>(dice < 2    ? random()
                                             : dice < 10 ? seq - random() % 5
                                                         : seq + 1 + random() % 2);
            timestamp = static_cast<std::uint32_t>(dice >= 98 ? random() : timestamp + random() % 2000);
            now += dice % 10 == 0 ? static_cast<double>(random() % 60'000) : 20;
            j.packet({seq, timestamp, now - static_cast<double>(random() % 200), random() % 5 == 0, 1});
        }
        const Timeline t = j.finish(now + 1);
        Counts counts = t.counts_of({});
        std::uint64_t placed = 0;
        for (const Stream& stream : t.connections.at(0).streams) {
            SamplePos free{};
            for (const PlacedPacket& packet : stream.packets) {
                ASSERT_GE(packet.at, free) << "seed " << seed;
                free = packet.end();
                ++placed;
            }
            ASSERT_LE(free, t.connections[0].end);
        }
        EXPECT_LE(placed, counts.received);
        // Strays are counted apart where they were never taken in, and among the received where they ran away.
        EXPECT_LE(counts.received + counts.duplicate, added) << "seed " << seed;
        EXPECT_GE(counts.received + counts.duplicate + counts.stray, added) << "seed " << seed;
    }
}

}  // namespace
}  // namespace lestapenna::timeline
