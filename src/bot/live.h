// The sessions being recorded: how one begins, what the table is told meanwhile, what follows its end.
//
// Thread: the loop's. Errors: a StartError for who asked; afterwards nothing here ends a session.
#pragma once

#include "bot/core.h"
#include "journal/unfinished.h"

namespace lestapenna::bot {

/// Begins, or goes on with one that nobody ended. The caller has the table's turn, and the table records nothing. On
/// return it records and is kept up with, or it is idle again.
net::Task<Result<Ok, recorder::StartError>> start_recording(CorePtr core, recorder::Where where,
                                                            std::optional<journal::Unfinished> unfinished);

/// What the end of a session makes necessary: `work` (finish, recover), and that nobody keeps up with it any more.
std::vector<catalog::NewJob> jobs_at_end(catalog::NewJob work);

/// Waits, with the table's turn, until a session that is ending has ended.
net::Task<> wait_for_end(CorePtr core, GuildId guild);

}  // namespace lestapenna::bot
