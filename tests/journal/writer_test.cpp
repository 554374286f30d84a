#include "journal/writer.h"

#include <thread>

#include <gtest/gtest.h>

#include "testing.h"

namespace lestapenna::journal {
namespace {

TEST(Writer, WhatIsAppendedIsRead) {
    const test::TempDir root;
    Committer committer;
    {
        Writer writer = open_writer(committer, root);
        append_samples(writer, 0, 5'000, kSeed);
        EXPECT_EQ(writer.accepted(), 5'000u);
        ASSERT_TRUE(writer.flush().ok());
        EXPECT_EQ(writer.stored(), 5'000u);
        EXPECT_EQ(writer.durable(), 5'000u);
        EXPECT_GT(writer.last_sync().count(), 0);
        EXPECT_TRUE(is_locked(root.path() / "01TEST"));
    }
    EXPECT_FALSE(is_locked(root.path() / "01TEST"));
    const Reading reading = read_folder(root.path() / "01TEST");
    expect_samples(reading, 5'000);
    EXPECT_TRUE(reading.damage.empty());
    EXPECT_FALSE(reading.end.sealed);
    EXPECT_FALSE(reading.end.locked);
    EXPECT_EQ(reading.times[3], SessionTime{milliseconds{15}});
}

TEST(Writer, SegmentsCloseBySessionTimeAndBySize) {
    const test::TempDir root;
    Committer committer;
    WriterOptions options;
    options.segment_span = seconds{5};  // 1000 samples
    options.segment_bytes = 100'000;
    {
        Writer writer = open_writer(committer, root, options);
        append_samples(writer, 0, 5'000, kSeed);
    }
    auto reader = Reader::open(root.path() / "01TEST");
    ASSERT_TRUE(reader.ok());
    const Reading reading = read_all(*reader);
    expect_samples(reading, 5'000);
    EXPECT_TRUE(reading.damage.empty()) << reading.damage[0].what;
    EXPECT_GE(reader->segments().size(), 6u);
    for (const SegmentInfo& segment : reader->segments()) EXPECT_TRUE(segment.sealed) << segment.path;
}

TEST(Writer, ASecondWriterIsToldThatTheSessionIsLocked) {
    const test::TempDir root;
    Committer committer;
    const Writer writer = open_writer(committer, root);
    const auto second = Writer::open(committer, root.path(), test_head());
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.error().kind, ErrorKind::locked);
}

TEST(Writer, AJournalIsContinuedWithANewAnchor) {
    const test::TempDir root;
    Committer committer;
    write_samples(committer, root, test_head(), 0, 100);
    SessionHead head = test_head();
    head.anchor = kAnchor - seconds{600};  // another boot
    write_samples(committer, root, head, 100, 200);
    const Reading reading = read_folder(root.path() / "01TEST");
    expect_samples(reading, 200);
    EXPECT_TRUE(reading.damage.empty());
    EXPECT_EQ(reading.times[99], SessionTime{milliseconds{495}});
    EXPECT_EQ(reading.times[100], SessionTime{seconds{600} + milliseconds{500}});
}

TEST(Writer, ATornTailIsCutOnceAndTheJournalGoesOn) {
    const test::TempDir root;
    Committer committer;
    write_samples(committer, root, test_head(), 0, 100);
    const auto first = root.path() / "01TEST" / "000001.log";
    auto bytes = slurp(first);
    bytes.erase(bytes.end() - 30, bytes.end());  // the seal, and the last record's end
    bytes.push_back(0xAB);
    spit(first, bytes);
    const Reading torn = read_folder(root.path() / "01TEST");
    ASSERT_EQ(torn.damage.size(), 1u);
    EXPECT_TRUE(torn.damage[0].torn_tail);
    ASSERT_EQ(torn.records.size(), 99u);
    write_samples(committer, root, test_head(), 99, 200);
    EXPECT_EQ(slurp(first), bytes) << "an old segment was touched";
    const Reading reading = read_folder(root.path() / "01TEST");
    expect_samples(reading, 200);
    EXPECT_TRUE(reading.damage.empty()) << reading.damage[0].what;
}

TEST(Writer, AFileWithoutAHeaderIsVoid) {
    const test::TempDir root;
    Committer committer;
    write_samples(committer, root, test_head(), 0, 100);
    spit(root.path() / "01TEST" / "000002.log", {1, 2, 3});
    EXPECT_EQ(read_folder(root.path() / "01TEST").damage.size(), 1u);
    write_samples(committer, root, test_head(), 100, 200);
    const Reading reading = read_folder(root.path() / "01TEST");
    expect_samples(reading, 200);
    EXPECT_TRUE(reading.damage.empty()) << reading.damage[0].what;
}

TEST(Writer, AFolderOfAnotherSessionIsRefused) {
    const test::TempDir root;
    Committer committer;
    write_samples(committer, root, test_head("other"), 0, 10);
    std::filesystem::rename(root.path() / "other", root.path() / "01TEST");
    const auto writer = Writer::open(committer, root.path(), test_head());
    ASSERT_FALSE(writer.ok());
    EXPECT_NE(writer.error().message.find("belongs to session other"), std::string::npos) << writer.error().message;
}

TEST(Writer, RecordsBeyondALimitAreRefusedAndCounted) {
    const test::TempDir root;
    Committer committer;
    Writer writer = open_writer(committer, root);
    const std::vector<std::uint8_t> large(9'000);
    EXPECT_FALSE(writer.append(Packet{1, 1, 1, kAnchor, false, false, 9'000, large}));
    EXPECT_EQ(writer.refused(), 1u);
    EXPECT_EQ(writer.accepted(), 0u);
}

TEST(Writer, AReaderFollowsALiveWriter) {
    const test::TempDir root;
    Committer committer;
    WriterOptions options;
    options.write_interval = milliseconds{1};
    options.sync_interval = milliseconds{2};
    options.segment_span = seconds{1};
    options.ring_bytes = 64 * 1024;
    std::atomic<bool> over{false};
    std::optional<Writer> writer(open_writer(committer, root, options));
    std::thread feeder([&] {
        append_samples(*writer, 0, 10'000, kSeed);
        writer.reset();
        over = true;
    });
    auto reader = Reader::open(root.path() / "01TEST");
    Reading all;
    for (bool last = false; reader.ok() && !last;) {
        last = over;
        Reading part = read_all(*reader);
        all.records.insert(all.records.end(), part.records.begin(), part.records.end());
        all.damage.insert(all.damage.end(), part.damage.begin(), part.damage.end());
        std::this_thread::yield();
    }
    feeder.join();
    ASSERT_TRUE(reader.ok());
    EXPECT_TRUE(all.damage.empty()) << all.damage[0].path << " " << all.damage[0].offset << " " << all.damage[0].what;
    expect_samples(all, 10'000);
}

TEST(Writer, ManyJournalsShareOneCommitter) {
    const test::TempDir root;
    Committer committer(4);
    std::vector<Writer> writers;
    for (int i = 0; i < 40; ++i) {
        auto writer = Writer::open(committer, root.path(), test_head("table-" + std::to_string(i)));
        ASSERT_TRUE(writer.ok()) << writer.error().message;
        writers.push_back(*std::move(writer));
    }
    for (auto& writer : writers) append_samples(writer, 0, 200, kSeed);
    for (auto& writer : writers) ASSERT_TRUE(writer.flush().ok());
    writers.clear();
    for (int i = 0; i < 40; ++i) expect_samples(read_folder(root.path() / ("table-" + std::to_string(i))), 200);
}

}  // namespace
}  // namespace lestapenna::journal
