#include "audio/opus.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdlib>
#include <cstring>
#include <new>

#include <opus.h>

namespace lestapenna::audio {

namespace {

constexpr int kPlcStep = 120;  // 2.5 ms: libopus conceals multiples of it only (100 and 961 samples give -1, measured)

// libopus keeps a decoder in one block of this size that holds offsets and no pointers into itself, so that memcpy
// makes a decoder (opus.h: the state may be copied). The tests hold it to that at every packet of three streams.
std::size_t state_bytes() {
    static const auto bytes = static_cast<std::size_t>(opus_decoder_get_size(1));
    return bytes;
}

void* new_state() {
    void* state = std::malloc(state_bytes());
    if (state == nullptr) throw std::bad_alloc();
    return state;
}

::OpusDecoder* decoder(const auto& state) {
    assert(state && "a moved-from decoder");
    return static_cast<::OpusDecoder*>(state.get());
}

bool concealable(std::size_t samples) {
    return samples > 0 && samples % kPlcStep == 0 && samples <= static_cast<std::size_t>(kMaxOpusPacket.count());
}

/// The first Opus frame of a packet whose lengths add up: the TOC alone would pass packets that the decoder then
/// refuses.
std::optional<std::span<const std::uint8_t>> first_frame(std::span<const std::uint8_t> packet) {
    if (packet.empty()) return std::nullopt;
    std::array<const unsigned char*, 48> frames{};
    std::array<opus_int16, 48> sizes{};
    const int count = opus_packet_parse(packet.data(), static_cast<opus_int32>(packet.size()), nullptr, frames.data(),
                                        sizes.data(), nullptr);
    if (count < 1) return std::nullopt;
    return std::span(frames[0], static_cast<std::size_t>(sizes[0]));
}

}  // namespace

std::optional<Samples> opus_duration(std::span<const std::uint8_t> packet) {
    if (!first_frame(packet)) return std::nullopt;
    const int samples = opus_packet_get_nb_samples(packet.data(), static_cast<opus_int32>(packet.size()),
                                                   static_cast<int>(kSampleRate));
    return samples > 0 ? std::optional(Samples{samples}) : std::nullopt;
}

bool is_silence_frame(std::span<const std::uint8_t> packet) {
    constexpr std::array<std::uint8_t, 3> kSilence{0xF8, 0xFF, 0xFE};
    return std::ranges::equal(packet, kSilence);
}

bool has_fec(std::span<const std::uint8_t> packet) {
    const auto frame = first_frame(packet);
    if (!frame || frame->empty()) return false;
    constexpr unsigned kCelt = 0x80;  // configurations 16 to 31, which have no such copy
    if ((packet[0] & kCelt) != 0) return false;
    // The first bits of a SILK frame have even odds and so lie bare in its first byte (RFC 6716 sections 4.2.3, 4.2.4):
    // a voice flag for each 20 ms, then the flag asked for; in stereo the same again for the side.
    const int frame_samples = opus_packet_get_samples_per_frame(packet.data(), static_cast<int>(kSampleRate));
    const int voice_flags = std::max(frame_samples / 960, 1);
    const unsigned flags = frame->front();
    const bool mid = (flags >> (7 - voice_flags) & 1) != 0;
    const bool stereo = opus_packet_get_nb_channels(packet.data()) == 2;
    return mid || (stereo && (flags >> (6 - 2 * voice_flags) & 1) != 0);
}

void OpusDecoder::Free::operator()(void* state) const noexcept {
    std::free(state);
}

OpusDecoder::OpusDecoder() : state_(new_state()) {
    [[maybe_unused]] const int error = opus_decoder_init(decoder(state_), static_cast<opus_int32>(kSampleRate), 1);
    assert(error == OPUS_OK);
}

OpusDecoder::OpusDecoder(const OpusDecoder& other) : state_(new_state()) {
    std::memcpy(state_.get(), decoder(other.state_), state_bytes());
}

OpusDecoder& OpusDecoder::operator=(const OpusDecoder& other) {
    if (this == &other) return *this;
    if (!state_) state_.reset(new_state());
    std::memcpy(state_.get(), decoder(other.state_), state_bytes());
    return *this;
}

OpusDecoder::OpusDecoder(OpusDecoder&&) noexcept = default;
OpusDecoder& OpusDecoder::operator=(OpusDecoder&&) noexcept = default;
OpusDecoder::~OpusDecoder() = default;

Samples OpusDecoder::decode(std::span<const std::uint8_t> packet, std::span<float> out) {
    assert(out.size() >= static_cast<std::size_t>(kMaxOpusPacket.count()));
    if (packet.empty()) return Samples{0};  // libopus would take it as a request for concealment
    const int samples = opus_decode_float(decoder(state_), packet.data(), static_cast<opus_int32>(packet.size()),
                                          out.data(), static_cast<int>(kMaxOpusPacket.count()), 0);
    return Samples{std::max(samples, 0)};
}

bool OpusDecoder::conceal(std::span<float> out) {
    if (!concealable(out.size())) return false;
    const int wanted = static_cast<int>(out.size());
    return opus_decode_float(decoder(state_), nullptr, 0, out.data(), wanted, 0) == wanted;
}

bool OpusDecoder::recover(std::span<const std::uint8_t> next, std::span<float> out) {
    if (next.empty() || !concealable(out.size())) return false;
    const int wanted = static_cast<int>(out.size());
    return opus_decode_float(decoder(state_), next.data(), static_cast<opus_int32>(next.size()), out.data(), wanted,
                             1) == wanted;
}

struct OpusEncoder::Impl {
    struct Destroy {
        void operator()(::OpusEncoder* owned) const noexcept { opus_encoder_destroy(owned); }
    };
    std::unique_ptr<::OpusEncoder, Destroy> encoder;
    int channels = 1;
    std::vector<float> stereo;  // scratch: the mono frame twice
};

OpusEncoder::OpusEncoder(const OpusEncoderOptions& options) : impl_(std::make_unique<Impl>()) {
    int error = OPUS_OK;
    impl_->channels = options.channels;
    impl_->encoder.reset(opus_encoder_create(static_cast<opus_int32>(kSampleRate), options.channels,
                                             options.voip ? OPUS_APPLICATION_VOIP : OPUS_APPLICATION_AUDIO, &error));
    assert(error == OPUS_OK && impl_->encoder);
    auto* const encoder = impl_->encoder.get();
    opus_encoder_ctl(encoder, OPUS_SET_BITRATE(options.bitrate));
    opus_encoder_ctl(encoder, OPUS_SET_INBAND_FEC(options.expected_loss_percent > 0 ? 1 : 0));
    opus_encoder_ctl(encoder, OPUS_SET_PACKET_LOSS_PERC(options.expected_loss_percent));
}

OpusEncoder::OpusEncoder(OpusEncoder&&) noexcept = default;
OpusEncoder& OpusEncoder::operator=(OpusEncoder&&) noexcept = default;
OpusEncoder::~OpusEncoder() = default;

std::vector<std::uint8_t> OpusEncoder::encode(std::span<const float> mono) {
    const float* pcm = mono.data();
    if (impl_->channels == 2) {
        impl_->stereo.clear();
        for (const float sample : mono) impl_->stereo.insert(impl_->stereo.end(), 2, sample);
        pcm = impl_->stereo.data();
    }
    std::vector<std::uint8_t> packet(6 * 1275 + 12);  // six 20 ms frames of the largest size, with their lengths
    const opus_int32 bytes = opus_encode_float(impl_->encoder.get(), pcm, static_cast<int>(mono.size()), packet.data(),
                                               static_cast<opus_int32>(packet.size()));
    assert(bytes > 0 && "a frame length that Opus does not have");
    packet.resize(static_cast<std::size_t>(std::max(bytes, 0)));
    return packet;
}

}  // namespace lestapenna::audio
