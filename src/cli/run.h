// `lestapenna run`: the bot.
#pragma once

#include "cli/context.h"

namespace lestapenna::cli {

void add_run(CLI::App& app, Context& context);

}  // namespace lestapenna::cli
