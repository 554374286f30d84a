#include <array>

#include "journal/file_source.h"
#include "journal/format.h"
#include "journal/reader.h"

namespace lestapenna::journal {

struct PayloadReader::Impl {
    std::vector<std::filesystem::path> paths;
    std::uint32_t segment = 0;
    std::optional<FileSource> source;  ///< of `segment`
    std::uint64_t block = 0;           ///< offset of what is in `bytes`
    std::size_t have = 0;
    std::array<std::uint8_t, kBlockBytes> bytes{};
};

PayloadReader::PayloadReader(const std::vector<SegmentInfo>& segments) : impl_(std::make_unique<Impl>()) {
    for (const SegmentInfo& segment : segments) impl_->paths.push_back(segment.path);
}
PayloadReader::PayloadReader(PayloadReader&&) noexcept = default;
PayloadReader& PayloadReader::operator=(PayloadReader&&) noexcept = default;
PayloadReader::~PayloadReader() = default;

std::span<const std::uint8_t> PayloadReader::fetch(PayloadRef ref) {
    Impl& my = *impl_;
    if (ref.segment >= my.paths.size() || ref.offset < kHeaderArea) return {};
    if (!my.source || my.segment != ref.segment) {
        my.source.emplace(my.paths[ref.segment]);
        my.segment = ref.segment;
        my.have = 0;
    }
    const std::uint64_t end = std::uint64_t{ref.offset} + ref.size;
    if (ref.offset < my.block || end > my.block + my.have) {
        // A record lies in one block, so its block is all that is needed, and its neighbours come with it.
        my.block = ref.offset - (kBlockBytes - room_in_block(ref.offset));
        my.have = my.source->read(my.block, my.bytes);
    }
    if (end > my.block + my.have) return {};
    return std::span(my.bytes).subspan(static_cast<std::size_t>(ref.offset - my.block), ref.size);
}

}  // namespace lestapenna::journal
