#include "jobs/recognised.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/text.h"

namespace lestapenna::jobs {

namespace {

using catalog::Segment;
using Json = nlohmann::json;
using Segments = std::vector<Segment>;

constexpr milliseconds kLatest = std::chrono::hours(24 * 100);

Error damaged(std::string message) {
    return {ErrorKind::damaged, std::move(message)};
}

/// How many bytes the UTF-8 character that `text` begins with has; 0: it begins with none.
std::size_t character(std::string_view text) {
    const auto byte = [text](std::size_t at) { return static_cast<unsigned char>(text[at]); };
    if (byte(0) < 0x80) return 1;
    const std::size_t length = byte(0) >= 0xF0 ? 4 : byte(0) >= 0xE0 ? 3 : 2;
    if (byte(0) < 0xC2 || byte(0) > 0xF4 || text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0U) != 0x80) return 0;
    }
    // Overlong forms, surrogates, and what lies beyond U+10FFFF.
    if ((byte(0) == 0xE0 && byte(1) < 0xA0) || (byte(0) == 0xED && byte(1) > 0x9F)) return 0;
    if ((byte(0) == 0xF0 && byte(1) < 0x90) || (byte(0) == 0xF4 && byte(1) > 0x8F)) return 0;
    return length;
}

/// UTF-8 on one line, single blanks between the words.
std::string clean(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const std::size_t length = character(text);
        const bool blank = static_cast<unsigned char>(text.front()) <= ' ' || text.front() == '\x7f';
        if (length == 0) {
            out += "\xEF\xBF\xBD";
        } else if (!blank) {
            out += text.substr(0, length);
        } else if (!out.empty() && out.back() != ' ') {
            out += ' ';
        }
        text.remove_prefix(std::max<std::size_t>(1, length));
    }
    if (out.ends_with(' ')) out.pop_back();
    return out;
}

void add(Segments& segments, milliseconds start, milliseconds end, std::string_view text) {
    std::string words = clean(text);
    if (words.empty()) return;
    start = std::clamp(start, milliseconds(0), kLatest);
    segments.push_back({start, std::clamp(end, start, kLatest), std::move(words)});
}

// ---- JSON

const Json* member(const Json& object, const char* name) {
    const auto found = object.is_object() ? object.find(name) : object.end();
    return found == object.end() ? nullptr : &*found;
}

std::string_view text_of(const Json* value) {
    return value != nullptr && value->is_string() ? std::string_view(value->get_ref<const std::string&>())
                                                  : std::string_view();
}

/// A number of `unit`s; nothing for anything else.
std::optional<milliseconds> time_of(const Json* value, milliseconds unit) {
    if (value == nullptr || !value->is_number()) return std::nullopt;
    const double ms = value->get<double>() * static_cast<double>(unit.count());
    if (!std::isfinite(ms)) return std::nullopt;
    return milliseconds(std::llround(std::clamp(ms, 0.0, static_cast<double>(kLatest.count()))));
}

/// One of whisper.cpp, or one with seconds.
bool add_json(Segments& segments, const Json& item) {
    const Json* const text = member(item, "text");
    if (text == nullptr || !text->is_string()) return false;
    const Json* const offsets = member(item, "offsets");
    const auto start = offsets != nullptr ? time_of(member(*offsets, "from"), milliseconds(1))
                                          : time_of(member(item, "start"), seconds(1));
    const auto end = offsets != nullptr ? time_of(member(*offsets, "to"), milliseconds(1))
                                        : time_of(member(item, "end"), seconds(1));
    if (!start) return false;
    add(segments, *start, end.value_or(*start), text_of(text));
    return true;
}

Result<Segments> read_list(const Json& list) {
    if (list.size() > kMostSegments) {
        return damaged("the transcript has more than " + std::to_string(kMostSegments) + " segments");
    }
    Segments segments;
    for (const Json& item : list) {
        if (!add_json(segments, item)) return damaged("the transcript's JSON has a segment without start or text");
    }
    return segments;
}

/// Nothing: there are no segments in it.
std::optional<Result<Segments>> list_in(const Json& value) {
    if (value.is_array()) return read_list(value);
    for (const char* name : {"transcription", "segments"}) {
        const Json* const list = member(value, name);
        if (list != nullptr && list->is_array()) return read_list(*list);
    }
    return std::nullopt;
}

/// Without a callback: with one, nlohmann's parser looks through the whole array at each of its elements (67 s for
/// 200,000). Parser and destructor keep their own stacks, so depth does no harm.
Json parsed(std::string_view text) {
    return Json::parse(text, nullptr, false);
}

Result<Segments> read_json(std::string_view text) {
    const Json value = parsed(text);
    if (value.is_discarded()) return damaged("the transcript is not JSON, although it begins as if it were");
    auto segments = list_in(value);
    if (!segments) return damaged("the transcript's JSON holds neither \"transcription\" nor \"segments\"");
    return std::move(*segments);
}

// ---- lines

std::string_view take_line(std::string_view& text) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return trimmed(line);
}

/// [h:]mm:ss[,mmm], taken from the front of `text`.
std::optional<milliseconds> take_time(std::string_view& text) {
    std::int64_t total = 0;
    int fields = 0;
    for (;;) {
        unsigned value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error != std::errc() || value > 100'000 || ++fields > 3) return std::nullopt;
        total = total * 60 + value;
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        if (!text.starts_with(':')) break;
        text.remove_prefix(1);
    }
    if (fields < 2) return std::nullopt;
    milliseconds time = seconds(total);
    if (text.starts_with(',') || text.starts_with('.')) {
        text.remove_prefix(1);
        std::int64_t scale = 100;
        for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; text.remove_prefix(1), scale /= 10) {
            time += milliseconds((text.front() - '0') * scale);
        }
    }
    return time;
}

struct Arrow {
    milliseconds start;
    milliseconds end;
    std::string_view rest;
};

/// TIME --> TIME, perhaps in brackets, and what follows.
std::optional<Arrow> arrow_of(std::string_view line) {
    const bool bracket = line.starts_with('[');
    if (bracket) line.remove_prefix(1);
    const auto start = take_time(line);
    line = trimmed(line);
    if (!start || !line.starts_with("-->")) return std::nullopt;
    line = trimmed(line.substr(3));
    const auto end = take_time(line);
    if (!end || (bracket && !line.starts_with(']'))) return std::nullopt;
    // Without brackets what follows is where on the screen it stands (WebVTT).
    return Arrow{*start, *end, bracket ? line.substr(1) : ""};
}

bool has_arrows(std::string_view text) {
    while (!text.empty()) {
        if (arrow_of(take_line(text))) return true;
    }
    return false;
}

/// SRT, WebVTT or whisper.cpp's lines: text belongs to the arrow before it, up to an empty line.
Segments read_arrows(std::string_view text) {
    Segments segments;
    std::optional<Arrow> open;
    std::string words;
    const auto close = [&] {
        if (open) add(segments, open->start, open->end, words);
        open.reset();
        words.clear();
    };
    while (!text.empty()) {
        const auto line = take_line(text);
        if (const auto arrow = arrow_of(line)) {
            close();
            open = arrow;
            words = arrow->rest;
        } else if (line.empty()) {
            close();
        } else if (open) {
            words.append(" ").append(line);
        }
    }
    close();
    return segments;
}

Segments read_plain(std::string_view text) {
    Segments segments;
    while (!text.empty()) add(segments, milliseconds(0), milliseconds(0), take_line(text));
    return segments;
}

/// As far as one can tell from its beginning; "[BLANK_AUDIO]" is none.
bool looks_like_json(std::string_view text) {
    if (text.starts_with('{')) return true;
    if (!text.starts_with('[')) return false;
    const auto inside = trimmed(text.substr(1));
    return inside.starts_with('{') || inside.starts_with(']');
}

}  // namespace

Result<Segments> read_transcript(std::string_view text) {
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    text = trimmed(text);
    if (looks_like_json(text)) return read_json(text);
    auto segments = has_arrows(text) ? read_arrows(text) : read_plain(text);
    if (segments.size() > kMostSegments) {
        return damaged("the transcript has more than " + std::to_string(kMostSegments) + " segments");
    }
    return segments;
}

Result<Returned> read_returned(std::string_view json) {
    const Json value = parsed(json);
    if (value.is_discarded()) return damaged("what the worker returned is not JSON");
    const auto status = text_of(member(value, "status"));
    const auto reason = one_line(text_of(member(value, "reason")), 200);
    if (status == "failed") return Error{ErrorKind::failed, "the worker says that it failed: " + reason};

    const auto known = [](Result<Segments> segments) -> Result<Returned> {
        if (!segments) return segments.error();
        return Returned{std::move(*segments), ""};
    };
    if (auto segments = list_in(value)) return known(std::move(*segments));
    for (const char* name : {"srt", "text"}) {
        const Json* const text = member(value, name);
        if (text != nullptr && text->is_string()) return known(read_transcript(text_of(text)));
    }
    if (value.is_string()) return known(read_transcript(text_of(&value)));
    if (status == "skipped") return Returned{Segments{}, "skipped by the worker: " + reason};
    return Returned{};
}

}  // namespace lestapenna::jobs
