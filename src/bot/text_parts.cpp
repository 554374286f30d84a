#include "bot/text_parts.h"

#include <algorithm>

#include "base/text.h"
#include "bot/text.h"

namespace lestapenna::bot::text {

namespace {

bool is_punctuation(char c) {
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

}  // namespace

std::string escaped(std::string_view name) {
    std::string out;
    for (const char c : phrase::name(name)) {
        // Discord shows any punctuation after a backslash as it is: no list of what means something today.
        if (is_punctuation(c)) out += '\\';
        out += c;
    }
    return out.empty() ? "?" : out;
}

std::string as_code(std::string_view text, std::size_t most) {
    std::string line = one_line(first_bytes(text, most), most);
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
