// A table that plays in the sandbox, and the bot that records it, in one process over real sockets: a player types
// $ascolta, all play, the player types $termina and gets a link.
//
// Thread: any one; returns when the session is finished and the link was followed. Errors: what either side says; a
// session that had begun is then left as by a kill.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/result.h"
#include "cli/service.h"
#include "sandbox/show.h"
#include "workflows/session.h"

namespace lestapenna::cli {

struct LiveTable {
    SessionId session;
    bool stopped = false;  ///< by `tools.work.stop`, before all was said; what was said until then is recorded
    std::string link{};    ///< to the master, as the bot sent it; it was followed, and holds what the store holds
    std::unique_ptr<sandbox::Show> show;
    std::unique_ptr<Service> service;  ///< still runs, so that the link leads somewhere
};

/// Plays the show to the bot of `config`, whose [discord] and [web] become the sandbox's. The truth of it goes to the
/// folder `truth`. `tools` are of the same configuration.
Result<LiveTable> record_live(sandbox::ShowOptions options, Config& config, const workflows::Tools& tools,
                              const std::filesystem::path& truth);

}  // namespace lestapenna::cli
