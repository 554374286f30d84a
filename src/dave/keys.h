// The keys of one sender in one epoch: a ratchet whose generation is the nonce's top byte, as dave.md section 6 has it.
//
// Any thread, one at a time. Keys and secrets are wiped. A ratchet moves forwards only: generations it has left behind
// are gone, but for those kept by who opens (receiver.h).
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "base/ids.h"
#include "mls/bytes.h"
#include "mls/group.h"

namespace lestapenna::dave {

/// What a sender's frames of one epoch are derived from: 16 bytes.
struct BaseSecret {
    UserId user;
    mls::Secret secret;
};
/// Of `user` in `group`'s epoch (MLS exporter, context: the id, little-endian).
BaseSecret base_secret(const mls::Group& group, UserId user);

/// Nonces that one key serves: the low 24 bits.
inline constexpr unsigned kGenerationShift = 24;
/// Which generation the top byte of a nonce means, when `oldest` is the oldest still kept: the first at or after it.
std::uint32_t widen_generation(std::uint32_t oldest, std::uint8_t top_byte);

class Ratchet {
  public:
    explicit Ratchet(mls::Secret base) : secret_(std::move(base)) {}
    /// The key of `generation`, 16 bytes. Nothing when it is behind. Costs two derivations for each step forward; the
    /// caller limits how many.
    std::optional<mls::Secret> key(std::uint32_t generation);
    [[nodiscard]] std::uint32_t generation() const { return generation_; }  ///< the next that it can give

  private:
    mls::Secret secret_;
    std::uint32_t generation_ = 0;
};

}  // namespace lestapenna::dave
