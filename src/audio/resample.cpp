#include "audio/resample.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <numeric>

#include "audio/sinc.h"
#include "base/time.h"

namespace lestapenna::audio {

namespace {

// 80 dB over a transition from 90 to 100 % of the band: (80 - 8) / (2.285 * 0.1 pi) = 100 taps, centred at 95 %.
constexpr double kCutoff = 0.95;
constexpr double kHalfWidth = 50;
constexpr double kBeta = 8;

/// The taps that make output samples at `phase` / `phases` behind an input sample; normalised so that DC stays what it
/// is.
std::vector<float> taps_at(double fraction, double cutoff, std::int64_t reach) {
    std::vector<double> taps;
    const double half_width = kHalfWidth / (cutoff / kCutoff);
    for (std::int64_t k = 1 - reach; k <= reach; ++k) {
        taps.push_back(windowed_sinc(static_cast<double>(k) - fraction, cutoff, half_width, kBeta));
    }
    const double sum = std::accumulate(taps.begin(), taps.end(), 0.0);
    std::vector<float> out(taps.size());
    std::ranges::transform(taps, out.begin(), [sum](double tap) { return static_cast<float>(tap / sum); });
    return out;
}

}  // namespace

std::vector<float> resample_to_48k(std::span<const float> mono, int rate) {
    assert(rate > 0);
    if (rate == kSampleRate) return {mono.begin(), mono.end()};
    const std::int64_t common = std::gcd<std::int64_t>(rate, kSampleRate);
    const std::int64_t phases = kSampleRate / common;  // distinct places of an output sample between two input samples
    const std::int64_t step = rate / common;           // input samples per output sample, in phases
    const double narrowing = std::min(1.0, static_cast<double>(kSampleRate) / rate);
    const auto reach = static_cast<std::int64_t>(std::ceil(kHalfWidth / narrowing));

    std::vector<std::vector<float>> table(static_cast<std::size_t>(phases));
    const auto size = static_cast<std::int64_t>(mono.size());
    std::vector<float> out(static_cast<std::size_t>((size * phases + step - 1) / step));
    for (std::size_t n = 0; n < out.size(); ++n) {
        const std::int64_t place = static_cast<std::int64_t>(n) * step;
        auto& taps = table[static_cast<std::size_t>(place % phases)];
        if (taps.empty()) {
            const double fraction = static_cast<double>(place % phases) / static_cast<double>(phases);
            taps = taps_at(fraction, kCutoff * narrowing, reach);
        }
        const std::int64_t first = place / phases + 1 - reach;
        const std::int64_t from = std::max<std::int64_t>(first, 0);
        const std::int64_t to = std::min(first + 2 * reach, size);
        float sum = 0;
        for (std::int64_t i = from; i < to; ++i) {
            sum += mono[static_cast<std::size_t>(i)] * taps[static_cast<std::size_t>(i - first)];
        }
        out[n] = sum;
    }
    return out;
}

}  // namespace lestapenna::audio
