#include "base/phrase.h"

#include <algorithm>

#include "base/text.h"

namespace lestapenna::phrase {

namespace {

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

std::string name(std::string_view name) {
    constexpr std::size_t kLongest = 64;  // Discord's names have 32 characters
    const std::string line = one_line(name);
    std::string plain;
    for (std::size_t i = 0; i < line.size();) {
        if (starts_with_direction(std::string_view(line).substr(i))) {
            ++i;  // all of it: each of these marks is one lead byte and its continuation
            while (i < line.size() && (static_cast<unsigned char>(line[i]) & 0xC0U) == 0x80U) ++i;
        } else {
            plain += line[i++];
        }
    }
    std::string kept(trimmed(first_bytes(plain, kLongest)));
    if (kept.size() < trimmed(plain).size()) kept += "…";
    return kept;
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

std::string megabytes(Language language, std::uint64_t bytes) {
    constexpr double kMegabyte = 1024.0 * 1024.0;
    return decimal(language, static_cast<double>(bytes) / kMegabyte);
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

}  // namespace lestapenna::phrase
