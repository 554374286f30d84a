// Ten minutes of six real speakers, heard back from the finished files: nobody is displaced, nothing is missing, levels
// hold.
#include <algorithm>
#include <thread>

#include "audio/files.h"
#include "audio/mp3.h"
#include "base/parallel.h"
#include "judge.h"
#include "render/export.h"
#include "table.h"

namespace lestapenna::workflows {
namespace {

constexpr std::uint64_t kSeed = 20261122;

const std::vector<std::string> kSpeakers{"en-libri1688-m.opus", "en-libri1998-f.opus",    "en-libri2414-m.opus",
                                         "en-libri367-f.opus",  "it-customspeech-f.opus", "en-libri2033-m.opus"};

sandbox::Script script(const std::filesystem::path& speech) {
    std::vector<std::vector<float>> voices;
    for (const auto& name : kSpeakers) {
        auto voice = audio::read_mono_48k(speech / name);
        EXPECT_TRUE(voice.ok());
        voices.push_back(std::move(*voice));
    }
    sandbox::CutTable cut;
    cut.length = seconds(600);
    cut.seed = kSeed;
    cut.join_spread = seconds(120);
    return sandbox::cut_table(voices, cut);
}

std::vector<float> decode(const std::vector<std::uint8_t>& file) {
    auto audio = audio::decode_mp3(file);
    EXPECT_TRUE(audio.ok());
    return std::move(audio->pcm);
}

struct Heard {
    std::vector<double> offsets_ms;
    std::size_t masked = 0;   ///< runs that could not be told from the others in the master
    std::size_t missing = 0;  ///< runs that are not in the player's own export
    double worst_energy = 0;  ///< largest |ratio - 1| of a track
};

/// Runs that nobody could place (section 6) are left out.
std::vector<test::Interval> placeable(const sandbox::SenderLedger& sender, bool frozen) {
    std::vector<test::Interval> runs;
    for (const auto& run : sender.runs) {
        if (run.delivered > 0 && !(frozen && run.in_stall)) runs.push_back({run.start, run.end});
    }
    return runs;
}

/// A player's WAV export, as an editor would get it: from session start, at gain 1.
std::vector<float> exported(Session& session, UserId user) {
    const auto decoded = session.decoded();
    EXPECT_TRUE(decoded.ok());
    std::vector<const render::ConnectionPcm*> connections;
    for (const auto& one : **decoded) {
        if (one.connection().user == user) connections.push_back(&one.pcm);
    }
    const test::TempDir folder;
    const render::Range all{SamplePos{}, session.timeline().end()};
    const auto path = folder / "track.wav";
    EXPECT_TRUE(render::export_pcm(connections, all, audio::SampleFormat::wav_16, path, {}).ok());
    return *audio::read_mono_48k(path);
}

Heard listen(Table& table, const sandbox::SimulatedTable& simulated, std::size_t frozen) {
    const std::vector<float> master = decode(table.objects().at(store::key(store::MasterKey{table.id()}).text()));
    const test::Judge mix(master);
    auto session = Session::open(table.tools(usable_cpus()), table.id());
    EXPECT_TRUE(session.ok());
    Heard heard;
    for (std::size_t s = 0; s < simulated.senders.size(); ++s) {
        const test::TempDir folder;
        EXPECT_TRUE(sandbox::write_truth(simulated, s, folder / "truth.wav").ok());
        const auto truth = audio::read_mono_48k(folder / "truth.wav");
        const auto runs = placeable(simulated.senders[s], s == frozen);
        const auto in_mix = mix.listen(*truth, runs);
        for (const auto& run : in_mix.runs) {
            if (run.found) heard.offsets_ms.push_back(std::fabs(run.offset_ms));
        }
        heard.masked += in_mix.missing;
        const std::vector<float> alone = exported(*session, simulated.senders[s].user);
        const auto own = test::Judge(alone).listen(*truth, runs);
        heard.missing += own.missing;
        heard.worst_energy = std::max(heard.worst_energy, std::fabs(own.energy_ratio - 1));
        std::printf(
            "  track %zu: %zu runs; in the master median %.3f max %.3f ms, %zu masked; alone max %.3f ms, %zu missing, "
            "energy %.4f\n",
            s, runs.size(), in_mix.median_ms, in_mix.max_ms, in_mix.missing, own.max_ms, own.missing, own.energy_ratio);
    }
    std::sort(heard.offsets_ms.begin(), heard.offsets_ms.end());
    return heard;
}

void expect_levels(Table& table) {
    const auto rows = table.catalog().recordings(table.id());
    for (const auto& row : *rows) {
        std::printf("  fragment %s: %.2f LUFS %.2f dBTP, gain %.2f dB, speech %.2f, flag %s\n", row.user.text().c_str(),
                    row.levels.loudness_lufs.value_or(0), row.levels.true_peak_dbtp.value_or(0),
                    row.gain_db.value_or(0), row.speech_lufs.value_or(0), row.level_flag.value_or("-").c_str());
        EXPECT_FALSE(row.level_flag.has_value());
        EXPECT_NEAR(row.levels.loudness_lufs.value_or(0), -23, 0.2);
        EXPECT_LE(row.levels.true_peak_dbtp.value_or(0), -1.0);
    }
    const auto master = table.catalog().master(table.id());
    EXPECT_NEAR((*master)->levels.loudness_lufs.value_or(0), -23, 0.2);
    EXPECT_LE((*master)->levels.true_peak_dbtp.value_or(0), -1.0);
    std::printf("  master: %.2f LUFS %.2f dBTP\n", (*master)->levels.loudness_lufs.value_or(0),
                (*master)->levels.true_peak_dbtp.value_or(0));
}

TEST(TenMinutes, CleanLine) {
    const auto data = test::test_data();
    if (!data) GTEST_SKIP() << test::kNoTestData;
    sandbox::LineOptions line;
    line.seed = kSeed;
    const auto simulated = sandbox::simulate(script(*data / "speech"), line);
    Table table(simulated);
    table.finish(usable_cpus());
    const Heard heard = listen(table, simulated, kSpeakers.size());
    ASSERT_FALSE(heard.offsets_ms.empty());
    std::printf("clean: %zu runs, median %.3f ms, max %.3f ms\n", heard.offsets_ms.size(),
                heard.offsets_ms[heard.offsets_ms.size() / 2], heard.offsets_ms.back());
    EXPECT_EQ(heard.missing, 0U);
    EXPECT_LE(heard.masked, 1U);
    EXPECT_LE(heard.offsets_ms[heard.offsets_ms.size() / 2], 2.0);
    EXPECT_LE(heard.offsets_ms.back(), 5.0);
    EXPECT_LE(heard.worst_energy, 0.01);
    expect_levels(table);
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
    line.senders.resize(kSpeakers.size());
    for (std::size_t s = 0; s < kSpeakers.size(); ++s) {
        line.senders[s].skew_ppm = s % 2 == 0 ? 50 : -50;
        line.senders[s].encoder.expected_loss_percent = s % 3 == 0 ? 0 : 10;
    }
    line.senders[kFrozen].frozen_rtp_clock = true;
    const auto simulated = sandbox::simulate(script(*data / "speech"), line);
    Table table(simulated);
    table.finish(usable_cpus());
    const Heard heard = listen(table, simulated, kFrozen);
    ASSERT_FALSE(heard.offsets_ms.empty());
    std::printf("bad line: %zu runs, median %.3f ms, max %.3f ms\n", heard.offsets_ms.size(),
                heard.offsets_ms[heard.offsets_ms.size() / 2], heard.offsets_ms.back());
    EXPECT_EQ(heard.missing, 0U);
    EXPECT_LE(heard.masked, 1U);
    EXPECT_LE(heard.offsets_ms[heard.offsets_ms.size() / 2], 5.0);
    EXPECT_LE(heard.offsets_ms.back(), 20.0);
    expect_levels(table);
}

}  // namespace
}  // namespace lestapenna::workflows
