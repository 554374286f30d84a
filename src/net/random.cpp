#include "net/random.h"

#include <cstdlib>
#include <vector>

#include <openssl/rand.h>

#include "base/hash.h"

namespace lestapenna::net {

std::string random_hex(std::size_t bytes) {
    std::vector<std::uint8_t> random(bytes);
    if (RAND_bytes(random.data(), static_cast<int>(bytes)) != 1) std::abort();  // the system has no randomness at all
    return hex(random);
}

}  // namespace lestapenna::net
