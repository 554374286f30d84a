// What is made of a session while it is being recorded is what its end would make, once.
#include "workflows/keep_up.h"

#include <random>

#include <gmock/gmock.h>

#include "growing_table.h"

namespace lestapenna::workflows {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr std::uint64_t kSeed = 11;
constexpr seconds kLength{160};
// The second player leaves and comes back, the third leaves; seconds.
constexpr double kAway = 68;
constexpr double kBack = 83;
constexpr double kGone = 110;

BootTime at(double s) {
    return BootTime{nanoseconds{static_cast<std::int64_t>(s * 1e9)}};
}

/// Three players on a line that does what it can; the second leaves, and comes back.
sandbox::SimulatedTable table(std::uint64_t seed) {
    sandbox::CutTable cut;
    cut.length = kLength;
    cut.seed = seed;
    cut.share = 0.5;
    sandbox::LineOptions line;
    line.seed = seed;
    line.jitter = milliseconds(60);
    line.loss = 0.05;
    line.reorder = 0.02;
    line.duplicate = 0.01;
    line.stalls_per_minute = 2;
    line.senders.resize(3);
    line.senders[0].skew_ppm = 180;
    line.senders[2].frozen_rtp_clock = true;
    auto simulated = sandbox::simulate(sandbox::cut_table(test::buzzing_voices(3), cut), line);
    std::erase_if(simulated.arrivals, [&](const sandbox::Arrival& arrival) {
        const double when = std::chrono::duration<double>(arrival.time - simulated.start_time).count();
        return (arrival.ssrc == simulated.senders[1].ssrc && when > kAway && when < kBack) ||
               (arrival.ssrc == simulated.senders[2].ssrc && when > kGone);
    });
    return simulated;
}

std::vector<journal::Record> comings_and_goings(const sandbox::SimulatedTable& table) {
    const auto user = [&](std::size_t i) { return table.senders[i].user; };
    return {journal::Join{at(0), user(0)},      journal::Join{at(0.5), user(1)},   journal::Join{at(3), user(2)},
            journal::Leave{at(kAway), user(1)}, journal::Join{at(kBack), user(1)}, journal::Leave{at(kGone), user(2)}};
}

using Objects = std::map<std::string, std::vector<std::uint8_t>>;

Objects finished_at_once(const sandbox::SimulatedTable& simulated, const SessionId& id,
                         std::vector<journal::Record> records) {
    Desk desk(id, simulated.start_time);
    auto journal = desk.journal(simulated.start_time, std::move(records));
    EXPECT_TRUE(journal.end().ok());
    desk.finish();
    return desk.objects();
}
Objects finished_at_once(const sandbox::SimulatedTable& simulated, const SessionId& id) {
    return finished_at_once(simulated, id, test::records_of(simulated, comings_and_goings(simulated)));
}

class KeepUpSeeds : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(KeepUpSeeds, MakesWhatTheEndWouldMakeAndMakesItOnce) {
    const std::uint64_t seed = GetParam();
    std::printf("seed %lu\n", static_cast<unsigned long>(seed));
    const auto simulated = table(seed);
    const auto id = *SessionId::parse("growing");
    Desk desk(id, simulated.start_time);
    auto journal = desk.journal(simulated.start_time, test::records_of(simulated, comings_and_goings(simulated)));
    std::mt19937_64 random(seed);
    auto growing = std::make_unique<Growing>();
    for (double s = 0; s < 158; s = std::min(158.0, s + 1 + static_cast<double>(random() % 90) / 10)) {
        if (random() % 8 == 0) growing = std::make_unique<Growing>();  // a new process
        ASSERT_TRUE(journal.grow_to(at(s).time_since_epoch()).ok());
        const auto next = keep_up(desk.tools(), id, *growing);
        ASSERT_TRUE(next.ok()) << next.error().message;
        ASSERT_TRUE(next->has_value());
        EXPECT_GT(**next, unix_now());
        EXPECT_LT(**next, unix_now() + seconds(30 + 15 + 3));
    }
    ASSERT_TRUE(journal.grow_to(seconds(158)).ok());
    ASSERT_TRUE(keep_up(desk.tools(), id, *growing).ok());
    const auto early = desk.store().puts;
    std::size_t chunks = 0;
    std::size_t fragments = 0;
    for (const auto& [key, count] : early) {
        chunks += key.find("/chunks/") != std::string::npos;
        fragments += key.find("/full/") != std::string::npos;
    }
    EXPECT_GE(chunks, 10U) << "of the windows that were closed";
    EXPECT_EQ(fragments, 2U) << "of the two connections that were over";
    EXPECT_THAT(*desk.catalog().transcriptions(id), SizeIs(2));

    ASSERT_TRUE(journal.end().ok());
    EXPECT_EQ(*keep_up(desk.tools(), id, *growing), std::nullopt);
    EXPECT_EQ(desk.store().puts, early) << "the rest is for the end";
    desk.finish();
    expect_each_once(desk.store().puts);
    EXPECT_EQ(desk.objects(), finished_at_once(simulated, id));
    const auto queue = desk.catalog().transcriptions(id);
    const auto rows = desk.catalog().recordings(id);
    ASSERT_EQ(queue->size(), 4U);
    ASSERT_EQ(rows->size(), 4U);
    for (const auto& entry : *queue) {
        const auto row = std::ranges::find(*rows, entry.file, &catalog::Recording::key);
        ASSERT_NE(row, rows->end());
        EXPECT_EQ(row->user, entry.user);
        EXPECT_EQ(row->start, entry.timestamp);
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, KeepUpSeeds, ::testing::Values(11, 12, 13));

struct Wait {
    double from;
    double to;
    double until;
};

/// Kept up with every few seconds, of a call whose packets had to wait for their keys.
Objects kept_up_with(const sandbox::SimulatedTable& simulated, const SessionId& id,
                     std::vector<journal::Record> records) {
    Desk desk(id, simulated.start_time);
    auto journal = desk.journal(simulated.start_time, std::move(records));
    Growing growing;
    for (seconds s{5}; s < kLength; s += seconds(7)) {
        EXPECT_TRUE(journal.grow_to(s).ok());
        EXPECT_TRUE(keep_up(desk.tools(), id, growing).ok());
    }
    EXPECT_TRUE(journal.end().ok());
    desk.finish();
    expect_each_once(desk.store().puts);
    return desk.objects();
}

TEST(KeepUp, WhatHadToWaitForItsKeySoundsAsIfItHadNot) {
    const auto simulated = table(kSeed);
    const auto id = *SessionId::parse("growing");
    auto records = test::records_of(simulated, comings_and_goings(simulated));
    // The first 2 s, 9 s in the middle of two windows, and over the moment when somebody leaves.
    for (const Wait wait : {Wait{0, 2, 2.5}, Wait{50, 59, 60}, Wait{105, 111, 115}})
        records = test::parked(std::move(records), at(wait.from).time_since_epoch(), at(wait.to).time_since_epoch(),
                               at(wait.until).time_since_epoch());
    // The manifest tells how many had to wait; everything that is heard is the same.
    auto waited = kept_up_with(simulated, id, std::move(records));
    auto not_waited = finished_at_once(simulated, id);
    const auto manifest = store::key(store::ManifestKey{id}).text();
    EXPECT_TRUE(waited.erase(manifest) == 1 && not_waited.erase(manifest) == 1);
    EXPECT_EQ(waited, not_waited);
}

TEST(KeepUp, WhatWaitsWhileAWindowClosesIsMadeOnce) {
    const auto simulated = table(kSeed);
    const auto id = *SessionId::parse("growing");
    const auto records =
        test::parked(test::records_of(simulated, comings_and_goings(simulated)), seconds(39), seconds(49), seconds(49));
    EXPECT_EQ(kept_up_with(simulated, id, records), finished_at_once(simulated, id, records));
}

TEST(KeepUp, AStoreThatFailsNowAndThenGetsEverythingAllTheSame) {
    const auto simulated = table(kSeed);
    const auto id = *SessionId::parse("growing");
    Desk desk(id, simulated.start_time);
    auto journal = desk.journal(simulated.start_time, test::records_of(simulated, comings_and_goings(simulated)));
    Growing growing;
    int failed = 0;
    for (seconds s{10}; s < kLength; s += seconds(20)) {
        ASSERT_TRUE(journal.grow_to(s).ok());
        desk.store().failing_puts = 1;
        for (int tries = 0;; ++tries) {
            ASSERT_LT(tries, 5);
            const auto next = keep_up(desk.tools(), id, growing);
            if (next) break;
            ++failed;
            EXPECT_THAT(next.error().message, HasSubstr("told to fail"));
        }
        desk.store().failing_puts = 0;
    }
    EXPECT_GE(failed, 4);
    ASSERT_TRUE(journal.end().ok());
    desk.finish();
    expect_each_once(desk.store().puts);
    EXPECT_EQ(desk.objects(), finished_at_once(simulated, id));
    EXPECT_THAT(*desk.catalog().transcriptions(id), SizeIs(4));
}

TEST(KeepUp, MakesNothingOfASessionThatNobodyRecords) {
    const auto simulated = table(kSeed);
    const auto id = *SessionId::parse("growing");
    Desk desk(id, simulated.start_time);
    Growing growing;
    EXPECT_EQ(*keep_up(desk.tools(), id, growing), std::nullopt) << "no journal yet";
    auto journal = desk.journal(simulated.start_time, test::records_of(simulated, comings_and_goings(simulated)));
    ASSERT_TRUE(journal.grow_to(seconds(100)).ok());
    journal.cut_off();
    EXPECT_EQ(*keep_up(desk.tools(), id, growing), std::nullopt);
    EXPECT_THAT(desk.store().puts, IsEmpty());
}

TEST(KeepUp, WhileAnotherProcessMakesItsFilesItIsLocked) {
    const auto simulated = table(kSeed);
    const auto id = *SessionId::parse("growing");
    Desk desk(id, simulated.start_time);
    auto journal = desk.journal(simulated.start_time, test::records_of(simulated, comings_and_goings(simulated)));
    ASSERT_TRUE(journal.grow_to(seconds(60)).ok());
    Growing growing;
    {
        const auto other = Scratch::take(desk.config().data.dir / "cache", id);
        ASSERT_TRUE(other.ok());
        const auto refused = keep_up(desk.tools(), id, growing);
        ASSERT_FALSE(refused.ok());
        EXPECT_EQ(refused.error().kind, ErrorKind::locked);
        EXPECT_THAT(desk.store().puts, IsEmpty());
    }
    ASSERT_TRUE(keep_up(desk.tools(), id, growing).ok());
    EXPECT_THAT(desk.store().puts, Not(IsEmpty()));
}

TEST(KeepUp, ComesBackWhenTheNextWindowCloses) {
    const auto simulated = table(kSeed);
    const auto id = *SessionId::parse("growing");
    Desk desk(id, simulated.start_time);
    auto journal = desk.journal(simulated.start_time, test::records_of(simulated, comings_and_goings(simulated)));
    Growing growing;
    // Time until the next closing, by what is journaled; the first two join at 0 and 0.5 s, the third at 3 s.
    const auto due_in = [&](seconds now) {
        EXPECT_TRUE(journal.grow_to(now).ok());
        const UnixTime before = unix_now();
        const auto next = keep_up(desk.tools(), id, growing);
        EXPECT_TRUE(next.ok() && next->has_value());
        return std::pair(**next - unix_now(), **next - before);
    };
    const auto [least, most] = due_in(seconds(10));
    EXPECT_LE(least, seconds(35 + 2));
    EXPECT_GE(most, seconds(35 + 2));
    const auto [least2, most2] = due_in(seconds(50));  // all three first windows are closed
    EXPECT_LE(least2, seconds(25 + 2));
    EXPECT_GE(most2, seconds(25 + 2));
}

}  // namespace
}  // namespace lestapenna::workflows
