// The two frames that need no encoder. Layout: ISO 11172-3 section 2.4.1.3 (header), ../shared/reference/audio.md A1
// (Info).
#include <algorithm>
#include <array>
#include <cassert>
#include <map>
#include <mutex>
#include <string_view>

#include "audio/mp3.h"
#include "audio/mp3_header.h"

namespace lestapenna::audio {

namespace {

constexpr std::size_t kHeaderBytes = 4;
constexpr std::size_t kTocBytes = 100;

std::size_t side_info_bytes(const Mp3Format& format) {
    return format.channels == 1 ? 17 : 32;
}

/// MPEG 1 layer III without CRC, 48 kHz, "original" as LAME sets it; mono or joint stereo (left/right in this frame).
std::array<std::uint8_t, kHeaderBytes> header(const Mp3Format& format) {
    const auto* const rate = std::ranges::find(kMp3Kbps, static_cast<std::size_t>(format.kbps));
    assert(rate != kMp3Kbps.end());
    const auto rate_index = static_cast<unsigned>(rate - kMp3Kbps.begin());
    constexpr unsigned kSampleRate48k = 1;
    const unsigned mode = format.channels == 1 ? 3 : 1;
    return {0xFF, 0xFB, static_cast<std::uint8_t>(rate_index << 4 | kSampleRate48k << 2),
            static_cast<std::uint8_t>(mode << 6 | 1U << 2)};
}

std::vector<std::uint8_t> empty_frame(const Mp3Format& format) {
    std::vector<std::uint8_t> frame(format.frame_bytes());
    std::ranges::copy(header(format), frame.begin());
    return frame;
}

/// CRC-16/ARC, as LAME signs its tag: x^16 + x^15 + x^2 + 1, reflected, starting at 0.
std::uint16_t crc16(std::span<const std::uint8_t> bytes) {
    unsigned crc = 0;
    for (const std::uint8_t byte : bytes) {
        crc ^= byte;
        for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? crc >> 1 ^ 0xA001U : crc >> 1;
    }
    return static_cast<std::uint16_t>(crc);
}

/// Writes big-endian fields one after the other into a frame that is zero already.
class Fields {
  public:
    Fields(std::vector<std::uint8_t>& frame, std::size_t at) : frame_(frame), at_(at) {}
    void text(std::string_view value) {
        for (const char c : value) put<1>(static_cast<std::uint8_t>(c));
    }
    template <int kBytes>
    void put(std::uint64_t value) {
        for (int shift = 8 * (kBytes - 1); shift >= 0; shift -= 8) {
            frame_.at(at_++) = static_cast<std::uint8_t>(value >> shift);
        }
    }
    void skip(std::size_t bytes) { at_ += bytes; }
    [[nodiscard]] std::span<const std::uint8_t> written() const { return std::span(frame_).first(at_); }

  private:
    std::vector<std::uint8_t>& frame_;
    std::size_t at_;
};

}  // namespace

const std::vector<std::uint8_t>& silent_frame(const Mp3Format& format) {
    // All zero behind the header: main_data_begin 0, no scale factors, no coefficients, in both granules.
    static std::mutex mutex;
    static std::map<Mp3Format, std::vector<std::uint8_t>> frames;
    const std::scoped_lock lock(mutex);
    auto& frame = frames[format];
    if (frame.empty()) frame = empty_frame(format);
    return frame;
}

std::vector<std::uint8_t> info_frame(const Mp3Format& format, std::int64_t frames, Samples length) {
    constexpr std::int64_t kDecoderDelay = kMp3DecodedDelay - kMp3EncoderDelay;  // 529, which players add to both ends
    const std::int64_t padding = kDecoderDelay + frames * kMp3FrameSamples - kMp3DecodedDelay - length.count();
    assert(padding >= 0 && padding <= 4095);
    const auto bytes = static_cast<std::uint64_t>(frames + 1) * format.frame_bytes();

    auto frame = empty_frame(format);
    Fields out(frame, kHeaderBytes + side_info_bytes(format));
    out.text("Info");
    out.put<4>(0xF);  // frames, bytes, table of contents and quality follow
    out.put<4>(static_cast<std::uint64_t>(frames));
    out.put<4>(bytes);
    for (std::size_t percent = 0; percent < kTocBytes; ++percent)
        out.put<1>(percent * 256 / 100);                          // CBR: a straight line
    out.put<4>(static_cast<std::uint64_t>(60 - format.quality));  // LAME's 100 - 10 * V - q at its default V 4
    // The LAME extension. FFmpeg trims only behind the name of an encoder that it knows.
    out.text("LAME3.100");
    out.put<1>(1);        // tag revision 0, method 1: CBR
    out.put<1>(0);        // low-pass: not stated
    out.skip(4 + 2 + 2);  // peak and replay gains: not stated
    out.put<1>(0);        // encoder flags, ATH
    out.put<1>(static_cast<std::uint64_t>(std::min(format.kbps, 255)));
    out.put<3>(static_cast<std::uint64_t>(kMp3EncoderDelay << 12 | padding));
    out.put<1>(2U << 6 | (format.channels == 1 ? 0U : 3U) << 2);  // source at 48 kHz; mono or joint stereo
    out.put<1>(0);                                                // MP3 gain
    out.put<2>(0);                                                // preset
    out.put<4>(bytes);
    out.put<2>(0);  // CRC of the music: it would need the whole file; decoders do not look (audio.md A1, measured)
    out.put<2>(crc16(out.written()));
    return frame;
}

}  // namespace lestapenna::audio
