#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdarg>
#include <mutex>

#include <lame.h>

#include "audio/mp3.h"

namespace lestapenna::audio {

namespace {

void say_nothing(const char* /*format*/, std::va_list /*arguments*/) {}

/// LAME turns CBR down by 0.45 dB up to 160 kbit/s (its presets multiply by 0.95); above that it was not measured.
constexpr float kLevelCorrection = 1 / 0.95F;
constexpr int kLevelCorrectedKbps = 160;

void configure(lame_t lame, const Mp3Format& format) {
    lame_set_msgf(lame, say_nothing);
    lame_set_errorf(lame, say_nothing);
    lame_set_debugf(lame, say_nothing);
    lame_set_in_samplerate(lame, static_cast<int>(kSampleRate));
    lame_set_out_samplerate(lame, static_cast<int>(kSampleRate));  // unset, 64 kbit/s stereo would become 24 kHz
    lame_set_num_channels(lame, format.channels);
    lame_set_mode(lame, format.channels == 1 ? MONO : JOINT_STEREO);
    lame_set_VBR(lame, vbr_off);
    lame_set_brate(lame, format.kbps);
    lame_set_quality(lame, format.quality);
    lame_set_disable_reservoir(lame, 1);
    lame_set_bWriteVbrTag(lame, 0);
    lame_set_write_id3tag_automatic(lame, 0);
    if (format.kbps <= kLevelCorrectedKbps) lame_set_scale(lame, kLevelCorrection);
}

/// LAME asserts, and so ends the process, on NaN, infinity and absurd levels. 24 dB over full scale is far above what a
/// decoder or a mix makes.
constexpr float kLoudest = 16;
bool sane(float x) {
    return std::abs(x) <= kLoudest;
}
float made_sane(float x) {
    return std::isnan(x) ? 0 : std::clamp(x, -kLoudest, kLoudest);
}

/// LAME fills tables shared by all encoders while it starts, without a lock.
int start(lame_t lame) {
    static std::mutex mutex;
    const std::scoped_lock lock(mutex);
    return lame_init_params(lame);
}

}  // namespace

struct Mp3Encoder::Impl {
    struct Close {
        void operator()(lame_t owned) const noexcept { lame_close(owned); }
    };
    Mp3Format format;
    std::unique_ptr<lame_global_flags, Close> lame;
    std::vector<float> repaired;  // scratch
};

Mp3Encoder::Mp3Encoder(const Mp3Format& format)
    : impl_(std::make_unique<Impl>(Impl{format, std::unique_ptr<lame_global_flags, Impl::Close>(lame_init()), {}})) {
    configure(impl_->lame.get(), format);
    [[maybe_unused]] const int error = start(impl_->lame.get());
    assert(error >= 0 && "a format that LAME does not have");
}

Mp3Encoder::Mp3Encoder(Mp3Encoder&&) noexcept = default;
Mp3Encoder& Mp3Encoder::operator=(Mp3Encoder&&) noexcept = default;
Mp3Encoder::~Mp3Encoder() = default;

void Mp3Encoder::encode(std::span<const float> pcm, std::vector<std::uint8_t>& frames) {
    const auto channels = static_cast<std::size_t>(impl_->format.channels);
    constexpr auto kSamples = static_cast<int>(kMp3FrameSamples);
    assert(pcm.size() == channels * static_cast<std::size_t>(kMp3FrameSamples));
    if (!std::ranges::all_of(pcm, sane)) {
        impl_->repaired.assign(pcm.begin(), pcm.end());
        std::ranges::transform(pcm, impl_->repaired.begin(), made_sane);
        pcm = impl_->repaired;
    }
    constexpr int kRoom = 7200 + kSamples * 5 / 4;  // lame.h's worst case
    const std::size_t before = frames.size();
    frames.resize(before + kRoom);
    auto* const lame = impl_->lame.get();
    auto* const out = frames.data() + before;
    const int bytes = channels == 1 ? lame_encode_buffer_ieee_float(lame, pcm.data(), pcm.data(), kSamples, out, kRoom)
                                    : lame_encode_buffer_interleaved_ieee_float(lame, pcm.data(), kSamples, out, kRoom);
    assert(bytes >= 0 && static_cast<std::size_t>(bytes) % impl_->format.frame_bytes() == 0);
    frames.resize(before + static_cast<std::size_t>(bytes < 0 ? 0 : bytes));
}

}  // namespace lestapenna::audio
