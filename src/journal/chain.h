// Which files of a folder make up the journal, in order, and what is missing among them. Each segment names the one it
// follows; what lies between the two was given up before anything in it was durable, and is void.
// plan_chain is pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "journal/folder.h"
#include "journal/format.h"
#include "journal/reader.h"

namespace lestapenna::journal {

struct Candidate {
    SegmentFile file;
    std::uint64_t bytes = 0;  ///< size of the file
    Result<SegmentHeader> header;
};
/// A file's header; an error also when it is of another session (`session_id`, unless empty) or another number.
Candidate look_at(const SegmentFile& file, const std::string& session_id);

struct Link {
    SegmentFile file;
    SegmentHeader header;
};
using ChainStep = std::variant<Link, Damage>;

/// `candidates` ascending by number, all above `base`; `base` is the last segment that is already known, 0 for none.
std::vector<ChainStep> plan_chain(const std::vector<Candidate>& candidates, std::uint32_t base);

}  // namespace lestapenna::journal
