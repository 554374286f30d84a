// What of a person lies in files, and which sessions there are at all. Private to workflows/. Thread: one.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "workflows/forget.h"

namespace lestapenna::workflows {

/// A person's chunks and fragments in the store, and the words beside these.
class Belongings {
  public:
    Belongings() = default;
    /// By one listing of the whole store.
    static Result<Belongings> find(const Tools& tools, UserId user);
    [[nodiscard]] bool holds(const SessionId& id) const { return theirs_.contains(id); }
    /// Errors: failed where the catalog calls files of a session stored, and the store has neither any of them nor a
    /// manifest: a disk that is not mounted, whose files would be back with it.
    [[nodiscard]] Status borne_out(const Tools& tools, const SessionId& id) const;
    /// Removes those of a session, and what the catalog's rows name besides; counts what was there.
    Status remove(const Tools& tools, const SessionId& id, UserId user, ForgottenSession& gone) const;
    /// The sessions of which the store holds anything.
    [[nodiscard]] const std::set<SessionId>& sessions() const { return sessions_; }

  private:
    std::map<SessionId, std::vector<store::ObjectInfo>> theirs_;
    std::set<SessionId> sessions_;
};

/// Those of the catalog, of the journals' folder and of the store.
Result<std::set<SessionId>> all_sessions(const Tools& tools, const Belongings& belongings);

/// Did a session hear a person, as far as the catalog knows?
Result<bool> was_heard(const catalog::Catalog& catalog, const SessionId& id, UserId user);

/// Does a session's manifest name a person?
Result<bool> manifest_names(const Tools& tools, const SessionId& id, UserId user);
/// Where the catalog knows nothing of the session: its manifest without a person, and without a master. Ok also when
/// there is none.
Status write_manifest_without(const Tools& tools, const SessionId& id, UserId user);

/// What others said was only in a transcript that is removed, because it came back with the bucket (recover
/// --scan-store): their fragments are to be transcribed, where they are there. Inside together().
Status transcribe_again(const Tools& tools, const SessionId& id, UserId user);

/// What killed processes have left half-written beside a session's files, where the store is a folder. While nobody
/// makes any.
void remove_unfinished(const Tools& tools, const SessionId& id);
/// What they have left of manifests and transcripts: all that is old, and what names a person.
void remove_drafts(const Tools& tools, UserId user);

}  // namespace lestapenna::workflows
