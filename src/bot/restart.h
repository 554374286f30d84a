// After a restart: what the last process left is gone on with, finished, or given back (workflow 5 of the
// specification).
//
// Thread: the loop's. Errors are logged; what could not be done stays for the next start.
#pragma once

#include "bot/core.h"

namespace lestapenna::bot {

/// Looks for sessions that nobody ended and for nicknames that were not given back, once; acts on those of a guild as
/// soon as the guild is there, and on those of guilds we are no longer in. Ends when all is known.
net::Task<> look_back(CorePtr core);
/// A guild has shown up, or we were removed from it.
void guild_is_there(const CorePtr& core, GuildId guild);
void guild_is_gone(const CorePtr& core, GuildId guild);

/// Has a session finished that nobody ended.
net::Task<> finish_later(CorePtr core, SessionId session);

/// Gives back this guild's nickname, if the catalog remembers one: each minute until Discord has an answer to it.
net::Task<> give_back_nickname(CorePtr core, GuildId guild);
/// Gives back the nicknames that the catalog still remembers; for the end of the process, bounded in time.
net::Task<> give_back_nicknames(CorePtr core);

}  // namespace lestapenna::bot
