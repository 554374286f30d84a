// MP3 in frames: an encoder that gives one frame per 1152 samples, a decoder that takes them, and the two frames that
// need no encoder (Info, silence). Thin over libmp3lame 3.100 and libmpg123 1.31. Layout and delays:
// ../shared/reference/audio.md section A, docs/architecture.md section 7.
//
// Sample 0 of what is fed to a fresh encoder comes out of a decoder as sample kDecodedDelay. No bit reservoir, CBR:
// every frame has the same size and stands alone but for the overlap with its neighbour.
// Thread: an object belongs to one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace lestapenna::audio {

inline constexpr std::int64_t kMp3FrameSamples = 1152;  ///< 24 ms at 48 kHz
inline constexpr std::int64_t kMp3EncoderDelay = 576;   ///< what the Info frame declares
inline constexpr std::int64_t kMp3DecodedDelay = 1105;  ///< 576 + 528 + 1

struct Mp3Format {
    int kbps = 64;
    int channels = 1;
    int quality = 3;  ///< LAME's -q
    /// 24 ms at 48 kHz.
    [[nodiscard]] std::size_t frame_bytes() const { return static_cast<std::size_t>(kbps) * 3; }
    auto operator<=>(const Mp3Format&) const = default;
};
inline constexpr Mp3Format kTrackMp3{64, 1, 3};
inline constexpr Mp3Format kMasterMp3{128, 1, 5};

/// How many frames n samples make in our files: ceil(n / 1152) + 1; the last one carries the decoder's delay.
constexpr std::int64_t mp3_frames(Samples n) {
    return (n.count() + kMp3FrameSamples - 1) / kMp3FrameSamples + 1;
}

class Mp3Encoder {
  public:
    explicit Mp3Encoder(const Mp3Format& format);
    Mp3Encoder(Mp3Encoder&&) noexcept;
    Mp3Encoder& operator=(Mp3Encoder&&) noexcept;
    ~Mp3Encoder();

    /// Feeds exactly one frame (kMp3FrameSamples per channel, interleaved, full scale 1.0, level-corrected so that the
    /// decoded level equals the fed one) and appends what LAME gives out, whole frames only, to `frames`. Frame 0 of
    /// the output belongs to the first samples fed; it comes out after a few calls. To end, feed zeros until the last
    /// wanted frame is out.
    void encode(std::span<const float> pcm, std::vector<std::uint8_t>& frames);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// A whole frame that decodes to exact zeros after zeros. The same bytes each time.
const std::vector<std::uint8_t>& silent_frame(const Mp3Format& format);

/// The header frame that makes `frames` frames (without itself) play as exactly `length` samples: an Info frame with
/// the LAME extension, delay 576, padding 529 + frames * 1152 - 1105 - length. Fails an assert when the padding leaves
/// 0..4095.
std::vector<std::uint8_t> info_frame(const Mp3Format& format, std::int64_t frames, Samples length);

/// Decodes bare frames as they come, without trimming: output sample 0 is the first frame's first sample.
class Mp3Decoder {
  public:
    explicit Mp3Decoder(int channels = 1);
    Mp3Decoder(Mp3Decoder&&) noexcept;
    Mp3Decoder& operator=(Mp3Decoder&&) noexcept;
    ~Mp3Decoder();
    /// Decodes whole frames of one format and appends interleaved floats: frames * 1152 * channels of them.
    Status decode(std::span<const std::uint8_t> frames, std::vector<float>& pcm);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

struct Mp3Audio {
    int channels = 1;
    std::vector<float> pcm;  ///< interleaved, 48 kHz, trimmed as the file's Info frame says
};
/// A whole MP3 file as a player would play it (gapless). Small files and tests; damaged input is an error.
Result<Mp3Audio> decode_mp3(std::span<const std::uint8_t> file);

}  // namespace lestapenna::audio
