// `lestapenna forget --user U [--yes]`: erases a person's audio everywhere, and that they were there. Beside a `run` of
// the same data folder, too.
#pragma once

#include "cli/context.h"

namespace lestapenna::cli {

void add_forget(CLI::App& app, Context& context);

}  // namespace lestapenna::cli
