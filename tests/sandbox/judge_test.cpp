// The judge itself: what it says of shifts that we made ourselves.
#include "judge.h"

#include <chrono>
#include <cmath>
#include <iostream>
#include <random>

#include <gtest/gtest.h>

#include "audio/files.h"
#include "sandbox/script.h"
#include "support.h"

namespace lestapenna::test {
namespace {

constexpr unsigned kSeed = 20'260'104;
constexpr std::size_t kRate = 48'000;
using Pcm = std::vector<float>;

/// Noise in syllables through a wandering resonance: speech enough to be found, without any file.
Pcm babble(std::size_t samples, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> noise;
    Pcm pcm(samples);
    double y1 = 0;
    double y2 = 0;
    double formant = 600;
    for (std::size_t i = 0; i < samples; ++i) {
        if (i % 9'600 == 0) formant = 300 + static_cast<double>(random() % 1'500);
        const double w = 2 * 3.14159265 * formant / 48'000;
        const double y = noise(random) + 2 * 0.99 * std::cos(w) * y1 - 0.99 * 0.99 * y2;
        y2 = y1;
        y1 = y;
        const double syllable = std::sin(3.14159265 * static_cast<double>(i % 9'600) / 9'600);
        pcm[i] = static_cast<float>(0.005 * y * syllable * syllable);
    }
    return pcm;
}

struct Table {
    std::vector<Pcm> tracks;
    std::vector<std::vector<Interval>> runs;
};
Table table_of(const sandbox::Script& script) {
    Table table;
    for (const sandbox::Player& player : script.players) {
        Pcm track(static_cast<std::size_t>(script.length.count()));
        std::vector<Interval> runs;
        for (const sandbox::Talk& talk : player.talks) {
            std::copy(talk.pcm.begin(), talk.pcm.end(), track.begin() + talk.start.time_since_epoch().count());
            runs.push_back({talk.start, talk.start + Samples(std::ssize(talk.pcm))});
        }
        table.tracks.push_back(std::move(track));
        table.runs.push_back(std::move(runs));
    }
    return table;
}

/// Scales a track to the same RMS within its runs as every other.
void level(Pcm& track) {
    double sum = 0;
    double count = 0;
    for (const float x : track) sum += static_cast<double>(x) * x, count += x != 0 ? 1 : 0;
    for (float& x : track) x *= static_cast<float>(0.05 / std::sqrt(sum / count));
}

/// `pcm` later by `shift` samples, which may have a fraction (windowed sinc).
Pcm shifted(const Pcm& pcm, double shift) {
    const double whole = std::floor(shift);
    const double fraction = shift - whole;
    Pcm result(pcm.size());
    for (std::ptrdiff_t tap = -32; tap <= 32; ++tap) {
        const double x = static_cast<double>(tap) - fraction;
        const double sinc = std::abs(x) < 1e-9 ? 1 : std::sin(3.14159265358979 * x) / (3.14159265358979 * x);
        const auto weight = static_cast<float>(sinc * (0.5 + 0.5 * std::cos(3.14159265358979 * x / 34)));
        const std::ptrdiff_t offset = tap + static_cast<std::ptrdiff_t>(whole);
        for (std::ptrdiff_t i = std::max<std::ptrdiff_t>(0, offset);
             i < std::ssize(pcm) + std::min<std::ptrdiff_t>(0, offset); ++i) {
            result[static_cast<std::size_t>(i)] += weight * pcm[static_cast<std::size_t>(i - offset)];
        }
    }
    return result;
}

void add(Pcm& sum, const Pcm& pcm) {
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += pcm[i];
}

/// Four people, each talking half of the time, in a mix of all with a shift of its own each.
void shifts_in_a_mix(const std::vector<Pcm>& voices, const std::vector<double>& shifts_in_samples) {
    Table table = table_of(sandbox::cut_table(voices, {.length = seconds(60), .share = 0.6, .seed = kSeed}));
    Pcm mix(table.tracks[0].size());
    for (std::size_t i = 0; i < table.tracks.size(); ++i) {
        level(table.tracks[i]);
        add(mix, shifted(table.tracks[i], shifts_in_samples[i]));
    }
    const Judge judge(mix);
    for (std::size_t i = 0; i < table.tracks.size(); ++i) {
        const TrackMeasure track = judge.listen(table.tracks[i], table.runs[i]);
        ASSERT_GT(track.runs.size(), 5U);
        EXPECT_EQ(track.missing, 0U);
        EXPECT_EQ(track.silent, 0U);
        double worst = 0;
        double least = 100;
        for (const RunMeasure& run : track.runs) {
            worst = std::max(worst, std::abs(run.offset_ms - shifts_in_samples[i] / 48));
            least = std::min(least, run.distinctness);
        }
        std::cout << "voice " << i << ": " << track.runs.size() << " runs, worst error " << worst
                  << " ms, least distinctness " << least << "\n";
        EXPECT_LT(worst, 0.1) << "voice " << i << ", seed " << kSeed;
    }
}

std::vector<Pcm> babblers() {
    std::vector<Pcm> voices;
    for (unsigned i = 0; i < 4; ++i) voices.push_back(babble(60 * kRate, kSeed + i));
    return voices;
}

std::vector<Pcm> readers(const std::filesystem::path& data) {
    std::vector<Pcm> voices;
    for (const char* name : {"en-libri1688-m", "en-libri3080-f", "en-libri2033-m", "it-customspeech-f"}) {
        auto pcm = audio::read_mono_48k(data / "speech" / (std::string(name) + ".opus"));
        EXPECT_TRUE(pcm.ok());
        if (pcm) voices.push_back(std::move(*pcm));
    }
    return voices;
}

TEST(Judge, FindsShiftsUnderThreeOtherVoices) {
    shifts_in_a_mix(babblers(), {0, 123, -37.5, 4'800.25});
}

TEST(Judge, FindsShiftsOfRealVoicesUnderThreeOthers) {
    const auto data = test_data();
    if (!data) GTEST_SKIP() << kNoTestData;
    shifts_in_a_mix(readers(*data), {0, 123, -37.5, 4'800.25});
}

TEST(Judge, FindsWhatIsSecondsAway) {
    const Table table = table_of(
        sandbox::cut_table(std::vector<Pcm>{babble(60 * kRate, kSeed)}, {.length = seconds(60), .seed = kSeed}));
    for (const double shift_ms : {-2'900.0, -500.0, 201.0, 2'900.0}) {
        const Pcm rendered = shifted(table.tracks[0], shift_ms * 48);
        const TrackMeasure track = Judge(rendered).listen(table.tracks[0], table.runs[0]);
        for (const RunMeasure& run : track.runs) {
            const bool inside =
                run.run.start.time_since_epoch() + milliseconds(static_cast<int>(shift_ms)) >= seconds(0) &&
                run.run.end.time_since_epoch() + milliseconds(static_cast<int>(shift_ms)) <= seconds(60);
            if (!inside) continue;
            ASSERT_TRUE(run.found) << shift_ms << " ms, correlation " << run.correlation;
            EXPECT_NEAR(run.offset_ms, shift_ms, 0.02);
        }
    }
}

TEST(Judge, KnowsWhereTheRenderedPartBegins) {
    const Table table = table_of(
        sandbox::cut_table(std::vector<Pcm>{babble(60 * kRate, kSeed)}, {.length = seconds(60), .seed = kSeed}));
    const Interval second = table.runs[0][1];
    const SamplePos begin = second.start - Samples(1'001);
    const Pcm part(table.tracks[0].begin() + begin.time_since_epoch().count(), table.tracks[0].end());
    const TrackMeasure track = Judge(part, begin).listen(table.tracks[0], std::vector{second});
    ASSERT_EQ(track.missing, 0U);
    EXPECT_NEAR(track.runs[0].offset_ms, 0, 0.001);
    EXPECT_NEAR(track.energy_ratio, 1, 1e-6);
}

/// Takes every third run out of one track: in a mix of four those are missing, and no others.
void missing_runs(const std::vector<Pcm>& voices) {
    Table table = table_of(sandbox::cut_table(voices, {.length = seconds(60), .share = 0.5, .seed = kSeed}));
    Pcm mix(table.tracks[0].size());
    std::size_t taken = 0;
    for (std::size_t i = 0; i < table.tracks.size(); ++i) {
        level(table.tracks[i]);
        Pcm rendered = table.tracks[i];
        for (std::size_t run = 0; i == 0 && run < table.runs[0].size(); run += 3, ++taken) {
            const Interval gone = table.runs[0][run];
            std::fill(rendered.begin() + gone.start.time_since_epoch().count(),
                      rendered.begin() + gone.end.time_since_epoch().count(), 0.0F);
        }
        add(mix, rendered);
    }
    const Judge judge(mix);
    for (std::size_t i = 0; i < table.tracks.size(); ++i) {
        const TrackMeasure track = judge.listen(table.tracks[i], table.runs[i]);
        for (std::size_t run = 0; run < track.runs.size(); ++run) {
            EXPECT_EQ(track.runs[run].found, i != 0 || run % 3 != 0)
                << "voice " << i << " run " << run << ": correlation " << track.runs[run].correlation
                << ", distinctness " << track.runs[run].distinctness << ", seed " << kSeed;
        }
        EXPECT_EQ(track.missing, i == 0 ? taken : 0);
    }
}

TEST(Judge, ReportsWhatIsMissing) {
    missing_runs(babblers());
}

TEST(Judge, ReportsWhatIsMissingOfRealVoices) {
    const auto data = test_data();
    if (!data) GTEST_SKIP() << kNoTestData;
    missing_runs(readers(*data));
}

TEST(Judge, ReportsAnEmptyRenderingAsMissing) {
    const Table table = table_of(
        sandbox::cut_table(std::vector<Pcm>{babble(60 * kRate, kSeed)}, {.length = seconds(30), .seed = kSeed}));
    for (const Pcm& nothing : {Pcm{}, Pcm(30 * kRate)}) {
        const TrackMeasure track = Judge(nothing).listen(table.tracks[0], table.runs[0]);
        EXPECT_EQ(track.missing, track.runs.size());
        EXPECT_EQ(track.energy_ratio, 0);
    }
    const TrackMeasure silent = Judge(table.tracks[0]).listen(Pcm(30 * kRate), table.runs[0]);
    EXPECT_EQ(silent.silent, table.runs[0].size());
    EXPECT_TRUE(silent.runs.empty());
}

TEST(Judge, MeasuresTheEnergyThatIsThere) {
    const Table table = table_of(
        sandbox::cut_table(std::vector<Pcm>{babble(60 * kRate, kSeed)}, {.length = seconds(60), .seed = kSeed}));
    Pcm rendered = shifted(table.tracks[0], 24.5);
    for (float& x : rendered) x *= 0.3F;
    EXPECT_NEAR(Judge(rendered).listen(table.tracks[0], table.runs[0]).energy_ratio, 1, 0.002);

    // Take out a tenth of each run, and remember how much energy that was.
    double all = 0;
    double gone = 0;
    for (const Interval& run : table.runs[0]) {
        const auto from = static_cast<std::size_t>(run.start.time_since_epoch().count());
        const auto length = static_cast<std::size_t>((run.end - run.start).count());
        for (std::size_t i = from; i < from + length; ++i) {
            const bool taken = i >= from + length / 2 && i < from + length * 6 / 10;
            all += static_cast<double>(table.tracks[0][i]) * table.tracks[0][i];
            gone += taken ? static_cast<double>(table.tracks[0][i]) * table.tracks[0][i] : 0;
            if (taken) rendered[i + 24] = 0;
        }
    }
    EXPECT_NEAR(Judge(rendered).listen(table.tracks[0], table.runs[0]).energy_ratio, 1 - gone / all, 0.005);
}

TEST(Judge, CutsLongRunsIntoPieces) {
    const Pcm pcm = babble(30 * kRate, kSeed);
    const Interval run{SamplePos(Samples(0)), SamplePos(Samples(seconds(30)))};
    const TrackMeasure track = Judge(pcm).listen(pcm, std::vector{run});
    ASSERT_EQ(track.runs.size(), 5U);
    EXPECT_EQ(track.missing, 0U);
    EXPECT_EQ(track.runs.back().run.end, run.end);
    EXPECT_EQ(track.runs[1].run.start, track.runs[0].run.end);
}

}  // namespace
}  // namespace lestapenna::test
