// What is handed over when a session's files are made: the table hears how it went, and the link goes to who may have
// it. Done by jobs, so that it happens whatever dies meanwhile.
//
// Thread: the loop's; calling report() and deliver() makes a task and may be done on any. Errors as jobs/runner.h reads
// them: failed when Discord may take it another time, interrupted while the bot shuts down. What Discord refuses for
// good is logged, and no error.
#pragma once

#include "bot/conversation.h"
#include "bot/summary.h"

namespace lestapenna::bot {

net::Task<Status> report(CorePtr core, SessionId session);
net::Task<Status> deliver(CorePtr core, SessionId session, UserId user, std::string payload);
void could_not_make(const CorePtr& core, const SessionId& session, const Error& error);

/// The link, or the file itself, or why there is neither. `nonce`: a repetition within minutes is not posted twice.
net::Task<Delivery> hand_over(CorePtr core, Summary summary, Addressee to, std::string nonce);

/// What a download job keeps of who asked: no secret in it.
std::string payload_of(const Addressee& to);

}  // namespace lestapenna::bot
