// `lestapenna retention`: removes what has lived its time, or says what would go.
#pragma once

#include "cli/context.h"

namespace lestapenna::cli {

void add_retention(CLI::App& app, Context& context);

}  // namespace lestapenna::cli
