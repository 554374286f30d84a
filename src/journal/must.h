// An assert that stays on in release: what a journal says must be right, or the program must stop.
#pragma once

#include <cstdlib>

namespace lestapenna::journal {

inline void must(bool holds) {
    if (!holds) std::abort();
}

}  // namespace lestapenna::journal
