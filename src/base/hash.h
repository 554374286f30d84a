// SHA-256, over OpenSSL, so that a digest can be taken at any point of a growing stream.
// Value type; one thread at a time. Copying it copies the state: a snapshot costs about 0.2 us.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

struct evp_md_ctx_st;

namespace lestapenna {

using Digest = std::array<std::uint8_t, 32>;

class Sha256 {
  public:
    Sha256();
    Sha256(const Sha256& other);
    Sha256& operator=(const Sha256& other);
    Sha256(Sha256&&) noexcept = default;
    Sha256& operator=(Sha256&&) noexcept = default;
    ~Sha256() = default;

    void update(std::span<const std::uint8_t> bytes);
    /// The digest of everything so far; more may follow.
    [[nodiscard]] Digest digest() const;

    static Digest of(std::span<const std::uint8_t> bytes);

  private:
    struct Free {
        void operator()(evp_md_ctx_st* context) const noexcept;
    };
    std::unique_ptr<evp_md_ctx_st, Free> context_;
};

/// Two lowercase hexadecimal digits a byte.
std::string hex(std::span<const std::uint8_t> bytes);

}  // namespace lestapenna
