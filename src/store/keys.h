// The names of things in the store (docs/architecture.md sections 5, 7 and 10), written and read back.
// Pure functions and value types; any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/time.h"

namespace lestapenna::store {

/// What stands after the last slash of a key's text; the text itself where there is none.
inline std::string_view filename_of(std::string_view key) {
    return key.substr(key.rfind('/') + 1);
}

/// A key that can do no harm: at most 512 bytes of `[A-Za-z0-9._-]` in parts between single slashes, no part that
/// begins with a dot. So it is never absolute, never leaves its folder, and needs no escaping in a URL.
class Key {
  public:
    static std::optional<Key> parse(std::string_view text);
    [[nodiscard]] const std::string& text() const { return text_; }
    [[nodiscard]] std::string filename() const { return std::string(filename_of(text_)); }
    auto operator<=>(const Key&) const = default;

  private:
    explicit Key(std::string text) : text_(std::move(text)) {}
    std::string text_;
};

/// recordings/{session}/chunks/{user}-{start}.mp3, start in Unix ms
struct ChunkKey {
    SessionId session;
    UserId user;
    UnixTime start;
    bool operator==(const ChunkKey&) const = default;
};
/// recordings/{session}/full/FULL-{user}-{start}.mp3
struct FragmentKey {
    SessionId session;
    UserId user;
    UnixTime start;
    bool operator==(const FragmentKey&) const = default;
};
/// recordings/{session}/master/MASTER-{session}.mp3
struct MasterKey {
    SessionId session;
    bool operator==(const MasterKey&) const = default;
};
/// recordings/{session}/session.json
struct ManifestKey {
    SessionId session;
    bool operator==(const ManifestKey&) const = default;
};
/// recordings/{session}/transcript-{session}.txt
struct TranscriptKey {
    SessionId session;
    bool operator==(const TranscriptKey&) const = default;
};
/// recordings/{session}/journal/{segment:06}.log: a closed segment
struct SegmentKey {
    SessionId session;
    std::uint32_t segment = 0;
    bool operator==(const SegmentKey&) const = default;
};
/// recordings/{session}/journal/{segment:06}.{offset:012}.part: a piece of an open one
struct SegmentPartKey {
    SessionId session;
    std::uint32_t segment = 0;
    std::uint64_t offset = 0;
    bool operator==(const SegmentPartKey&) const = default;
};

using TierKey = std::variant<ChunkKey, FragmentKey, MasterKey, ManifestKey, TranscriptKey, SegmentKey, SegmentPartKey>;

Key key(const TierKey& parts);
/// The only inverse: parts whose key() is exactly `text`; nothing for any other name, such as one with leading zeros.
std::optional<TierKey> parse_tier_key(std::string_view text);

/// The words of a fragment, which a transcription worker may put beside it: its key with .json, .srt or .txt in place
/// of the ending, the best first.
std::vector<Key> words_beside(std::string_view fragment);

/// recordings/{session}/, to list all of a session.
std::string session_prefix(const SessionId& session);

/// "audio/mpeg" for "x.mp3".
std::string_view content_type(const Key& object);

}  // namespace lestapenna::store
