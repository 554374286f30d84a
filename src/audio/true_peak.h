// The true-peak detector that the meter and the limiter share: the curve between two samples at 4 x the rate.
// Pure functions; any thread. The result for a place depends only on the kDetectorReach samples around it, in fixed
// order of arithmetic, so that it is the same in whatever piece of a signal the place is looked at.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace lestapenna::audio {

/// Samples to each side that the curve between two samples is made of: 24 taps a phase.
inline constexpr std::int64_t kDetectorReach = 12;
/// The curve may top out next to, not at, the loud sample: so many intervals to each side of one are looked at.
inline constexpr std::int64_t kDetectorMargin = 4;

/// Highest absolute value of one channel at a quarter, half and three quarters of the way from window[kDetectorReach -
/// 1] to window[kDetectorReach].
float peak_between(std::span<const float, 2 * kDetectorReach> window);

/// The same for frames `frame` and `frame` + 1 of interleaved audio, the highest of all channels; zeros outside.
float peak_after(std::span<const float> interleaved, std::size_t channels, std::int64_t frame);

/// Calls visit(frame, peak_after(frame)) once for every interval near a sample of at least `threshold`, in order.
template <class Visit>
void visit_hot_intervals(std::span<const float> interleaved, std::size_t channels, float threshold, Visit visit) {
    const auto frames = static_cast<std::int64_t>(interleaved.size() / channels);
    std::int64_t next = 0;
    for (std::int64_t frame = 0; frame < frames; ++frame) {
        const auto samples = interleaved.subspan(static_cast<std::size_t>(frame) * channels, channels);
        if (std::ranges::none_of(samples, [threshold](float x) { return std::abs(x) >= threshold; })) continue;
        const std::int64_t end = std::min(frame + kDetectorMargin, frames - 1);
        for (next = std::max(next, frame - kDetectorMargin); next < end; ++next) {
            visit(next, peak_after(interleaved, channels, next));
        }
    }
}

}  // namespace lestapenna::audio
