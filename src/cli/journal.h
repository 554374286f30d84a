// `lestapenna journal verify|dump PATH`: what is in a journal and what is wrong with it. PATH is a session's folder, or
// one segment, which is then read alone. Needs no configuration, catalog or store; changes nothing.
#pragma once

#include <filesystem>

#include "cli/context.h"

namespace lestapenna::cli {

void add_journal(CLI::App& app, Context& context);

/// Reads it all and prints the sum of it. kDamaged when something can not be trusted, a torn tail included; a journal
/// that is being written, or that stops at a whole record without an end, is clean. Errors: as Reader::open.
Result<Exit> journal_verify(const std::filesystem::path& path, Context& context);

/// Prints a line per record and per damage; with --json an array of them. The exit is that of journal_verify.
Result<Exit> journal_dump(const std::filesystem::path& path, Context& context);

}  // namespace lestapenna::cli
