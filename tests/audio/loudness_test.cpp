#include "audio/loudness.h"

#include <cmath>
#include <cstdio>
#include <numbers>
#include <regex>

#include <ebur128.h>
#include <gtest/gtest.h>

#include "speech.h"

namespace lestapenna::audio {
namespace {

using testing::kSecond;

/// A stretch of 1 kHz sine: peak level in dBFS, seconds. A level of -200 is silence.
struct Step {
    double dbfs;
    double seconds;
};
constexpr double kSilence = -200;

/// The signals of EBU Tech 3341 (../shared/reference/loudness.md section 1): no phase reset between steps.
std::vector<float> signal(const std::vector<Step>& steps, int channels = 2) {
    std::vector<float> out;
    std::size_t n = 0;
    for (const auto& step : steps) {
        const double amplitude = step.dbfs <= kSilence ? 0 : from_db(step.dbfs);
        for (const std::size_t end = n + static_cast<std::size_t>(std::lround(step.seconds * 48'000)); n < end; ++n) {
            const double x = amplitude * std::sin(2 * std::numbers::pi * 1000 * static_cast<double>(n) / 48'000);
            out.insert(out.end(), static_cast<std::size_t>(channels), static_cast<float>(x));
        }
    }
    return out;
}

LoudnessMeter measured(std::span<const float> pcm, int channels = 2) {
    LoudnessMeter meter(channels);
    meter.feed(pcm);
    return meter;
}

double integrated(std::span<const float> pcm, int channels = 2) {
    const auto meter = measured(pcm, channels);
    return integrated_loudness(meter.momentary()).value_or(kSilence);
}

double loudest_block(const std::vector<float>& blocks) {
    return *std::ranges::max_element(blocks);
}

std::vector<Step> repeated(int times, const std::vector<Step>& steps) {
    std::vector<Step> out;
    for (int i = 0; i < times; ++i) out.insert(out.end(), steps.begin(), steps.end());
    return out;
}

TEST(Loudness, EbuCases1To5Integrated) {
    EXPECT_NEAR(integrated(signal({{-23, 20}})), -23.0, 0.1);
    EXPECT_NEAR(integrated(signal({{-33, 20}})), -33.0, 0.1);
    EXPECT_NEAR(integrated(signal({{-36, 10}, {-23, 60}, {-36, 10}})), -23.0, 0.1);
    EXPECT_NEAR(integrated(signal({{-72, 10}, {-36, 10}, {-23, 60}, {-36, 10}, {-72, 10}})), -23.0, 0.1);
    EXPECT_NEAR(integrated(signal({{-26, 20}, {-20, 20.1}, {-26, 20}})), -23.0, 0.1);
}

TEST(Loudness, EbuCase6FiveChannels) {
    const std::array<double, 5> levels{-28, -28, -24, -30, -30};  // L R C Ls Rs
    const auto tone = testing::sine(1000, 1, 20 * kSecond);
    std::vector<float> pcm;
    for (const float x : tone) {
        for (const double level : levels) pcm.push_back(static_cast<float>(x * from_db(level)));
    }
    EXPECT_NEAR(integrated(pcm, 5), -23.0, 0.1);
}

TEST(Loudness, EbuCases1And2Momentary) {
    for (const double level : {-23.0, -33.0}) {
        const auto meter = measured(signal({{level, 20}}));
        ASSERT_EQ(meter.momentary().size(), 197U) << "20 s hold 197 blocks of 400 ms, 100 ms apart";
        for (const float m : meter.momentary()) EXPECT_NEAR(m, level, 0.1);
    }
}

TEST(Loudness, EbuCase12MomentaryIsSteadyOverAlternatingTone) {
    const auto meter = measured(signal(repeated(25, {{-20, 0.18}, {-30, 0.22}})));
    for (std::size_t i = 6; i < meter.momentary().size(); ++i) EXPECT_NEAR(meter.momentary()[i], -23.0, 0.1) << i;
}

/// Case 13 asks a 10 ms grid; ours is 100 ms, so the burst stands at each multiple of 100 ms, and between two of them
/// the loudest block holds the part of it that one block can: within 300 of 400 ms.
TEST(Loudness, EbuCase13MomentaryFindsABurstOnTheGrid) {
    for (int i = 0; i < 20; ++i) {
        const auto blocks = measured(signal({{kSilence, i * 0.02}, {-23, 0.4}, {kSilence, 1}})).momentary();
        const int off_grid_ms = std::min(i * 20 % 100, 100 - i * 20 % 100);
        EXPECT_NEAR(loudest_block(blocks), -23.0 + 10 * std::log10((400.0 - off_grid_ms) / 400), 0.1) << i;
    }
}

TEST(Loudness, MonoIsOneChannelAnd3LuBelowTheSameInTwo) {
    EXPECT_NEAR(integrated(signal({{-23, 20}}, 1), 1), -26.01, 0.05);
}

TEST(Loudness, SilenceAndWhatIsTooShortHaveNone) {
    for (const std::size_t samples : {0U, 1000U, 96'000U}) {
        const auto meter = measured(std::vector<float>(samples), 1);
        EXPECT_FALSE(integrated_loudness(meter.momentary())) << samples;
        for (const float m : meter.momentary()) EXPECT_EQ(m, -std::numeric_limits<float>::infinity());
    }
    const auto short_tone = measured(testing::sine(1000, 0.5, 19'199), 1);
    EXPECT_FALSE(integrated_loudness(short_tone.momentary())) << "less than one 400 ms block";
    EXPECT_TRUE(short_tone.momentary().empty());
    EXPECT_FALSE(integrated_loudness({}));
}

TEST(Loudness, PiecesOfAnySizeMeasureTheSame) {
    const auto pcm = testing::babble(20 * kSecond, 11);
    const auto whole = measured(pcm, 1);
    LoudnessMeter pieces;
    std::span<const float> rest(pcm);
    for (std::size_t size = 1; !rest.empty(); size = size * 7 % 9973 + 1) {
        const auto part = rest.first(std::min(size, rest.size()));
        pieces.feed(part);
        rest = rest.subspan(part.size());
    }
    EXPECT_EQ(pieces.momentary(), whole.momentary());
    EXPECT_EQ(integrated_loudness(pieces.momentary()), integrated_loudness(whole.momentary()));
}

const std::vector<std::string> kCorpus{"cond-hot-libri2609-m.flac",   "cond-quiet-libri1998-f.opus",
                                       "cond-noise-libri3005-m.opus", "en-libri1688-m.opus",
                                       "en-libri2033-m.opus",         "en-libri2414-m.opus",
                                       "en-libri367-f.opus",          "it-customspeech-f.opus",
                                       "it-espeak1-m.opus",           "it-pico1-m.opus"};

TEST(Loudness, PartsTogetherMeasureLikeTheWhole) {
    if (!test::test_data()) GTEST_SKIP() << test::kNoTestData;
    for (const auto& name : kCorpus) {
        const auto pcm = testing::speech(name);
        ASSERT_FALSE(pcm.empty()) << name;
        for (const std::size_t part_ms : {1100U, 10'000U, 30'000U}) {
            const std::size_t part = part_ms * 48;
            const auto overlap = static_cast<std::size_t>(kMeterOverlap.count());
            std::vector<float> blocks;
            for (std::size_t at = 0; at < pcm.size(); at += part) {
                const std::size_t from = at == 0 ? 0 : at - overlap;
                const auto meter = measured(std::span(pcm).subspan(from, std::min(at + part, pcm.size()) - from), 1);
                blocks.insert(blocks.end(), meter.momentary().begin(), meter.momentary().end());
            }
            const auto whole = measured(pcm, 1);
            EXPECT_EQ(blocks.size(), whole.momentary().size());
            // A part's filter starts at rest; 1.1 s parts are the hard case.
            EXPECT_NEAR(*integrated_loudness(blocks), *integrated_loudness(whole.momentary()), 0.01) << name;
        }
    }
}

TEST(Loudness, AgreesWithFfmpegOnTheCorpus) {
    if (!test::test_data()) GTEST_SKIP() << test::kNoTestData;
    if (!test::has_program("ffmpeg")) GTEST_SKIP() << "needs ffmpeg";
    const test::TempDir folder;
    for (const auto& name : kCorpus) {
        const auto pcm = testing::speech(name);
        auto writer = AudioFileWriter::create(folder / "x.wav", SampleFormat::wav_float);
        ASSERT_TRUE(writer && writer->write(pcm) && writer->close());
        const auto run = test::run_process({"ffmpeg", "-nostdin", "-hide_banner", "-i", folder / "x.wav", "-af",
                                            "ebur128=peak=true", "-f", "null", "-"});
        ASSERT_EQ(run.exit_code, 0) << run.err;
        const auto summary = run.err.substr(run.err.rfind("Summary:"));
        std::smatch match;
        ASSERT_TRUE(std::regex_search(summary, match, std::regex("I:\\s+(-?[0-9.]+) LUFS"))) << summary;
        EXPECT_NEAR(integrated(pcm, 1), std::stod(match[1]), 0.1) << name;
        ASSERT_TRUE(std::regex_search(summary, match, std::regex("Peak:\\s+(-?[0-9.]+) dBFS"))) << summary;
        EXPECT_NEAR(to_db(true_peak(pcm)), std::stod(match[1]), 0.2) << name;
    }
}

/// EBU Tech 3341 allows +0.2 / -0.4 dB.
void expect_true_peak(std::span<const float> pcm, double expected, const std::string& what) {
    const double measured_db = to_db(true_peak(pcm));
    EXPECT_LE(measured_db, expected + 0.2) << what;
    EXPECT_GE(measured_db, expected - 0.4) << what;
}

void fade(std::vector<float>& pcm, std::size_t samples) {
    for (std::size_t i = 0; i < samples; ++i) {
        const auto gain = static_cast<float>(i) / static_cast<float>(samples);
        pcm[i] *= gain;
        pcm[pcm.size() - 1 - i] *= gain;
    }
}

TEST(TruePeak, EbuCases15To19) {
    struct Case {
        double hz, amplitude, phase, expected;
    };
    int number = 15;
    for (const Case& c : {Case{12'000, 0.5, 0, -6}, Case{12'000, 0.5, 45, -6}, Case{8'000, 0.5, 60, -6},
                          Case{6'000, 0.5, 67.5, -6}, Case{12'000, 1.41, 45, 3}}) {
        auto tone = testing::sine(c.hz, c.amplitude, 48'000, c.phase);
        fade(tone, 480);
        expect_true_peak(tone, c.expected, "case " + std::to_string(number++));
    }
}

/// One period of fs/4 at full scale inside fs/6 at 0.5, made at 4 x 48 kHz, low-passed, every 4th sample kept.
std::vector<float> ebu_peak_signal(std::size_t offset) {
    constexpr std::size_t kSide = 24 * 4200;  // 0.525 s each side, whole periods of 24
    std::vector<double> fast;
    const auto periods = [&fast](double amplitude, double period, std::size_t samples) {
        for (std::size_t i = 0; i < samples; ++i) {
            fast.push_back(amplitude * std::sin(2 * std::numbers::pi * static_cast<double>(i) / period));
        }
    };
    periods(0.5, 24, kSide);
    periods(1.0, 16, 16);
    periods(0.5, 24, kSide);
    constexpr std::ptrdiff_t kHalf = 511;
    std::vector<double> taps;
    double sum = 0;
    for (std::ptrdiff_t k = -kHalf; k <= kHalf; ++k) {
        const double x = 2 * 23'000.0 / 192'000 * static_cast<double>(k);
        const double sinc = k == 0 ? 1 : std::sin(std::numbers::pi * x) / (std::numbers::pi * x);
        const double place = static_cast<double>(k) / kHalf;
        taps.push_back(sinc * std::cyl_bessel_i(0, 10 * std::sqrt(1 - place * place)));
        sum += taps.back();
    }
    std::vector<float> out;
    for (std::size_t at = offset; at < fast.size(); at += 4) {
        double value = 0;
        for (std::ptrdiff_t k = -kHalf; k <= kHalf; ++k) {
            const auto i = static_cast<std::ptrdiff_t>(at) + k;
            if (i < 0 || i >= std::ssize(fast)) continue;
            value += fast[static_cast<std::size_t>(i)] * taps[static_cast<std::size_t>(k + kHalf)] / sum;
        }
        out.push_back(static_cast<float>(value));
    }
    fade(out, 480);
    return out;
}

TEST(TruePeak, EbuCases20To23) {
    for (std::size_t offset = 0; offset < 4; ++offset) {
        expect_true_peak(ebu_peak_signal(offset), 0, "case " + std::to_string(20 + offset));
    }
}

double reference_true_peak(std::span<const float> pcm, int channels) {
    ebur128_state* state = ebur128_init(static_cast<unsigned>(channels), 48'000, EBUR128_MODE_TRUE_PEAK);
    ebur128_add_frames_float(state, pcm.data(), pcm.size() / static_cast<std::size_t>(channels));
    double highest = 0;
    for (unsigned c = 0; c < static_cast<unsigned>(channels); ++c) {
        double peak = 0;
        ebur128_true_peak(state, c, &peak);
        highest = std::max(highest, peak);
    }
    ebur128_destroy(&state);
    return highest;
}

TEST(TruePeak, AgreesWithLibebur128OnTheCorpus) {
    if (!test::test_data()) GTEST_SKIP() << test::kNoTestData;
    for (const auto& name : kCorpus) {
        const auto pcm = testing::speech(name);
        EXPECT_NEAR(to_db(true_peak(pcm)), to_db(reference_true_peak(pcm, 1)), 0.1) << name;
    }
}

TEST(TruePeak, SeesEveryChannelAndIsAtLeastTheSamplePeak) {
    const auto quiet = testing::sine(440, 0.1, 4800);
    const auto loud = testing::sine(12'000, 0.5, 4800, 45);
    std::vector<float> stereo;
    for (std::size_t i = 0; i < quiet.size(); ++i) stereo.insert(stereo.end(), {quiet[i], loud[i]});
    EXPECT_NEAR(to_db(true_peak(stereo, 2)), to_db(true_peak(loud)), 1e-6);
    EXPECT_EQ(true_peak(std::vector<float>{-0.25F}), 0.25);
    EXPECT_EQ(true_peak(std::vector<float>(100)), 0);
    EXPECT_EQ(true_peak({}), 0);
    std::vector<float> click(100);
    click[50] = -0.75F;
    EXPECT_FLOAT_EQ(static_cast<float>(true_peak(click)), 0.75F);
}

TEST(Decibel, ThereAndBack) {
    EXPECT_EQ(to_db(0), -std::numeric_limits<double>::infinity());
    EXPECT_DOUBLE_EQ(to_db(1), 0);
    EXPECT_NEAR(to_db(0.5), -6.0206, 1e-4);
    for (const double db : {-120.0, -1.0, 0.0, 20.0}) EXPECT_NEAR(to_db(from_db(db)), db, 1e-9);
}

}  // namespace
}  // namespace lestapenna::audio
