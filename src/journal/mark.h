// A place in a journal: everything before it is in the chain of segments. And where an existing journal ends.
// Value type; any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/hash.h"
#include "base/result.h"

namespace lestapenna::journal {

struct Mark {
    std::uint32_t segment = 0;   ///< its number; 0 before the first
    std::uint64_t length = 0;    ///< bytes of that segment
    Sha256 hash;                 ///< over these bytes
    std::uint64_t records = 0;   ///< in the journal so far
    std::uint64_t accepted = 0;  ///< those of them that this Writer's append() took
    std::uint64_t ring = 0;      ///< position in the Writer's ring
};

struct JournalEnd {
    Mark mark;
    std::uint32_t highest_number = 0;  ///< of any segment file, void or not
};
/// Where the journal in `folder` ends: after its last good record. A folder without segments gives the beginning.
/// Errors: damaged when what is there is another session's; failed.
Result<JournalEnd> find_end(const std::filesystem::path& folder, const std::string& session_id);

}  // namespace lestapenna::journal
