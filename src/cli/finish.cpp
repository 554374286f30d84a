#include "cli/finish.h"

#include "base/log.h"
#include "workflows/master.h"

namespace lestapenna::cli {

Result<workflows::Session> open_session(const workflows::Tools& tools, const SessionId& id,
                                        workflows::WhileRecording recorded) {
    auto session = workflows::Session::open(tools, id, recorded);
    if (!session) return session;
    for (const journal::Damage& damage : session->timeline().damages) {
        log().warn("{}: {} bytes from byte {} on can not be read ({}); everything else is used", damage.path.string(),
                   damage.length, damage.offset, damage.what);
    }
    return session;
}

Exit exit_of(const timeline::Timeline& timeline) {
    if (!timeline.damages.empty()) return kDamaged;
    return timeline.has_gaps() ? kGaps : kDone;
}

Result<Exit> finish(const workflows::Tools& tools, const SessionId& id) {
    auto session = open_session(tools, id);
    if (!session) return session.error();
    if (auto status = workflows::finish_session(*session); !status) return status.error();
    return exit_of(session->timeline());
}

}  // namespace lestapenna::cli
