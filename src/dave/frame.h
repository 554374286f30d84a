// The form of an encrypted media frame (dave.md section 7): media | tag | ULEB128 nonce | unencrypted ranges |
// supplemental size | FA FA. Pure; any thread; nothing is allocated but what is appended to. Views point into the
// input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace lestapenna::dave {

inline constexpr std::size_t kTagBytes = 8;
inline constexpr std::size_t kLeastSupplement = kTagBytes + 1 + 1 + 2;  ///< tag, a nonce of one byte, size, marker
inline constexpr std::size_t kMostSupplement = kTagBytes + 5 + 1 + 2;   ///< of those that we write

/// Opus frames have no unencrypted ranges; a frame that names some is none of ours.
struct Frame {
    std::span<const std::uint8_t> media;  ///< ciphertext
    std::span<const std::uint8_t> tag;    ///< 8 bytes
    std::uint32_t nonce = 0;
};
/// Nothing when it is no DAVE frame, or one with unencrypted ranges.
std::optional<Frame> parse_frame(std::span<const std::uint8_t> bytes);
/// Appends what follows the ciphertext.
void append_supplement(std::vector<std::uint8_t>& to, std::span<const std::uint8_t, kTagBytes> tag,
                       std::uint32_t nonce);

/// F8 FF FE: goes in the clear, always, and stands for nothing.
bool is_silence(std::span<const std::uint8_t> payload);

}  // namespace lestapenna::dave
