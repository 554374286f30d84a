#include "audio/limiter.h"

#include <array>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <vector>

#include "audio/true_peak.h"

namespace lestapenna::audio {

namespace {

// A gain reduction is 1 - gain, in units of 2^-30: 0 is idle, kFull is silence. Integers, because sums of them are the
// same in whatever order and from wherever they are begun.
using Reduction = std::int32_t;
constexpr Reduction kFull = 1 << 30;
constexpr Reduction kSnap = 123'612;  // 0.001 dB: (1 - 10^(-0.001 / 20)) * 2^30

constexpr std::size_t kLookAhead = 240;           // 5 ms
constexpr std::size_t kBox = kLookAhead / 2 + 1;  // two boxes of 121 reach back exactly 240 samples
constexpr std::int64_t kBoxes = std::int64_t{kBox} * kBox;

// exp(-1 / (80 ms * 48 kHz)), in units of 2^-32.
constexpr std::int64_t kReleaseFactor = 4'293'848'961;

Reduction release(Reduction value) {
    const auto next = static_cast<Reduction>(value * kReleaseFactor >> 32);
    return next < kSnap ? 0 : next;
}

/// What a frame with peak `peak` needs to stay at the ceiling; rounded up.
Reduction wanted(double peak, double ceiling) {
    if (!(peak > ceiling)) return 0;
    return static_cast<Reduction>(std::ceil((1 - ceiling / peak) * kFull));
}

/// The reduction that each frame and the curve to both its neighbours need, behind kLookAhead zeros: the gain is
/// already down when a file begins with a peak. Empty when nothing is needed.
std::vector<Reduction> wanted_reductions(std::span<const float> interleaved, std::size_t channels, double ceiling) {
    std::vector<Reduction> needs(kLookAhead + interleaved.size() / channels);
    bool any = false;
    const auto raise = [&](std::size_t frame, Reduction need) {
        needs[kLookAhead + frame] = std::max(needs[kLookAhead + frame], need);
        any = any || need > 0;
    };
    for (std::size_t i = 0; i < interleaved.size(); ++i) raise(i / channels, wanted(std::abs(interleaved[i]), ceiling));
    visit_hot_intervals(interleaved, channels, static_cast<float>(ceiling / 2), [&](std::int64_t frame, float between) {
        const Reduction need = wanted(between, ceiling);
        raise(static_cast<std::size_t>(frame), need);
        raise(static_cast<std::size_t>(frame) + 1, need);
    });
    if (!any) needs.clear();
    return needs;
}

/// In place: each value becomes the highest of itself and the kLookAhead values behind it. Three passes whatever the
/// window (van Herk): in blocks of its length, the highest from a block's start and the highest to its end make up any
/// window.
void look_ahead(std::vector<Reduction>& needs) {
    constexpr std::size_t kWindow = kLookAhead + 1;
    const std::size_t size = needs.size();
    needs.resize(size + kLookAhead);
    std::vector<Reduction> from_start(needs);
    for (std::size_t i = 1; i < needs.size(); ++i) {
        if (i % kWindow != 0) from_start[i] = std::max(from_start[i], from_start[i - 1]);
    }
    for (std::size_t i = needs.size() - 1; i > 0; --i) {
        if (i % kWindow != 0) needs[i - 1] = std::max(needs[i - 1], needs[i]);
    }
    for (std::size_t i = 0; i < size; ++i) needs[i] = std::max(needs[i], from_start[i + kLookAhead]);
    needs.resize(size);
}

/// Sum of the last kBox values.
class Box {
  public:
    std::int64_t push(std::int64_t value) {
        sum_ += value - values_[at_];
        values_[at_] = value;
        at_ = at_ + 1 == kBox ? 0 : at_ + 1;
        return sum_;
    }

  private:
    std::array<std::int64_t, kBox> values_{};
    std::size_t at_ = 0;
    std::int64_t sum_ = 0;
};

}  // namespace

void limit(std::span<float> interleaved, int channels, double ceiling) {
    assert(channels > 0 && ceiling > 0 && interleaved.size() % static_cast<std::size_t>(channels) == 0);
    const auto step = static_cast<std::size_t>(channels);
    auto reductions = wanted_reductions(interleaved, step, ceiling);
    if (reductions.empty()) return;
    look_ahead(reductions);

    // Held over 5 ms and released, the reduction is at least what each of the next 240 frames needs; so is the mean of
    // the last 241 for this frame. The release is a maximum of decaying values and not a sum: what stood before is
    // forgotten exactly.
    Reduction held = 0;
    Box first;
    Box second;
    constexpr double kUnit = 1.0 / (static_cast<double>(kFull) * static_cast<double>(kBoxes));
    for (std::size_t i = 0; i < reductions.size(); ++i) {
        held = std::max(release(held), reductions[i]);
        const std::int64_t sum = second.push(first.push(held));
        if (sum == 0 || i < kLookAhead) continue;
        const double gain = 1 - static_cast<double>(sum) * kUnit;
        for (float& sample : interleaved.subspan((i - kLookAhead) * step, step)) {
            sample = static_cast<float>(sample * gain);
        }
    }
}

}  // namespace lestapenna::audio
