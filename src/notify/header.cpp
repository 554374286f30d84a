#include "notify/header.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.h"

namespace lestapenna::notify {

namespace {

constexpr std::string_view kOpen = "=?utf-8?Q?";
constexpr std::string_view kClose = "?=";
constexpr std::size_t kLongestWord = 75;  // RFC 2047 section 2

bool is_continuation(char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

/// The narrowest set, which is safe in every header: RFC 2047 section 5 (3).
bool stands_for_itself(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!*+-/").find(c) != std::string_view::npos;
}

std::string q_encoded(std::string_view character) {
    std::string encoded;
    for (const char c : character) {
        if (stands_for_itself(c)) {
            encoded += c;
        } else if (c == ' ') {
            encoded += '_';
        } else {
            encoded += fmt::format("={:02X}", static_cast<unsigned char>(c));
        }
    }
    return encoded;
}

/// Bytes of the character at the front of `text`, which is not empty. What is no UTF-8 is cut into fours at most.
std::size_t first_character(std::string_view text) {
    constexpr std::size_t kMost = 4;
    std::size_t size = 1;
    while (size < std::min(text.size(), kMost) && is_continuation(text[size])) ++size;
    return size;
}

}  // namespace

std::string header_text(std::string_view text) {
    std::string line = one_line(text, text.size());
    const bool plain = std::ranges::all_of(line, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
    if (plain && line.find("=?") == std::string::npos) return line;
    std::string header(kOpen);
    std::size_t word = kOpen.size();
    for (std::string_view rest = line; !rest.empty();) {
        const auto size = first_character(rest);
        const auto encoded = q_encoded(rest.substr(0, size));
        if (word + encoded.size() + kClose.size() > kLongestWord) {
            header.append(kClose).append(" ").append(kOpen);  // readers join them without the blank
            word = kOpen.size();
        }
        header += encoded;
        word += encoded.size();
        rest.remove_prefix(size);
    }
    return header.append(kClose);
}

std::string header_date(UnixTime time) {
    constexpr std::array kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(std::chrono::floor<seconds>(time - day));
    return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} +0000", kDays.at(std::chrono::weekday(day).c_encoding()),
                       static_cast<unsigned>(date.day()), kMonths.at(static_cast<unsigned>(date.month()) - 1),
                       static_cast<int>(date.year()), clock.hours().count(), clock.minutes().count(),
                       clock.seconds().count());
}

std::string html_escaped(std::string_view text) {
    std::string escaped;
    for (const char c : text) {
        switch (c) {
            case '&':
                escaped += "&amp;";
                break;
            case '<':
                escaped += "&lt;";
                break;
            case '>':
                escaped += "&gt;";
                break;
            case '"':
                escaped += "&quot;";
                break;
            case '\'':
                escaped += "&#39;";
                break;
            default:
                escaped += c;
        }
    }
    return escaped;
}

}  // namespace lestapenna::notify
