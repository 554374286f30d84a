#include "audio/files.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <string_view>
#include <system_error>

#include <sndfile.h>

#include "audio/resample.h"

namespace lestapenna::audio {

namespace {

struct Close {
    void operator()(SNDFILE* file) const noexcept { sf_close(file); }
};
using File = std::unique_ptr<SNDFILE, Close>;

constexpr std::size_t kBlock = 4096;  // samples converted or read at a time

int sndfile_format(SampleFormat format) {
    switch (format) {
        case SampleFormat::wav_float:
            return SF_FORMAT_RF64 | SF_FORMAT_FLOAT;
        case SampleFormat::wav_16:
            return SF_FORMAT_RF64 | SF_FORMAT_PCM_16;
        case SampleFormat::flac_16:
            return SF_FORMAT_FLAC | SF_FORMAT_PCM_16;
    }
    return 0;
}

/// libsndfile scales WAV by 32767 and FLAC by 32768; we round ourselves, so that both hold the same numbers.
short to_16_bit(float sample) {
    const float scaled = std::clamp(sample * 32768.0F, -32768.0F, 32767.0F);
    return static_cast<short>(std::lrint(std::isnan(scaled) ? 0.0F : scaled));
}

/// A float WAV has a PEAK chunk with the time of day in it, which libsndfile 1.2 does not leave out of an RF64. The
/// same samples must make the same bytes, so the time becomes 0. Chunk: "PEAK", size, version, time.
bool erase_time_of_day(const std::filesystem::path& path) {
    constexpr std::string_view kChunk = "PEAK";
    constexpr std::size_t kTimeOffset = 12;
    std::array<char, 256> head{};  // the chunk is at byte 104
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.read(head.data(), head.size());
    file.clear();
    const auto at = std::string_view(head.data(), head.size()).find(kChunk);
    if (at == std::string_view::npos) return true;
    file.seekp(static_cast<std::streamoff>(at + kTimeOffset));
    file.write("\0\0\0\0", 4);
    file.close();
    return file.good();
}

}  // namespace

struct AudioFileWriter::Impl {
    std::filesystem::path path;
    SampleFormat format = SampleFormat::wav_float;
    File file;

    [[nodiscard]] Error error() const {
        return {ErrorKind::failed, "cannot write " + path.string() + ": " + sf_strerror(file.get()) +
                                       "; check the free space and the permissions of the folder"};
    }
};

AudioFileWriter::AudioFileWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AudioFileWriter::AudioFileWriter(AudioFileWriter&&) noexcept = default;
AudioFileWriter& AudioFileWriter::operator=(AudioFileWriter&&) noexcept = default;
AudioFileWriter::~AudioFileWriter() = default;

Result<AudioFileWriter> AudioFileWriter::create(const std::filesystem::path& path, SampleFormat format, int channels) {
    SF_INFO info{};
    info.samplerate = static_cast<int>(kSampleRate);
    info.channels = channels;
    info.format = sndfile_format(format);
    auto impl = std::make_unique<Impl>(Impl{path, format, File(sf_open(path.c_str(), SFM_WRITE, &info))});
    if (!impl->file) return impl->error();
    // Plain WAV while it fits, RF64 beyond 4 GiB.
    if (format != SampleFormat::flac_16) sf_command(impl->file.get(), SFC_RF64_AUTO_DOWNGRADE, nullptr, SF_TRUE);
    return AudioFileWriter(std::move(impl));
}

Status AudioFileWriter::write(std::span<const float> interleaved) {
    auto* const file = impl_->file.get();
    if (impl_->format == SampleFormat::wav_float) {
        const auto size = static_cast<sf_count_t>(interleaved.size());
        if (sf_write_float(file, interleaved.data(), size) != size) return impl_->error();
        return Ok{};
    }
    std::array<short, kBlock> block;
    while (!interleaved.empty()) {
        const auto part = interleaved.first(std::min(interleaved.size(), block.size()));
        std::ranges::transform(part, block.begin(), to_16_bit);
        const auto size = static_cast<sf_count_t>(part.size());
        if (sf_write_short(file, block.data(), size) != size) return impl_->error();
        interleaved = interleaved.subspan(part.size());
    }
    return Ok{};
}

Status AudioFileWriter::flush() {
    auto* const file = impl_->file.get();
    sf_command(file, SFC_UPDATE_HEADER_NOW, nullptr, 0);
    return sf_error(file) == SF_ERR_NO_ERROR ? Status(Ok{}) : impl_->error();
}

Status AudioFileWriter::close() {
    const auto& path = impl_->path;
    const auto failed = [&path](const std::string& why) {
        return Error{ErrorKind::failed, "cannot finish " + path.string() + ": " + why};
    };
    if (const int error = sf_close(impl_->file.release()); error != SF_ERR_NO_ERROR) {
        return failed(sf_error_number(error));
    }
    if (impl_->format == SampleFormat::wav_float && !erase_time_of_day(path)) return failed(std::strerror(errno));
    return Ok{};
}

Result<AudioFile> read_audio_file(const std::filesystem::path& path) {
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(path, ignored)) {
        return Error{ErrorKind::not_found, "there is no audio file at " + path.string()};
    }
    SF_INFO info{};
    const File file(sf_open(path.c_str(), SFM_READ, &info));
    if (!file) {
        return Error{ErrorKind::damaged, path.string() + " is not audio that can be read: " + sf_strerror(nullptr)};
    }
    AudioFile audio{info.samplerate, info.channels, {}};
    // The header's length is not trusted with memory: what is read decides.
    const auto channels = static_cast<std::size_t>(info.channels);
    std::vector<float> block(kBlock * channels);
    for (;;) {
        const auto frames = sf_readf_float(file.get(), block.data(), kBlock);
        if (frames <= 0) break;
        const auto samples = static_cast<std::size_t>(frames) * channels;
        for (std::size_t i = 0; i < samples; ++i) audio.pcm.push_back(std::isfinite(block[i]) ? block[i] : 0.0F);
    }
    if (sf_error(file.get()) != SF_ERR_NO_ERROR) {
        return Error{ErrorKind::damaged, path.string() + " is damaged: " + sf_strerror(file.get())};
    }
    return audio;
}

Result<std::vector<float>> read_mono_48k(const std::filesystem::path& path) {
    auto audio = read_audio_file(path);
    if (!audio) return audio.error();
    const auto channels = static_cast<std::size_t>(audio->channels);
    if (channels == 1 && audio->sample_rate == kSampleRate) return std::move(audio->pcm);
    std::vector<float> mono(audio->pcm.size() / channels);
    for (std::size_t i = 0; i < mono.size(); ++i) {
        float sum = 0;
        for (std::size_t c = 0; c < channels; ++c) sum += audio->pcm[i * channels + c];
        mono[i] = sum / static_cast<float>(channels);
    }
    return resample_to_48k(mono, audio->sample_rate);
}

}  // namespace lestapenna::audio
