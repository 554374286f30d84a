// Randomness that nobody can guess; for the .cpp files of this room.
#pragma once

#include <string>

namespace lestapenna::net {

/// 2 * `bytes` lowercase hexadecimal digits from the system's CSPRNG.
std::string random_hex(std::size_t bytes);

}  // namespace lestapenna::net
