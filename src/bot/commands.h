// What each command does. One coroutine per command, from the asking to the answer.
//
// Thread: the loop's. Errors: people are told; the log has the rest.
#pragma once

#include "bot/command.h"
#include "bot/conversation.h"

namespace lestapenna::bot {

/// Does what a person asked for. `with` names a guild that is known and available.
net::Task<> obey(const CorePtr& core, Addressee with, Command command, Asker asker);

// Those about what is being recorded (commands_live.cpp).
net::Task<> listen(CorePtr core, Conversation talk, Asker asker);
net::Task<> stop(CorePtr core, Conversation talk, Asker asker);
net::Task<> pause(CorePtr core, Conversation talk, Asker asker, bool paused);
net::Task<> note(CorePtr core, Conversation talk, Asker asker, std::string text);
net::Task<> status(CorePtr core, Conversation talk);

// Those about what was (commands_past.cpp).
net::Task<> sessions(CorePtr core, Conversation talk);
net::Task<> download(CorePtr core, Conversation talk, Asker asker, std::string argument);
net::Task<> recover(CorePtr core, Conversation talk, Asker asker, std::string argument);

}  // namespace lestapenna::bot
