#include "dave/gcm.h"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace lestapenna::dave {
namespace {

/// Eight zeros, then the counter, little-endian.
std::array<std::uint8_t, 12> nonce_bytes(std::uint32_t nonce) {
    std::array<std::uint8_t, 12> bytes{};
    for (std::size_t i = 0; i < 4; ++i) bytes[8 + i] = static_cast<std::uint8_t>(nonce >> (8 * i));
    return bytes;
}

int length(std::size_t bytes) {
    return static_cast<int>(bytes);
}

void must(bool done) {
    if (!done) std::abort();  // no memory, or no AES in the library: nothing to go on with
}

}  // namespace

Gcm::Gcm(mls::View key, Use use) : context_(EVP_CIPHER_CTX_new()) {
    must(context_ && key.size() == 16 &&
         EVP_CipherInit_ex(context_.get(), EVP_aes_128_gcm(), nullptr, key.data(), nullptr, use == Use::seal ? 1 : 0) ==
             1);
}

bool Gcm::open(const Frame& frame, std::uint8_t* text) {
    std::array<std::uint8_t, kTagBytes> tag{};
    std::copy_n(frame.tag.begin(), kTagBytes, tag.begin());
    int done = 0;
    return EVP_DecryptInit_ex(context_.get(), nullptr, nullptr, nullptr, nonce_bytes(frame.nonce).data()) == 1 &&
           EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_SET_TAG, length(tag.size()), tag.data()) == 1 &&
           EVP_DecryptUpdate(context_.get(), text, &done, frame.media.data(), length(frame.media.size())) == 1 &&
           EVP_DecryptFinal_ex(context_.get(), text + frame.media.size(), &done) == 1;
}

void Gcm::seal(std::uint32_t nonce, std::span<const std::uint8_t> text, std::uint8_t* media,
               std::span<std::uint8_t, kTagBytes> tag) {
    int done = 0;
    must(EVP_EncryptInit_ex(context_.get(), nullptr, nullptr, nullptr, nonce_bytes(nonce).data()) == 1 &&
         EVP_EncryptUpdate(context_.get(), media, &done, text.data(), length(text.size())) == 1 &&
         EVP_EncryptFinal_ex(context_.get(), media + text.size(), &done) == 1 &&
         EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_GET_TAG, length(tag.size()), tag.data()) == 1);
}

}  // namespace lestapenna::dave
