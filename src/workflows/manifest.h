// The manifest, recordings/{session}/session.json: who was recorded when, and which files there are, so that a bucket
// explains itself without our catalog (docs/architecture.md section 10):
//
//   {"manifest": 1, "session", "guild_id", "channel_id", "text_channel_id", "started_by", "language", "status",
//    "start_time", "end_time", "users": [{"user_id", "name", "bot", "connections": [{"start_time", "duration_ms"}],
//    "fragments": [FILE], "chunks": [FILE]}], "master": FILE or null}
//
// FILE is {"key", "bytes", "sha256", "start_time", "duration_ms"}; only files that are in the store are named, and only
// connections that are over. Times are Unix ms; what is not known is null.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "workflows/session.h"

namespace lestapenna::workflows {

/// The manifest's text: a pure function of what the catalog says. Errors: the catalog's; not_found.
Result<std::string> manifest_text(const catalog::Catalog& catalog, const SessionId& id);

/// Writes it to the store, when it differs from what is there.
Status write_manifest(const Tools& tools, const SessionId& id);

/// What the store holds; nothing when there is none, or something that no manifest is as large as.
Result<std::optional<std::string>> stored_manifest(const Tools& tools, const SessionId& id);

// What a manifest says of its session (guild, channels, time zero, who began it) and of its users (names), for a
// catalog that has lost it. Total.

/// Nothing when the text is no manifest.
std::optional<catalog::Session> session_of_manifest(std::string_view text);
/// Without figures; none when the text is no manifest.
std::vector<catalog::Track> tracks_of_manifest(std::string_view text);

}  // namespace lestapenna::workflows
