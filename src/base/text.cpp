#include "base/text.h"

#include <algorithm>

namespace lestapenna {

std::string one_line(std::string_view text, std::size_t max) {
    std::string line(text.substr(0, max));
    std::ranges::replace_if(
        line, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, '?');
    if (text.size() > max) line += "...";
    return line;
}

std::string in_quotes(std::string_view text) {
    return '"' + one_line(text, 60) + '"';
}

}  // namespace lestapenna
