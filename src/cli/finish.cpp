#include "cli/finish.h"

#include <algorithm>

#include "base/log.h"
#include "workflows/master.h"
#include "workflows/rebuild.h"

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

namespace {

/// The same where only the catalog still knows.
Result<Exit> exit_of_ledger(const workflows::Tools& tools, const SessionId& id) {
    const auto tracks = tools.catalog.tracks(id);
    if (!tracks) return tracks.error();
    const auto gaps = [](const catalog::Track& track) { return track.lost + track.undecryptable + track.late > 0; };
    return std::ranges::any_of(*tracks, gaps) ? kGaps : kDone;
}

}  // namespace

Result<Exit> exit_of_session(const workflows::Tools& tools, const SessionId& id) {
    const auto session = open_session(tools, id, workflows::WhileRecording::read);
    if (session) return exit_of(session->timeline());
    if (session.error().kind == ErrorKind::damaged) return kDamaged;
    return session.error().kind == ErrorKind::not_found ? exit_of_ledger(tools, id) : Result<Exit>(session.error());
}

Result<Exit> finish(const workflows::Tools& tools, const SessionId& id) {
    auto session = open_session(tools, id);
    if (!session) {
        const auto kind = session.error().kind;
        if (kind != ErrorKind::not_found && kind != ErrorKind::damaged) return session.error();
        const auto restored = workflows::restore(tools, id);
        if (!restored && restored.error().kind == ErrorKind::not_found) {
            return Error{kind, session.error().message + "; " + restored.error().message};
        }
        if (!restored) return restored.error();
        log().warn("{}: what is in the store is used", session.error().message);
        if (kind == ErrorKind::damaged) return kDamaged;
        return restored->lost.empty() ? exit_of_ledger(tools, id) : Result<Exit>(kGaps);
    }
    if (auto status = workflows::finish_session(*session); !status) return status.error();
    return exit_of(session->timeline());
}

}  // namespace lestapenna::cli
