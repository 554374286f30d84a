// Who is to be forgotten, until they are: a file for each person in {data}/forgetting, named by their id, so that a
// kill at any moment loses no wish, and nothing else keeps the id of somebody who is gone. What the file says besides:
// when it was asked, and the sessions whose master or transcript had them in it and is still to be made without them.
//
// Durable on return. Thread: one. Whoever holds an object of this is the only one who forgets anybody: the folder is
// locked, and free when its holder dies.
#pragma once

#include <filesystem>
#include <map>
#include <set>

#include "base/files.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"

namespace lestapenna::workflows {

struct Wish {
    UnixTime asked{};               ///< what began later is none of its business
    std::set<SessionId> masters{};  ///< to be mixed again, and their transcripts written
};

class Wishes {
  public:
    /// Errors: locked while another process forgets somebody; failed.
    static Result<Wishes> open(const std::filesystem::path& data);
    /// Is there any? Asks for no lock.
    static bool any(const std::filesystem::path& data);

    [[nodiscard]] const std::map<UserId, Wish>& all() const { return all_; }
    /// Adds or replaces.
    Status note(UserId user, Wish wish);
    /// It is done. Ok also when there is none.
    Status remove(UserId user);

  private:
    Wishes(std::filesystem::path folder, Fd lock) : folder_(std::move(folder)), lock_(std::move(lock)) {}
    Status read();

    std::filesystem::path folder_;
    Fd lock_;
    std::map<UserId, Wish> all_;
};

}  // namespace lestapenna::workflows
