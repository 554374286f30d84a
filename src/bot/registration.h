// Registers the slash commands, when Discord's list is not ours already: new commands are limited to 200 a day.
// Thread: the loop's. Errors are logged: people can still type.
#pragma once

#include "bot/core.h"
#include "discord/json.h"

namespace lestapenna::bot {

net::Task<> register_commands(CorePtr core, discord::ApplicationId application);

/// Whether `known` (what Discord answers, with fields of its own added) says all that `ours` says, in any order, and no
/// more commands. Pure.
bool same_commands(const discord::Json& ours, const discord::Json& known);

}  // namespace lestapenna::bot
