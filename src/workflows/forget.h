// A person is forgotten: what they said, and that they were there, goes from journals, store, catalog, manifests and
// cache; the masters they were heard in are mixed again without them. Everybody else's files stay as they are, byte for
// byte, and are rendered from the journals to the same bytes.
//
// Of each session, with its files and its journal locked, in this order: master and transcript are removed (their voice
// is never in one that stays), the journal is written anew without them, their files are removed, then their rows, in
// one transaction, and the manifest names them no more. At the end the catalog's own leavings are scrubbed. Killed
// anywhere, forget() goes on where it was: the wish is a file (wishes.h) until all is done.
//
// A session that is being recorded is refused: it is told, and all else is done. What can not be removed now (the store
// is away, a journal that nobody can read) is told too, and the wish stays. Unlinked, not shredded: what the disk or a
// bucket with versions keeps of removed files is not ours to say.
//
// Thread: one. Others may work on the data folder meanwhile, `run` too: of a session that somebody makes files of, one
// waits at most `patience`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "workflows/session.h"
#include "workflows/wishes.h"

namespace lestapenna::workflows {

/// What became of a session's master.
enum class MasterWithout {
    untouched,  ///< there was none, or their voice was not in it
    remade,
    removed,  ///< there is nothing any more to mix it from, or nobody else was heard
};
std::string_view to_text(MasterWithout master);

/// What of a person went from one session.
struct ForgottenSession {
    SessionId session;
    std::uint64_t packets = 0;  ///< of the journal
    std::uint64_t events = 0;   ///< joins, leaves, bindings, notes
    std::uint64_t files = 0;    ///< of the store: chunks, fragments, and words beside these
    std::uint64_t bytes = 0;    ///< of these
    MasterWithout master = MasterWithout::untouched;
};
struct Undone {
    SessionId session;
    std::string why;                     ///< a sentence
    ErrorKind kind = ErrorKind::failed;  ///< locked: only waited for
};
struct Forgotten {
    std::vector<ForgottenSession> sessions{};  ///< where there was anything of them
    std::int64_t jobs = 0;                     ///< that named them
    std::vector<std::string> queued{};         ///< their jobs in the queue on Redis, which are not ours to remove
    std::vector<SessionId> recorded{};         ///< refused: they are being recorded
    std::vector<Undone> undone{};              ///< failed, or locked for longer than one waits
    [[nodiscard]] bool complete() const { return recorded.empty() && undone.empty(); }
};

struct ForgetOptions {
    milliseconds patience{0};
    /// Sessions that began later are left alone: of a wish that a kill has left.
    UnixTime until = UnixTime::max();
};

/// The wish is durable before anything else happens, and gone when nothing is undone. Errors: those of catalog and
/// store as a whole; interrupted; the wish stays.
Result<Forgotten> forget(const Tools& tools, Wishes& wishes, UserId user, const ForgetOptions& options = {});

/// What kills have left: every wish, as of when it was asked. What was done is logged, without the person's id; of
/// their jobs in the queue on Redis how many there are. Errors: locked, while somebody else forgets, or makes files of
/// a session and nothing else is undone; those of forget(); failed when something is undone.
Status forget_the_rest(const Tools& tools);

}  // namespace lestapenna::workflows
