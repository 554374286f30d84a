// The manifest, recordings/{session}/session.json: who was recorded when, and which files there are, so that a bucket
// explains itself without our catalog (docs/architecture.md section 10):
//
//   {"manifest": 1, "session", "guild_id", "channel_id", "text_channel_id", "started_by", "language", "encryption",
//    "privacy_code", "status", "start_time", "end_time", "users": [{"user_id", "name", "bot", "packets": {"received",
//    "lost", "late", "duplicate", "parked", "concealed", "undecryptable": {REASON: n}},
//    "connections": [{"start_time", "duration_ms", "expired"}], "fragments": [FILE], "chunks": [FILE]}],
//    "master": FILE or null}
//
// FILE is {"key", "bytes", "sha256", "start_time", "duration_ms", "made_by"}, a fragment has "loudness_lufs",
// "true_peak_dbtp", "gain_db", "speech_lufs" and "level_flag" too, a master the first two and "source"; only files that
// are in the store are named, and only connections that are over. "expired": its fragment was there once. Times are
// Unix ms; what is not known is null. Fields are added, never renamed.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "workflows/session.h"

namespace lestapenna::workflows {

inline constexpr int kManifestVersion = 1;

/// The manifest's text: a pure function of what the catalog says. Errors: the catalog's; not_found.
Result<std::string> manifest_text(const catalog::Catalog& catalog, const SessionId& id);

/// Writes it to the store, when it differs from what is there. On return the store says what the catalog said after the
/// last byte was written, also where others (forget, retention) write it at the same time.
Status write_manifest(const Tools& tools, const SessionId& id);

/// What the store holds; nothing when there is none, or something that no manifest is as large as.
Result<std::optional<std::string>> stored_manifest(const Tools& tools, const SessionId& id);

/// The same of one that is known to be there.
Result<std::string> fetch_manifest(const Tools& tools, const SessionId& id);
/// What no manifest is as large as.
inline constexpr std::uint64_t kLargestManifest = std::uint64_t{64} << 20;  // fifty people for a day are 4 MB

/// What a catalog that has lost a session needs of it. A fragment without content is of a connection of which none is
/// named: pending, or expired.
struct ManifestContents {
    catalog::Session session;
    std::vector<catalog::Track> tracks{};
    std::vector<catalog::Recording> recordings{};
    std::vector<catalog::Chunk> chunks{};
    std::optional<catalog::Master> master{};
};
/// Total: nothing when the text is no manifest, and without what in it makes no sense. Its keys may be anybody's.
std::optional<ManifestContents> read_manifest(std::string_view text);

}  // namespace lestapenna::workflows
