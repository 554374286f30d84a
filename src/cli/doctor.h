// `lestapenna doctor`: looks at everything the bot needs, and says what to do. One line each; --json an array of
// {"check", "ok", "message"}. Exit 0 when all is well, 1 when something is wrong, 2 for a wrong configuration. May be
// asked while the bot runs. Makes nothing but what `run` would make: the data folder and the secret of links.
#pragma once

#include "cli/context.h"

namespace lestapenna::cli {

void add_doctor(CLI::App& app, Context& context);

}  // namespace lestapenna::cli
