#include "discord/transport.h"

#include <algorithm>
#include <cstdlib>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sodium.h>

#include "base/free.h"

namespace lestapenna::discord {
namespace {

constexpr std::size_t kGcmNonceBytes = 12;
constexpr std::size_t kXChaChaNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
static_assert(crypto_aead_xchacha20poly1305_ietf_KEYBYTES == kTransportKeyBytes);
static_assert(crypto_aead_xchacha20poly1305_ietf_ABYTES == kTransportTagBytes);

using Context = std::unique_ptr<EVP_CIPHER_CTX, Free<EVP_CIPHER_CTX_free>>;  // wipes the key

/// The key schedule is done once; each packet only sets its nonce.
Context make_gcm(std::span<const std::uint8_t, kTransportKeyBytes> key, bool encrypt) {
    Context context(EVP_CIPHER_CTX_new());
    // Fails only without memory or without AES in the library: nothing to go on with.
    if (!context ||
        EVP_CipherInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, key.data(), nullptr, encrypt ? 1 : 0) != 1) {
        std::abort();
    }
    return context;
}

int length(std::size_t bytes) {
    return static_cast<int>(bytes);
}

bool gcm_open(EVP_CIPHER_CTX* context, std::span<const std::uint8_t, kTransportSuffixBytes> suffix,
              std::span<const std::uint8_t> clear, std::span<std::uint8_t> text,
              std::span<std::uint8_t, kTransportTagBytes> tag) {
    std::array<std::uint8_t, kGcmNonceBytes> nonce{};
    std::copy(suffix.begin(), suffix.end(), nonce.begin());
    int done = 0;
    return EVP_DecryptInit_ex(context, nullptr, nullptr, nullptr, nonce.data()) == 1 &&
           EVP_DecryptUpdate(context, nullptr, &done, clear.data(), length(clear.size())) == 1 &&
           EVP_DecryptUpdate(context, text.data(), &done, text.data(), length(text.size())) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kTransportTagBytes, tag.data()) == 1 &&
           EVP_DecryptFinal_ex(context, text.data() + text.size(), &done) == 1;
}

bool gcm_seal(EVP_CIPHER_CTX* context, std::span<const std::uint8_t, kTransportSuffixBytes> suffix,
              std::span<const std::uint8_t> clear, std::span<const std::uint8_t> plaintext, std::uint8_t* text,
              std::uint8_t* tag) {
    std::array<std::uint8_t, kGcmNonceBytes> nonce{};
    std::copy(suffix.begin(), suffix.end(), nonce.begin());
    int done = 0;
    return EVP_EncryptInit_ex(context, nullptr, nullptr, nullptr, nonce.data()) == 1 &&
           EVP_EncryptUpdate(context, nullptr, &done, clear.data(), length(clear.size())) == 1 &&
           EVP_EncryptUpdate(context, text, &done, plaintext.data(), length(plaintext.size())) == 1 &&
           EVP_EncryptFinal_ex(context, text + plaintext.size(), &done) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kTransportTagBytes, tag) == 1;
}

}  // namespace

std::string_view to_string(TransportMode mode) {
    switch (mode) {
        case TransportMode::aes256_gcm:
            return "aead_aes256_gcm_rtpsize";
        case TransportMode::xchacha20_poly1305:
            return "aead_xchacha20_poly1305_rtpsize";
    }
    return "unknown";
}

std::optional<TransportMode> parse_transport_mode(std::string_view name) {
    for (const TransportMode mode : {TransportMode::aes256_gcm, TransportMode::xchacha20_poly1305}) {
        if (name == to_string(mode)) return mode;
    }
    return std::nullopt;
}

struct Transport::Impl {
    TransportMode mode;
    std::array<std::uint8_t, kTransportKeyBytes> key{};  // of XChaCha; OpenSSL's contexts hold theirs
    Context opener;
    Context sealer;
    std::uint32_t next_suffix;  // 0: all are used up

    Impl(TransportMode m, std::span<const std::uint8_t, kTransportKeyBytes> k, std::uint32_t first)
        : mode(m), next_suffix(first) {
        if (mode == TransportMode::aes256_gcm) {
            opener = make_gcm(k, false);
            sealer = make_gcm(k, true);
        } else {
            if (sodium_init() < 0) std::abort();  // no random source: nothing of ours works then
            std::copy(k.begin(), k.end(), key.begin());
        }
    }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;
    ~Impl() { OPENSSL_cleanse(key.data(), key.size()); }
};

Transport::Transport(TransportMode mode, std::span<const std::uint8_t, kTransportKeyBytes> key,
                     std::uint32_t first_suffix)
    : impl_(std::make_unique<Impl>(mode, key, first_suffix)) {}
Transport::Transport(Transport&&) noexcept = default;
Transport& Transport::operator=(Transport&&) noexcept = default;
Transport::~Transport() = default;

TransportMode Transport::mode() const {
    return impl_->mode;
}

std::optional<std::span<std::uint8_t>> Transport::open(std::span<const std::uint8_t> clear,
                                                       std::span<std::uint8_t> sealed) {
    if (sealed.size() < kTransportOverhead) return std::nullopt;
    const std::span<std::uint8_t> text = sealed.first(sealed.size() - kTransportOverhead);
    const auto tag = sealed.subspan(text.size()).first<kTransportTagBytes>();
    const auto suffix = sealed.last<kTransportSuffixBytes>();
    if (impl_->mode == TransportMode::aes256_gcm) {
        if (!gcm_open(impl_->opener.get(), suffix, clear, text, tag)) return std::nullopt;
        return text;
    }
    std::array<std::uint8_t, kXChaChaNonceBytes> nonce{};
    std::copy(suffix.begin(), suffix.end(), nonce.begin());
    if (crypto_aead_xchacha20poly1305_ietf_decrypt_detached(text.data(), nullptr, text.data(), text.size(), tag.data(),
                                                            clear.data(), clear.size(), nonce.data(),
                                                            impl_->key.data()) != 0) {
        return std::nullopt;
    }
    return text;
}

bool Transport::seal(std::span<const std::uint8_t> plaintext, std::vector<std::uint8_t>& datagram) {
    if (impl_->next_suffix == 0) return false;
    const std::uint32_t counter = impl_->next_suffix++;  // used, whatever comes of it
    const std::array<std::uint8_t, kTransportSuffixBytes> suffix{
        static_cast<std::uint8_t>(counter >> 24), static_cast<std::uint8_t>(counter >> 16),
        static_cast<std::uint8_t>(counter >> 8), static_cast<std::uint8_t>(counter)};
    const std::size_t clear_bytes = datagram.size();
    datagram.resize(clear_bytes + plaintext.size() + kTransportOverhead);
    const std::span<const std::uint8_t> clear = std::span(datagram).first(clear_bytes);
    std::uint8_t* const text = datagram.data() + clear_bytes;
    std::uint8_t* const tag = text + plaintext.size();
    if (impl_->mode == TransportMode::aes256_gcm) {
        if (!gcm_seal(impl_->sealer.get(), suffix, clear, plaintext, text, tag)) {
            datagram.resize(clear_bytes);
            return false;
        }
    } else {
        std::array<std::uint8_t, kXChaChaNonceBytes> nonce{};
        std::copy(suffix.begin(), suffix.end(), nonce.begin());
        crypto_aead_xchacha20poly1305_ietf_encrypt_detached(text, tag, nullptr, plaintext.data(), plaintext.size(),
                                                            clear.data(), clear.size(), nullptr, nonce.data(),
                                                            impl_->key.data());
    }
    std::copy(suffix.begin(), suffix.end(), tag + kTransportTagBytes);
    return true;
}

}  // namespace lestapenna::discord
