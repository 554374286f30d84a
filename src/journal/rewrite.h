// A chain of segments in the making, in a folder of its own. Private to journal/.
// Thread: one at a time. Nothing is durable before finish().
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "journal/files.h"
#include "journal/format.h"
#include "journal/reader.h"

namespace lestapenna::journal {

class Rewrite {
  public:
    /// The first segment's number is the one after `highest`. `folder` exists and is empty.
    Rewrite(Files& files, std::filesystem::path folder, std::string session_id, std::uint32_t highest)
        : files_(files), folder_(std::move(folder)), session_id_(std::move(session_id)), number_(highest) {}

    /// The next segment, on the clock of `like`.
    Status begin(const SegmentInfo& like);
    /// Into the segment that was begun last.
    Status add(const Record& record);
    /// Records are missing here: the next segment follows one that is not there.
    void miss() { missing_ = true; }
    [[nodiscard]] bool misses() const { return missing_; }
    /// Seals the last segment; all of it durable on return.
    Status finish();

  private:
    Status seal();
    Status flush();

    Files& files_;
    std::filesystem::path folder_;
    std::string session_id_;
    std::uint32_t number_;
    std::uint32_t follows_ = 0;  ///< 0: none
    bool missing_ = false;

    // The open segment.
    std::filesystem::path path_;
    Fd fd_;
    std::optional<RecordCrc> crc_;
    std::vector<std::uint8_t> buffer_;
    std::vector<std::uint8_t> encoded_;
    std::uint64_t written_ = 0;  ///< bytes, before the buffer
    Sha256 hash_;                ///< of these
    std::uint64_t first_record_ = 0;
    std::uint64_t records_ = 0;  ///< of all segments
    BootTime last_;
};

}  // namespace lestapenna::journal
