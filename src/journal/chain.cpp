#include "journal/chain.h"

#include <algorithm>
#include <optional>
#include <system_error>

namespace lestapenna::journal {

namespace {

Damage missing(const std::filesystem::path& folder, std::uint32_t from, std::uint32_t to) {
    Damage damage;
    damage.path = folder / segment_name(to);
    damage.what = from == to ? "the segment is missing" : "the segments from " + segment_name(from) + " on are missing";
    return damage;
}

Damage unreadable(const Candidate& candidate, bool last) {
    Damage damage;
    damage.path = candidate.file.path;
    damage.length = candidate.bytes;
    // What a kill while a segment is created leaves: nothing in it was ever stored.
    damage.torn_tail = last && candidate.bytes <= kHeaderArea;
    damage.what = "the segment " + candidate.header.error().message;
    return damage;
}

}  // namespace

Candidate look_at(const SegmentFile& file, const std::string& session_id) {
    std::error_code error;
    const auto size = std::filesystem::file_size(file.path, error);
    const std::uint64_t bytes = error ? 0 : size;
    const auto start = read_start(file.path, kHeaderArea);
    if (!start) return {file, bytes, Error{start.error().kind, "can not be read: " + start.error().message}};
    auto header = decode_header(*start);
    if (header && !session_id.empty() && header->session_id != session_id) {
        header = Error{ErrorKind::damaged, "belongs to session " + header->session_id + ", not to " + session_id};
    } else if (header && file.number != 0 && header->number != file.number) {
        header = Error{ErrorKind::damaged, "says in its header that it is " + segment_name(header->number)};
    }
    return {file, bytes, std::move(header)};
}

std::vector<ChainStep> plan_chain(const std::vector<Candidate>& candidates, std::uint32_t base) {
    std::vector<ChainStep> steps;           // from the last one back
    std::optional<std::uint32_t> expected;  // the number that must come now, if that is known
    std::uint32_t above = 0;                // the lowest number seen so far
    for (std::size_t i = candidates.size(); i-- > 0;) {
        const Candidate& candidate = candidates[i];
        const std::uint32_t number = candidate.file.number;
        if (expected && number > *expected) continue;
        const std::uint32_t through = expected ? *expected : above - 1;
        if (above != 0 && number < through)
            steps.emplace_back(missing(candidate.file.path.parent_path(), number + 1, through));
        above = number;
        expected.reset();
        if (!candidate.header) {
            steps.emplace_back(unreadable(candidate, i + 1 == candidates.size()));
            continue;
        }
        steps.emplace_back(Link{candidate.file, *candidate.header});
        expected = candidate.header->previous_number;
    }
    const std::uint32_t through = expected ? *expected : std::max(above, 1u) - 1;
    if (through > base && !candidates.empty()) {
        steps.emplace_back(missing(candidates.front().file.path.parent_path(), base + 1, through));
    }
    std::ranges::reverse(steps);
    return steps;
}

}  // namespace lestapenna::journal
