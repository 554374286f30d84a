// The command line: `lestapenna <verb>`. Verbs, JSON and exit codes are a contract (docs/architecture.md section 10).
//
// A verb is one pair of files, src/cli/VERB.{h,cpp}, with one function that is named in the table of cli.cpp:
//
//     void add_master(CLI::App& app, Context& context) {
//         const auto id = std::make_shared<std::string>();                       // outlives the parsing
//         auto* const verb = context.add_verb(app, "master", "Makes ...", [id, &context] { return master(*id, context);
//         }); verb->add_option("ID", *id, "The session")->required(); context.add_threads(*verb);
//     }
//
// Its work, `Result<Exit> master(const std::string& id, Context& context)`, runs after the whole line was understood.
// It gets configuration, catalog and store from the Context, prints its one result with context.print() as the last
// thing it does, and returns an Exit or an Error; run() turns an Error into a line or into JSON, and into its exit
// code. --json, --config and
// --help are there for every verb.
#pragma once

namespace lestapenna::cli {

/// Exit codes, the whole list.
enum Exit : int { kDone = 0, kFailed = 1, kUsage = 2, kGaps = 3, kDamaged = 4, kInterrupted = 130 };

/// Runs one command; returns its exit code. Never throws. With --json exactly one JSON value is printed, also on
/// failure:
/// {"error": {"code", "message"}} with code failed, usage, damaged, not_found, locked or interrupted.
/// SIGINT and SIGTERM set Context::stop(); a second one ends the process at once.
int run(int argc, char** argv);

}  // namespace lestapenna::cli
