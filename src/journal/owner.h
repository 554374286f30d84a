// Whose the packets of an SSRC are: its bindings, in the order in which they were journaled.
// Value type; one thread at a time.
#pragma once

#include <vector>

#include "base/ids.h"
#include "base/time.h"

namespace lestapenna::journal {

class Owner {
  public:
    /// From when on it counts: `at`, but not before what was journaled before it.
    SessionTime bind(UserId user, SessionTime at);

    /// The latest binding's until then; what came before the first one is the first one's. Without any, nobody's.
    [[nodiscard]] UserId of(SessionTime at) const;
    /// A parked packet was opened as that user's whose SSRC it was when it was journaled; one that never opened is of
    /// whose it was when it came, whoever has the SSRC since. `arrival` in whole samples, as the timeline counts it;
    /// `known`: the latest time of any record when it was journaled, its own included.
    [[nodiscard]] UserId of(SessionTime arrival, SessionTime known, bool parked, bool undecryptable) const {
        return of(parked && !undecryptable ? known : arrival);
    }

  private:
    struct Bound {
        SessionTime at;
        UserId user;
    };
    std::vector<Bound> bindings_;
};

}  // namespace lestapenna::journal
