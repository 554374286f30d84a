// `lestapenna master ID [--out FILE]`: what $scarica does: renders whatever is missing, returns when it is in the
// store.
#pragma once

#include "cli/context.h"

namespace lestapenna::cli {

void add_master(CLI::App& app, Context& context);

}  // namespace lestapenna::cli
