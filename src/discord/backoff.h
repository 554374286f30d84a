// How long to wait after failures in a row: doubled each time, with jitter, so that many clients do not come back at
// once. Pure but for the random numbers; one thread at a time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>

#include "base/time.h"

namespace lestapenna::discord {

/// `first` for the first failure, twice that for the second, and so on up to `most`.
inline nanoseconds doubled(nanoseconds first, int failures, nanoseconds most) {
    nanoseconds wait = std::min(first, most);
    for (int i = 1; i < failures && wait < most; ++i) wait = std::min(2 * wait, most);
    return wait;
}

/// Uniform from `least` to `most`; `least` where that is not less.
template <class Generator>
nanoseconds between(nanoseconds least, nanoseconds most, Generator& random) {
    return nanoseconds(
        std::uniform_int_distribution<std::int64_t>(least.count(), std::max(least, most).count())(random));
}

}  // namespace lestapenna::discord
