// The command line: `lestapenna <verb>`. Verbs, JSON and exit codes are a contract (docs/architecture.md section 10).
#pragma once

namespace lestapenna::cli {

/// Exit codes, the whole list.
enum Exit : int { kDone = 0, kFailed = 1, kUsage = 2, kGaps = 3, kDamaged = 4, kInterrupted = 130 };

/// Runs one command; returns its exit code. Never throws.
int run(int argc, char** argv);

}  // namespace lestapenna::cli
