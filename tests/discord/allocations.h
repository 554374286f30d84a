// How often operator new was called so far in this program (allocations.cpp replaces it). Any thread.
#pragma once

#include <cstdint>

namespace lestapenna::test {

std::uint64_t allocations();

}  // namespace lestapenna::test
