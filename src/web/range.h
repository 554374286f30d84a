// Byte ranges and preconditions of a GET (RFC 9110 sections 13 and 14), for a file whose size and ETag are known.
// Pure; any thread. Total: what is no range at all is passed over, as the RFC wants.
#pragma once

#include <cstdint>
#include <string_view>

namespace lestapenna::web {

struct Part {
    enum Kind : std::uint8_t {
        whole,  ///< 200: no range was asked for, or none that we understand, or several (which we may send as a whole)
        range,  ///< 206
        none,   ///< 416: nothing of what was asked for is in the file
    };
    Kind kind = whole;
    std::uint64_t offset = 0;
    std::uint64_t length = 0;  ///< of `range` at least 1
};
/// `header`: the value of Range; empty: there is none.
Part part_of(std::string_view header, std::uint64_t size);

/// Does a list of entity tags ("*" and `W/"..."` included) name this one? `weakly`: as If-None-Match compares; else as
/// If-Match and If-Range do.
bool names(std::string_view list, std::string_view etag, bool weakly);

}  // namespace lestapenna::web
