// How a journal stands that was cut off anywhere, against a fold of what it says to a reader that is known to be right.
#include "journal/unfinished.h"

#include <algorithm>
#include <random>
#include <system_error>

#include <gmock/gmock.h>

#include "journal/folder.h"
#include "testing.h"

namespace lestapenna::journal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

constexpr UserId kAnna{100};
constexpr UserId kBruno{101};
constexpr std::uint64_t kSeed = 20261122;

constexpr BootTime at(milliseconds time) {
    return kAnchor + time;
}

class UnfinishedTest : public ::testing::Test {
  protected:
    void write(std::initializer_list<Record> records, const SessionHead& head = test_head()) {
        auto writer = Writer::open(committer_, root_.path(), head);
        ASSERT_TRUE(writer.ok()) << writer.error().message;
        for (const Record& record : records) ASSERT_TRUE(writer->append(record));
    }
    [[nodiscard]] std::filesystem::path folder() const { return root_ / "01TEST"; }
    [[nodiscard]] Unfinished read() const {
        auto found = read_unfinished(folder());
        EXPECT_TRUE(found.ok());
        return found.ok() ? *found : Unfinished{};
    }
    [[nodiscard]] Reading records() const { return read_folder(folder()); }

    test::TempDir root_;
    Committer committer_{1};
};

TEST_F(UnfinishedTest, AWallClockThatIsSetMakesNoOutageOld) {
    write({Clock{at(seconds(10)), test_head().start + seconds(10)}});
    const Unfinished found = read();
    const BootId other{{9}};
    for (const milliseconds set : {milliseconds(0), milliseconds(1'800'000), milliseconds(-1'800'000)}) {
        const ClockReading now{at(seconds(11)), test_head().start + seconds(11) + set};
        EXPECT_EQ(found.silent_for(now, found.boot), seconds(1));
        EXPECT_EQ(found.silent_for(now, other), seconds(1) + set) << "nothing else is known after a reboot";
        EXPECT_EQ(found.silent_for(now, BootId{}), seconds(1) + set);
    }
}

TEST_F(UnfinishedTest, SaysWhoIsThereAndWhoseAnSsrcIs) {
    write({Join{at(milliseconds(10)), kAnna}, Join{at(milliseconds(20)), kBruno},
           Binding{at(milliseconds(30)), 7, kAnna}, Binding{at(milliseconds(40)), 7, kBruno},
           Leave{at(milliseconds(50)), kAnna}, Pause{at(milliseconds(60))}});
    const Unfinished found = read();
    EXPECT_EQ(found.session_id, "01TEST");
    EXPECT_EQ(found.start, test_head().start);
    EXPECT_EQ(found.anchor, kAnchor);
    EXPECT_EQ(found.boot, test_head().boot);
    EXPECT_EQ(found.until, SessionTime{milliseconds(60)});
    EXPECT_EQ(found.last_alive(), test_head().start + milliseconds(60));
    EXPECT_THAT(found.present, ElementsAre(kBruno));
    EXPECT_THAT(found.known, ElementsAre(kAnna, kBruno));
    EXPECT_THAT(found.bound, ElementsAre(Pair(7, kBruno)));
    EXPECT_TRUE(found.paused);
    EXPECT_FALSE(found.ended);
}

TEST_F(UnfinishedTest, AnEndIsAnEnd) {
    write({Join{at(milliseconds(10)), kAnna}, Pause{at(milliseconds(20))}, Resume{at(milliseconds(30))},
           End{at(milliseconds(40))}});
    EXPECT_TRUE(read().ended);
    EXPECT_FALSE(read().paused);
}

TEST_F(UnfinishedTest, WhatIsNoJournalSaysSo) {
    const auto missing = read_unfinished(root_ / "nothing");
    ASSERT_FALSE(missing.ok());
    EXPECT_EQ(missing.error().kind, ErrorKind::not_found);
    std::filesystem::create_directory(folder());
    spit(folder() / "000001.log", std::vector<std::uint8_t>(10'000, 0xA5));
    const auto garbage = read_unfinished(folder());
    ASSERT_FALSE(garbage.ok());
    EXPECT_EQ(garbage.error().kind, ErrorKind::damaged);
}

TEST_F(UnfinishedTest, NothingButAHeaderIsAJournalOfNothing) {
    write({});
    const Unfinished found = read();
    EXPECT_EQ(found.until, SessionTime{});
    EXPECT_THAT(found.known, IsEmpty());
    EXPECT_EQ(found.last_alive(), test_head().start);
}

/// What a reader's records say, told apart by their bytes: another way to the same answer.
Unfinished fold(const Reading& reading) {
    Unfinished into;
    for (std::size_t i = 0; i < reading.records.size(); ++i) {
        const auto head = read_head(reading.records[i]);
        const auto payload = std::span(reading.records[i]).subspan(kRecordHeaderBytes);
        const auto record = decode(head.type, head.flags, payload);
        into.until = std::max(into.until, reading.times[i]);
        if (const auto* join = std::get_if<Join>(&*record)) {
            into.present.insert(join->user);
            into.known.insert(join->user);
        } else if (const auto* leave = std::get_if<Leave>(&*record)) {
            into.present.erase(leave->user);
        } else if (const auto* binding = std::get_if<Binding>(&*record)) {
            into.bound.insert_or_assign(binding->ssrc, binding->user);
        } else if (std::holds_alternative<journal::Pause>(*record)) {
            into.paused = true;
        } else if (std::holds_alternative<Resume>(*record)) {
            into.paused = false;
        }
    }
    return into;
}

TEST_F(UnfinishedTest, CutAnywhereItSaysWhatIsLeft) {
    std::printf("seed %llu\n", static_cast<unsigned long long>(kSeed));
    WriterOptions options;
    options.segment_span = seconds(2);  // several segments
    {
        auto writer = Writer::open(committer_, root_.path(), test_head(), options);
        ASSERT_TRUE(writer.ok());
        append_samples(*writer, 0, 2'000, kSeed);
        ASSERT_TRUE(writer->flush().ok());
    }
    const auto segments = list_segments(folder());
    ASSERT_TRUE(segments.ok());
    ASSERT_GT(segments->size(), 3U);
    std::mt19937_64 random(kSeed);
    std::set<std::size_t> lengths;
    for (int round = 0; round < 100; ++round) {
        const auto& segment = (*segments)[random() % segments->size()];
        const auto whole = slurp(segment.path);
        const auto cut = kHeaderArea + random() % (whole.size() - kHeaderArea);
        // The later segments were never written.
        test::TempDir copy;
        const auto there = copy / "01TEST";
        std::filesystem::create_directory(there);
        for (const auto& one : *segments) {
            if (one.number < segment.number) std::filesystem::copy_file(one.path, there / one.path.filename());
        }
        spit(there / segment.path.filename(), {whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(cut)});
        const auto found = read_unfinished(there);
        ASSERT_TRUE(found.ok()) << cut;
        const Reading left = read_folder(there);
        lengths.insert(left.records.size());
        const Unfinished expected = fold(left);
        EXPECT_EQ(found->present, expected.present) << segment.path << " cut at " << cut;
        EXPECT_EQ(found->known, expected.known);
        EXPECT_EQ(found->bound, expected.bound);
        EXPECT_EQ(found->paused, expected.paused);
        EXPECT_EQ(found->until, expected.until);
        EXPECT_FALSE(found->ended);
    }
    EXPECT_GT(lengths.size(), 50U) << "cut in many places";
}

TEST_F(UnfinishedTest, OnTheSameBootTheClockGoesOn) {
    write({Join{at(milliseconds(10)), kAnna}});
    const Unfinished found = read();
    const ClockReading now{at(std::chrono::hours(1)), found.start + std::chrono::hours(7)};
    const SessionHead head = head_to_go_on(found, now, found.boot);
    EXPECT_EQ(head.id.text(), "01TEST");
    EXPECT_EQ(head.start, found.start);
    EXPECT_EQ(head.anchor, kAnchor) << "whatever the wall clock says";
    EXPECT_EQ(head.boot, found.boot);
}

TEST_F(UnfinishedTest, AfterARebootTheWallClockSaysWhenItIs) {
    write({Join{at(milliseconds(10)), kAnna}, Clock{at(std::chrono::minutes(5)), UnixTime{}}});
    const Unfinished found = read();
    const BootTime boot_now{seconds(30)};  // the machine has just started
    for (const BootId boot : {BootId{{9}}, BootId{}}) {
        const SessionHead head = head_to_go_on(found, {boot_now, found.start + std::chrono::minutes(7)}, boot);
        EXPECT_EQ(head.start, found.start);
        EXPECT_EQ(boot_now - head.anchor, std::chrono::minutes(7));
        EXPECT_EQ(head.boot, boot);
    }
    const SessionHead set_back = head_to_go_on(found, {boot_now, found.start - std::chrono::hours(3)}, BootId{{9}});
    EXPECT_EQ(boot_now - set_back.anchor, std::chrono::minutes(5)) << "never before its last record";
}

TEST_F(UnfinishedTest, AnUnknownBootIsNeverTheSame) {
    SessionHead head = test_head();
    head.boot = {};
    write({Join{at(milliseconds(10)), kAnna}}, head);
    const BootTime boot_now{seconds(30)};
    const SessionHead on = head_to_go_on(read(), {boot_now, head.start + seconds(70)}, BootId{});
    EXPECT_EQ(boot_now - on.anchor, seconds(70));
}

TEST_F(UnfinishedTest, WhoWasThereLeavesAtTheLastMomentKnown) {
    write({Join{at(milliseconds(10)), kAnna}, Join{at(milliseconds(20)), kBruno},
           Clock{at(milliseconds(900)), UnixTime{}}, Leave{at(milliseconds(950)), kBruno}});
    ASSERT_TRUE(close_connections(committer_, root_.path(), read()).ok());
    const Unfinished closed = read();
    EXPECT_THAT(closed.present, IsEmpty());
    EXPECT_THAT(closed.known, UnorderedElementsAre(kAnna, kBruno));
    EXPECT_EQ(closed.until, SessionTime{milliseconds(950)}) << "and not a moment later";
    EXPECT_FALSE(closed.ended) << "it may still be gone on with";
    const auto count = records().records.size();
    EXPECT_EQ(count, 5U);
    EXPECT_EQ(records().records.back(), bytes_of(Leave{at(milliseconds(950)), kAnna}));
    ASSERT_TRUE(close_connections(committer_, root_.path(), closed).ok());
    EXPECT_EQ(records().records.size(), count) << "nothing is written when nobody was there";
    EXPECT_EQ(list_segments(folder())->size(), 2U);
}

TEST_F(UnfinishedTest, NotWhileItIsBeingRecorded) {
    auto writer = Writer::open(committer_, root_.path(), test_head());
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE(writer->append(Join{at(milliseconds(10)), kAnna}));
    ASSERT_TRUE(writer->flush().ok());
    const Status refused = close_connections(committer_, root_.path(), read());
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().kind, ErrorKind::locked);
}

}  // namespace
}  // namespace lestapenna::journal
