// What the sentences of text.h are made of: names, lengths, times, numbers and lists as people and Discord read them.
// Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/phrase.h"
#include "base/time.h"
#include "bot/command.h"
#include "bot/language.h"

namespace lestapenna::bot::text {

/// Discord takes 2,000 characters; bytes are counted, which is the strictest reading of "character".
inline constexpr std::size_t kMaxBytes = 2'000;

// What is the same wherever it is read.
using phrase::counted;
using phrase::decimal;
using phrase::joined;
using phrase::length;
using phrase::number;
using phrase::percent;
using phrase::position;
using phrase::say;
using phrase::short_length;

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

/// `head`, the lines that fit, how many did not, `foot`: never more than kMaxBytes.
std::string list(Language language, std::string_view head, const std::vector<std::string>& lines,
                 std::string_view foot);

}  // namespace lestapenna::bot::text
