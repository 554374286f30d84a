// Workflow 5 of the specification: sessions that nobody ended.
#pragma once

#include <vector>

#include "journal/unfinished.h"
#include "workflows/session.h"

namespace lestapenna::workflows {

/// A session that is not over by its journal, or over and not complete by the catalog; not those being recorded now,
/// nor those that failed.
struct Orphan {
    catalog::Session session;
    std::optional<journal::Unfinished> journal;  ///< nothing: it has none that can be read
    bool in_hand = false;                        ///< a finish or recover job of it waits or runs
};
/// By scanning the journals' folder and the catalog. A journal without a row gets one, with what the manifest in the
/// store knows of guild, channel and names. A session that is complete is an orphan only while its journal has no End
/// and is younger than `resume_within`: it may still be gone on with. By start time.
Result<std::vector<Orphan>> find_orphans(const Tools& tools);

/// Finishes one: closes its connections in the journal, then does all that an end does. Idempotent. One that has no
/// journal, or nothing in it, is failed, which is no error; what was complete stays so. Errors: locked while it is
/// being recorded; what a disk or store says.
Status finish_orphan(const Tools& tools, journal::Committer& committer, const SessionId& id);

}  // namespace lestapenna::workflows
