// Workflow 1 of the specification: a chunk for each rotation window of a connection.
#pragma once

#include "workflows/closed.h"
#include "workflows/growing.h"
#include "workflows/session.h"

namespace lestapenna::workflows {

/// Makes the chunks that are missing. On return they are in the store and in the catalog.
Status make_chunks(Session& session);
/// The same of a session that is being recorded: those that are closed.
Status make_chunks(Session& session, const Closed& closed, Growing& growing);

}  // namespace lestapenna::workflows
