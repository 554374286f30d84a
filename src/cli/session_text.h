// Session objects (session_json.h) as tables for people. Pure; any thread.
#pragma once

#include <string>

#include "cli/context.h"

namespace lestapenna::cli {

/// A line per session; a sentence when there is none.
std::string sessions_text(const Json& sessions);

/// One session: its head and its encryption, a line per player (who, how long, lost, closed, loudness, file), the
/// master, and why packets stayed closed.
std::string session_text(const Json& session);

}  // namespace lestapenna::cli
