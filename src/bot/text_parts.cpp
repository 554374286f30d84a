#include "bot/text_parts.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "bot/text.h"

namespace lestapenna::bot::text {

namespace {

/// At most `most` bytes of UTF-8, no character cut in two.
std::string_view cut(std::string_view text, std::size_t most) {
    if (text.size() <= most) return text;
    while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0U) == 0x80U) --most;
    return text.substr(0, most);
}

/// The first character, where it is of two or three bytes of UTF-8; else 0.
char32_t first_wide_character(std::string_view text) {
    const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
    if ((byte(0) & 0xE0U) == 0xC0U) return (byte(0) & 0x1FU) << 6U | (byte(1) & 0x3FU);
    if ((byte(0) & 0xF0U) == 0xE0U) return (byte(0) & 0x0FU) << 12U | (byte(1) & 0x3FU) << 6U | (byte(2) & 0x3FU);
    return 0;
}

/// Marks that turn the direction of what follows, or hide: a name must not rewrite the rest of its line.
bool starts_with_direction(std::string_view text) {
    const char32_t c = first_wide_character(text);
    return c == 0x061C || c == 0x200B || c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) ||
           (c >= 0x2066 && c <= 0x2069);
}

bool is_punctuation(char c) {
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

std::string_view unit(Language language, std::int64_t count, std::string_view one_it, std::string_view more_it,
                      std::string_view one_en, std::string_view more_en) {
    if (language == Language::it) return count == 1 ? one_it : more_it;
    return count == 1 ? one_en : more_en;
}

struct Hms {
    std::int64_t hours;
    std::int64_t minutes;
    std::int64_t seconds;
};
Hms split(milliseconds length) {
    const std::int64_t whole = std::max<std::int64_t>(std::chrono::floor<seconds>(length).count(), 0);
    return {whole / 3600, whole / 60 % 60, whole % 60};
}

}  // namespace

std::string escaped(std::string_view name) {
    constexpr std::size_t kLongest = 64;  // Discord's names have 32 characters
    std::string line = one_line(name);
    std::string plain;
    for (std::size_t i = 0; i < line.size();) {
        if (starts_with_direction(std::string_view(line).substr(i))) {
            ++i;  // all of it: each of these marks is one lead byte and its continuation
            while (i < line.size() && (static_cast<unsigned char>(line[i]) & 0xC0U) == 0x80U) ++i;
        } else {
            plain += line[i++];
        }
    }
    const std::string_view kept = trimmed(cut(plain, kLongest));
    std::string out;
    for (const char c : kept) {
        // Discord shows any punctuation after a backslash as it is: no list of what means something today.
        if (is_punctuation(c)) out += '\\';
        out += c;
    }
    if (kept.size() < trimmed(plain).size()) out += "…";
    return out.empty() ? "?" : out;
}

std::string as_code(std::string_view text, std::size_t most) {
    std::string line = one_line(cut(text, most), most);
    std::ranges::replace(line, '`', '\'');
    return line;
}

std::string id(const SessionId& session) {
    return '`' + short_id(session) + '`';
}

std::string command(Verb verb, Language language, std::string_view prefix) {
    return fmt::format("`{}{}`", prefix, word(verb, language));
}

std::string channel(ChannelId id) {
    return "<#" + id.text() + '>';
}

namespace {
std::string timestamp(UnixTime time, char style) {
    return fmt::format("<t:{}:{}>", std::chrono::floor<seconds>(time).time_since_epoch().count(), style);
}
}  // namespace

std::string day(UnixTime time) {
    return timestamp(time, 'f');
}
std::string clock(UnixTime time) {
    return timestamp(time, 'T');
}

std::string length(Language language, milliseconds length) {
    const Hms t = split(length);
    const auto hours = fmt::format("{} {}", t.hours, unit(language, t.hours, "ora", "ore", "hour", "hours"));
    auto minutes = fmt::format("{} {}", t.minutes, unit(language, t.minutes, "minuto", "minuti", "minute", "minutes"));
    if (t.hours > 0) return t.minutes == 0 ? hours : joined(language, {hours, minutes});
    if (t.minutes > 0) return minutes;
    return fmt::format("{} {}", t.seconds, unit(language, t.seconds, "secondo", "secondi", "second", "seconds"));
}

std::string short_length(milliseconds length) {
    const Hms t = split(length);
    if (t.hours > 0) return fmt::format("{} h {} min", t.hours, t.minutes);
    if (t.minutes > 0) return fmt::format("{} min", t.minutes);
    return fmt::format("{} s", t.seconds);
}

std::string position(milliseconds at) {
    const Hms t = split(at);
    return fmt::format("{}:{:02}:{:02}", t.hours, t.minutes, t.seconds);
}

std::string number(Language language, std::uint64_t value) {
    std::string digits = std::to_string(value);
    for (std::size_t at = digits.size(); at > 3; at -= 3)
        digits.insert(at - 3, 1, language == Language::it ? '.' : ',');
    return digits;
}

std::string decimal(Language language, double value) {
    std::string text = fmt::format("{:.1f}", value);
    if (language == Language::it) std::ranges::replace(text, '.', ',');
    return text;
}

std::string percent(Language language, std::uint64_t part, std::uint64_t whole) {
    const double value = whole == 0 ? 0.0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
    const bool tiny = part > 0 && value < 0.05;
    return fmt::format("{}{}{}", tiny ? "< " : "", decimal(language, tiny ? 0.1 : value),
                       language == Language::it ? " %" : "%");
}

std::string counted(Language language, std::size_t count, std::string_view one, std::string_view several) {
    return fmt::format("{} {}", number(language, count), count == 1 ? one : several);
}

std::string joined(Language language, const std::vector<std::string>& parts) {
    std::string text;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        if (i > 0) text += i + 1 < parts.size() ? ", " : language == Language::it ? " e " : " and ";
        text += parts[i];
    }
    return text;
}

std::string list(Language language, std::string_view head, const std::vector<std::string>& lines,
                 std::string_view foot) {
    constexpr std::size_t kRoomForMore = 40;  // "… e altri 1.000"
    std::string text(head);
    std::size_t shown = 0;
    for (const std::string& line : lines) {
        if (text.size() + 1 + line.size() + kRoomForMore + 1 + foot.size() > kMaxBytes) break;
        if (!text.empty()) text += '\n';
        text += line;
        ++shown;
    }
    if (shown < lines.size()) {
        text += '\n' + say(language, "… e altri {0}", "… and {0} more", number(language, lines.size() - shown));
    }
    if (!foot.empty()) {
        if (!text.empty()) text += '\n';
        text += foot;
    }
    return text;
}

}  // namespace lestapenna::bot::text
