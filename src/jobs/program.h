// Runs somebody else's program: an argv, never a shell, within limits. It is a group of its own at nice 10, without our
// environment's secrets (LESTAPENNA_..., DISCORD_TOKEN), its standard input empty; the whole group is killed when it
// takes too long, prints too much, when we are to stop, and when it leaves somebody behind.
//
// Thread: any; blocks for as long as the program runs. Errors: not_found: there is no such program, or it can not be
// run; damaged: it printed more than it may; interrupted: `stop` was set; failed: it took too long, or the world said
// no. A program that ends by itself is no error, whatever its code.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace lestapenna::jobs {

struct ProgramLimits {
    milliseconds time{};
    std::size_t output_bytes = 0;
};

struct ProgramEnd {
    int exit_code = 0;   ///< 128 + n after signal n
    std::string out{};   ///< standard output, all of it
    std::string last{};  ///< the end of standard error, 4 KiB at most
};

Result<ProgramEnd> run_program(const std::vector<std::string>& argv, const ProgramLimits& limits,
                               const std::atomic<bool>& stop);

/// Whether run_program() would find it: a path, or a name that is in PATH.
bool is_program(const std::string& name);

}  // namespace lestapenna::jobs
