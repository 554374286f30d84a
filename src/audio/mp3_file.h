// An MP3 file of anybody's making, heard in pieces: ours, ffmpeg's, one that was cut off or harmed. MPEG 1, 2 and 2.5,
// any rate, with or without a bit reservoir; out comes mono at 48 kHz.
//
// Positions are sample-exact: what an encoder put before and behind the sound is taken away as the file's Info frame
// says (../shared/reference/audio.md A1), LAME's 576 + 529 samples where it has none; what can not be read in the
// middle is silence of its length. So a sample's place never depends on what came before it.
// Thread: open() one, read() any; the file at the path must stay as it is.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace lestapenna::audio {

class Mp3File {
  public:
    /// Looks at every frame's header; keeps 0.5 bytes a frame. Errors: not_found, failed; damaged when it is no MP3
    /// file.
    static Result<Mp3File> open(const std::filesystem::path& path);

    /// What it plays.
    [[nodiscard]] Samples length() const { return length_; }
    /// Nothing of it is missing, as far as it says itself how long it is.
    [[nodiscard]] bool whole() const { return whole_; }

    /// Fills `out` from `first` on, zeros outside the file. The same stretch gives the same samples; a longer or
    /// shifted one too, but for a resampled file's last bits.
    void read(Samples first, std::span<float> out) const;

  private:
    /// Where a frame is; those up to the next mark follow without a break, what is missing before that is silence.
    struct Mark {
        std::int64_t frame = 0;
        std::int64_t offset = 0;
    };
    struct Scan;
    explicit Mp3File(std::filesystem::path path) : path_(std::move(path)) {}
    /// At the file's own rate; `first` may be negative.
    void read_native(std::int64_t first, std::span<float> out) const;
    void decode(std::int64_t from_frame, std::int64_t to_frame, std::vector<float>& pcm) const;

    std::filesystem::path path_;
    int rate_ = 0;
    std::int64_t frame_samples_ = 0;
    std::vector<Mark> marks_;
    std::int64_t frames_ = 0;
    std::int64_t end_ = 0;       ///< where the last frame ends
    std::int64_t skip_ = 0;      ///< samples before the sound, at its own rate
    std::int64_t sounding_ = 0;  ///< samples of it, at its own rate
    Samples length_{};
    bool whole_ = true;
};

}  // namespace lestapenna::audio
