// HPKE in base mode (RFC 9180), one message a context, as EncryptWithLabel of RFC 9420 uses it.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>

#include "mls/crypto.h"

namespace lestapenna::mls {

namespace {

using namespace std::string_view_literals;

// DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-128-GCM.
constexpr std::string_view kKemSuite = "KEM\x00\x10"sv;
constexpr std::string_view kHpkeSuite = "HPKE\x00\x10\x00\x01\x00\x01"sv;

View view(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

Secret labeled_extract(std::string_view suite, View salt, std::string_view label, View ikm) {
    Writer labeled;
    labeled.raw(view("HPKE-v1"));
    labeled.raw(view(suite));
    labeled.raw(view(label));
    labeled.raw(ikm);
    return hkdf_extract(salt, labeled.bytes());
}

Secret labeled_expand(std::string_view suite, View prk, std::string_view label, View info, std::size_t bytes) {
    Writer labeled;
    labeled.u16(static_cast<std::uint16_t>(bytes));
    labeled.raw(view("HPKE-v1"));
    labeled.raw(view(suite));
    labeled.raw(view(label));
    labeled.raw(info);
    return hkdf_expand(prk, labeled.bytes(), bytes);
}

/// `ours` is the ephemeral pair of who seals, or the pair of who opens. Nothing when `theirs` is no public key.
std::optional<Secret> shared_secret(const KeyPair& ours, View theirs, View kem_output, View recipient) {
    const auto dh = ecdh(ours, theirs);
    if (!dh) return std::nullopt;
    const Secret prk = labeled_extract(kKemSuite, {}, "eae_prk", *dh);
    Writer kem_context;
    kem_context.raw(kem_output);
    kem_context.raw(recipient);
    return labeled_expand(kKemSuite, prk, "shared_secret", kem_context.bytes(), kHashBytes);
}

struct Context {
    Secret key, nonce;
};
Context key_schedule(View shared, std::string_view label, View context) {
    Writer info;
    write_labelled(info, label, context);
    Writer schedule;
    schedule.u8(0);  // mode base
    schedule.raw(labeled_extract(kHpkeSuite, {}, "psk_id_hash", {}));
    schedule.raw(labeled_extract(kHpkeSuite, {}, "info_hash", info.bytes()));
    const Secret secret = labeled_extract(kHpkeSuite, shared, "secret", {});
    return {labeled_expand(kHpkeSuite, secret, "key", schedule.bytes(), kAeadKeyBytes),
            labeled_expand(kHpkeSuite, secret, "base_nonce", schedule.bytes(), kAeadNonceBytes)};
}

}  // namespace

KeyPair KeyPair::derive(View ikm) {
    const Secret prk = labeled_extract(kKemSuite, {}, "dkp_prk", ikm);
    // Each candidate is below the order with a probability of 1 - 2^-32.
    for (unsigned counter = 0; counter < 256; ++counter) {
        const auto byte = static_cast<std::uint8_t>(counter);
        if (auto pair = from_private(labeled_expand(kKemSuite, prk, "candidate", {&byte, 1}, kHashBytes))) {
            return std::move(*pair);
        }
    }
    std::abort();
}

std::optional<HpkeCiphertext> encrypt_with_label(View public_key, std::string_view label, View context,
                                                 View plaintext) {
    const KeyPair ephemeral = KeyPair::generate();
    const auto shared = shared_secret(ephemeral, public_key, ephemeral.public_key, public_key);
    if (!shared) return std::nullopt;
    const Context with = key_schedule(*shared, label, context);
    return HpkeCiphertext{ephemeral.public_key, aead_seal(with.key, with.nonce, {}, plaintext)};
}

std::optional<Secret> decrypt_with_label(const KeyPair& key, std::string_view label, View context,
                                         const HpkeCiphertext& sealed) {
    const auto shared = shared_secret(key, sealed.kem_output, sealed.kem_output, key.public_key);
    if (!shared) return std::nullopt;
    const Context with = key_schedule(*shared, label, context);
    return aead_open(with.key, with.nonce, {}, sealed.ciphertext);
}

}  // namespace lestapenna::mls
