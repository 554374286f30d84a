// What sentences for people are made of, wherever they are read (Discord, mail): names, lengths, numbers and lists, in
// Italian and English. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/language.h"
#include "base/time.h"

namespace lestapenna::phrase {

/// One sentence in both languages; what goes into it is the same, named {0}, {1}...
template <class... T>
std::string say(Language language, fmt::format_string<const T&...> it, fmt::format_string<const T&...> en,
                const T&... with) {
    return fmt::vformat(language == Language::it ? it : en, fmt::make_format_args(with...));
}

/// A name from outside: on one line, no text that runs backwards, at most 64 bytes, not yet escaped for any reader;
/// perhaps empty.
std::string name(std::string_view name);

/// "3 ore e 12 minuti", "45 secondi"
std::string length(Language language, milliseconds length);
/// "3 h 12 min", "45 s": in lists.
std::string short_length(milliseconds length);
/// "1:02:03"
std::string position(milliseconds at);
/// "12.345", "12,345"
std::string number(Language language, std::uint64_t value);
/// With one decimal: "0,4", "0.4".
std::string decimal(Language language, double value);
/// Without a unit, as it is called MB: "176,2".
std::string megabytes(Language language, std::uint64_t bytes);
/// Of `part` in `whole`: "0,4 %", "0.4%"; what is not nothing is never "0,0".
std::string percent(Language language, std::uint64_t part, std::uint64_t whole);
/// "1 persona", "5 persone"
std::string counted(Language language, std::size_t count, std::string_view one, std::string_view several);
/// "a, b e c"
std::string joined(Language language, const std::vector<std::string>& parts);

}  // namespace lestapenna::phrase
