#include "audio/true_peak.h"

#include "audio/loudness.h"
#include "audio/sinc.h"

namespace lestapenna::audio {

namespace {

constexpr std::size_t kTaps = 2 * kDetectorReach;
constexpr std::size_t kLanes = 4;  // three places between two samples, and one lane that makes it a vector

using Taps = std::array<std::array<float, kLanes>, kTaps>;

Taps make_taps() {
    constexpr double kBeta = 6;  // flat within 0.006 dB up to 20 kHz (5: 0.035 dB, 8: 0.134 dB; computed)
    Taps taps{};
    for (std::size_t lane = 0; lane < 3; ++lane) {
        const double place = static_cast<double>(lane + 1) / 4 + static_cast<double>(kDetectorReach - 1);
        double sum = 0;
        std::array<double, kTaps> phase{};
        for (std::size_t k = 0; k < kTaps; ++k) {
            phase[k] = windowed_sinc(static_cast<double>(k) - place, 1, kDetectorReach, kBeta);
            sum += phase[k];
        }
        for (std::size_t k = 0; k < kTaps; ++k) taps[k][lane] = static_cast<float>(phase[k] / sum);
    }
    return taps;
}

}  // namespace

float peak_between(std::span<const float, 2 * kDetectorReach> window) {
    static const Taps taps = make_taps();
    std::array<float, kLanes> value{};
    for (std::size_t k = 0; k < kTaps; ++k) {
        for (std::size_t lane = 0; lane < kLanes; ++lane) value[lane] += window[k] * taps[k][lane];
    }
    return std::max({std::abs(value[0]), std::abs(value[1]), std::abs(value[2])});
}

float peak_after(std::span<const float> interleaved, std::size_t channels, std::int64_t frame) {
    const auto frames = static_cast<std::int64_t>(interleaved.size() / channels);
    const std::int64_t first = frame + 1 - kDetectorReach;
    if (channels == 1 && first >= 0 && first + static_cast<std::int64_t>(kTaps) <= frames) {
        return peak_between(interleaved.subspan(static_cast<std::size_t>(first)).first<kTaps>());
    }
    float peak = 0;
    for (std::size_t channel = 0; channel < channels; ++channel) {
        std::array<float, kTaps> window{};
        for (std::size_t k = 0; k < kTaps; ++k) {
            const std::int64_t at = first + static_cast<std::int64_t>(k);
            if (at >= 0 && at < frames) window[k] = interleaved[static_cast<std::size_t>(at) * channels + channel];
        }
        peak = std::max(peak, peak_between(window));
    }
    return peak;
}

double true_peak(std::span<const float> interleaved, int channels) {
    float highest = 0;
    for (const float x : interleaved) highest = std::max(highest, std::abs(x));
    if (highest == 0) return 0;
    float peak = highest;
    visit_hot_intervals(interleaved, static_cast<std::size_t>(channels), highest / 2,
                        [&peak](std::int64_t, float between) { peak = std::max(peak, between); });
    return peak;
}

}  // namespace lestapenna::audio
