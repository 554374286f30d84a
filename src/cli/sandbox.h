// `lestapenna sandbox`: a Discord on loopback, with people who talk, for any bot to be tried against (docs/sandbox.md).
#pragma once

#include "cli/context.h"

namespace lestapenna::cli {

void add_sandbox(CLI::App& app, Context& context);

}  // namespace lestapenna::cli
