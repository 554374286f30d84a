// Packets that had to wait for their key or their user: journaled after others that arrived later.
#include <algorithm>
#include <random>
#include <tuple>

#include <gtest/gtest.h>

#include "packets.h"

namespace lestapenna::timeline {
namespace {

constexpr UserId kAnna{111};
constexpr UserId kBruno{222};
constexpr double kEnd = 120'000;

journal::Binding bind(std::uint32_t ssrc, UserId user) {
    return {BootTime{}, ssrc, user};
}

/// Two minutes of somebody who talks and pauses, over a line with jitter and loss.
std::vector<Sent> talk(std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::vector<Sent> all;
    std::uint16_t seq = 65'000;
    std::uint32_t timestamp = 4'000'000'000U;
    for (double ms = 500; ms < kEnd - 1'000; ms += 20, timestamp += kFrame) {
        if (random() % 400 == 0) {
            const auto frames = static_cast<std::uint32_t>(20 + random() % 200);
            ms += 20 * frames;
            timestamp += frames * std::uint32_t{kFrame};
        }
        Sent sent{seq++, timestamp, ms + static_cast<double>(random() % 40'000) / 1000, false, 1};
        if (random() % 50 != 0) all.push_back(sent);
    }
    std::ranges::stable_sort(all, {}, &Sent::arrival_ms);
    return all;
}

/// Packets that arrive in [from, to) wait until `until`.
struct Parking {
    double from = 0;
    double to = 0;
    double until = 0;
};

/// As a recorder journals it: a clock each second, packets by arrival, those that wait when they no longer do.
Journal journal_of(const std::vector<Sent>& packets, const std::vector<Parking>& parkings) {
    struct When {
        double at = 0;
        const Sent* packet = nullptr;  ///< null: a clock
        bool parked = false;
    };
    std::vector<When> all;
    for (double ms = 0; ms <= kEnd; ms += 1'000) all.push_back({ms});
    for (const Sent& sent : packets) {
        const auto waits = std::ranges::find_if(
            parkings, [&](const Parking& one) { return sent.arrival_ms >= one.from && sent.arrival_ms < one.to; });
        all.push_back({waits == parkings.end() ? sent.arrival_ms : waits->until, &sent, waits != parkings.end()});
    }
    std::ranges::stable_sort(all, {}, &When::at);
    Journal j{seconds(30)};
    j.event(100, journal::Join{BootTime{}, kAnna}).event(100, bind(1, kAnna));
    for (const When& one : all) {
        if (one.packet == nullptr) {
            j.event(one.at, journal::Clock{});
        } else {
            Sent sent = *one.packet;
            sent.parked = one.parked;
            j.packet(sent);
        }
    }
    return j;
}

using Place = std::tuple<std::int64_t, int, int, int, bool>;

/// Where everything is played: nothing else is heard of a journal.
std::vector<Place> places(const Timeline& t) {
    std::vector<Place> all;
    for (const Connection& connection : t.connections) {
        for (const Stream& stream : connection.streams) {
            for (const PlacedPacket& p : stream.packets) {
                all.emplace_back(p.at.time_since_epoch().count(), p.duration, p.missing, p.slip, p.silence);
            }
        }
    }
    return all;
}

TEST(Parked, PlacesAreThoseOfPacketsThatDidNotWait) {
    const std::vector<std::vector<Parking>> ways{
        {{0, 2'500, 3'000}},                                   // the first 2 s
        {{50'000, 59'000, 60'000}},                            // 9 s in the middle
        {{20'000, 29'990, 30'000}, {70'000, 72'000, 80'000}},  // over the edge of a window; longer than they came in
        {{110'000, 119'000, 119'500}},                         // at the end
    };
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
        const auto packets = talk(seed);
        const Timeline plain = journal_of(packets, {}).finish(kEnd);
        for (const auto& parkings : ways) {
            SCOPED_TRACE("seed " + std::to_string(seed) + ", " + std::to_string(parkings.front().from));
            const Timeline waited = journal_of(packets, parkings).finish(kEnd);
            ASSERT_EQ(waited.connections.size(), 1U);
            EXPECT_EQ(waited.connections[0].opened, plain.connections[0].opened);
            EXPECT_EQ(waited.connections[0].start, plain.connections[0].start);
            EXPECT_EQ(places(waited), places(plain));
            const Counts counts = waited.counts_of(kAnna);
            const Counts before = plain.counts_of(kAnna);
            EXPECT_GT(counts.parked, 0U);
            EXPECT_EQ(counts.received, before.received);
            EXPECT_EQ(counts.lost, before.lost);
            EXPECT_EQ(counts.late + counts.stray + counts.duplicate + counts.runaway, 0U);
        }
    }
}

TEST(Parked, ASequenceThatStartsAnewIsFollowedAlsoWhenItsBeginningWaited) {
    std::vector<Sent> packets;
    for (int i = 0; i < 500; ++i)
        packets.push_back({static_cast<std::uint16_t>(i), static_cast<std::uint32_t>(i * kFrame), 1'000.0 + 20 * i});
    for (int i = 0; i < 1'000; ++i) {
        packets.push_back({static_cast<std::uint16_t>(40'000 + i), static_cast<std::uint32_t>(900'000'000 + i * kFrame),
                           20'000.0 + 20 * i});
    }
    const Timeline plain = journal_of(packets, {}).finish(kEnd);
    const Timeline waited = journal_of(packets, {{8'000, 22'000, 22'000}}).finish(kEnd);
    EXPECT_EQ(plain.connections.at(0).streams.size(), 2U);
    EXPECT_EQ(places(waited), places(plain));
    EXPECT_EQ(waited.counts_of(kAnna).lost, 0U);
}

TEST(Parked, WhatWaitedOverAPauseOfOursBelongsBeforeIt) {
    Journal j;
    j.event(0, bind(1, kAnna)).event(0, journal::Join{BootTime{}, kAnna}).run(10, 0, 1'000, 100);
    std::vector<Sent> waiting;
    for (int i = 0; i < 50; ++i)
        waiting.push_back({static_cast<std::uint16_t>(110 + i), static_cast<std::uint32_t>((100 + i) * kFrame),
                           3'000.0 + 20 * i, false, 1, true});
    j.event(4'000, journal::Pause{}).event(8'000, journal::Resume{});
    j.run(360, 350 * kFrame, 8'000, 50);
    for (const Sent& sent : waiting) j.packet(sent);
    j.run(410, 400 * kFrame, 9'000, 50);
    const Timeline t = j.finish(12'000);
    const Counts counts = t.counts_of(kAnna);
    EXPECT_EQ(counts.received, 250U);
    EXPECT_EQ(counts.parked, 50U);
    EXPECT_EQ(counts.lost, 0U) << "what was not stored in a pause is no loss";
    ASSERT_EQ(t.connections.at(0).streams.size(), 2U);
    EXPECT_EQ(t.connections[0].streams[0].packets.size(), 150U);
}

TEST(Parked, ItIsTheUsersAsWhoseItWasOpened) {
    Journal j;
    j.event(0, bind(1, kAnna)).run(10, 0, 1'000, 20);
    // It arrives while the SSRC is still Anna's, and opens with Bruno's key once it is his.
    j.event(3'000, bind(1, kBruno));
    for (int i = 0; i < 20; ++i)
        j.packet({static_cast<std::uint16_t>(30'000 + i), static_cast<std::uint32_t>(i * kFrame), 2'500.0 + 20 * i,
                  false, 1, true});
    const Timeline t = j.finish(6'000);
    EXPECT_EQ(t.counts_of(kAnna).received, 20U);
    EXPECT_EQ(t.counts_of(kBruno).received, 20U);
}

journal::Packet closed(std::uint16_t seq, journal::ClosedReason why) {
    journal::Packet packet;
    packet.ssrc = 1;
    packet.seq = seq;
    packet.rtp_timestamp = seq * 960U;
    packet.undecryptable = packet.parked = true;
    packet.closed = why;
    packet.payload_size = 100;
    return packet;
}

TEST(Parked, WhatNeverOpenedIsOfWhoHadTheSsrcWhenItCame) {
    constexpr int kLost = 20;
    Journal j;
    j.event(0, bind(1, kAnna)).run(10, 0, 1'000, 20).event(3'000, bind(1, kBruno));
    for (int i = 0; i < kLost; ++i)
        j.event(1'400 + 20 * i, closed(static_cast<std::uint16_t>(30 + i), journal::ClosedReason::no_key));
    j.run(30'000, 0, 3'100, 50);
    const Timeline t = j.finish(6'000);
    EXPECT_EQ(t.counts_of(kAnna).undecryptable, std::uint64_t{kLost});
    EXPECT_EQ(t.counts_of(kBruno).received, 50U);
    EXPECT_EQ(t.counts_of(kBruno).undecryptable, 0U);
}

TEST(Parked, WhatNobodySaidWhoseItIsIsNobodysUntilItIsSaid) {
    using enum journal::ClosedReason;
    const auto unclaimed = [&](Journal j) {
        j.event(1'000, closed(1, no_user)).event(1'020, closed(2, no_user)).event(1'040, closed(3, overflow));
        return j;
    };
    const Timeline before = unclaimed(Journal()).finish(20'000);
    EXPECT_EQ(before.counts_of({}).undecryptable, 3U);
    EXPECT_EQ(before.counts_of({}).closed, (std::array<std::uint64_t, 6>{0, 2, 0, 0, 0, 1}));
    Journal j = unclaimed(Journal());
    j.event(15'000, bind(1, kAnna)).event(15'100, closed(700, unknown));
    const Timeline t = j.finish(20'000);
    EXPECT_EQ(t.counts_of({}).received, 0U);
    EXPECT_EQ(t.counts_of(kAnna).undecryptable, 4U);
    EXPECT_EQ(t.counts_of(kAnna).closed, (std::array<std::uint64_t, 6>{1, 2, 0, 0, 0, 1}));
    EXPECT_TRUE(t.has_gaps());
    Counts minutes;
    for (const Minute& minute : t.ledger) {
        EXPECT_EQ(minute.user, kAnna);
        minutes += minute.counts;
    }
    EXPECT_EQ(minutes.closed, t.counts_of(kAnna).closed);
}

}  // namespace
}  // namespace lestapenna::timeline
