// A disk that is full, that fails to write and that fails to sync.
#include <gtest/gtest.h>
#include <sys/mount.h>

#include "journal/folder.h"
#include "journal/writer.h"
#include "testing.h"

namespace lestapenna::journal {
namespace {

// The disk hangs (a write fails with a full disk, again and again): the ring fills, then appends are refused.
TEST(Writer, AFullRingIsCountedAndJournaledAsAGap) {
    const test::TempDir root;
    FailingFiles files;
    Committer committer;
    WriterOptions options;
    options.ring_bytes = 64 * 1024;
    options.files = &files;
    std::uint32_t refused = 0;
    {
        Writer writer = open_writer(committer, root, options);
        files.error_number = ENOSPC;
        files.fail_writes = 1'000'000;
        std::vector<std::uint8_t> payload(1'000);
        for (std::uint32_t n = 0; n < 200; ++n) {
            const Packet packet{
                1, static_cast<std::uint16_t>(n), n, kAnchor + milliseconds{n}, false, false, 1'000, payload};
            if (!writer.append(packet)) ++refused;
        }
        EXPECT_GT(refused, 100u);
        EXPECT_EQ(writer.refused(), refused);
        EXPECT_EQ(writer.accepted(), 200u - refused);
        const Status full = writer.flush();
        ASSERT_FALSE(full.ok());
        EXPECT_NE(full.error().message.find("No space left"), std::string::npos) << full.error().message;
        EXPECT_EQ(writer.durable(), 0u);
        files.fail_writes = 0;
        ASSERT_TRUE(writer.flush().ok());
        EXPECT_EQ(writer.durable(), 200u - refused);
    }
    auto reader = Reader::open(root.path() / "01TEST");
    ASSERT_TRUE(reader.ok());
    std::uint32_t packets = 0;
    for (;;) {
        const Outcome outcome = reader->next();
        ASSERT_FALSE(std::holds_alternative<Damage>(outcome)) << std::get<Damage>(outcome).what;
        if (std::holds_alternative<CleanEnd>(outcome)) break;
        const Record& record = std::get<Item>(outcome).record;
        if (const auto* gap = std::get_if<Gap>(&record)) {
            EXPECT_EQ(gap->reason, GapReason::queue_full);
            EXPECT_EQ(gap->packets, refused);
            EXPECT_EQ(gap->from, kAnchor + milliseconds{200 - refused});
            EXPECT_EQ(gap->to, kAnchor + milliseconds{199});
            EXPECT_EQ(packets, 200u - refused);
            refused = 0;
        } else {
            ++packets;
        }
    }
    EXPECT_EQ(refused, 0u) << "no gap was journaled";
}

struct Fault {
    const char* name;
    int error_number;
    int writes, syncs, creates;
    bool short_writes;
};

class Faults : public testing::TestWithParam<Fault> {};

// Faults at every k-th call: nothing lost, nothing twice, and durable() never passes what a reader finds.
TEST_P(Faults, NothingIsLostOrDeliveredTwice) {
    for (const int k : {0, 1, 2, 3, 5, 8}) {
        const test::TempDir root;
        FailingFiles files;
        Committer committer;
        WriterOptions options;
        options.files = &files;
        options.write_interval = milliseconds{1};
        options.sync_interval = milliseconds{1};
        options.segment_span = seconds{2};
        files.error_number = GetParam().error_number;
        std::uint32_t count = 2'000;
        {
            Writer writer = open_writer(committer, root, options);
            files.short_writes = GetParam().short_writes;
            files.pass_writes = files.pass_syncs = k;
            files.fail_writes = GetParam().writes;
            files.fail_syncs = GetParam().syncs;
            files.fail_creates = GetParam().creates;
            for (std::uint32_t n = 0; n < 2'000; n += 100) {
                append_samples(writer, n, n + 100, kSeed);
                if (n % 400 == 0) static_cast<void>(writer.flush());
                ASSERT_LE(writer.durable(), writer.stored());
                ASSERT_LE(writer.stored(), writer.accepted());
            }
            while (!writer.flush().ok() || files.faults_left()) {
                append_samples(writer, count, count + 10, kSeed);
                count += 10;
            }
            EXPECT_EQ(writer.durable(), count);
        }
        const Reading reading = read_folder(root.path() / "01TEST");
        expect_samples(reading, count);
        ASSERT_TRUE(reading.damage.empty()) << "k " << k << ": " << reading.damage[0].path << reading.damage[0].what;
    }
}

INSTANTIATE_TEST_SUITE_P(
    Writer, Faults,
    testing::Values(Fault{"sync_eio", EIO, 0, 1, 0, false}, Fault{"three_syncs_eio", EIO, 0, 3, 0, false},
                    Fault{"write_eio", EIO, 1, 0, 0, false}, Fault{"two_writes_eio_after_half", EIO, 2, 0, 0, true},
                    Fault{"write_full", ENOSPC, 2, 0, 0, false}, Fault{"write_full_after_half", ENOSPC, 2, 0, 0, true},
                    Fault{"sync_full_then_create", ENOSPC, 0, 1, 1, false}, Fault{"everything", EIO, 1, 1, 1, true}),
    [](const auto& fault) { return std::string(fault.param.name); });

// A sync that fails is never followed by "durable" for the bytes of that file.
TEST(Writer, DurableStandsStillWhileSyncsFail) {
    const test::TempDir root;
    FailingFiles files;
    Committer committer;
    WriterOptions options;
    options.files = &files;
    Writer writer = open_writer(committer, root, options);
    append_samples(writer, 0, 10, kSeed);
    ASSERT_TRUE(writer.flush().ok());
    files.fail_syncs = 1'000'000;
    append_samples(writer, 10, 20, kSeed);
    const Status flushed = writer.flush();
    ASSERT_FALSE(flushed.ok());
    EXPECT_NE(flushed.error().message.find("sync"), std::string::npos) << flushed.error().message;
    EXPECT_EQ(writer.durable(), 10u);
    EXPECT_EQ(writer.stored(), 20u);
    files.fail_syncs = 0;
    ASSERT_TRUE(writer.flush().ok());
    EXPECT_EQ(writer.durable(), 20u);
    // What the given-up segments hold went with them: one that counts, one before the failure.
    const auto left = list_segments(root.path() / "01TEST");
    ASSERT_TRUE(left.ok());
    EXPECT_EQ(left->size(), 2u);
}

// The reader met the end of a segment that was then given up: what it read there must not come again.
TEST(Writer, AReaderAheadOfAFailedSyncSeesNothingTwice) {
    const test::TempDir root;
    FailingFiles files;
    Committer committer;
    WriterOptions options;
    options.files = &files;
    Writer writer = open_writer(committer, root, options);
    append_samples(writer, 0, 50, kSeed);
    ASSERT_TRUE(writer.flush().ok());
    files.fail_syncs = 1'000'000;
    append_samples(writer, 50, 100, kSeed);
    ASSERT_FALSE(writer.flush().ok());
    auto reader = Reader::open(root.path() / "01TEST");
    ASSERT_TRUE(reader.ok());
    Reading reading = read_all(*reader);
    EXPECT_EQ(reading.records.size(), 100u);
    files.fail_syncs = 0;
    append_samples(writer, 100, 150, kSeed);
    ASSERT_TRUE(writer.flush().ok());
    const Reading more = read_all(*reader);
    reading.records.insert(reading.records.end(), more.records.begin(), more.records.end());
    expect_samples(reading, 150);
    EXPECT_TRUE(more.damage.empty()) << more.damage[0].what;
}

TEST(Writer, AFullDiskLosesNothingThatFitsTheRing) {
    const test::TempDir root;
    if (mount("tmpfs", root.path().c_str(), "tmpfs", 0, "size=1m") != 0) {
        GTEST_SKIP() << "needs root to mount a small tmpfs: " << strerror(errno);
    }
    const auto filler = root.path() / "filler";
    spit(filler, std::vector<std::uint8_t>(700 * 1024));
    {
        Committer committer;
        Writer writer = open_writer(committer, root);
        append_samples(writer, 0, 3'000, kSeed);  // about 600 KB
        const Status flushed = writer.flush();
        ASSERT_FALSE(flushed.ok());
        EXPECT_NE(flushed.error().message.find("No space left"), std::string::npos) << flushed.error().message;
        EXPECT_LT(writer.durable(), 3'000u);
        std::filesystem::remove(filler);
        ASSERT_TRUE(writer.flush().ok());
        EXPECT_EQ(writer.durable(), 3'000u);
    }
    const Reading reading = read_folder(root.path() / "01TEST");
    EXPECT_EQ(umount(root.path().c_str()), 0);
    expect_samples(reading, 3'000);
    EXPECT_TRUE(reading.damage.empty()) << reading.damage[0].what;
}

}  // namespace
}  // namespace lestapenna::journal
