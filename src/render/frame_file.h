// An MP3 file of known length that is filled frame by frame, in any order, by any thread. All frames have one size, so
// each has its place from the start and nothing is kept in memory. The Info frame is final when the file is created.
//
// Ownership: the file at `path` is the caller's, under a temporary name of his choice; it is not synced (the store does
// that). Errors are sentences; after one the file is useless. Threads: put() and get() from any.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "audio/mp3.h"
#include "base/files.h"
#include "base/result.h"
#include "render/slices.h"

namespace lestapenna::render {

class FrameFile {
  public:
    /// `range`: the frames of the stream that this file holds; `length`: what it plays.
    static Result<FrameFile> create(const std::filesystem::path& path, const audio::Mp3Format& format, Frames range,
                                    Samples length);

    Status put(std::int64_t frame, std::span<const std::uint8_t> bytes);
    [[nodiscard]] Result<std::vector<std::uint8_t>> get(Frames frames) const;
    [[nodiscard]] const Frames& range() const { return range_; }
    [[nodiscard]] const audio::Mp3Format& format() const { return format_; }

  private:
    FrameFile(Fd fd, std::filesystem::path path, const audio::Mp3Format& format, Frames range)
        : fd_(std::move(fd)), path_(std::move(path)), format_(format), range_(range) {}
    [[nodiscard]] std::int64_t offset_of(std::int64_t frame) const;

    Fd fd_;
    std::filesystem::path path_;
    audio::Mp3Format format_;
    Frames range_;
};

}  // namespace lestapenna::render
