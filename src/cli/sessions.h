// `lestapenna sessions [ID]`: an array of session objects, or one.
#pragma once

#include "cli/context.h"

namespace lestapenna::cli {

void add_sessions(CLI::App& app, Context& context);

}  // namespace lestapenna::cli
