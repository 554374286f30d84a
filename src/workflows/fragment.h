// Workflow 2 of the specification: a normalised fragment for each connection, from join to leave.
#pragma once

#include "workflows/closed.h"
#include "workflows/session.h"

namespace lestapenna::workflows {

/// What the fragment of a connection is called in the store.
store::Key fragment_key(const Session& session, const timeline::Connection& connection);

/// A fragment that is made, and not yet in the store.
struct RenderedFragment {
    store::Key key;
    catalog::Recording row;
    std::filesystem::path path;  ///< in the session's scratch folder
};

/// Renders the fragments that are missing of connections that are over. On return their files are in the scratch
/// folder, all at once (29 MB per person and hour: what a session lacks must fit the disk), and their rows in the
/// catalog, pending, have their exact timestamp, measured levels and gain: all that a mix needs to know of them.
Result<std::vector<RenderedFragment>> render_fragments(Session& session, const Closed& closed);

/// On return they are in the store and no more in the scratch folder, and with each row that says so its entry is in
/// the transcription queue, unless it is a bot's. After an error, or a kill, those that were not reached are pending:
/// rendered again, they have the same bytes.
Status store_fragments(Session& session, const std::vector<RenderedFragment>& rendered);

}  // namespace lestapenna::workflows
