#include "net/random.h"

#include <cstdlib>
#include <vector>

#include <openssl/rand.h>

namespace lestapenna::net {

std::string random_hex(std::size_t bytes) {
    std::vector<unsigned char> random(bytes);
    if (RAND_bytes(random.data(), static_cast<int>(bytes)) != 1) std::abort();  // the system has no randomness at all
    std::string text;
    for (const unsigned char byte : random) {
        text += "0123456789abcdef"[byte >> 4];
        text += "0123456789abcdef"[byte & 15];
    }
    return text;
}

}  // namespace lestapenna::net
