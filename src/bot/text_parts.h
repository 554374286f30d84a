// What the sentences of text.h are made of: names, lengths, times, numbers and lists as people and Discord read them.
// Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/ids.h"
#include "base/time.h"
#include "bot/command.h"
#include "bot/language.h"

namespace lestapenna::bot::text {

/// Discord takes 2,000 characters; bytes are counted, which is the strictest reading of "character".
inline constexpr std::size_t kMaxBytes = 2'000;

/// One sentence in both languages; what goes into it is the same, named {0}, {1}...
template <class... T>
std::string say(Language language, fmt::format_string<const T&...> it, fmt::format_string<const T&...> en,
                const T&... with) {
    return fmt::vformat(language == Language::it ? it : en, fmt::make_format_args(with...));
}

/// A name from outside: on one line, no formatting, no ping, no link, no text that runs backwards, at most 64 bytes
/// before Discord's escapes. Never empty.
std::string escaped(std::string_view name);
/// Without backticks, for a place between two of them; on one line, at most `most` bytes.
std::string as_code(std::string_view text, std::size_t most);

/// "`7F3K2A`"
std::string id(const SessionId& session);
/// "`$ascolta`"
std::string command(Verb verb, Language language, std::string_view prefix);
std::string channel(ChannelId id);
/// Day and time, or the time alone, as the reader's own Discord writes them.
std::string day(UnixTime time);
std::string clock(UnixTime time);

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
/// Of `part` in `whole`: "0,4 %", "0.4%"; what is not nothing is never "0,0".
std::string percent(Language language, std::uint64_t part, std::uint64_t whole);
/// "1 persona", "5 persone"
std::string counted(Language language, std::size_t count, std::string_view one, std::string_view several);
/// "a, b e c"
std::string joined(Language language, const std::vector<std::string>& parts);

/// `head`, the lines that fit, how many did not, `foot`: never more than kMaxBytes.
std::string list(Language language, std::string_view head, const std::vector<std::string>& lines,
                 std::string_view foot);

}  // namespace lestapenna::bot::text
