#include "cli/cli.h"

namespace lestapenna::cli {

int run(int /*argc*/, char** /*argv*/) { return kUsage; }

}  // namespace lestapenna::cli
