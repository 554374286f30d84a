// The journal's readers against any bytes: a header, and a segment from memory, walked to its end. Checksums are in the
// way of a fuzzer, so each input is also read with every checksum made right, which reaches the decoder behind them.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "journal/format.h"
#include "journal/scan.h"

namespace {

using namespace lestapenna::journal;

class MemorySource : public ByteSource {
  public:
    explicit MemorySource(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
    std::uint64_t size() override { return bytes_.size(); }
    std::size_t read(std::uint64_t offset, std::span<std::uint8_t> into) override {
        if (offset >= bytes_.size()) return 0;
        const auto from = bytes_.subspan(static_cast<std::size_t>(offset));
        const std::size_t size = std::min(from.size(), into.size());
        std::copy_n(from.begin(), size, into.begin());
        return size;
    }

  private:
    std::span<const std::uint8_t> bytes_;
};

void need(bool holds) {
    if (!holds) std::abort();
}

// Steps go forward, lie within the bytes and end; what decodes also encodes to the same bytes.
void scan(std::span<const std::uint8_t> bytes) {
    MemorySource source(bytes);
    SegmentScanner scanner(source, "fuzz", 1);
    std::uint64_t at = kHeaderArea;
    for (;;) {
        const auto step = scanner.next(~0ull);
        if (const auto* hole = std::get_if<SegmentScanner::Hole>(&step)) {
            need(hole->offset >= at && hole->length > 0 && hole->offset + hole->length <= bytes.size());
            at = hole->offset + hole->length;
            continue;
        }
        const auto* found = std::get_if<SegmentScanner::Found>(&step);
        if (found == nullptr) break;
        need(found->offset >= at);
        at = found->offset + kRecordHeaderBytes + found->payload.size();
        need(at <= bytes.size());
        const auto record = decode(found->type, found->flags, found->payload);
        if (!record) continue;
        std::vector<std::uint8_t> again(encoded_bytes(*record));
        need(again.size() == kRecordHeaderBytes + found->payload.size());
        encode(*record, again);
        need(read_head(again).flags == found->flags);
        need(std::equal(found->payload.begin(), found->payload.end(), again.begin() + kRecordHeaderBytes));
    }
    need(scanner.good_end() <= std::max<std::uint64_t>(bytes.size(), kHeaderArea));
}

// Makes the checksum right of each record that its length says is there.
void sign(std::vector<std::uint8_t>& bytes) {
    const RecordCrc crc("fuzz", 1);
    std::size_t at = kHeaderArea;
    while (at + kRecordHeaderBytes <= bytes.size()) {
        const auto rest = std::span(bytes).subspan(at, std::min(room_in_block(at), bytes.size() - at));
        if (rest.size() < kRecordHeaderBytes || read_head(rest).bytes() > rest.size()) {
            at += rest.size();
            continue;
        }
        const auto record = rest.first(read_head(rest).bytes());
        const std::uint32_t sum = crc.of(at, record);
        for (std::size_t i = 0; i < 4; ++i) record[i] = static_cast<std::uint8_t>(sum >> (8 * i));
        at += record.size();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span input(data, size);
    const auto header = decode_header(input);
    if (header) {
        const auto again = encode_header(*header);
        need(decode_header(again).ok());
    }
    // The rest of the input stands where blocks begin, so that a fuzzer need not invent 4096 bytes first.
    std::vector<std::uint8_t> segment(kHeaderArea);
    segment.insert(segment.end(), input.begin(), input.end());
    scan(segment);
    sign(segment);
    scan(segment);
    return 0;
}
