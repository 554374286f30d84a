#include "base/ids.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

#include <unistd.h>

#include "base/time.h"

namespace lestapenna {

namespace {

constexpr std::size_t kMaxSessionIdLength = 64;
constexpr std::size_t kMaxSnowflakeLength = 20;  // 2^64 has 20 digits

// Crockford's alphabet: no I, L, O, U, so that an id read aloud at the table survives.
constexpr std::string_view kBase32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::size_t kUlidLength = 26;  // 130 bits for 128: the first character holds only three

constexpr bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

constexpr bool is_session_id_character(char c) {
    return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c == '-';
}

/// 16 bytes: 48 bits of Unix milliseconds, most significant first, then 80 random bits.
std::array<std::uint8_t, 16> ulid_bytes() {
    std::array<std::uint8_t, 16> bytes{};
    // Ids guard links and commands: without randomness there is no safe way to go on, and on Linux getentropy of ten
    // bytes fails only where the system call is forbidden.
    if (getentropy(bytes.data() + 6, 10) != 0) std::abort();
    auto ms = static_cast<std::uint64_t>(unix_now().time_since_epoch().count());
    for (std::size_t i = 6; i-- > 0; ms >>= 8) bytes[i] = static_cast<std::uint8_t>(ms);
    return bytes;
}

}  // namespace

std::optional<std::uint64_t> parse_snowflake(std::string_view text) {
    if (text.empty() || text.size() > kMaxSnowflakeLength || !std::ranges::all_of(text, is_digit)) return std::nullopt;
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{}) return std::nullopt;
    return value;
}

std::size_t find_number(std::string_view text, std::string_view digits, std::size_t from) {
    for (;; ++from) {
        from = text.find(digits, from);
        if (from == std::string_view::npos) return from;
        const std::size_t after = from + digits.size();
        const bool begins = from == 0 || !is_digit(text[from - 1]);
        if (begins && (after == text.size() || !is_digit(text[after]))) return from;
    }
}

std::optional<SessionId> SessionId::parse(std::string_view text) {
    if (text.empty() || text.size() > kMaxSessionIdLength || !std::ranges::all_of(text, is_session_id_character)) {
        return std::nullopt;
    }
    return SessionId(std::string(text));
}

SessionId SessionId::make() {
    const auto bytes = ulid_bytes();
    std::string text(kUlidLength, '0');
    unsigned buffer = 0;  // the low `bits` bits are not yet written; two zero bits lead, 130 - 128
    unsigned bits = 2;
    std::size_t at = 0;
    for (const auto byte : bytes) {
        buffer = (buffer << 8 | byte) & 0xFFFFU;
        for (bits += 8; bits >= 5; bits -= 5) text[at++] = kBase32[buffer >> (bits - 5) & 31U];
    }
    return SessionId(std::move(text));
}

}  // namespace lestapenna
