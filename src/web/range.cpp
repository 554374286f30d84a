#include "web/range.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "base/text.h"

namespace lestapenna::web {

namespace {

constexpr std::string_view kBlank = " \t";  // OWS, RFC 9110 section 5.6.3
constexpr std::uint64_t kHuge = std::numeric_limits<std::uint64_t>::max();

/// Digits alone; what is too long for a number is larger than any file.
std::optional<std::uint64_t> number(std::string_view text) {
    if (text.empty()) return std::nullopt;
    std::uint64_t value = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') return std::nullopt;
        const auto digit = static_cast<std::uint64_t>(c - '0');
        value = value > (kHuge - digit) / 10 ? kHuge : value * 10 + digit;
    }
    return value;
}

/// One of the list: "0-99", "100-", "-5". Nothing when it is none of these.
std::optional<Part> parse_one(std::string_view text, std::uint64_t size) {
    const auto dash = text.find('-');
    if (dash == std::string_view::npos) return std::nullopt;
    const auto before = text.substr(0, dash);
    const auto after = text.substr(dash + 1);
    const auto first = number(before);
    const auto last = number(after);
    if ((!first && !before.empty()) || (!last && !after.empty()) || (!first && !last)) return std::nullopt;
    if (!first) {
        const std::uint64_t length = std::min(*last, size);
        return length == 0 ? Part{Part::none} : Part{Part::range, size - length, length};
    }
    if (last && *last < *first) return std::nullopt;
    if (*first >= size) return Part{Part::none};
    return Part{Part::range, *first, std::min(last.value_or(kHuge), size - 1) - *first + 1};
}

/// The list's next element, trimmed; it and its comma are taken from `list`.
std::string_view take_element(std::string_view& list) {
    const auto comma = std::min(list.find(','), list.size());
    const auto element = trimmed(list.substr(0, comma), kBlank);
    list.remove_prefix(std::min(comma + 1, list.size()));
    return element;
}

}  // namespace

Part part_of(std::string_view header, std::uint64_t size) {
    const auto equals = header.find('=');
    if (equals == std::string_view::npos || !same_word(header.substr(0, equals), "bytes")) return {};
    std::string_view list = header.substr(equals + 1);
    std::size_t inside = 0;
    std::size_t outside = 0;
    Part only;
    while (!list.empty()) {
        const auto element = take_element(list);
        if (element.empty()) continue;
        const auto part = parse_one(element, size);
        if (!part) return {};
        only = *part;
        ++(part->kind == Part::none ? outside : inside);
    }
    if (inside == 0) return Part{outside == 0 ? Part::whole : Part::none};
    return inside + outside == 1 ? only : Part{};
}

bool names(std::string_view list, std::string_view etag, bool weakly) {
    if (trimmed(list, kBlank) == "*") return true;
    while (!list.empty()) {
        auto element = take_element(list);
        if (weakly && element.starts_with("W/")) element.remove_prefix(2);
        if (element == etag) return true;
    }
    return false;
}

}  // namespace lestapenna::web
