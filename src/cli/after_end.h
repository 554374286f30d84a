// What follows the end of a session, whoever made its files. Thread: the catalog's.
#pragma once

#include <vector>

#include "base/config.h"
#include "catalog/catalog.h"

namespace lestapenna::cli {

/// A transcript, where all is transcribed by now; and a report, by mail too, where a table waits for one (an import's
/// does not).
std::vector<catalog::NewJob> jobs_after_end(const Config& config, const catalog::Session& session, UnixTime now);

/// For who finishes a session in passing (a download, a verb) after its own job has given up, or without one: adds
/// those jobs where it was not complete `before` and is now. Nothing where `finish` or `recover` still waits: that one
/// adds them, or the table would be told twice. Nothing for an import either: where no bot runs nobody would do them,
/// and retention waits for a session's jobs; a start sees to its transcript. Errors: the catalog's; none is added then.
Status add_jobs_after_end(const Config& config, catalog::Catalog& catalog, const catalog::Session& before);

}  // namespace lestapenna::cli
