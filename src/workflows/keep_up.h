// What is made of a session while it is still being recorded (workflows 1 and 2 of the specification): chunks of the
// windows that have closed, fragments of the connections that are over. Placement is causal, so each is the very file
// that the end of the session would make.
#pragma once

#include <optional>

#include "workflows/growing.h"
#include "workflows/session.h"

namespace lestapenna::workflows {

/// Makes what can be made now, and brings ledger and manifest up to date; each file is stored, then catalogued, then, a
/// person's fragment, in the transcription queue. Returns when the next window closes; nothing when nobody records the
/// session any more: then finish_session() has the rest. May be called at any time, as often as one likes. `growing` is
/// one for all sessions of the process.
Result<std::optional<UnixTime>> keep_up(const Tools& tools, const SessionId& id, Growing& growing);

}  // namespace lestapenna::workflows
