// Reads the segments of one session in order, as far as they can be trusted.
//
// Promises: records whose checksum holds are delivered once and in order; each stretch that can not be trusted is
// reported once with where and why. A record that does not verify is skipped by its length, or where that leads
// nowhere to the next block (64 KiB at most). No input makes it crash, loop or allocate without bound. Bytes beyond the
// length that the next segment's header vouches for are not read (they were written before a failed sync and repeated
// in that next segment). Thread: one at a time; several readers may read one folder, also while it is being written:
// what is not complete yet is a clean end, because the lock of the writer is held, and next() after a clean end looks
// again. Ownership: spans in an Item live until the next call.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "journal/record.h"

namespace lestapenna::journal {

/// Where a packet's payload lies, so that it can be fetched again without keeping it in memory.
struct PayloadRef {
    std::uint32_t segment = 0;  ///< index into Reader::segments(), not the number in the file name
    std::uint32_t offset = 0;   ///< of the payload's first byte in that file
    std::uint16_t size = 0;
};

/// What a segment's header says (docs/journal-format.md).
struct SegmentInfo {
    std::filesystem::path path;
    std::uint32_t number = 0;
    UnixTime session_start;
    BootTime anchor;  ///< what CLOCK_BOOTTIME was, or would have been, at session_start
    BootId boot;
    std::uint64_t bytes = 0;  ///< up to the end of the last good record read so far
    bool sealed = false;      ///< its seal was read: it was closed in good order
};

struct Item {
    Record record;
    SessionTime time;           ///< time_of(record) on the session's clock, by its segment's anchor
    PayloadRef payload;         ///< for packets that have one
    std::uint32_t segment = 0;  ///< index into Reader::segments()
    std::uint64_t offset = 0;   ///< of the record in that file
};
struct CleanEnd {
    bool sealed = false;  ///< the last record is an End; otherwise the session is open, or was cut off
    bool locked = false;  ///< a writer holds the session: more may come
};
struct Damage {
    std::filesystem::path path;
    std::uint64_t offset = 0;  ///< first byte that can not be trusted
    std::uint64_t length = 0;  ///< how many bytes were skipped
    bool torn_tail = false;    ///< at the very end of the journal: what a kill or a power cut leaves behind
    std::string what;          ///< one clause for a person
};
using Outcome = std::variant<Item, CleanEnd, Damage>;

class Reader {
  public:
    /// `folder` is {data}/journal/{sessionId}. Errors: not_found when there is no such folder or no segment in it;
    /// damaged when not one header in it can be read (empty, foreign or future-version files are named with which).
    static Result<Reader> open(const std::filesystem::path& folder);
    Reader(Reader&&) noexcept;
    Reader& operator=(Reader&&) noexcept;
    ~Reader();

    /// One segment alone, by its path, with nothing known of its neighbours. Errors: the same.
    static Result<Reader> open_segment(const std::filesystem::path& file);

    Outcome next();

    [[nodiscard]] const std::string& session_id() const;
    [[nodiscard]] const std::vector<SegmentInfo>& segments() const;

  private:
    struct Impl;
    explicit Reader(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

/// Fetches payloads by reference. One per thread: it keeps the last block it read (64 KiB).
class PayloadReader {
  public:
    explicit PayloadReader(const std::vector<SegmentInfo>& segments);
    PayloadReader(PayloadReader&&) noexcept;
    PayloadReader& operator=(PayloadReader&&) noexcept;
    ~PayloadReader();
    /// The bytes, valid until the next call; empty when they can not be read any more.
    std::span<const std::uint8_t> fetch(PayloadRef ref);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace lestapenna::journal
