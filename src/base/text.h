// Text from outside, made fit for a message. Pure; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace lestapenna {

/// The text on one line, whatever bytes it holds: control characters become '?', what is longer than `max` is cut with
/// "...".
std::string one_line(std::string_view text, std::size_t max = 4096);
/// The same in double quotes, cut at 60.
std::string in_quotes(std::string_view text);

/// At most `most` bytes of UTF-8, no character cut in two.
std::string_view first_bytes(std::string_view text, std::size_t most);

/// Without what stands in `blanks` at either end.
std::string_view trimmed(std::string_view text, std::string_view blanks = " \t\r\n");
/// Equal but for the case of ASCII letters.
bool same_word(std::string_view a, std::string_view b);

}  // namespace lestapenna
