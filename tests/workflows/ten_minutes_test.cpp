// Ten minutes of six real speakers, heard back from the finished files: nobody is displaced, nothing is missing, levels
// hold.
#include "audio/files.h"
#include "base/parallel.h"
#include "listening.h"
#include "table.h"

namespace lestapenna::workflows {
namespace {

constexpr std::uint64_t kSeed = 20261122;
constexpr std::size_t kSpeakers = 6;

sandbox::Script script(const std::filesystem::path& speech) {
    sandbox::CutTable cut;
    cut.length = seconds(600);
    cut.seed = kSeed;
    cut.join_spread = seconds(120);
    return sandbox::cut_table(test::voices(speech, kSpeakers), cut);
}

/// Runs that nobody could place (section 6) are left out: those of player `frozen` inside a stall.
std::vector<test::Said> said(const sandbox::SimulatedTable& simulated, std::size_t frozen) {
    std::vector<test::Said> table;
    for (std::size_t s = 0; s < simulated.senders.size(); ++s) {
        const sandbox::SenderLedger& sender = simulated.senders[s];
        const test::TempDir folder;
        EXPECT_TRUE(sandbox::write_truth(simulated, s, folder / "truth.wav").ok());
        test::Said& one = table.emplace_back(test::Said{sender.user, *audio::read_mono_48k(folder / "truth.wav"), {}});
        for (const auto& run : sender.runs) {
            if (run.delivered > 0 && !(s == frozen && run.in_stall)) one.runs.push_back({run.start, run.end});
        }
    }
    return table;
}

test::Heard listen(Table& table, const sandbox::SimulatedTable& simulated, std::size_t frozen) {
    return test::listen(table.tools(usable_cpus()), table.id(), said(simulated, frozen));
}

TEST(TenMinutes, CleanLine) {
    const auto data = test::test_data();
    if (!data) GTEST_SKIP() << test::kNoTestData;
    sandbox::LineOptions line;
    line.seed = kSeed;
    const auto simulated = sandbox::simulate(script(*data / "speech"), line);
    Table table(simulated);
    table.finish(usable_cpus());
    const test::Heard heard = listen(table, simulated, kSpeakers);
    ASSERT_FALSE(heard.offsets_ms.empty());
    EXPECT_EQ(heard.missing, 0U);
    EXPECT_LE(heard.masked, 1U);
    EXPECT_LE(heard.median_ms(), 2.0);
    EXPECT_LE(heard.max_ms(), 5.0);
    EXPECT_LE(heard.worst_energy, 0.01);
    test::expect_levels(table.catalog(), table.id());
}

TEST(TenMinutes, BadLine) {
    const auto data = test::test_data();
    if (!data) GTEST_SKIP() << test::kNoTestData;
    constexpr std::size_t kFrozen = 2;
    sandbox::LineOptions line;
    line.seed = kSeed;
    line.jitter = milliseconds(60);
    line.loss = 0.05;
    line.reorder = 0.02;
    line.duplicate = 0.02;
    line.stalls_per_minute = 1;
    line.wrap_counters = true;
    line.senders.resize(kSpeakers);
    for (std::size_t s = 0; s < kSpeakers; ++s) {
        line.senders[s].skew_ppm = s % 2 == 0 ? 50 : -50;
        line.senders[s].encoder.expected_loss_percent = s % 3 == 0 ? 0 : 10;
    }
    line.senders[kFrozen].frozen_rtp_clock = true;
    const auto simulated = sandbox::simulate(script(*data / "speech"), line);
    Table table(simulated);
    table.finish(usable_cpus());
    const test::Heard heard = listen(table, simulated, kFrozen);
    ASSERT_FALSE(heard.offsets_ms.empty());
    EXPECT_EQ(heard.missing, 0U);
    EXPECT_LE(heard.masked, 1U);
    EXPECT_LE(heard.median_ms(), 5.0);
    EXPECT_LE(heard.max_ms(), 20.0);
    test::expect_levels(table.catalog(), table.id());
}

}  // namespace
}  // namespace lestapenna::workflows
