// The bytes of a journal: segment header, record framing, record payloads. docs/journal-format.md is this in prose.
// Pure functions; any thread. Decoding is total: any bytes give a value or a reason, and nothing is allocated but
// the session id of a header.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/crc.hpp>

#include "base/hash.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "journal/record.h"

namespace lestapenna::journal {

inline constexpr std::uint16_t kFormatVersion = 1;
inline constexpr std::size_t kHeaderArea = 4'096;      ///< of a file, before the first block: one page
inline constexpr std::size_t kHeaderCopyAt = 2'048;    ///< the header again, for the day its first sector is bad
inline constexpr std::size_t kBlockBytes = 64 * 1024;  ///< a record lies in one block; most that a bad length costs
inline constexpr std::size_t kRecordHeaderBytes = 8;   ///< crc32c u32, length u16, type u8, flags u8
inline constexpr std::size_t kPacketFieldsBytes = 18;  ///< arrival, ssrc, rtp timestamp, seq
inline constexpr std::size_t kMaxRecordBytes = kRecordHeaderBytes + kPacketFieldsBytes + kMaxPayloadBytes;
inline constexpr std::uint64_t kMaxSegmentBytes = 1ull << 32;  ///< offsets in a segment fit 32 bits

/// Times beyond this (73 years of ns from the clock's zero) are refused, so that differences never overflow.
inline constexpr nanoseconds kMaxTime{1ll << 61};
/// Wall clock: 1970 to the year 2255, so that it fits 64 bits in nanoseconds too.
inline constexpr milliseconds kMaxWall{9'000'000'000'000};

struct SegmentHeader {
    std::string session_id;             ///< `[A-Za-z0-9_-]{1,64}`
    std::uint32_t number = 0;           ///< from 1; as in the file's name
    std::uint32_t previous_number = 0;  ///< the segment this one follows; 0 for the first. Numbers between are void
    std::uint64_t previous_length = 0;  ///< how many bytes of it belong to the journal
    Digest previous_hash{};             ///< SHA-256 of these bytes
    std::uint64_t first_record = 0;     ///< how many records stand before this segment in the journal
    UnixTime session_start;
    BootTime anchor;
    BootId boot;
};

std::array<std::uint8_t, kHeaderArea> encode_header(const SegmentHeader& header);
/// `bytes`: the first kHeaderArea bytes of a file, or all there are. The error is one clause that names the reason.
Result<SegmentHeader> decode_header(std::span<const std::uint8_t> bytes);

/// CRC-32C (Castagnoli) of a record in its place: session, segment and offset go in first, so that a block of another
/// journal, or of another place in this one, does not verify.
class RecordCrc {
  public:
    RecordCrc(std::string_view session_id, std::uint32_t segment);
    /// `record` is the whole record; its first four bytes (the checksum) are left out.
    [[nodiscard]] std::uint32_t of(std::uint64_t offset, std::span<const std::uint8_t> record) const;

  private:
    boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> seed_;
};

/// What the first eight bytes of a record say.
struct RecordHead {
    std::uint32_t crc = 0;
    std::uint16_t length = 0;  ///< of the payload
    std::uint8_t type = 0;
    std::uint8_t flags = 0;
    [[nodiscard]] std::size_t bytes() const { return kRecordHeaderBytes + length; }
};
/// `bytes` holds at least kRecordHeaderBytes.
RecordHead read_head(std::span<const std::uint8_t> bytes);

/// Type 0 is never written: zeroes are padding, or disk that was allocated and not yet used.
inline constexpr std::uint8_t kPaddingType = 0;
/// The last record of a closed segment; not delivered to readers.
inline constexpr std::uint8_t kSealType = 11;

/// Size on disk, head included; 0 when the record breaks a limit of record.h or of this file and can not be stored.
std::size_t encoded_bytes(const Record& record) noexcept;
/// Writes head and payload to `into`, which has encoded_bytes(record) bytes. The checksum stays 0: see place().
void encode(const Record& record, std::span<std::uint8_t> into) noexcept;
/// A seal: `at` is the time of the segment's last record, `records` how many records the segment holds.
std::array<std::uint8_t, kRecordHeaderBytes + 16> encode_seal(BootTime at, std::uint64_t records);

/// Nothing when the payload is not what its type says, or the type is not known. Spans point into `payload`.
std::optional<Record> decode(std::uint8_t type, std::uint8_t flags, std::span<const std::uint8_t> payload);

/// time_of() of an encoded record: the first eight bytes of every payload.
BootTime encoded_time(std::span<const std::uint8_t> record);

/// Bytes from `offset` to the end of its block.
constexpr std::size_t room_in_block(std::uint64_t offset) {
    return kBlockBytes - static_cast<std::size_t>((offset - kHeaderArea) % kBlockBytes);
}

/// Appends an encoded record, with its checksum, to `bytes`, which begin at `base` in the segment; pads with zeroes to
/// the next block first when it does not fit.
void place(std::vector<std::uint8_t>& bytes, std::uint64_t base, const RecordCrc& crc,
           std::span<const std::uint8_t> record);

}  // namespace lestapenna::journal
