// Voice transport encryption, both "rtpsize" modes: header, CSRCs and the extension's first four bytes are clear and
// authenticated, the rest is sealed, then come a 16-byte tag and a 4-byte nonce suffix (discord-voice.md section 6;
// vectors in tests/data/transport). AES-256-GCM is OpenSSL's, XChaCha20-Poly1305 libsodium's.
//
// Thread: one at a time. No allocation after construction, but for what seal() appends to. Keys are wiped on
// destruction.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace lestapenna::discord {

enum class TransportMode : std::uint8_t { aes256_gcm, xchacha20_poly1305 };
std::string_view to_string(TransportMode mode);  ///< as op 1 names it
std::optional<TransportMode> parse_transport_mode(std::string_view name);

inline constexpr std::size_t kTransportKeyBytes = 32;
inline constexpr std::size_t kTransportTagBytes = 16;
inline constexpr std::size_t kTransportSuffixBytes = 4;
inline constexpr std::size_t kTransportOverhead = kTransportTagBytes + kTransportSuffixBytes;

class Transport {
  public:
    /// `first_suffix` is for who goes on with a key that has sealed before, and for vectors.
    Transport(TransportMode mode, std::span<const std::uint8_t, kTransportKeyBytes> key,
              std::uint32_t first_suffix = 1);
    Transport(Transport&&) noexcept;
    Transport& operator=(Transport&&) noexcept;
    ~Transport();

    /// Opens `sealed` (what follows the clear part: ciphertext, tag, suffix; at least kTransportOverhead bytes) in
    /// place; the plaintext is its front. Nothing when it does not verify; `sealed` is then garbage.
    std::optional<std::span<std::uint8_t>> open(std::span<const std::uint8_t> clear, std::span<std::uint8_t> sealed);

    /// Appends ciphertext, tag and suffix to `datagram`, which holds the clear part and not `plaintext`; the suffix
    /// counts from 1, big-endian, and never repeats. False, and nothing appended, when 2^32 - 1 packets were sealed
    /// with this key.
    bool seal(std::span<const std::uint8_t> plaintext, std::vector<std::uint8_t>& datagram);

    [[nodiscard]] TransportMode mode() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace lestapenna::discord
