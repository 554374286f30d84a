// Opus packets: what they hold, decoding to float, encoding (for simulated players). Thin over libopus 1.3.
// Thread: an object belongs to one thread at a time. No input makes these crash; what can not be decoded gives false/0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/time.h"

namespace lestapenna::audio {

inline constexpr Samples kMaxOpusPacket{5'760};  ///< 120 ms (RFC 6716 section 2.1.4)
inline constexpr Samples kOpusLookahead{312};    ///< libopus 1.3.1, voip and audio alike (measured)

/// How much audio a packet holds by its TOC, 2.5 to 120 ms; nothing for bytes that are no Opus packet.
std::optional<Samples> opus_duration(std::span<const std::uint8_t> packet);
/// `F8 FF FE`: what a client sends, five times, when it stops talking.
bool is_silence_frame(std::span<const std::uint8_t> packet);
/// Whether the packet carries a copy of the one before it (LBRR, RFC 6716 section 4.2.4), so that recover() is better
/// than PLC.
bool has_fec(std::span<const std::uint8_t> packet);

/// One channel, float, 48 kHz; stereo packets are mixed down by the decoder itself. Copying copies the whole decoder
/// state: the copy continues bit for bit like the original.
class OpusDecoder {
  public:
    OpusDecoder();
    OpusDecoder(const OpusDecoder& other);
    OpusDecoder& operator=(const OpusDecoder& other);
    OpusDecoder(OpusDecoder&&) noexcept;
    OpusDecoder& operator=(OpusDecoder&&) noexcept;
    ~OpusDecoder();

    /// Decodes into `out` (at least kMaxOpusPacket long). Returns the samples written; 0 when the packet is corrupt
    /// (the decoder can go on with the next one).
    Samples decode(std::span<const std::uint8_t> packet, std::span<float> out);
    /// Packet loss concealment for `out.size()` samples, a multiple of 120 up to kMaxOpusPacket. False if it can not.
    bool conceal(std::span<float> out);
    /// The in-band FEC copy that `next` carries of what came before it; PLC where it carries none. Same lengths.
    bool recover(std::span<const std::uint8_t> next, std::span<float> out);

  private:
    struct Free {
        void operator()(void* state) const noexcept;
    };
    std::unique_ptr<void, Free> state_;
};

struct OpusEncoderOptions {
    int channels = 2;  ///< Discord clients send stereo, mostly with L = R
    int bitrate = 64'000;
    bool voip = true;
    int expected_loss_percent = 0;  ///< > 0 turns in-band FEC on
};

class OpusEncoder {
  public:
    explicit OpusEncoder(const OpusEncoderOptions& options = {});
    OpusEncoder(OpusEncoder&&) noexcept;
    OpusEncoder& operator=(OpusEncoder&&) noexcept;
    ~OpusEncoder();
    /// One packet from a mono frame of 2.5, 5, 10, 20, 40, 60, 80, 100 or 120 ms (L = R when the encoder is stereo).
    std::vector<std::uint8_t> encode(std::span<const float> mono);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace lestapenna::audio
