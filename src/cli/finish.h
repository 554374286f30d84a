// What `master`, `demo` and `export` have in common: open a session's journal, say what of it is damaged, and turn what
// the ledger says into an exit code.
#pragma once

#include "cli/context.h"
#include "workflows/session.h"

namespace lestapenna::cli {

/// Opens a session and logs each stretch of its journal that can not be read.
Result<workflows::Session> open_session(const workflows::Tools& tools, const SessionId& id,
                                        workflows::WhileRecording recorded = workflows::WhileRecording::refuse);

/// kDone, kGaps or kDamaged, by what was read.
Exit exit_of(const timeline::Timeline& timeline);

/// The same of a session that may have lost its journal: then by the ledger in the catalog.
Result<Exit> exit_of_session(const workflows::Tools& tools, const SessionId& id);

/// Renders whatever is missing of a session; without its journal it comes back from what is in the store (kGaps where
/// something is lost).
Result<Exit> finish(const workflows::Tools& tools, const SessionId& id);

}  // namespace lestapenna::cli
