#include "base/hash.h"

#include <new>

#include <openssl/evp.h>

namespace lestapenna {

namespace {

// OpenSSL's digests fail only when memory is gone.
void need(int done) {
    if (done != 1) throw std::bad_alloc();
}

EVP_MD_CTX* make_context() {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    need(context != nullptr ? 1 : 0);
    return context;
}

}  // namespace

void Sha256::Free::operator()(evp_md_ctx_st* context) const noexcept {
    EVP_MD_CTX_free(context);
}

Sha256::Sha256() : context_(make_context()) {
    need(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr));
}

Sha256::Sha256(const Sha256& other) : context_(make_context()) {
    need(EVP_MD_CTX_copy_ex(context_.get(), other.context_.get()));
}

Sha256& Sha256::operator=(const Sha256& other) {
    if (this != &other) *this = Sha256(other);
    return *this;
}

void Sha256::update(std::span<const std::uint8_t> bytes) {
    need(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()));
}

Digest Sha256::digest() const {
    const Sha256 copy(*this);
    Digest result{};
    need(EVP_DigestFinal_ex(copy.context_.get(), result.data(), nullptr));
    return result;
}

Digest Sha256::of(std::span<const std::uint8_t> bytes) {
    Sha256 hash;
    hash.update(bytes);
    return hash.digest();
}

std::string hex(std::span<const std::uint8_t> bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    text.reserve(2 * bytes.size());
    for (const std::uint8_t byte : bytes) {
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
    }
    return text;
}

}  // namespace lestapenna
