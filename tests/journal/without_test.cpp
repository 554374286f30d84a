// A journal written anew without one person.
#include "journal/without.h"

#include <algorithm>
#include <map>
#include <set>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "journal/folder.h"
#include "testing.h"
#include "traces.h"

namespace lestapenna::journal {
namespace {

namespace fs = std::filesystem;

constexpr UserId kGone{184'405'311'681'986'560};
constexpr UserId kStays{987'654'321'098'765'432};
constexpr std::uint32_t kGonesSsrc = 7;
constexpr std::uint32_t kOthersSsrc = 8;
constexpr std::uint32_t kShared = 9;
constexpr std::uint32_t kNobodys = 10;

BootTime at(std::int64_t ms) {
    return kAnchor + milliseconds{ms};
}

/// A record of a recipe of its own payload: `byte` tells packets apart.
struct Written {
    Record record;
    std::vector<std::uint8_t> payload{};
    bool theirs = false;
};

Written packet(std::uint32_t ssrc, std::int64_t ms, bool theirs, std::uint8_t byte, bool parked = false) {
    Written one{Packet{ssrc,
                       static_cast<std::uint16_t>(ms / 20),
                       static_cast<std::uint32_t>(ms * 48),
                       at(ms),
                       false,
                       parked,
                       40,
                       {}},
                std::vector<std::uint8_t>(40, byte), theirs};
    return one;
}

/// All that a person can leave in a journal, and what others leave around it.
std::vector<Written> an_evening() {
    std::vector<Written> all;
    all.push_back({Join{at(0), kStays}});
    all.push_back({Binding{at(1), kOthersSsrc, kStays}});
    all.push_back(packet(kGonesSsrc, 20, true, 0xA1));  // before anybody said whose it is
    all.push_back(packet(kOthersSsrc, 21, false, 0xB1));
    all.push_back({Join{at(30), kGone}, {}, true});
    all.push_back({Binding{at(40), kGonesSsrc, kGone}, {}, true});
    all.push_back({Binding{at(41), kShared, kStays}});
    for (int i = 0; i < 400; ++i) {
        const std::int64_t ms = 60 + 20 * i;
        all.push_back(packet(kGonesSsrc, ms, true, 0xA2));
        all.push_back(packet(kOthersSsrc, ms + 1, false, 0xB2));
        all.push_back(packet(kShared, ms + 2, i >= 100 && i < 200, i >= 100 && i < 200 ? 0xA3 : 0xB3));
        if (i % 50 == 49) all.push_back({Clock{at(ms + 3), UnixTime{milliseconds{1'753'000'000'000 + ms}}}});
        if (i == 99) all.push_back({Binding{at(ms + 20), kShared, kGone}, {}, true});
        if (i == 199) all.push_back({Binding{at(ms + 20), kShared, kStays}});
    }
    all.push_back({Marker{at(8'100), kGone, "mine"}, {}, true});
    all.push_back({Marker{at(8'101), kStays, "here <@184405311681986560> falls silent"}});
    all.push_back(packet(kNobodys, 8'200, false, 0xB4));
    all.push_back({Packet{kGonesSsrc, 500, 0, at(8'210), true, false, 77, {}, ClosedReason::forged}, {}, true});
    all.push_back({Leave{at(8'300), kGone}, {}, true});
    all.push_back({Leave{at(8'400), kStays}});
    all.push_back({End{at(8'500)}});
    return all;
}

void write(const test::TempDir& root, const std::vector<Written>& records, const WriterOptions& options) {
    Committer committer(1);
    auto writer = open_writer(committer, root, options);
    for (const Written& one : records) {
        Record record = one.record;
        if (auto* const packet = std::get_if<Packet>(&record)) packet->payload = one.payload;
        ASSERT_TRUE(writer.append(record));
    }
}

WriterOptions by_two_seconds() {
    WriterOptions options;
    options.segment_span = seconds{2};
    return options;
}

std::vector<std::vector<std::uint8_t>> expected(const std::vector<Written>& records) {
    std::vector<std::vector<std::uint8_t>> left;
    for (const Written& one : records) {
        if (one.theirs) continue;
        Record record = one.record;
        if (auto* const packet = std::get_if<Packet>(&record)) packet->payload = one.payload;
        if (auto* const marker = std::get_if<Marker>(&record); marker != nullptr && marker->text.starts_with("here"))
            marker->text = "here <@0> falls silent";
        left.push_back(bytes_of(record));
    }
    return left;
}

void expect_same(const std::vector<std::vector<std::uint8_t>>& found,
                 const std::vector<std::vector<std::uint8_t>>& wanted) {
    ASSERT_EQ(found.size(), wanted.size());
    for (std::size_t i = 0; i < found.size(); ++i) ASSERT_EQ(found[i], wanted[i]) << i;
}

fs::path session(const test::TempDir& root) {
    return root.path() / "01TEST";
}

bool traced(const fs::path& below, UserId user) {
    return !test::traces_of(user, below).empty();
}

std::optional<Without> make(const fs::path& folder, UserId user = kGone) {
    auto made = Without::make(folder, user, Files::system());
    if (made) return std::move(*made);
    ADD_FAILURE() << made.error().message;
    return std::nullopt;
}
void take_out(const fs::path& folder, UserId user = kGone) {
    auto without = make(folder, user);
    ASSERT_TRUE(without.has_value());
    const Status done = without->commit();
    ASSERT_TRUE(done) << done.error().message;
}

TEST(Without, NothingOfThemIsLeftAndAllElseIs) {
    const test::TempDir root;
    const auto records = an_evening();
    write(root, records, by_two_seconds());
    ASSERT_TRUE(traced(root.path(), kGone));
    {
        auto without = make(session(root));
        ASSERT_TRUE(without.has_value());
        EXPECT_EQ(without->taken().packets, 502U);
        EXPECT_EQ(without->taken().events, 6U) << "a join, a leave, two bindings, a note, another's with their id";
        EXPECT_TRUE(is_locked(session(root)));
        ASSERT_TRUE(without->commit());
    }
    EXPECT_FALSE(is_locked(session(root)));
    const Reading left = read_folder(session(root));
    expect_same(left.records, expected(records));
    EXPECT_TRUE(left.damage.empty()) << left.damage[0].what;
    EXPECT_TRUE(left.end.sealed);
    EXPECT_FALSE(traced(root.path(), kGone));
    EXPECT_EQ(std::distance(fs::directory_iterator(root.path()), fs::directory_iterator{}), 1);
    EXPECT_FALSE(make(session(root)).has_value()) << "once is enough";
}

TEST(Without, TheOthersStayIfThatOneGoesToo) {
    const test::TempDir root;
    write(root, an_evening(), by_two_seconds());
    take_out(session(root));
    take_out(session(root), kStays);
    const Reading left = read_folder(session(root));
    EXPECT_TRUE(left.damage.empty());
    std::size_t packets = 0;
    for (const auto& record : left.records) packets += read_head(record).type == 1 ? 1U : 0U;
    EXPECT_EQ(packets, 1U) << "what nobody ever claimed";
    EXPECT_FALSE(traced(root.path(), kStays));
}

TEST(Without, SegmentsKeepTheirClocks) {
    const test::TempDir root;
    Committer committer(1);
    auto head = test_head();
    for (int boot = 0; boot < 3; ++boot) {
        head.anchor = kAnchor - seconds{100} * boot;  // each boot's clock begins anew
        head.boot = BootId{{static_cast<std::uint8_t>(1 + boot)}};
        auto writer = Writer::open(committer, root.path(), head);
        ASSERT_TRUE(writer);
        const BootTime now = head.anchor + seconds{10} * boot;
        ASSERT_TRUE(writer->append(Join{now, kGone}));
        ASSERT_TRUE(writer->append(Join{now + milliseconds{5}, kStays}));
    }
    const Reading before = read_folder(session(root));
    take_out(session(root));
    auto reader = Reader::open(session(root));
    ASSERT_TRUE(reader);
    const Reading after = read_all(*reader);
    ASSERT_EQ(after.records.size(), 3U);
    ASSERT_EQ(reader->segments().size(), 3U);
    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_EQ(after.records[i], before.records[2 * i + 1]);
        EXPECT_EQ(after.times[i], before.times[2 * i + 1]);
        EXPECT_EQ(reader->segments()[i].boot.bytes[0], 1 + i);
    }
    EXPECT_TRUE(after.damage.empty());
}

// Who was late by somebody else's clock stays as late.
TEST(Without, WhatTheirRecordsSaidOfTheTimeIsSaid) {
    const test::TempDir root;
    std::vector<Written> records;
    records.push_back({Binding{at(0), kGonesSsrc, kGone}, {}, true});
    records.push_back({Binding{at(0), kOthersSsrc, kStays}});
    records.push_back(packet(kGonesSsrc, 30'000, true, 0xA1));
    records.push_back(packet(kOthersSsrc, 20, false, 0xB1));
    records.push_back(packet(kGonesSsrc, 40'000, true, 0xA1));
    write(root, records, {});
    take_out(session(root));
    const Reading left = read_folder(session(root));
    ASSERT_EQ(left.records.size(), 4U);
    const UnixTime start{milliseconds{1'753'000'000'000}};
    EXPECT_EQ(left.records[1], bytes_of(Clock{at(30'000), start + seconds{30}}));
    EXPECT_EQ(left.records[3], bytes_of(Clock{at(40'000), start + seconds{40}}));
}

TEST(Without, DamageStaysDamage) {
    const test::TempDir root;
    const auto records = an_evening();
    write(root, records, by_two_seconds());
    const auto second = session(root) / segment_name(2);
    auto bytes = slurp(second);
    for (std::size_t i = 0; i < 20; ++i) bytes[kHeaderArea + 10'000 + i] ^= 0xFF;
    spit(second, bytes);
    fs::remove(session(root) / segment_name(4));
    const Reading before = read_folder(session(root));
    ASSERT_EQ(before.damage.size(), 2U);
    take_out(session(root));
    const Reading after = read_folder(session(root));
    EXPECT_EQ(after.damage.size(), 2U);
    for (const Damage& damage : after.damage) EXPECT_FALSE(damage.torn_tail) << damage.what;
    EXPECT_LT(after.records.size(), before.records.size());
    EXPECT_FALSE(traced(root.path(), kGone));
}

TEST(Without, ARecorderGoesOnWithIt) {
    const test::TempDir root;
    auto records = an_evening();
    records.pop_back();  // its End
    write(root, records, by_two_seconds());
    take_out(session(root));
    Committer committer(1);
    {
        auto writer = open_writer(committer, root);
        ASSERT_TRUE(writer.append(Join{at(9'000), kGone}));
    }
    const Reading after = read_folder(session(root));
    EXPECT_TRUE(after.damage.empty());
    EXPECT_EQ(after.records.back(), bytes_of(Join{at(9'000), kGone})) << "who comes back is recorded as anybody";
}

TEST(Without, NotWhileItIsRecorded) {
    const test::TempDir root;
    Committer committer(1);
    auto writer = open_writer(committer, root);
    ASSERT_TRUE(writer.append(Join{at(0), kGone}));
    ASSERT_TRUE(writer.flush());
    const auto made = Without::make(session(root), kGone, Files::system());
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().kind, ErrorKind::locked);
    EXPECT_EQ(Without::make(root.path() / "none", kGone, Files::system()).error().kind, ErrorKind::not_found);
}

/// The real disk until the n-th call, which ends the process instead.
class DyingFiles : public Files {
  public:
    explicit DyingFiles(int calls) : left_(calls) {}
    int create(const char* path) override { return count(), Files::create(path); }
    ssize_t write_at(int fd, std::span<const std::uint8_t> bytes, std::uint64_t offset) override {
        if (left_ == 1) static_cast<void>(Files::write_at(fd, bytes.first(bytes.size() / 2), offset));
        return count(), Files::write_at(fd, bytes, offset);
    }
    int sync_data(int fd) override { return count(), Files::sync_data(fd); }
    int sync_folder(int fd) override { return count(), Files::sync_folder(fd); }
    int exchange(const char* one, const char* other) override {
        count();
        const int done = Files::exchange(one, other);
        return count(), done;
    }

  private:
    void count() {
        if (--left_ == 0) _exit(0);
    }
    int left_;
};

TEST(Without, KilledAnywhereItIsTheOldOneOrTheNewOne) {
    const auto records = an_evening();
    std::set<std::size_t> lengths;
    for (int calls = 1;; ++calls) {
        const test::TempDir root;
        write(root, records, by_two_seconds());
        const std::size_t whole = read_folder(session(root)).records.size();
        const pid_t child = fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            DyingFiles files(calls);
            auto without = Without::make(session(root), kGone, files);
            _exit(without && *without && (*without)->commit() ? 7 : 1);
        }
        int how = 0;
        waitpid(child, &how, 0);
        const Reading left = read_folder(session(root));
        ASSERT_TRUE(left.damage.empty()) << left.damage[0].what << " after " << calls;
        ASSERT_TRUE(left.records.size() == whole || left.records == expected(records)) << calls;
        lengths.insert(left.records.size());
        if (WEXITSTATUS(how) != 0) {
            EXPECT_EQ(WEXITSTATUS(how), 7);
            break;
        }
        // Once more.
        ASSERT_TRUE(remove_replaced(root.path()));
        if (left.records.size() == whole) take_out(session(root));
        expect_same(read_folder(session(root)).records, expected(records));
        EXPECT_FALSE(traced(root.path(), kGone)) << calls;
    }
    EXPECT_EQ(lengths.size(), 2U);
}

TEST(Without, ADiskThatRefusesLeavesTheOldOne) {
    const auto records = an_evening();
    for (int which = 0; which < 3; ++which) {
        const test::TempDir root;
        write(root, records, {});
        FailingFiles files;
        (which == 0 ? files.fail_creates : which == 1 ? files.fail_writes : files.fail_syncs) = 1;
        const auto made = Without::make(session(root), kGone, files);
        ASSERT_FALSE(made) << which;
        EXPECT_EQ(made.error().kind, ErrorKind::failed);
        EXPECT_EQ(std::distance(fs::directory_iterator(root.path()), fs::directory_iterator{}), 1);
        EXPECT_TRUE(read_folder(session(root)).damage.empty());
    }
}

}  // namespace
}  // namespace lestapenna::journal
