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

}  // namespace

struct LoudnessMeter::Impl {
    struct Destroy {
        void operator()(ebur128_state* owned) const noexcept { ebur128_destroy(&owned); }
    };
    std::unique_ptr<ebur128_state, Destroy> state;
    std::size_t channels = 1;
    Samples fed{};
    std::vector<float> momentary;
};

LoudnessMeter::LoudnessMeter(int channels) : impl_(std::make_unique<Impl>()) {
    impl_->channels = static_cast<std::size_t>(channels);
    impl_->state.reset(ebur128_init(static_cast<unsigned>(channels), kSampleRate, EBUR128_MODE_I));
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
        ebur128_add_frames_float(meter.state.get(), interleaved.data(), frames);
        interleaved = interleaved.subspan(frames * meter.channels);
        meter.fed += Samples{static_cast<std::int64_t>(frames)};
        if (meter.fed % kHop != Samples{0} || meter.fed < kWindow) continue;
        double lufs = 0;
        ebur128_loudness_momentary(meter.state.get(), &lufs);
        meter.momentary.push_back(static_cast<float>(lufs));
    }
}

std::optional<double> LoudnessMeter::integrated(std::span<const LoudnessMeter> parts) {
    std::vector<ebur128_state*> states;
    for (const auto& part : parts) states.push_back(part.impl_->state.get());
    double lufs = 0;
    const int error = ebur128_loudness_global_multiple(states.data(), states.size(), &lufs);
    if (error != EBUR128_SUCCESS || !std::isfinite(lufs)) return std::nullopt;
    return lufs;
}

const std::vector<float>& LoudnessMeter::momentary() const {
    return impl_->momentary;
}

double to_db(double linear) {
    return linear > 0 ? 20 * std::log10(linear) : -std::numeric_limits<double>::infinity();
}
double from_db(double db) {
    return std::pow(10, db / 20);
}

}  // namespace lestapenna::audio
