// How often this program asked the heap for memory, by any way: mallocs.cpp stands in front of the C library's
// functions.
#pragma once

#include <cstdint>

namespace lestapenna::bench {

std::uint64_t mallocs();

}  // namespace lestapenna::bench
