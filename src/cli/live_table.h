// A table that plays in the sandbox and a bot that records it, in one process over real sockets, on a thread each.
// Thread: any one; returns when everything stands on disk. Errors: what either side says; a session that had begun is
// then left as by a kill.
#pragma once

#include <atomic>
#include <filesystem>

#include "base/result.h"
#include "sandbox/show.h"
#include "workflows/session.h"

namespace lestapenna::cli {

struct LiveTable {
    SessionId session;
    bool stopped = false;  ///< by `tools.work.stop`, before all was said; what was said until then is recorded
};

/// Records the show into a session of `tools`, status `ending`; the truth of it goes to the folder `truth`.
Result<LiveTable> record_live(sandbox::ShowOptions options, const workflows::Tools& tools,
                              const std::filesystem::path& truth);

}  // namespace lestapenna::cli
