// A session's journal written anew without one person: their packets, joins, leaves, bindings and notes are not in it,
// whatever SSRC and whenever they came by; their id in other people's notes is 0. All other records are as they were,
// byte for byte but for their places, and so is everything that is rendered from them: where the person's record was
// the first to say how late it is, a clock record says so in its place (docs/architecture.md section 6, "Placement is
// causal"). Damage in the old journal is damage in the new one: a segment is missing where it was.
//
// The new segments have numbers above all old ones, in a chain of their own, in a folder `.new-{session}` beside the
// old; commit() exchanges the two folders at once. Whoever reads the old journal meanwhile finds its segments gone, and
// never another's bytes in their place.
//
// Thread: one at a time. Ownership: the session's lock is held from make() to the end of the object. Errors: locked
// while it is recorded, and those of Reader::open; failed when the disk refuses. After an error, and after a kill at
// any moment, the journal is the old one or the new one; what lies beside it remove_replaced() takes away.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "base/ids.h"
#include "base/result.h"
#include "journal/folder.h"

namespace lestapenna::journal {

class Files;

/// What of a person was in a journal.
struct Taken {
    std::uint64_t packets = 0;
    std::uint64_t events = 0;  ///< joins, leaves, bindings, notes of theirs or with their id in it
    [[nodiscard]] bool any() const { return packets + events > 0; }
};

/// Is a person's id in the segments of a journal, as records have it or as people write it, in bytes that can be
/// trusted or not? Also while it is recorded. Errors: not_found when there is no such folder, failed.
Result<bool> names(const std::filesystem::path& session_folder, UserId user);

class Without {
  public:
    /// Nothing when the journal has no trace of them. The new one is durable on return.
    static Result<std::optional<Without>> make(const std::filesystem::path& session_folder, UserId user, Files& files);
    Without(Without&& other) noexcept;
    Without& operator=(Without&& other) = delete;
    ~Without();

    [[nodiscard]] const Taken& taken() const { return taken_; }
    /// The new one takes the old one's place, durably; the old one is gone.
    Status commit();

  private:
    Without(SessionLock lock, std::filesystem::path folder, std::filesystem::path fresh, Taken taken, Files& files);
    SessionLock lock_;
    std::filesystem::path folder_;
    std::filesystem::path beside_;  ///< the new one; after commit() the old one
    Taken taken_;
    Files* files_;
};

/// Takes away what a kill has left of make() and commit(), and all else whose name begins with a dot: journals on their
/// way out. While nobody is at make().
Status remove_replaced(const std::filesystem::path& journal_root);

}  // namespace lestapenna::journal
