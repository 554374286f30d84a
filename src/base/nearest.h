// The known word a person most likely meant. Pure; any thread.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace lestapenna {

/// Levenshtein distance of two words, in bytes; words are cut at 64 bytes, which bounds the work.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The word of `known` nearest to `word`, the first of equals; empty only when `known` is.
std::string_view nearest(std::string_view word, std::span<const std::string_view> known);

}  // namespace lestapenna
