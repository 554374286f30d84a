#include "audio/limiter.h"

#include <cmath>
#include <random>

#include <ebur128.h>
#include <gtest/gtest.h>

#include "audio/loudness.h"
#include "speech.h"

namespace lestapenna::audio {
namespace {

using testing::kSecond;

double true_peak_db(std::span<const float> pcm, int channels = 1) {
    ebur128_state* state = ebur128_init(static_cast<unsigned>(channels), 48'000, EBUR128_MODE_TRUE_PEAK);
    ebur128_add_frames_float(state, pcm.data(), pcm.size() / static_cast<std::size_t>(channels));
    double highest = 0;
    for (unsigned c = 0; c < static_cast<unsigned>(channels); ++c) {
        double peak = 0;
        ebur128_true_peak(state, c, &peak);
        highest = std::max(highest, peak);
    }
    ebur128_destroy(&state);
    return to_db(highest);
}

std::vector<float> raised(std::vector<float> pcm, double db) {
    for (float& x : pcm) x = static_cast<float>(x * from_db(db));
    return pcm;
}

std::vector<float> limited(std::vector<float> pcm, double ceiling_db, int channels = 1) {
    limit(pcm, channels, from_db(ceiling_db));
    return pcm;
}

/// A minute that is loud enough to keep the limiter busy: the corpus where it is there.
std::vector<float> hot_speech() {
    auto pcm = testing::speech("en-libri2033-m.opus");
    if (pcm.empty()) pcm = testing::babble(60 * kSecond, 21);
    return raised(std::move(pcm), 14);
}

TEST(Limiter, IdleMeansUntouchedBits) {
    const auto voice = testing::babble(5 * kSecond, 22, 0.79);  // its curve stays below 0.89
    ASSERT_LT(to_db(true_peak(voice)), -1.0);
    EXPECT_EQ(limited(voice, -1), voice);
    EXPECT_EQ(limited({}, -1), std::vector<float>{});
    EXPECT_EQ(limited(std::vector<float>(10'000), -1), std::vector<float>(10'000));
}

TEST(Limiter, OnlyTheNeighbourhoodOfAPeakIsTouched) {
    auto voice = testing::babble(10 * kSecond, 23, 0.3);
    voice[240'000] = 2;
    const auto out = limited(voice, -1);
    EXPECT_LE(std::abs(out[240'000]), from_db(-1) + 1e-6);
    EXPECT_LT(out[240'000 - 100] / voice[240'000 - 100], 0.999) << "the gain falls before the peak, not at it";
    const auto same = [&](std::size_t from, std::size_t to) {
        return std::equal(out.begin() + static_cast<std::ptrdiff_t>(from),
                          out.begin() + static_cast<std::ptrdiff_t>(to),
                          voice.begin() + static_cast<std::ptrdiff_t>(from));
    };
    EXPECT_TRUE(same(0, 240'000 - kLimiterPostRoll.count())) << "5 ms of look-ahead and no more";
    EXPECT_TRUE(same(240'000 + kLimiterPreRoll.count(), voice.size())) << "the release ends";
    EXPECT_FALSE(same(240'000, 240'000 + 10'000));
}

TEST(Limiter, TheGainNeverRisesAboveOneNorTurnsTheWave) {
    const auto in = hot_speech();
    const auto out = limited(in, -2.5);
    for (std::size_t i = 0; i < in.size(); ++i) {
        ASSERT_LE(std::abs(out[i]), std::abs(in[i]));
        ASSERT_GE(out[i] * in[i], 0.0F);
    }
}

TEST(Limiter, TruePeakOfSpeechStaysUnderTheCeiling) {
    if (!test::test_data()) GTEST_SKIP() << test::kNoTestData;
    for (const auto* const name : {"en-libri2033-m.opus", "en-libri2414-m.opus", "en-libri367-f.opus",
                                   "it-espeak1-m.opus", "cond-hot-libri2609-m.flac", "it-customspeech-f.opus"}) {
        const auto voice = testing::speech(name);
        ASSERT_FALSE(voice.empty());
        for (const auto& [gain, ceiling] : {std::pair{0.0, -1.0}, {12.0, -2.5}, {20.0, -1.0}}) {
            EXPECT_LE(true_peak_db(limited(raised(voice, gain), ceiling)), ceiling + 0.1) << name << " +" << gain;
        }
    }
}

TEST(Limiter, TruePeakOfTonesAndClicksStaysUnderTheCeiling) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    std::vector<std::vector<float>> signals;
    for (const double amplitude : {0.9, 1.0, 1.41, 5.0}) {
        signals.push_back(testing::sine(12'000, amplitude, 48'000, 45));
        signals.push_back(testing::sine(8'000, amplitude, 48'000, 60));
        signals.push_back(testing::sine(997, amplitude, 48'000));
    }
    std::vector<float> clicks(96'000);
    for (int i = 0; i < 300; ++i)
        clicks[random() % clicks.size()] = (random() % 2 == 0 ? 1.0F : -1.0F) * static_cast<float>(1 + i % 5);
    signals.push_back(clicks);
    std::vector<float> bursts(96'000);
    for (std::size_t i = 0; i < bursts.size(); ++i) {
        const double level = i / 1000 % 7 == 3 ? 3 : 0.1;
        bursts[i] = static_cast<float>(level * std::sin(static_cast<double>(i) * 0.3));
    }
    signals.push_back(bursts);
    for (std::size_t i = 0; i < signals.size(); ++i) {
        EXPECT_LE(true_peak_db(limited(signals[i], -1)), -0.9) << "signal " << i;
    }
}

TEST(Limiter, ASteadyToneComesOutAtTheCeiling) {
    const auto out = limited(testing::sine(997, 2.0, 96'000), -1);
    EXPECT_NEAR(true_peak_db(std::span(out).subspan(24'000, 48'000)), -1.0, 0.05) << "not turned down more than needed";
}

TEST(Limiter, ChannelsAreLinked) {
    const auto loud = hot_speech();
    std::vector<float> stereo;
    for (std::size_t i = 0; i < loud.size(); ++i) stereo.insert(stereo.end(), {loud[i], 0.1F * loud[i]});
    const auto out = limited(stereo, -1, 2);
    const auto mono = limited(loud, -1);
    for (std::size_t i = 0; i < loud.size(); ++i) {
        ASSERT_EQ(out[2 * i], mono[i]);
        ASSERT_NEAR(out[2 * i + 1], 0.1F * out[2 * i], 1e-6F);
    }
}

/// What makes work in slices possible: a limiter that starts kLimiterPreRoll earlier is in the same state, to the bit.
TEST(Limiter, APieceWithPreAndPostRollIsThePieceOfTheWhole) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    for (const double ceiling : {-1.0, -6.0, -20.0}) {  // the last keeps it working without a pause
        const auto in = hot_speech();
        const auto whole = limited(in, ceiling);
        ASSERT_NE(whole, in);
        const auto size = static_cast<std::int64_t>(in.size());
        for (int round = 0; round < 40; ++round) {
            const auto a = static_cast<std::int64_t>(random() % in.size());
            const std::int64_t b =
                round % 4 == 0 ? size : std::min(a + 1 + static_cast<std::int64_t>(random() % 200'000), size);
            const std::int64_t from = std::max<std::int64_t>(a - kLimiterPreRoll.count(), 0);
            const std::int64_t to = std::min<std::int64_t>(b + kLimiterPostRoll.count(), size);
            const auto piece = limited({in.begin() + from, in.begin() + to}, ceiling);
            ASSERT_TRUE(std::equal(whole.begin() + a, whole.begin() + b, piece.begin() + (a - from)))
                << "[" << a << ", " << b << ") at " << ceiling << " dB";
        }
    }
}

TEST(Limiter, TheRollsAreNotLongerThanNeeded) {
    std::vector<float> pcm(200'000, 0.5F);
    pcm[100'000] = 1e6F;  // the deepest reduction there is
    const auto out = limited(pcm, -3);
    const auto touched = [&](std::size_t i) { return out[i] != pcm[i]; };
    EXPECT_TRUE(touched(100'000 + static_cast<std::size_t>(kLimiterPreRoll.count()) * 7 / 10));
    EXPECT_FALSE(touched(100'000 + static_cast<std::size_t>(kLimiterPreRoll.count()) - 20));
    EXPECT_TRUE(touched(100'000 - 235));
    EXPECT_FALSE(touched(100'000 - static_cast<std::size_t>(kLimiterPostRoll.count())));
}

TEST(Limiter, WildInputDoesNoHarm) {
    auto pcm = testing::babble(48'000, 24);
    pcm[1000] = std::numeric_limits<float>::infinity();
    pcm[20'000] = std::nanf("");
    pcm[30'000] = 1e38F;
    limit(pcm, 1, 0.5);
    EXPECT_LT(std::abs(pcm[47'000]), 0.51F);
}

}  // namespace
}  // namespace lestapenna::audio
