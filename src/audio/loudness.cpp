#include "audio/loudness.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include <ebur128.h>

namespace lestapenna::audio {

namespace {

constexpr Samples kHop{kSampleRate / 10};         // 100 ms
constexpr Samples kWindow{kSampleRate * 4 / 10};  // 400 ms
// BS.1770-4: blocks count from -70 LUFS on, then from 10 LU below the mean of those.
constexpr double kRelativeGate = -10;
// After so much exact silence no block holds anything and the filters have rung out: more of it is counted, not
// measured. Most of a player's track is silence, and the meter would be a seventh of the cost of rendering it.
constexpr int kSilentHops = 8;
constexpr float kNothing = -std::numeric_limits<float>::infinity();

bool is_silent(std::span<const float> samples) {
    return std::ranges::all_of(samples, [](float x) { return x == 0.0F; });
}

}  // namespace

struct LoudnessMeter::Impl {
    struct Destroy {
        void operator()(ebur128_state* owned) const noexcept { ebur128_destroy(&owned); }
    };
    std::unique_ptr<ebur128_state, Destroy> state;
    std::size_t channels = 1;
    Samples fed{};
    std::vector<float> momentary;
    bool hop_silent = true;  ///< so far
    int silent_hops = 0;     ///< in a row, before this one

    void add(std::span<const float> interleaved) {
        const std::size_t frames = interleaved.size() / channels;
        const bool silent = is_silent(interleaved);
        const bool skipped = silent && silent_hops >= kSilentHops && Samples{static_cast<std::int64_t>(frames)} == kHop;
        if (!skipped) ebur128_add_frames_float(state.get(), interleaved.data(), frames);
        hop_silent = hop_silent && silent;
        fed += Samples{static_cast<std::int64_t>(frames)};
        if (fed % kHop != Samples{0}) return;
        silent_hops = hop_silent ? silent_hops + 1 : 0;
        hop_silent = true;
        if (fed < kWindow) return;
        double lufs = static_cast<double>(kNothing);
        if (!skipped) ebur128_loudness_momentary(state.get(), &lufs);
        momentary.push_back(static_cast<float>(lufs));
    }
};

LoudnessMeter::LoudnessMeter(int channels) : impl_(std::make_unique<Impl>()) {
    impl_->channels = static_cast<std::size_t>(channels);
    impl_->state.reset(ebur128_init(static_cast<unsigned>(channels), kSampleRate, EBUR128_MODE_M));
    assert(impl_->state);
}

LoudnessMeter::LoudnessMeter(LoudnessMeter&&) noexcept = default;
LoudnessMeter& LoudnessMeter::operator=(LoudnessMeter&&) noexcept = default;
LoudnessMeter::~LoudnessMeter() = default;

void LoudnessMeter::feed(std::span<const float> interleaved) {
    auto& meter = *impl_;
    assert(interleaved.size() % meter.channels == 0);
    while (!interleaved.empty()) {
        const auto to_hop = static_cast<std::size_t>((kHop - meter.fed % kHop).count());
        const std::size_t frames = std::min(to_hop, interleaved.size() / meter.channels);
        meter.add(interleaved.first(frames * meter.channels));
        interleaved = interleaved.subspan(frames * meter.channels);
    }
}

void LoudnessMeter::feed_silence(Samples length) {
    const std::vector<float> zeros(static_cast<std::size_t>(kHop.count()) * impl_->channels);
    while (length > Samples{0}) {
        const Samples part = std::min(length, kHop - impl_->fed % kHop);
        impl_->add(std::span(zeros).first(static_cast<std::size_t>(part.count()) * impl_->channels));
        length -= part;
    }
}

const std::vector<float>& LoudnessMeter::momentary() const {
    return impl_->momentary;
}

std::optional<double> integrated_loudness(std::span<const float> momentary) {
    const auto above = [momentary](double gate) -> std::optional<double> {
        double energy = 0;
        std::size_t count = 0;
        for (const float block : momentary) {
            if (static_cast<double>(block) < gate) continue;
            energy += std::pow(10, static_cast<double>(block) / 10);
            ++count;
        }
        if (count == 0) return std::nullopt;
        return 10 * std::log10(energy / static_cast<double>(count));
    };
    const auto ungated = above(kAbsoluteGate);
    return ungated ? above(std::max(kAbsoluteGate, *ungated + kRelativeGate)) : std::nullopt;
}

double to_db(double linear) {
    return linear > 0 ? 20 * std::log10(linear) : -std::numeric_limits<double>::infinity();
}
double from_db(double db) {
    return std::pow(10, db / 20);
}

}  // namespace lestapenna::audio
