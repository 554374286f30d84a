#include "base/loopback.h"

#include <string>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/text.h"

namespace lestapenna {

bool is_loopback(std::string_view host) {
    const std::string text(host);
    in_addr v4{};
    if (::inet_pton(AF_INET, text.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24U == 127;
    in6_addr v6{};
    if (::inet_pton(AF_INET6, text.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6);
    return same_word(host, "localhost");
}

}  // namespace lestapenna
