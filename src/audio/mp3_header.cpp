#include "audio/mp3_header.h"

#include <cassert>

namespace lestapenna::audio {

namespace {

constexpr std::array<std::size_t, 16> kKbpsOfMpeg2{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0};
constexpr std::array<int, 4> kRates{44'100, 48'000, 32'000, 0};

}  // namespace

std::optional<Mp3Header> parse_mp3_header(std::span<const std::uint8_t> bytes) {
    if (bytes.size() < 4 || bytes[0] != 0xFF || (bytes[1] & 0xE0) != 0xE0) return std::nullopt;
    const unsigned version = bytes[1] >> 3 & 3U;  // 3: MPEG 1, 2: MPEG 2, 0: MPEG 2.5
    const unsigned layer = bytes[1] >> 1 & 3U;    // 1: layer III
    if (version == 1 || layer != 1) return std::nullopt;
    Mp3Header header;
    header.mpeg1 = version == 3;
    header.channels = (bytes[3] >> 6) == 3 ? 1 : 2;
    const std::size_t kbps = (header.mpeg1 ? kMp3Kbps : kKbpsOfMpeg2)[bytes[2] >> 4];
    const int rate = kRates[bytes[2] >> 2 & 3U];
    if (kbps == 0 || rate == 0) return std::nullopt;
    header.rate = rate / (version == 3 ? 1 : version == 2 ? 2 : 4);
    const std::size_t padding = bytes[2] >> 1 & 1U;
    header.bytes = static_cast<std::size_t>(header.samples()) / 8 * kbps * 1000 / static_cast<std::size_t>(header.rate);
    header.bytes += padding;
    return header;
}

Mpg123 new_mpg123(long add_flags, long remove_flags) {
    Mpg123 handle(mpg123_new(nullptr, nullptr));  // since 1.27 mpg123 needs no global start
    assert(handle);
    mpg123_param(handle.get(), MPG123_ADD_FLAGS, MPG123_QUIET | MPG123_FORCE_FLOAT | add_flags, 0);
    mpg123_param(handle.get(), MPG123_REMOVE_FLAGS, MPG123_AUTO_RESAMPLE | remove_flags, 0);
    mpg123_param(handle.get(), MPG123_RVA, MPG123_RVA_OFF, 0);
    return handle;
}

Mpg123 new_frame_decoder(int rate, int channels) {
    // A frame is decoded once it is whole, without waiting for the next header, and an Info frame too.
    const long flags = MPG123_IGNORE_INFOFRAME | MPG123_NO_READAHEAD | MPG123_NO_RESYNC;
    Mpg123 handle = new_mpg123(channels == 1 ? flags | MPG123_MONO_MIX : flags, MPG123_GAPLESS);
    mpg123_format_none(handle.get());
    mpg123_format(handle.get(), rate, channels == 1 ? MPG123_MONO : MPG123_STEREO, MPG123_ENC_FLOAT_32);
    [[maybe_unused]] const int error = mpg123_open_feed(handle.get());
    assert(error == MPG123_OK);
    return handle;
}

}  // namespace lestapenna::audio
