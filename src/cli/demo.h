// `lestapenna demo`: a short table of simulated players, recorded and rendered, so that one can hear what this does.
#pragma once

#include "cli/context.h"

namespace lestapenna::cli {

void add_demo(CLI::App& app, Context& context);

}  // namespace lestapenna::cli
