// What the keys of a bucket say, ours and those of the bot before us: recordings/{session}/, with the folders chunks,
// full and master or without, recordings/{guild}/{session}/, and recordings/ alone. Read, never written. Pure
// functions; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/time.h"

namespace lestapenna::workflows {

enum class NamedTier { chunk, fragment, master, manifest, transcript, journal };

/// An object of a session, by its key alone.
struct StoredName {
    NamedTier tier = NamedTier::chunk;
    std::optional<SessionId> session{};  ///< nothing: a chunk or fragment that lies in recordings/ itself
    std::optional<std::string> guild{};  ///< where the key names it
    UserId user{};                       ///< of chunks and fragments; so is the next
    UnixTime start{};                    ///< what its name says
};
/// Nothing for a foreign name.
std::optional<StoredName> read_key(std::string_view key);

/// A chunk or fragment of which nobody says what session it is of.
struct LooseFile {
    std::string key;
    StoredName name;
    std::uint64_t bytes = 0;
};
/// Those that lie in time as one evening does: nobody was heard for longer than `pause` between two of them. How long
/// one plays is estimated by its size, at 64 kbit/s. By time.
std::vector<std::vector<LooseFile>> evenings(std::vector<LooseFile> files, milliseconds pause);

/// Time zero where nobody wrote it down: the earliest of `starts` that may be of the same session as most of them.
/// Nothing without any.
std::optional<UnixTime> earliest_believable(std::vector<UnixTime> starts);

/// When a session of ours was named, where its name is a ULID.
std::optional<UnixTime> time_of_ulid(const SessionId& id);

/// A session is shorter than that: a timestamp further from its time zero is a rotten one.
inline constexpr std::chrono::hours kLongestSession{7 * 24};

/// May a file that begins at `start` be of a session whose time zero that is? Otherwise one rotten timestamp would make
/// a master of 50 years.
inline bool may_be_of(UnixTime time_zero, UnixTime start) {
    // No difference of two times: that could overflow.
    return start <= time_zero + kLongestSession && start >= time_zero - kLongestSession;
}

}  // namespace lestapenna::workflows
