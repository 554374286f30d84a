#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "audio/mp3.h"
#include "audio/mp3_header.h"

namespace lestapenna::audio {

namespace {

constexpr long kRate = static_cast<long>(kSampleRate);

void append(std::vector<float>& pcm, const unsigned char* bytes, std::size_t size) {
    const std::size_t before = pcm.size();
    pcm.resize(before + size / sizeof(float));
    if (size >= sizeof(float)) std::memcpy(pcm.data() + before, bytes, size / sizeof(float) * sizeof(float));
}

/// Bytes of a frame by its header: MPEG 1 layer III, 48 kHz; nothing for anything else.
std::optional<std::size_t> frame_bytes(std::span<const std::uint8_t> frame) {
    const auto header = parse_mp3_header(frame);
    if (!header || !header->mpeg1 || header->rate != kRate) return std::nullopt;
    return header->bytes;
}

}  // namespace

struct Mp3Decoder::Impl {
    int channels = 1;
    Mpg123 handle;
};

Mp3Decoder::Mp3Decoder(int channels) : impl_(std::make_unique<Impl>()) {
    impl_->channels = channels;
    impl_->handle = new_frame_decoder(static_cast<int>(kRate), channels);
}

Mp3Decoder::Mp3Decoder(Mp3Decoder&&) noexcept = default;
Mp3Decoder& Mp3Decoder::operator=(Mp3Decoder&&) noexcept = default;
Mp3Decoder::~Mp3Decoder() = default;

Status Mp3Decoder::decode(std::span<const std::uint8_t> frames, std::vector<float>& pcm) {
    if (frames.empty()) return Ok{};
    const auto size = frame_bytes(frames);
    if (!size || frames.size() % *size != 0) return Error{ErrorKind::damaged, "not whole MP3 frames at 48 kHz"};
    const std::size_t samples =
        frames.size() / *size * static_cast<std::size_t>(kMp3FrameSamples) * static_cast<std::size_t>(impl_->channels);
    const std::size_t expected = pcm.size() + samples;
    auto* const handle = impl_->handle.get();
    int result = mpg123_feed(handle, frames.data(), frames.size());
    while (result == MPG123_OK || result == MPG123_NEW_FORMAT) {
        off_t number = 0;
        unsigned char* audio = nullptr;
        std::size_t bytes = 0;
        result = mpg123_decode_frame(handle, &number, &audio, &bytes);
        if (audio != nullptr) append(pcm, audio, bytes);
    }
    if (result == MPG123_NEED_MORE && pcm.size() == expected) return Ok{};
    return Error{ErrorKind::damaged, std::string("damaged MP3 frame: ") + mpg123_strerror(handle)};
}

namespace {

/// The bytes of a file in memory, in the shape mpg123 reads through.
struct Memory {
    std::span<const std::uint8_t> bytes;
    std::size_t at = 0;

    static ssize_t read(void* self, void* out, std::size_t size) {
        auto& memory = *static_cast<Memory*>(self);
        const std::size_t got = std::min(size, memory.bytes.size() - memory.at);
        if (got > 0) std::memcpy(out, memory.bytes.data() + memory.at, got);
        memory.at += got;
        return static_cast<ssize_t>(got);
    }
    static off_t seek(void* self, off_t offset, int whence) {
        auto& memory = *static_cast<Memory*>(self);
        const auto size = static_cast<off_t>(memory.bytes.size());
        const off_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? static_cast<off_t>(memory.at) : size;
        if (base + offset < 0 || base + offset > size) {
            errno = EINVAL;
            return -1;
        }
        memory.at = static_cast<std::size_t>(base + offset);
        return base + offset;
    }
};

Error damaged(mpg123_handle* handle) {
    return {ErrorKind::damaged, std::string("not an MP3 file that can be decoded: ") + mpg123_strerror(handle)};
}

}  // namespace

Result<Mp3Audio> decode_mp3(std::span<const std::uint8_t> file) {
    Memory memory{file};
    const Mpg123 owner = new_mpg123(MPG123_GAPLESS, 0);
    auto* const handle = owner.get();
    mpg123_format_none(handle);
    mpg123_format(handle, kRate, MPG123_MONO | MPG123_STEREO, MPG123_ENC_FLOAT_32);
    mpg123_replace_reader_handle(handle, Memory::read, Memory::seek, nullptr);
    long rate = 0;
    int encoding = 0;
    Mp3Audio audio;
    if (mpg123_open_handle(handle, &memory) != MPG123_OK) return damaged(handle);
    if (mpg123_getformat(handle, &rate, &audio.channels, &encoding) != MPG123_OK) return damaged(handle);
    if (rate != kRate)
        return Error{ErrorKind::failed, "an MP3 file at " + std::to_string(rate) + " Hz; 48000 is needed"};
    for (;;) {
        off_t number = 0;
        unsigned char* bytes = nullptr;
        std::size_t size = 0;
        const int result = mpg123_decode_frame(handle, &number, &bytes, &size);
        if (bytes != nullptr) append(audio.pcm, bytes, size);
        if (result == MPG123_DONE) return audio;
        if (result != MPG123_OK && result != MPG123_NEW_FORMAT) return damaged(handle);
    }
}

}  // namespace lestapenna::audio
