// What simulated players are called, the same in every verb. Pure; any thread.
#pragma once

#include <cstddef>
#include <string>

namespace lestapenna::cli {

/// From the thirteenth player on they have numbers.
std::string player_name(std::size_t player);

}  // namespace lestapenna::cli
