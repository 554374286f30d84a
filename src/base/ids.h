// Identifiers, checked before they touch a path, a key or a query (docs/architecture.md section 9).
// Pure value types; any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lestapenna {

/// `[0-9]{1,20}` that fits 64 bits.
std::optional<std::uint64_t> parse_snowflake(std::string_view text);

/// Where `text` has the number `digits` as a whole, not inside a longer one; npos: nowhere.
std::size_t find_number(std::string_view text, std::string_view digits, std::size_t from = 0);

/// A Discord id; ids of different things do not mix. 0 is "nobody".
template <class Of>
struct Snowflake {
    std::uint64_t value = 0;
    auto operator<=>(const Snowflake&) const = default;
    [[nodiscard]] std::string text() const { return std::to_string(value); }
    static std::optional<Snowflake> parse(std::string_view text) {
        const auto value = parse_snowflake(text);
        return value ? std::optional(Snowflake{*value}) : std::nullopt;
    }
};
using UserId = Snowflake<struct OfUser>;
using GuildId = Snowflake<struct OfGuild>;
using ChannelId = Snowflake<struct OfChannel>;
using MessageId = Snowflake<struct OfMessage>;

/// A session's name: `[A-Za-z0-9_-]{1,64}`. Ours are ULIDs (26 characters: 48 bits of Unix ms, 80 random bits).
class SessionId {
  public:
    static std::optional<SessionId> parse(std::string_view text);
    /// A new ULID; the random part comes from the system's CSPRNG.
    static SessionId make();
    [[nodiscard]] const std::string& text() const { return text_; }
    /// The last six characters, which people use as its name.
    [[nodiscard]] std::string_view ending() const {
        constexpr std::size_t kShown = 6;
        return std::string_view(text_).substr(text_.size() < kShown ? 0 : text_.size() - kShown);
    }
    auto operator<=>(const SessionId&) const = default;

  private:
    explicit SessionId(std::string text) : text_(std::move(text)) {}
    std::string text_;
};

}  // namespace lestapenna
