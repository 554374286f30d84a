// What the tests of this room listen to: the workshop's speech where it is there, synthetic sound everywhere.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "audio/files.h"
#include "base/time.h"
#include "support.h"

namespace lestapenna::audio::testing {

inline constexpr std::size_t kSecond = kSampleRate;  ///< samples

/// Mono samples of one corpus file; empty when the corpus is not there.
inline std::vector<float> speech(const std::string& name) {
    const auto data = test::test_data();
    if (!data) return {};
    auto file = read_audio_file(*data / "speech" / name);
    return file ? std::move(file->pcm) : std::vector<float>{};
}

/// Sine of `amplitude`; phase in degrees.
inline std::vector<float> sine(double hz, double amplitude, std::size_t samples, double phase = 0) {
    std::vector<float> out(samples);
    for (std::size_t i = 0; i < samples; ++i) {
        const double turns = hz * static_cast<double>(i) / static_cast<double>(kSampleRate) + phase / 360;
        out[i] = static_cast<float>(amplitude * std::sin(2 * std::numbers::pi * turns));
    }
    return out;
}

/// Something like speech: noise through a resonance, in syllables of 50 to 250 ms with pauses; peaks near `peak`.
inline std::vector<float> babble(std::size_t samples, unsigned seed, double peak = 0.5) {
    std::mt19937 random(seed);
    std::normal_distribution<double> noise;
    std::uniform_real_distribution<double> unit;
    std::vector<float> out(samples);
    double y1 = 0;
    double y2 = 0;
    double level = 0;
    double target = 0;
    std::size_t left = 0;
    double highest = 1e-9;
    for (auto& sample : out) {
        if (left-- == 0) {
            left = static_cast<std::size_t>(2400 + unit(random) * 9600);
            target = unit(random) < 0.35 ? 0 : unit(random);
        }
        level += (target - level) / 480;
        const double y = 1.9 * y1 - 0.92 * y2 + level * noise(random);
        y2 = std::exchange(y1, y);
        sample = static_cast<float>(y);
        highest = std::max(highest, std::abs(y));
    }
    for (auto& sample : out) sample = static_cast<float>(sample * peak / highest);
    return out;
}

inline double energy(std::span<const float> pcm) {
    double sum = 0;
    for (const float x : pcm) sum += static_cast<double>(x) * x;
    return sum;
}

/// Signal to error ratio of `got` against `wanted`, in dB.
inline double snr_db(std::span<const float> wanted, std::span<const float> got) {
    double error = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) error += std::pow(static_cast<double>(wanted[i]) - got[i], 2);
    return 10 * std::log10(energy(wanted) / std::max(error, 1e-30));
}

}  // namespace lestapenna::audio::testing
