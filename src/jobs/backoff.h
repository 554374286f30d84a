// How long one waits after so many attempts that failed. Pure.
#pragma once

#include <algorithm>

#include "base/time.h"

namespace lestapenna::jobs {

/// `first` after one, doubled with each further one up to `most`.
inline nanoseconds backoff(nanoseconds first, nanoseconds most, int attempts) {
    nanoseconds delay = first;
    for (int i = 1; i < attempts && delay < most; ++i) delay *= 2;
    return std::min(delay, most);
}

}  // namespace lestapenna::jobs
