// What of a session has lived its time, and what must be proven before it goes. Pure; any thread.
//
// Ages ([retention]) count from the session's end; of one that was brought in later, from then. What has not been
// superseded never goes, however old:
//
//   goes          needs, verified in the store at that moment
//   a chunk       the fragment of its connection; where that has gone by its age: the master
//   a fragment    the master, and its transcript done or given up, unless nobody transcribes
//   the journal   every chunk, fragment and the master, which was mixed from it
//   the master    nothing: only where the configuration gives masters an age
//
// A master stands for what it reaches in time: of a session that went on after its end it may be the first half. One
// that has gone by its own age is no hindrance to what it superseded. A journal of which the catalog names nothing that
// was made, although the ledger counts packets, stays. Nothing goes of a session that is not complete, is being
// recorded, or has a job that waits or runs; what a sweep has begun, and a kill cut off, needs the same, but no age.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "base/time.h"
#include "catalog/catalog.h"

namespace lestapenna::workflows {

enum class Tier { chunks, fragments, master, journal };
std::string_view to_text(Tier tier);

/// All that the plan depends on, but the store.
struct Facts {
    catalog::Session session;
    std::vector<catalog::Chunk> chunks{};
    std::vector<catalog::Recording> fragments{};
    std::optional<catalog::Master> master{};
    bool heard = true;                      ///< the ledger counts packets that could be opened
    bool mixed = true;                      ///< somebody in it belongs into a master
    std::set<std::string> untranscribed{};  ///< keys of fragments that somebody is still to read
    std::optional<std::int64_t> journal{};  ///< its bytes on this machine; nothing where there is none
    bool recorded = false;                  ///< now
    bool at_work = false;                   ///< a job of it waits or runs
};

/// An object as the catalog knows it.
struct Object {
    std::string key;
    catalog::Content content;
    bool operator==(const Object&) const = default;
};

/// What goes together.
struct Removal {
    SessionId session;
    Tier tier = Tier::chunks;
    std::vector<std::string> keys{};  ///< of the journal: its folder's name below the data folder
    std::int64_t bytes = 0;
    std::vector<Object> needs{};  ///< must be in the store just like this, else it stays
    std::string why{};            ///< "ended 8 days ago, chunks are kept for 7 days"
    bool operator==(const Removal&) const = default;
};

/// What is old enough, and stays.
struct Kept {
    SessionId session;
    Tier tier = Tier::chunks;
    std::size_t files = 0;
    std::string why{};  ///< a clause
    bool operator==(const Kept&) const = default;
};

struct Plan {
    std::vector<Removal> removals{};  ///< in the order in which they are to be done
    std::vector<Kept> kept{};
    [[nodiscard]] bool empty() const { return removals.empty() && kept.empty(); }
};

Plan plan_removals(const Facts& facts, const Config::Retention& ages, UnixTime now);

}  // namespace lestapenna::workflows
