// A session's folder: names of segments, and the lock of the one who writes.
// Thread: any; a SessionLock belongs to one owner and holds the lock until it is destroyed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"

namespace lestapenna::journal {

/// "000001.log"
std::string segment_name(std::uint32_t number);
/// The number in a segment's file name; nothing for other files.
std::optional<std::uint32_t> segment_number(const std::filesystem::path& path);

struct SegmentFile {
    std::uint32_t number = 0;
    std::filesystem::path path;
};
/// Segments numbered above `after`, ascending. Errors: not_found when there is no such folder, failed.
Result<std::vector<SegmentFile>> list_segments(const std::filesystem::path& folder, std::uint32_t after = 0);

/// The first `size` bytes of a file, or as many as there are. Errors: as the system says.
Result<std::vector<std::uint8_t>> read_start(const std::filesystem::path& path, std::size_t size);

class SessionLock {
  public:
    /// Errors: locked when another Writer, of any process, holds it; failed.
    static Result<SessionLock> take(const std::filesystem::path& folder);

  private:
    explicit SessionLock(Fd fd) : fd_(std::move(fd)) {}
    Fd fd_;
};

}  // namespace lestapenna::journal
