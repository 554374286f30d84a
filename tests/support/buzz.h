// Speech-like voices without any file. Pure.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "base/time.h"

namespace lestapenna::test {

/// Syllables of a buzz, with pauses, at 48 kHz; each voice has a pitch of its own.
inline std::vector<std::vector<float>> buzzing_voices(std::size_t count, std::size_t seconds_long = 30) {
    std::vector<std::vector<float>> voices;
    for (std::size_t v = 0; v < count; ++v) {
        auto& voice = voices.emplace_back(seconds_long * kSampleRate);
        const double pitch = 110 + 37 * static_cast<double>(v);
        for (std::size_t i = 0; i < voice.size(); ++i) {
            const double t = static_cast<double>(i) / kSampleRate;
            const double syllable = std::max(0.0, std::sin(2 * M_PI * 3.1 * t + static_cast<double>(v)));
            double sum = 0;
            for (int harmonic = 1; harmonic < 12; ++harmonic)
                sum += std::sin(2 * M_PI * pitch * harmonic * t) / harmonic;
            voice[i] = static_cast<float>(0.08 * syllable * sum);
        }
    }
    return voices;
}

}  // namespace lestapenna::test
