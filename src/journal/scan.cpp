#include "journal/scan.h"

#include <algorithm>
#include <utility>

namespace lestapenna::journal {

namespace {

bool all_zero(std::span<const std::uint8_t> bytes) {
    return std::ranges::all_of(bytes, [](std::uint8_t byte) { return byte == 0; });
}

}  // namespace

SegmentScanner::SegmentScanner(ByteSource& source, std::string_view session_id, std::uint32_t number)
    : source_(source), crc_(session_id, number) {
    buffer_.reserve(kBlockBytes);
}

SegmentScanner::Step SegmentScanner::next(std::uint64_t limit) {
    for (;;) {
        const std::uint64_t end = std::min({limit, size_, kMaxSegmentBytes});
        if (pos_ >= end) {
            if (grew()) continue;
            return tail(end);
        }
        load(end);
        if (room_in_block(pos_) < kRecordHeaderBytes) {
            pos_ = block_end();
            continue;
        }
        if (at_zeroes()) {
            if (block_end() > end && grew()) continue;
            if (!bad_from_ && !zero_from_) zero_from_ = pos_;
            pos_ = block_end();
            continue;
        }
        const auto found = verified(pos_);
        if (!found) {
            if (!grew()) skip_bad();
            continue;
        }
        if (const auto hole = hole_before(*found)) return *hole;
        pos_ += kRecordHeaderBytes + found->payload.size();
        good_end_ = pos_;
        return *found;
    }
}

// The size is asked for only when it matters: fstat for each record would cost as much as its checksum.
bool SegmentScanner::grew() {
    const std::uint64_t before = std::exchange(size_, source_.size());
    return size_ > before;
}

// The block of pos_, up to `end`. Loaded again when the segment has grown since.
void SegmentScanner::load(std::uint64_t end) {
    const std::uint64_t block = pos_ - (kBlockBytes - room_in_block(pos_));
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(kBlockBytes, end - block));
    if (block == block_ && buffer_.size() >= want) return;
    if (hashed_ == 0) {
        std::array<std::uint8_t, kHeaderArea> header{};
        hash_from(0, {header.data(), source_.read(0, header)});
    }
    block_ = block;
    buffer_.resize(want);
    const std::size_t got = source_.read(block, buffer_);
    hash_from(block, std::span(buffer_).first(got));
    std::fill(buffer_.begin() + static_cast<std::ptrdiff_t>(got), buffer_.end(), std::uint8_t{0xFF});
}

void SegmentScanner::hash_from(std::uint64_t start, std::span<const std::uint8_t> bytes) {
    if (hashed_ < start || hashed_ >= start + bytes.size()) return;
    hash_.update(bytes.subspan(static_cast<std::size_t>(hashed_ - start)));
    hashed_ = start + bytes.size();
}

std::span<const std::uint8_t> SegmentScanner::loaded_from(std::uint64_t offset) const {
    return std::span(buffer_).subspan(
        static_cast<std::size_t>(std::min<std::uint64_t>(offset - block_, buffer_.size())));
}

std::optional<SegmentScanner::Found> SegmentScanner::verified(std::uint64_t offset) const {
    const auto rest = loaded_from(offset);
    if (rest.size() < kRecordHeaderBytes) return std::nullopt;
    const RecordHead head = read_head(rest);
    if (head.type == kPaddingType || head.bytes() > rest.size()) return std::nullopt;
    const auto record = rest.first(head.bytes());
    if (crc_.of(offset, record) != head.crc) return std::nullopt;
    return Found{offset, head.type, head.flags, record.subspan(kRecordHeaderBytes)};
}

// The rest of the block is zeroes: the padding before a record that did not fit, or disk that was not written yet.
bool SegmentScanner::at_zeroes() const {
    const auto rest = loaded_from(pos_);
    return !rest.empty() && rest[0] == 0 && all_zero(rest);
}

// A flipped bit in a payload costs that record alone; one in a length costs the rest of the block.
void SegmentScanner::skip_bad() {
    if (!bad_from_) bad_from_ = zero_from_.value_or(pos_);
    const auto rest = loaded_from(pos_);
    if (rest.size() >= kRecordHeaderBytes) {
        const std::uint64_t following = pos_ + read_head(rest).bytes();
        if (following + kRecordHeaderBytes <= block_end() && verified(following)) {
            pos_ = following;
            return;
        }
    }
    pos_ = block_end();
}

// Padding is always shorter than the record that did not fit; more zeroes than that were records once.
std::optional<SegmentScanner::Hole> SegmentScanner::hole_before(const Found& found) {
    const auto bad = std::exchange(bad_from_, std::nullopt);
    const auto zero = std::exchange(zero_from_, std::nullopt);
    if (bad) return Hole{*bad, found.offset - *bad, "the checksum does not match"};
    if (zero && found.offset - *zero >= kRecordHeaderBytes + found.payload.size()) {
        return Hole{*zero, found.offset - *zero, "there are zeroes where records should be"};
    }
    return std::nullopt;
}

SegmentScanner::Tail SegmentScanner::tail(std::uint64_t end) {
    const bool torn = bad_from_.has_value();
    pos_ = bad_from_.value_or(zero_from_.value_or(std::min(pos_, std::max<std::uint64_t>(end, good_end_))));
    bad_from_.reset();
    zero_from_.reset();
    block_ = 0;
    return Tail{pos_, end > pos_ ? end - pos_ : 0, torn};
}

}  // namespace lestapenna::journal
