// Cipher suite 2 of RFC 9420 on OpenSSL 3.0: DHKEM(P-256) with HKDF-SHA256 and AES-128-GCM, SHA-256, ECDSA on P-256.
// The labelled functions of sections 5.1 to 5.3, and HPKE in base mode (RFC 9180) as they use it.
//
// Any thread. Every public key from outside is checked before use: 65 bytes, uncompressed, on the curve. Signatures are
// DER. What OpenSSL can only fail at for want of memory or randomness ends the program: there is no going on without.
// Nothing is left in OpenSSL's queue of errors, where a TLS connection of the same thread would find it.
#pragma once

#include <array>
#include <initializer_list>
#include <optional>
#include <string_view>

#include "mls/bytes.h"
#include "mls/codec.h"

namespace lestapenna::mls {

inline constexpr std::uint16_t kProtocolVersion = 1;  ///< mls10
inline constexpr std::uint16_t kCipherSuite = 2;      ///< MLS_128_DHKEMP256_AES128GCM_SHA256_P256
inline constexpr std::size_t kHashBytes = 32;         ///< of every secret, too
inline constexpr std::size_t kAeadKeyBytes = 16;
inline constexpr std::size_t kAeadNonceBytes = 12;
inline constexpr std::size_t kAeadTagBytes = 16;
inline constexpr std::size_t kPublicKeyBytes = 65;

// ---- keys

struct KeyPair {
    Secret private_key;  ///< 32 bytes, big-endian
    Bytes public_key;    ///< 65 bytes

    static KeyPair generate();
    /// DeriveKeyPair of RFC 9180 section 7.1.3.
    static KeyPair derive(View ikm);
    /// From a private scalar; nothing when it is 0, not below the order, or not 32 bytes.
    static std::optional<KeyPair> from_private(View scalar);
};
bool is_public_key(View key);
/// The X coordinate of private times public, 32 bytes; nothing when `public_key` is none.
std::optional<Secret> ecdh(const KeyPair& key, View public_key);

// ---- hashes and secrets

Bytes sha256(std::initializer_list<View> parts);
Bytes hmac_sha256(View key, View data);
Secret hkdf_extract(View salt, View ikm);
Secret hkdf_expand(View prk, View info, std::size_t bytes);
/// `V("MLS 1.0 " + label) | V(content)`: what every label of MLS but those of references is used in.
void write_labelled(Writer& to, std::string_view label, View content);
Secret expand_with_label(View secret, std::string_view label, View context, std::size_t bytes);
Secret derive_secret(View secret, std::string_view label);
Secret derive_tree_secret(View secret, std::string_view label, std::uint32_t generation, std::size_t bytes);
/// RefHash; `label` is used as it is, without the prefix "MLS 1.0 ".
Bytes ref_hash(std::string_view label, View value);
Secret random_secret(std::size_t bytes);
/// Compares in constant time.
bool same(View a, View b);

// ---- signatures, and sealing

Bytes sign_with_label(const KeyPair& key, std::string_view label, View content);
bool verify_with_label(View public_key, std::string_view label, View content, View signature);

/// AES-128-GCM; the tag follows the ciphertext.
Bytes aead_seal(View key, View nonce, View aad, View plaintext);
std::optional<Secret> aead_open(View key, View nonce, View aad, View sealed);

struct HpkeCiphertext {
    Bytes kem_output;
    Bytes ciphertext;
    bool operator==(const HpkeCiphertext&) const = default;
};
/// Nothing when `public_key` is none.
std::optional<HpkeCiphertext> encrypt_with_label(View public_key, std::string_view label, View context, View plaintext);
/// Nothing when it does not open.
std::optional<Secret> decrypt_with_label(const KeyPair& key, std::string_view label, View context,
                                         const HpkeCiphertext& sealed);

}  // namespace lestapenna::mls
