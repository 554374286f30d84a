// Workflow 2 of the specification: a normalised fragment for each connection, from join to leave.
#pragma once

#include "workflows/closed.h"
#include "workflows/session.h"

namespace lestapenna::workflows {

/// What the fragment of a connection is called in the store.
store::Key fragment_key(const Session& session, const timeline::Connection& connection);

/// Makes the fragments that are missing of connections that are over. On return they are in the store, and the catalog
/// has a row of `recordings` for each with its exact timestamp and its measured levels, and with it, unless it is a
/// bot's, its entry in the transcription queue.
Status make_fragments(Session& session, const Closed& closed);

}  // namespace lestapenna::workflows
