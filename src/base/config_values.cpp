#include "base/config_values.h"

#include <algorithm>
#include <utility>

#include "base/ids.h"

namespace lestapenna::config {

namespace {

using Shape = RawValue::Shape;

struct Unit {
    std::string_view name;
    milliseconds length;
};
constexpr std::array kUnits{Unit{"d", std::chrono::days(1)}, Unit{"h", std::chrono::hours(1)},
                            Unit{"m", std::chrono::minutes(1)}, Unit{"s", seconds(1)}, Unit{"ms", milliseconds(1)}};
constexpr milliseconds kLongest = std::chrono::days(36'500);  // a hundred years: no sum of two overflows

constexpr std::string_view kForever = "forever";

/// "5m": a whole number above zero and a unit.
std::optional<milliseconds> duration(std::string_view text) {
    std::int64_t count = 0;
    const auto number = std::from_chars(text.data(), text.data() + text.size(), count);
    if (number.ec != std::errc{} || count <= 0) return std::nullopt;
    const std::string_view name(number.ptr, static_cast<std::size_t>(text.data() + text.size() - number.ptr));
    const auto* const unit = std::ranges::find(kUnits, name, &Unit::name);
    if (unit == kUnits.end() || count > kLongest / unit->length) return std::nullopt;
    return count * unit->length;
}

WordList words(std::string_view text) {
    constexpr std::string_view kBlanks = " \t\r\n";
    WordList list;
    for (;;) {
        const auto begin = text.find_first_not_of(kBlanks);
        if (begin == std::string_view::npos) return list;
        const auto end = std::min(text.find_first_of(kBlanks, begin), text.size());
        list.emplace_back(text.substr(begin, end - begin));
        text.remove_prefix(end);
    }
}

}  // namespace

bool read(const RawValue& raw, std::string& out) {
    if (raw.shape == Shape::text) out = raw.text;
    return raw.shape == Shape::text;
}

bool read(const RawValue& raw, Secret& out) {
    if (raw.shape == Shape::text) out = Secret(raw.text);
    return raw.shape == Shape::text;
}

bool read(const RawValue& raw, std::filesystem::path& out) {
    // A zero byte would end the name early in every system call.
    if (raw.shape != Shape::text || raw.text.find('\0') != std::string::npos) return false;
    out = raw.text;
    return true;
}

bool read(const RawValue& raw, bool& out) {
    const bool scalar = raw.shape == Shape::text || raw.shape == Shape::bare;
    if (!scalar || (raw.text != "true" && raw.text != "false")) return false;
    out = raw.text == "true";
    return true;
}

bool read(const RawValue& raw, milliseconds& out) {
    const auto length = raw.shape == Shape::text ? duration(raw.text) : std::nullopt;
    if (length) out = *length;
    return length.has_value();
}

bool read(const RawValue& raw, Age& out) {
    if (raw.shape == Shape::text && raw.text == kForever) return out = std::nullopt, true;
    milliseconds length{};
    if (!read(raw, length)) return false;
    out = length;
    return true;
}

bool read(const RawValue& raw, WordList& out) {
    if (raw.shape == Shape::text) return out = words(raw.text), true;
    if (raw.shape == Shape::list) return out = raw.list, true;
    return false;
}

bool read(const RawValue& raw, GuildAddresses& out) {
    const auto is_guild = [](const auto& entry) { return UserId::parse(entry.first).has_value(); };
    if (raw.shape != Shape::table || !std::ranges::all_of(raw.table, is_guild)) return false;
    out = raw.table;
    return true;
}

bool read(const RawValue& raw, Listen& out) {
    if (raw.shape != Shape::text) return false;
    const std::string_view text = raw.text;
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos || colon == 0) return false;
    auto host = text.substr(0, colon);
    const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);
    if (!bracketed && host.find(':') != std::string_view::npos) return false;
    if (host.find_first_of(" \t\r\n[]/") != std::string_view::npos) return false;
    std::uint16_t port = 0;
    const auto* const end = text.data() + text.size();
    const auto number = std::from_chars(text.data() + colon + 1, end, port);
    if (number.ec != std::errc{} || number.ptr != end) return false;
    out = Listen{std::string(host), port};
    return true;
}

std::string show(const std::string& value) {
    return value;
}
std::string show(const Secret& value) {
    return value.empty() ? "" : "(set)";
}
std::string show(const std::filesystem::path& value) {
    return value.string();
}
std::string show(bool value) {
    return value ? "true" : "false";
}

std::string show(milliseconds value) {
    // The last unit, ms, divides everything.
    const auto* const unit =
        std::ranges::find_if(kUnits, [value](const Unit& u) { return value % u.length == milliseconds(0); });
    return std::to_string(value / unit->length).append(unit->name);
}

std::string show(const Age& value) {
    return value ? show(*value) : std::string(kForever);
}

std::string show(const WordList& value) {
    std::string text;
    for (const auto& word : value) text.append(text.empty() ? "" : " ").append(word);
    return text;
}

std::string show(const GuildAddresses& value) {
    std::string text;
    for (const auto& [guild, list] : value) text.append(text.empty() ? "" : "; ").append(guild + " = " + show(list));
    return text;
}

std::string show(const Listen& value) {
    const bool v6 = value.host.find(':') != std::string::npos;
    return (v6 ? "[" + value.host + "]" : value.host) + ":" + std::to_string(value.port);
}

std::string accepts(const std::string&) {
    return "a text in quotes";
}
std::string accepts(const Secret&) {
    return "a text in quotes";
}
std::string accepts(const std::filesystem::path&) {
    return "a path in quotes";
}
std::string accepts(bool) {
    return "true or false";
}
std::string accepts(milliseconds) {
    return "a whole number above zero with a unit, like \"5m\" (ms, s, m, h or d; at most 36500d)";
}
std::string accepts(const Age&) {
    return accepts(milliseconds{}) + ", or \"forever\"";
}
std::string accepts(const WordList&) {
    return "an array of texts, or one text with blanks between the words";
}
std::string accepts(const GuildAddresses&) {
    return "a table of guild ids, in digits, each with a mail address or an array of them";
}
std::string accepts(const Listen&) {
    return "host:port, like \"127.0.0.1:8080\" or \"[::1]:8080\"";
}

}  // namespace lestapenna::config
