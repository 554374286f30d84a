// Workflow 6: what has lived its time is removed from the store and from this machine, once what supersedes it is
// verified (retention_plan.h says what needs what, sweep_clock.h when the clock is believed).
//
// Of each session: the rows are marked expired, in one transaction; the manifest, which then names them no more, is
// written; the objects are removed; only then the rows forget what was there. Killed anywhere, the next sweep goes on:
// the manifest never names what is gone, the catalog never calls it stored. A journal's folder gets another name in one
// step before it is emptied, so that nobody reads half of one. While a session's files are removed nobody makes any
// (workflows/scratch.h); what is locked is left for the next sweep.
//
// "Verified": the store has the key with the catalog's size; where the store is a folder of this machine its SHA-256
// is compared too. (A bucket checked the SHA-256 when it took the object.)
//
// Requests per session that has something to remove: a HEAD for each object that is needed, or one listing where those
// are more than 16; a DELETE for each object removed, three more for words beside a fragment; HEAD, GET and PUT of the
// manifest. Else none.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "workflows/retention_plan.h"
#include "workflows/session.h"

namespace lestapenna::workflows {

struct SweepOptions {
    bool dry_run = false;  ///< says what would be done; nothing is changed, also not in the catalog
    catalog::Moment now{};
};

struct SweepReport {
    std::optional<std::string> doubt{};  ///< the clock is not believed, and nothing was done: one sentence
    std::vector<Removal> removals{};     ///< done; of a dry run: what would be
    std::vector<Kept> kept{};            ///< old enough, but still needed
    std::vector<Error> failures{};       ///< of sessions that could not be looked at to their end, by the store's fault
};

/// Both clocks, now.
catalog::Moment this_moment();

/// All sessions, by start time; and what killed work has left in the cache. Errors: the catalog's; interrupted. The
/// rest is left for the next time after thirty sessions that fail, or three where the store does not answer then.
Result<SweepReport> sweep(const Tools& tools, const SweepOptions& options);

/// Adds the job of a sweep, when one is due and there is a session that is over.
Status want_sweep(catalog::Catalog& catalog, UnixTime now);

/// What the configuration and the catalog say of one session, without the store.
Result<Facts> facts_of(const Tools& tools, const catalog::Session& session);

/// Bytes of a session's journal on this machine; nothing where there is none.
std::optional<std::int64_t> journal_bytes(const Config& config, const SessionId& id);
/// Of all sessions.
std::int64_t journal_bytes(const Config& config);

}  // namespace lestapenna::workflows
