// The session object of docs/architecture.md section 10, the one shape in which a session leaves this program.
// Reads catalog and store, and the secret of links. Thread: the catalog's.
#pragma once

#include <string_view>

#include <nlohmann/json.hpp>

#include "cli/context.h"
#include "workflows/session.h"

namespace lestapenna::cli {

/// {"session", "guild_id", "channel_id", "status", "start_time", "duration_ms", "master", "tracks": [...]}. Figures are
/// null until they are known and for pure silence; a `path` is null where the store has no such file on this machine;
/// a `link` is null for what is not in the store, and without web.public_url. Tracks stand by user id, files by start.
/// `id`: what a person calls it, see Catalog::resolve. Errors: what catalog, store and the links' secret say.
Result<Json> session_json(const workflows::Tools& tools, std::string_view id);

/// An array of these.
Result<Json> sessions_json(const workflows::Tools& tools, const std::vector<SessionId>& ids);
/// Of all sessions, by start time.
Result<Json> sessions_json(const workflows::Tools& tools);

}  // namespace lestapenna::cli
