#include "store/keys.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cstdio>

namespace lestapenna::store {

namespace {

constexpr std::string_view kRoot = "recordings/";
constexpr std::size_t kMaxKeyBytes = 512;  // S3 allows 1024; ours are at most 130

bool is_key_character(char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' || c == '_' ||
           c == '-';
}

/// Takes the text up to `mark` and the mark itself off the front of `rest`.
std::optional<std::string_view> take_until(std::string_view& rest, std::string_view mark) {
    const auto at = rest.find(mark);
    if (at == std::string_view::npos) return std::nullopt;
    const auto taken = rest.substr(0, at);
    rest.remove_prefix(at + mark.size());
    return taken;
}

bool take_prefix(std::string_view& rest, std::string_view prefix) {
    if (!rest.starts_with(prefix)) return false;
    rest.remove_prefix(prefix.size());
    return true;
}

template <class Number>
std::optional<Number> number(std::string_view text) {
    Number value{};
    const auto* const end = text.data() + text.size();
    const auto result = std::from_chars(text.data(), end, value);
    if (result.ec != std::errc{} || result.ptr != end) return std::nullopt;
    return value;
}

std::string padded(std::uint64_t value, std::size_t width) {
    auto digits = std::to_string(value);
    if (digits.size() < width) digits.insert(0, width - digits.size(), '0');
    return digits;
}

std::string stamped(UserId user, UnixTime start) {
    return user.text() + "-" + std::to_string(start.time_since_epoch().count()) + ".mp3";
}

/// {user}-{start}.mp3
template <class Tier>
std::optional<TierKey> parse_stamped(const SessionId& session, std::string_view name) {
    const auto user = take_until(name, "-");
    const auto id = user ? UserId::parse(*user) : std::nullopt;
    const auto start = take_until(name, ".mp3");
    const auto ms = start ? number<std::int64_t>(*start) : std::nullopt;
    if (!id || !ms) return std::nullopt;
    return Tier{session, *id, UnixTime{milliseconds{*ms}}};
}

std::optional<TierKey> parse_segment(const SessionId& session, std::string_view name) {
    const auto segment = take_until(name, ".");
    const auto index = segment ? number<std::uint32_t>(*segment) : std::nullopt;
    if (!index) return std::nullopt;
    if (name == "log") return SegmentKey{session, *index};
    const auto offset = take_until(name, ".part");
    const auto at = offset ? number<std::uint64_t>(*offset) : std::nullopt;
    if (!at) return std::nullopt;
    return SegmentPartKey{session, *index, *at};
}

/// By the folder alone; that every character is right is seen by writing the parts again.
std::optional<TierKey> parse_loosely(const SessionId& session, std::string_view rest) {
    if (take_prefix(rest, "chunks/")) return parse_stamped<ChunkKey>(session, rest);
    if (take_prefix(rest, "full/FULL-")) return parse_stamped<FragmentKey>(session, rest);
    if (take_prefix(rest, "journal/")) return parse_segment(session, rest);
    if (take_prefix(rest, "master/MASTER-")) return MasterKey{session};
    if (take_prefix(rest, "transcript-")) return TranscriptKey{session};
    if (rest == "session.json") return ManifestKey{session};
    return std::nullopt;
}

/// What follows session_prefix().
struct Ending {
    std::string operator()(const ChunkKey& k) const { return "chunks/" + stamped(k.user, k.start); }
    std::string operator()(const FragmentKey& k) const { return "full/FULL-" + stamped(k.user, k.start); }
    std::string operator()(const MasterKey& k) const { return "master/MASTER-" + k.session.text() + ".mp3"; }
    std::string operator()(const ManifestKey& /*k*/) const { return "session.json"; }
    std::string operator()(const TranscriptKey& k) const { return "transcript-" + k.session.text() + ".txt"; }
    std::string operator()(const SegmentKey& k) const { return "journal/" + padded(k.segment, 6) + ".log"; }
    std::string operator()(const SegmentPartKey& k) const {
        return "journal/" + padded(k.segment, 6) + "." + padded(k.offset, 12) + ".part";
    }
};

std::string text_of(const TierKey& parts) {
    const auto& session = std::visit([](const auto& k) -> const SessionId& { return k.session; }, parts);
    return session_prefix(session) + std::visit(Ending{}, parts);
}

}  // namespace

std::optional<Key> Key::parse(std::string_view text) {
    if (text.empty() || text.size() > kMaxKeyBytes) return std::nullopt;
    char before = '/';  // as after a slash: a part begins
    for (const char c : text) {
        if (c != '/' && !is_key_character(c)) return std::nullopt;
        if (before == '/' && (c == '/' || c == '.')) return std::nullopt;
        before = c;
    }
    if (before == '/') return std::nullopt;
    return Key(std::string(text));
}

Key key(const TierKey& parts) {
    auto parsed = Key::parse(text_of(parts));
    assert(parsed);  // ids and numbers hold no other characters
    return std::move(*parsed);
}

std::optional<TierKey> parse_tier_key(std::string_view text) {
    auto rest = text;
    if (!take_prefix(rest, kRoot)) return std::nullopt;
    const auto name = take_until(rest, "/");
    const auto session = name ? SessionId::parse(*name) : std::nullopt;
    if (!session) return std::nullopt;
    auto parts = parse_loosely(*session, rest);
    if (!parts || text_of(*parts) != text) return std::nullopt;
    return parts;
}

std::vector<Key> words_beside(std::string_view fragment) {
    const std::string base(fragment.substr(0, fragment.rfind('.')));
    std::vector<Key> keys;
    keys.reserve(3);
    for (const char* const ending : {".json", ".srt", ".txt"}) {
        if (auto key = Key::parse(base + ending)) keys.push_back(std::move(*key));
    }
    return keys;
}

std::string session_prefix(const SessionId& session) {
    return std::string(kRoot) + session.text() + "/";
}

std::string_view content_type(const Key& object) {
    const std::string& name = object.text();
    if (name.ends_with(".mp3")) return "audio/mpeg";
    if (name.ends_with(".json")) return "application/json";
    if (name.ends_with(".txt")) return "text/plain; charset=utf-8";
    return "application/octet-stream";
}

}  // namespace lestapenna::store
