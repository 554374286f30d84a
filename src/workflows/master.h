// Workflow 3 of the specification: the end of a session, and what $scarica does (workflow 4): whatever is missing is
// made.
#pragma once

#include "workflows/session.h"

namespace lestapenna::workflows {

/// Makes what is missing of chunks, fragments and master, and the rows of the ledger. The master goes up first, because
/// it is what people wait for (at 10 KiB/s a fragment before it costs three quarters of an hour per hour recorded);
/// then the fragments, then the chunks. Fragments are rendered before it nevertheless: their gains balance the mix. So
/// the scratch folder holds at most the master and the session's fragments, each until it is in the store. On return
/// everything is, and the session is complete. A session without any audio is complete without a master. What was
/// finished before its journal was damaged stays as it is.
Status finish_session(Session& session);

/// Was the session finished, and is all that was made of it still in the store, but for what retention has removed?
Result<bool> is_finished(const Tools& tools, const SessionId& id);

/// Is anybody of these fragments to be heard in a master? Not where all are music that is left out.
Result<bool> is_mixed(const Tools& tools, const SessionId& id, const std::vector<catalog::Recording>& fragments);

/// The master alone; the rows of the fragments must have their gains (render_fragments()).
Status make_master(Session& session);

/// LUFS of the configured preset.
double master_target(LoudnessPreset preset);

}  // namespace lestapenna::workflows
