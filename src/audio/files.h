// Audio files other than MP3: WAV (RF64 beyond 4 GiB) and FLAC out, whatever libsndfile reads in, Ogg Opus from
// packets. Writers write to `path` as given: temporary names and renames are the caller's. The same samples make
// the same bytes. After an error, or without close(), the file is not usable.
// Thread: an object belongs to one thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace lestapenna::audio {

enum class SampleFormat { wav_float, wav_16, flac_16 };

/// Mono or interleaved, 48 kHz. 16 bit rounds and clips at full scale, without dither.
class AudioFileWriter {
  public:
    static Result<AudioFileWriter> create(const std::filesystem::path& path, SampleFormat format, int channels = 1);
    AudioFileWriter(AudioFileWriter&&) noexcept;
    AudioFileWriter& operator=(AudioFileWriter&&) noexcept;
    ~AudioFileWriter();
    Status write(std::span<const float> interleaved);
    /// WAV: header and data are complete on disk (not synced) up to here. FLAC: only close() completes the file.
    Status flush();
    Status close();

  private:
    struct Impl;
    explicit AudioFileWriter(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

struct AudioFile {
    int sample_rate = 0;
    int channels = 0;
    std::vector<float> pcm;  ///< interleaved
};
/// Any file libsndfile knows (WAV, FLAC, Ogg Opus, ...). Errors: not_found, damaged.
Result<AudioFile> read_audio_file(const std::filesystem::path& path);
/// The same, mixed down to mono and resampled to 48 kHz where it is not (linear phase, good to 90 % of the band).
Result<std::vector<float>> read_mono_48k(const std::filesystem::path& path);

/// Ogg Opus (RFC 7845) from ready packets, one logical stream, mono or stereo by `channels` of the header.
/// Granule positions are counted from the packets' own durations; `pre_skip` samples at the start are not played.
class OggOpusWriter {
  public:
    static Result<OggOpusWriter> create(const std::filesystem::path& path, int channels, Samples pre_skip,
                                        const std::vector<std::string>& comments /* "KEY=value" */);
    OggOpusWriter(OggOpusWriter&&) noexcept;
    OggOpusWriter& operator=(OggOpusWriter&&) noexcept;
    ~OggOpusWriter();
    Status write(std::span<const std::uint8_t> packet);
    /// Ends the stream so that it plays exactly `played` samples (end trimming, at most the last packet's length).
    Status close(Samples played);

  private:
    struct Impl;
    explicit OggOpusWriter(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace lestapenna::audio
