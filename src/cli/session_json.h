// The session object of docs/architecture.md section 10, the one shape in which a session leaves this program.
// Pure but for reading catalog and store. Thread: the catalog's.
#pragma once

#include <string_view>

#include <nlohmann/json.hpp>

#include "catalog/catalog.h"
#include "cli/context.h"
#include "store/store.h"

namespace lestapenna::cli {

/// {"session", "guild_id", "channel_id", "status", "start_time", "duration_ms", "master", "tracks": [...]}. Figures are
/// null until they are known and for pure silence; a `path` is null where the store has no such file on this machine;
/// `link` is null until there is a web server. Tracks stand by user id, files by start. Errors: what catalog and store
/// say.
Result<Json> session_json(const catalog::Catalog& catalog, store::ObjectStore& store, const catalog::Session& session);

/// The same for what a person calls it: see Catalog::resolve.
Result<Json> session_json(const catalog::Catalog& catalog, store::ObjectStore& store, std::string_view id);

}  // namespace lestapenna::cli
