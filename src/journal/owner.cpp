#include "journal/owner.h"

#include <algorithm>
#include <iterator>

namespace lestapenna::journal {

SessionTime Owner::bind(UserId user, SessionTime at) {
    const SessionTime from = bindings_.empty() ? at : std::max(at, bindings_.back().at);
    if (bindings_.empty() || bindings_.back().user != user) bindings_.push_back({from, user});
    return from;
}

UserId Owner::of(SessionTime at) const {
    if (bindings_.empty()) return {};
    const auto after = std::upper_bound(bindings_.begin(), bindings_.end(), at,
                                        [](SessionTime t, const Bound& bound) { return t < bound.at; });
    return after == bindings_.begin() ? after->user : std::prev(after)->user;
}

}  // namespace lestapenna::journal
