// A session without its journal: what is lost comes back from the store (docs/architecture.md section 7, "Sources by
// preference"). A master is mixed from the fragments, each as loud as it is, and where one is gone from the chunks of
// its connection, balanced anew; positions are those of the files' names and samples, nothing accumulates.
//
// Streaming: what is elsewhere is fetched to {data}/cache first, and no more than a slice a thread is decoded at once.
// Thread: one at a time per session.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "workflows/session.h"

namespace lestapenna::workflows {

struct Rebuilt {
    /// What the master is mixed from; the poorest that was used: chunks, if any fragment was not there. Nothing: not
    /// known, or there is none.
    std::optional<catalog::MasterSource> source{};
    /// A sentence for each file that should be there and is not, or is damaged, and has no substitute. What retention
    /// removed (catalog::FileStatus::expired) is no loss.
    std::vector<std::string> lost{};
};

/// The master from what the catalog names and the store holds, without the files of `without`. On return it is in the
/// store and the catalog, made anew unless what is there was made from the same. Errors: not_found when there is
/// nothing to mix, with what is missing; locked while another process makes files of this session.
Result<Rebuilt> rebuild_master(const Tools& tools, const SessionId& id, const std::set<UserId>& without = {});

/// What an end, $scarica and `master` do when Session::open() found no journal, or nothing readable in it: a master
/// that is there stays, else it is rebuilt. So it is too where the session went on after it was made, and all that it
/// was made of is there as well; where not, it stays, and what it lacks is named among the lost. On return the session
/// is complete and has its manifest. Errors: those of rebuild_master().
Result<Rebuilt> restore(const Tools& tools, const SessionId& id);

}  // namespace lestapenna::workflows
