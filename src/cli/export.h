// `lestapenna export ID --format F [--user U] [--from T --to T] --out DIR`: a file per user, all beginning at the same
// instant.
#pragma once

#include "cli/context.h"

namespace lestapenna::cli {

void add_export(CLI::App& app, Context& context);

}  // namespace lestapenna::cli
