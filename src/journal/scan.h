// Walks the records of one segment's bytes, wherever these come from, and says what can not be trusted.
//
// Promises: every step moves forward, so any bytes end in a Tail; memory is one block. Delivered records have a
// checksum that holds at their place. After a bad record the next one is looked for where its length says, then at the
// next block. Thread: one at a time. Ownership: the source outlives the scanner; spans live until the next call.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/hash.h"
#include "journal/format.h"

namespace lestapenna::journal {

/// Where a segment's bytes come from: a file, or memory. It may grow between calls, it may also be cut.
class ByteSource {
  public:
    ByteSource() = default;
    ByteSource(const ByteSource&) = delete;
    ByteSource& operator=(const ByteSource&) = delete;
    virtual ~ByteSource() = default;
    virtual std::uint64_t size() = 0;
    /// Fills `into` from `offset` on; fewer bytes only at the end or when the rest can not be read.
    virtual std::size_t read(std::uint64_t offset, std::span<std::uint8_t> into) = 0;
};

class SegmentScanner {
  public:
    struct Found {
        std::uint64_t offset = 0;
        std::uint8_t type = 0;
        std::uint8_t flags = 0;
        std::span<const std::uint8_t> payload;
    };
    /// Bytes that hold no good record, with good ones after them.
    struct Hole {
        std::uint64_t offset = 0;
        std::uint64_t length = 0;
        const char* what = "";
    };
    /// Nothing good from `offset` on: the end, or (torn) bytes that are neither padding nor a whole record.
    struct Tail {
        std::uint64_t offset = 0;
        std::uint64_t length = 0;
        bool torn = false;
    };
    using Step = std::variant<Found, Hole, Tail>;

    SegmentScanner(ByteSource& source, std::string_view session_id, std::uint32_t number);

    /// Reads nothing at or beyond `limit`. After a Tail the next call looks again from the Tail's offset, so that a
    /// growing segment can be followed.
    Step next(std::uint64_t limit);

    /// End of the last record found.
    [[nodiscard]] std::uint64_t good_end() const { return good_end_; }
    /// SHA-256 of the bytes read so far, in order from the first: [0, hashed()).
    [[nodiscard]] Digest digest() const { return hash_.digest(); }
    [[nodiscard]] std::uint64_t hashed() const { return hashed_; }

  private:
    void load(std::uint64_t end);
    void hash_from(std::uint64_t start, std::span<const std::uint8_t> bytes);
    /// The record at `offset` if it is whole and its checksum holds.
    [[nodiscard]] std::optional<Found> verified(std::uint64_t offset) const;
    [[nodiscard]] std::span<const std::uint8_t> loaded_from(std::uint64_t offset) const;
    [[nodiscard]] std::uint64_t block_end() const { return block_ + kBlockBytes; }
    [[nodiscard]] bool at_zeroes() const;
    bool grew();
    void skip_bad();
    std::optional<Hole> hole_before(const Found& found);
    Tail tail(std::uint64_t end);

    ByteSource& source_;
    RecordCrc crc_;
    std::vector<std::uint8_t> buffer_;  ///< what was loaded of the block at block_
    std::uint64_t block_ = 0;           ///< 0: none
    std::uint64_t size_ = 0;            ///< of the source, when it was last asked
    std::uint64_t pos_ = kHeaderArea;
    std::uint64_t good_end_ = kHeaderArea;
    std::optional<std::uint64_t> bad_from_;
    std::optional<std::uint64_t> zero_from_;
    Sha256 hash_;
    std::uint64_t hashed_ = 0;
};

}  // namespace lestapenna::journal
