// The rows of the ledger: who is in a session, and what of each arrived, was lost, or could not be used.
#pragma once

#include <set>

#include "workflows/session.h"

namespace lestapenna::workflows {

/// One row per user of the timeline, replacing what was known of them but their name and whether they are a bot; who
/// has no name is called by the user id. The session must be in the catalog. Several changes: to be called within
/// Catalog::together().
Status write_tracks(const Tools& tools, const SessionId& id, const timeline::Timeline& timeline);

/// Who of a session is no person.
Result<std::set<UserId>> bots_of(const Tools& tools, const SessionId& id);

}  // namespace lestapenna::workflows
