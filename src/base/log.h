// The log: one line per event on standard error, never on standard output, which belongs to results.
// The level comes from LESTAPENNA_LOG: trace, debug, info (default), warn, error, off.
// Secrets never go here: Config keeps them in a type that does not print. Any thread; never throws.
#pragma once

#include <string_view>

#include <spdlog/logger.h>

namespace lestapenna {

/// The process's logger; made at the first use, lives until the process ends.
spdlog::logger& log();

/// Sets the level by name, as LESTAPENNA_LOG does. False, and nothing changed, when the name is none of the six.
bool set_log_level(std::string_view name);

}  // namespace lestapenna
