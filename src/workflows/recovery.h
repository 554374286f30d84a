// Workflow 5 of the specification: sessions that nobody ended.
#pragma once

#include <vector>

#include "journal/unfinished.h"
#include "workflows/session.h"

namespace lestapenna::workflows {

/// A session that is neither complete nor failed; not those being recorded now.
struct Orphan {
    catalog::Session session;
    bool in_hand = false;  ///< a finish or recover job of it waits or runs
};
/// By the journals' folder and the catalog, by start time. A journal without a row gets it back, with all rows that the
/// manifest in the store tells of, held against a list of its keys (workflows/scan_store.h). No journal is read beyond
/// its first record: of an evening that takes seconds, and whoever records again waits for this. One of which something
/// can not be known is logged and left out. Errors: the catalog's.
Result<std::vector<Orphan>> find_orphans(const Tools& tools);

/// How the journal of a session stands that may be gone on with by now: nobody ended it, and its last record is younger
/// than `resume_within`. Reads it to its end, unless its modification times say already that it is older. Nothing: it
/// may not, or it can not be read, which is logged.
std::optional<journal::Unfinished> to_go_on(const Tools& tools, const SessionId& id);

/// Finishes one: closes its connections in the journal, then does all that an end does. Idempotent. One that has no
/// journal, or nothing in it, comes back from what the store has of it (workflows/rebuild.h); where that is nothing, it
/// is failed, which is no error. Errors: locked while it is being recorded; what a disk or store says.
Status finish_orphan(const Tools& tools, journal::Committer& committer, const SessionId& id);

}  // namespace lestapenna::workflows
