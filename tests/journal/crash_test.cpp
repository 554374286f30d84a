// A recorder killed at any instant.
#include <thread>

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "journal/folder.h"
#include "journal/writer.h"
#include "testing.h"

namespace lestapenna::journal {
namespace {

struct Shared {
    std::atomic<std::uint64_t> durable;
    std::atomic<std::uint64_t> stored;
};

// Killed at a random instant: whatever durable() or stored() had said is there, in order, and nothing else.
TEST(Writer, AKilledWriterLeavesWhatItPromised) {
    void* page = mmap(nullptr, 4'096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(page, MAP_FAILED);
    std::random_device device;
    const unsigned seed = device();
    std::mt19937 random(seed);
    for (int round = 0; round < 8; ++round) {
        const test::TempDir root;
        auto* shared = new (page) Shared{};
        const std::uint64_t target = 1 + random() % 30'000;
        const pid_t child = fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            Committer committer;
            WriterOptions options;
            options.write_interval = milliseconds{1};
            options.sync_interval = milliseconds{3};
            options.segment_span = seconds{20};
            options.ring_bytes = 256 * 1024;
            auto writer = Writer::open(committer, root.path(), test_head(), options);
            if (!writer) _exit(1);
            std::vector<std::uint8_t> storage;
            for (std::uint32_t n = 0;; ++n) {
                const Record record = sample(n, kSeed, storage);
                if (!writer->wait_for_room() || !writer->append(record)) _exit(1);
                shared->durable = writer->durable();
                shared->stored = writer->stored();
            }
        }
        while (shared->stored < target) {
            ASSERT_EQ(waitpid(child, nullptr, WNOHANG), 0) << "the child died by itself";
            std::this_thread::yield();
        }
        kill(child, SIGKILL);
        waitpid(child, nullptr, 0);
        const Reading reading = read_folder(root.path() / "01TEST");
        ASSERT_GE(reading.records.size(), shared->stored.load()) << "seed " << seed;
        ASSERT_GE(reading.records.size(), shared->durable.load());
        for (std::uint32_t n = 0; n < reading.records.size(); ++n) {
            ASSERT_EQ(reading.records[n], sample_bytes(n, kSeed)) << "seed " << seed << " round " << round;
        }
        for (const Damage& damage : reading.damage) EXPECT_TRUE(damage.torn_tail) << damage.what << " seed " << seed;
        Committer committer;
        const auto count = static_cast<std::uint32_t>(reading.records.size());
        write_samples(committer, root, test_head(), count, count + 50);
        const Reading after = read_folder(root.path() / "01TEST");
        expect_samples(after, count + 50);
        EXPECT_TRUE(after.damage.empty()) << after.damage[0].what << " seed " << seed;
    }
    munmap(page, 4'096);
}

}  // namespace
}  // namespace lestapenna::journal
