// A catalog that was lost, made again from the store alone: what manifests say, held against what is there, and where
// there is none what the keys say. No audio is fetched: one list of the bucket, and one GET for each manifest.
//
// What the catalog knows already stays as it is. Idempotent; each session is one transaction. A session that is being
// recorded is left alone. Thread: one.
#pragma once

#include <string>
#include <vector>

#include "workflows/session.h"

namespace lestapenna::workflows {

struct Scan {
    std::vector<SessionId> sessions{};  ///< of which the store holds anything, by start time
    /// Keys below recordings/ that are none of ours; nothing was done with them. What lies beside is not looked at.
    std::vector<std::string> foreign{};
    /// Sentences: a manifest that is none, or is of another version; a file that is not as its manifest says.
    std::vector<std::string> damaged{};
    std::vector<std::string> lost{};  ///< sentences: a file that a manifest names and the store does not hold
};
/// Errors: the store's and the catalog's; interrupted.
Result<Scan> scan_store(const Tools& tools);

/// The same of one session whose row is lost and whose journal is there, which says `start`: what its manifest says,
/// held against one list of its keys. Where there is none that can be read the row alone: the journal makes the rest.
/// What is not over by its manifest is interrupted. Returns the row. Errors: as above; failed when it has one already.
Result<catalog::Session> scan_session(const Tools& tools, const SessionId& id, UnixTime start);

}  // namespace lestapenna::workflows
