// What encoder-free frames and the decoders know of an MPEG layer III header (ISO 11172-3 and 13818-3 section 2.4.2.3).
// Private to audio/.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include <mpg123.h>

namespace lestapenna::audio {

/// Bit rates of MPEG 1 by their index in the header; 0 where there is none (index 0 is "free", 15 is forbidden).
inline constexpr std::array<std::size_t, 16> kMp3Kbps{0,   32,  40,  48,  56,  64,  80,  96,
                                                      112, 128, 160, 192, 224, 256, 320, 0};

/// A frame of any MP3 file: MPEG 1, 2 or 2.5.
struct Mp3Header {
    int rate = 0;  ///< Hz
    int channels = 0;
    std::size_t bytes = 0;  ///< of the whole frame
    bool mpeg1 = true;
    [[nodiscard]] std::int64_t samples() const { return mpeg1 ? 1152 : 576; }
    /// Where an Info frame's words begin.
    [[nodiscard]] std::size_t side_end() const {
        const std::size_t side = mpeg1 ? (channels == 1 ? 17 : 32) : (channels == 1 ? 9 : 17);
        return 4 + side;
    }
    /// May both be of one stream?
    [[nodiscard]] bool like(const Mp3Header& other) const {
        return rate == other.rate && mpeg1 == other.mpeg1 && (channels == 1) == (other.channels == 1);
    }
};
/// Nothing for what is no header of a layer III frame. `bytes`: at least 4.
std::optional<Mp3Header> parse_mp3_header(std::span<const std::uint8_t> bytes);

struct Mpg123Delete {
    void operator()(mpg123_handle* handle) const noexcept { mpg123_delete(handle); }
};
using Mpg123 = std::unique_ptr<mpg123_handle, Mpg123Delete>;

/// Quiet, floats, no resampling, no volume tags; these flags more, those less.
Mpg123 new_mpg123(long add_flags, long remove_flags);
/// One that is fed bare frames and takes each as music, whole as soon as it is there; with one channel it gives the
/// middle of a stereo stream.
Mpg123 new_frame_decoder(int rate, int channels);

}  // namespace lestapenna::audio
