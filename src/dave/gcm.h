// AES-128-GCM as media frames use it: one key for many frames, the nonce a 32-bit counter, the tag cut to 8 bytes, and
// nothing authenticated besides the ciphertext. OpenSSL's context holds the expanded key, so that a frame only sets its
// nonce, and wipes it when it goes. Thread: one at a time. No allocation after construction.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include <openssl/evp.h>

#include "base/free.h"
#include "dave/frame.h"
#include "mls/bytes.h"

namespace lestapenna::dave {

class Gcm {
  public:
    enum class Use { open, seal };
    /// `key`: 16 bytes.
    Gcm(mls::View key, Use use);

    /// Writes as many bytes as `media` has. False when the tag does not fit; what was written is garbage then.
    bool open(const Frame& frame, std::uint8_t* text);
    void seal(std::uint32_t nonce, std::span<const std::uint8_t> text, std::uint8_t* media,
              std::span<std::uint8_t, kTagBytes> tag);

  private:
    std::unique_ptr<EVP_CIPHER_CTX, Free<EVP_CIPHER_CTX_free>> context_;
};

}  // namespace lestapenna::dave
