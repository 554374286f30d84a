#include "base/nearest.h"

#include <algorithm>
#include <array>
#include <numeric>

namespace lestapenna {

namespace {
constexpr std::size_t kMaxWord = 64;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
    a = a.substr(0, kMaxWord);
    b = b.substr(0, kMaxWord);
    std::array<std::size_t, kMaxWord + 1> row{};  // row[j]: from the first i of a to the first j of b
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row[b.size()];
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> known) {
    const auto best = std::ranges::min_element(
        known, {}, [word](std::string_view candidate) { return edit_distance(word, candidate); });
    return best == known.end() ? std::string_view{} : *best;
}

}  // namespace lestapenna
