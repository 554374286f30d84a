// `lestapenna recover [ID]`: what $recover does: sessions that nobody ended are finished, and the bot, when it runs
// next, tells their tables.
#pragma once

#include "cli/context.h"

namespace lestapenna::cli {

void add_recover(CLI::App& app, Context& context);

}  // namespace lestapenna::cli
