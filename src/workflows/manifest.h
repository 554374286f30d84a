// The manifest, recordings/{session}/session.json: who was recorded when, and which files there are, so that a bucket
// explains itself without our catalog (docs/architecture.md section 10).
#pragma once

#include <string>

#include "workflows/session.h"

namespace lestapenna::workflows {

/// The manifest's text: JSON, a pure function of what the catalog says. Errors: the catalog's; not_found.
Result<std::string> manifest_text(const catalog::Catalog& catalog, const SessionId& id);

/// Writes it to the store, when it differs from what was written last.
Status write_manifest(const Tools& tools, const SessionId& id);

/// What a manifest says of its session (guild, channels, time zero, who), for a catalog that has lost it. Total.
/// Nothing when the text is no manifest.
std::optional<catalog::Session> session_of_manifest(std::string_view text);

}  // namespace lestapenna::workflows
