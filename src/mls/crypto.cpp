#include "mls/crypto.h"

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <string>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "base/free.h"

namespace lestapenna::mls {

namespace {

// What can fail only for want of memory or randomness, or by a bug of ours.
void must(bool done) {
    if (!done) std::abort();
}

/// Takes back what OpenSSL leaves in the thread's queue of errors: who uses TLS there next would take it for its own.
class NoErrorsLeft {
  public:
    NoErrorsLeft() { ERR_set_mark(); }
    NoErrorsLeft(const NoErrorsLeft&) = delete;
    NoErrorsLeft& operator=(const NoErrorsLeft&) = delete;
    ~NoErrorsLeft() { ERR_pop_to_mark(); }
};

using Mac = std::unique_ptr<EVP_MAC_CTX, Free<EVP_MAC_CTX_free>>;
using Digest = std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>>;
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, Free<EVP_CIPHER_CTX_free>>;
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Free<EVP_PKEY_CTX_free>>;
using Number = std::unique_ptr<BIGNUM, Free<BN_clear_free>>;
using Point = std::unique_ptr<EC_POINT, Free<EC_POINT_clear_free>>;

// ---- looked up once: in OpenSSL 3.0 that costs as much as using it, and for a key on a curve three times as much

const EVP_MD* sha256_algorithm() {
    static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    must(algorithm != nullptr);
    return algorithm;
}

const EVP_CIPHER* aes_128_gcm() {
    static const EVP_CIPHER* const algorithm = EVP_CIPHER_fetch(nullptr, "AES-128-GCM", nullptr);
    must(algorithm != nullptr);
    return algorithm;
}

const EC_GROUP* p256() {
    static const EC_GROUP* const group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    must(group != nullptr);
    return group;
}

/// HMAC with SHA-256 that waits for a key.
Mac new_hmac() {
    static const EVP_MAC_CTX* const prepared = [] {
        std::string digest = "SHA256";
        const std::array<OSSL_PARAM, 2> parts{OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
                                              OSSL_PARAM_END};
        EVP_MAC* const algorithm = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
        EVP_MAC_CTX* const context = EVP_MAC_CTX_new(algorithm);
        must(context != nullptr && EVP_MAC_CTX_set_params(context, parts.data()) == 1);
        EVP_MAC_free(algorithm);
        return context;
    }();
    Mac copy(EVP_MAC_CTX_dup(prepared));
    must(copy != nullptr);
    return copy;
}

using Parameters = std::array<OSSL_PARAM, 4>;  ///< the last one stays empty
OSSL_PARAM curve_name() {
    static std::string name = SN_X9_62_prime256v1;
    return OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name.data(), 0);
}
Key make_key(int selection, Parameters parts) {
    const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
    EVP_PKEY* key = nullptr;
    must(context != nullptr && EVP_PKEY_fromdata_init(context.get()) == 1);
    must(EVP_PKEY_fromdata(context.get(), &key, selection, parts.data()) == 1);
    return Key(key);
}

/// For verifying. Null when `point` is no public key.
Key verifying_key(View point) {
    static EVP_PKEY* const curve = make_key(EVP_PKEY_KEY_PARAMETERS, {curve_name()}).release();
    if (point.size() != kPublicKeyBytes || point.front() != POINT_CONVERSION_UNCOMPRESSED) return nullptr;
    Key key(EVP_PKEY_dup(curve));
    must(key != nullptr);
    if (EVP_PKEY_set1_encoded_public_key(key.get(), point.data(), point.size()) != 1) return nullptr;
    return key;
}

// ---- points and numbers

/// Null when that is no public key.
Point to_point(View key) {
    if (key.size() != kPublicKeyBytes || key.front() != POINT_CONVERSION_UNCOMPRESSED) return nullptr;
    Point point(EC_POINT_new(p256()));
    must(point != nullptr);
    // Checks the range of the coordinates and the equation of the curve; infinity can not be written in 65 bytes.
    if (EC_POINT_oct2point(p256(), point.get(), key.data(), key.size(), nullptr) != 1) return nullptr;
    return point;
}

/// Null when it is no private key: 0, or not below the order, or of another length.
Number to_number(View scalar) {
    if (scalar.size() != kHashBytes) return nullptr;
    Number number(BN_bin2bn(scalar.data(), static_cast<int>(scalar.size()), nullptr));
    must(number != nullptr);
    BN_set_flags(number.get(), BN_FLG_CONSTTIME);
    if (BN_is_zero(number.get()) || BN_cmp(number.get(), EC_GROUP_get0_order(p256())) >= 0) return nullptr;
    return number;
}

/// `scalar` times `point`, or times the generator when that is null.
Point multiply(const BIGNUM* scalar, const EC_POINT* point) {
    Point product(EC_POINT_new(p256()));
    must(product != nullptr);
    must(EC_POINT_mul(p256(), product.get(), point == nullptr ? scalar : nullptr, point,
                      point == nullptr ? nullptr : scalar, nullptr) == 1);
    return product;
}

View view(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

void hmac(View key, std::initializer_list<View> parts, std::span<std::uint8_t, kHashBytes> out) {
    const Mac mac = new_hmac();
    // A null key means "the one before" to OpenSSL, and an empty one is as good as a zero.
    const std::uint8_t zero = 0;
    must(EVP_MAC_init(mac.get(), key.empty() ? &zero : key.data(), std::max<std::size_t>(key.size(), 1), nullptr) == 1);
    for (const View part : parts) must(EVP_MAC_update(mac.get(), part.data(), part.size()) == 1);
    std::size_t written = 0;
    must(EVP_MAC_final(mac.get(), out.data(), &written, out.size()) == 1 && written == out.size());
}

Bytes digest_to_sign(std::string_view label, View content) {
    Writer writer;
    write_labelled(writer, label, content);
    return sha256({writer.bytes()});
}

}  // namespace

// ---- keys

KeyPair KeyPair::generate() {
    for (;;) {
        if (auto key = from_private(random_secret(kHashBytes))) return std::move(*key);
    }
}

std::optional<KeyPair> KeyPair::from_private(View scalar) {
    const Number number = to_number(scalar);
    if (number == nullptr) return std::nullopt;
    const Point point = multiply(number.get(), nullptr);
    KeyPair pair{{scalar.begin(), scalar.end()}, Bytes(kPublicKeyBytes)};
    must(EC_POINT_point2oct(p256(), point.get(), POINT_CONVERSION_UNCOMPRESSED, pair.public_key.data(),
                            pair.public_key.size(), nullptr) == kPublicKeyBytes);
    return pair;
}

bool is_public_key(View key) {
    const NoErrorsLeft quiet;
    return to_point(key) != nullptr;
}

std::optional<Secret> ecdh(const KeyPair& key, View public_key) {
    const NoErrorsLeft quiet;
    const Point point = to_point(public_key);
    if (point == nullptr) return std::nullopt;
    const Number scalar = to_number(key.private_key);
    must(scalar != nullptr);
    const Point shared = multiply(scalar.get(), point.get());
    const Number x(BN_new());
    must(x != nullptr && EC_POINT_get_affine_coordinates(p256(), shared.get(), x.get(), nullptr, nullptr) == 1);
    Secret result(kHashBytes);
    must(BN_bn2binpad(x.get(), result.data(), static_cast<int>(result.size())) > 0);
    return result;
}

// ---- hashes and secrets

Bytes sha256(std::initializer_list<View> parts) {
    const Digest digest(EVP_MD_CTX_new());
    must(digest != nullptr && EVP_DigestInit_ex2(digest.get(), sha256_algorithm(), nullptr) == 1);
    for (const View part : parts) must(EVP_DigestUpdate(digest.get(), part.data(), part.size()) == 1);
    Bytes hash(kHashBytes);
    must(EVP_DigestFinal_ex(digest.get(), hash.data(), nullptr) == 1);
    return hash;
}

Bytes hmac_sha256(View key, View data) {
    Bytes mac(kHashBytes);
    hmac(key, {data}, std::span<std::uint8_t, kHashBytes>(mac));
    return mac;
}

Secret hkdf_extract(View salt, View ikm) {
    Secret prk(kHashBytes);
    hmac(salt, {ikm}, std::span<std::uint8_t, kHashBytes>(prk));
    return prk;
}

Secret hkdf_expand(View prk, View info, std::size_t bytes) {
    const std::size_t blocks = (bytes + kHashBytes - 1) / kHashBytes;
    assert(blocks < 256);
    Secret out(blocks * kHashBytes);
    View before;
    for (std::size_t i = 0; i < blocks; ++i) {
        const auto counter = static_cast<std::uint8_t>(i + 1);
        const auto block = std::span(out).subspan(i * kHashBytes).first<kHashBytes>();
        hmac(prk, {before, info, {&counter, 1}}, block);
        before = block;
    }
    out.resize(bytes);
    return out;
}

Secret expand_with_label(View secret, std::string_view label, View context, std::size_t bytes) {
    Writer info;
    info.u16(static_cast<std::uint16_t>(bytes));
    write_labelled(info, label, context);
    return hkdf_expand(secret, info.bytes(), bytes);
}

Secret derive_secret(View secret, std::string_view label) {
    return expand_with_label(secret, label, {}, kHashBytes);
}

Secret derive_tree_secret(View secret, std::string_view label, std::uint32_t generation, std::size_t bytes) {
    Writer context;
    context.u32(generation);
    return expand_with_label(secret, label, context.bytes(), bytes);
}

void write_labelled(Writer& to, std::string_view label, View content) {
    to.vec(view("MLS 1.0 " + std::string(label)));
    to.vec(content);
}

Bytes ref_hash(std::string_view label, View value) {
    Writer writer;
    writer.vec(view(label));
    writer.vec(value);
    return sha256({writer.bytes()});
}

Secret random_secret(std::size_t bytes) {
    Secret secret(bytes);
    must(RAND_priv_bytes(secret.data(), static_cast<int>(bytes)) == 1);
    return secret;
}

bool same(View a, View b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

// ---- signatures, and sealing

Bytes sign_with_label(const KeyPair& key, std::string_view label, View content) {
    const Number number = to_number(key.private_key);
    must(number != nullptr);
    Secret scalar(kHashBytes);
    must(BN_bn2nativepad(number.get(), scalar.data(), static_cast<int>(scalar.size())) > 0);
    Bytes point = key.public_key;
    const Key signing =
        make_key(EVP_PKEY_KEYPAIR,
                 {curve_name(), OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()),
                  OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, scalar.data(), scalar.size())});
    const KeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, signing.get(), nullptr));
    must(context != nullptr && EVP_PKEY_sign_init(context.get()) == 1);
    const Bytes digest = digest_to_sign(label, content);
    Bytes signature(static_cast<std::size_t>(EVP_PKEY_get_size(signing.get())));
    std::size_t size = signature.size();
    must(EVP_PKEY_sign(context.get(), signature.data(), &size, digest.data(), digest.size()) == 1);
    signature.resize(size);
    return signature;
}

bool verify_with_label(View public_key, std::string_view label, View content, View signature) {
    const NoErrorsLeft quiet;
    const Key key = verifying_key(public_key);
    if (key == nullptr) return false;
    const KeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
    must(context != nullptr && EVP_PKEY_verify_init(context.get()) == 1);
    const Bytes digest = digest_to_sign(label, content);
    return EVP_PKEY_verify(context.get(), signature.data(), signature.size(), digest.data(), digest.size()) == 1;
}

namespace {

Cipher begin_aead(View key, View nonce, View aad, bool sealing) {
    assert(key.size() == kAeadKeyBytes && nonce.size() == kAeadNonceBytes);
    Cipher cipher(EVP_CIPHER_CTX_new());
    must(cipher != nullptr &&
         EVP_CipherInit_ex2(cipher.get(), aes_128_gcm(), key.data(), nonce.data(), sealing ? 1 : 0, nullptr) == 1);
    int written = 0;
    must(EVP_CipherUpdate(cipher.get(), nullptr, &written, aad.data(), static_cast<int>(aad.size())) == 1);
    return cipher;
}

}  // namespace

Bytes aead_seal(View key, View nonce, View aad, View plaintext) {
    const Cipher cipher = begin_aead(key, nonce, aad, true);
    Bytes sealed(plaintext.size() + kAeadTagBytes);
    int written = 0;
    must(EVP_CipherUpdate(cipher.get(), sealed.data(), &written, plaintext.data(),
                          static_cast<int>(plaintext.size())) == 1);
    std::uint8_t* const tag = sealed.data() + written;
    must(EVP_CipherFinal_ex(cipher.get(), tag, &written) == 1 &&
         EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_GET_TAG, kAeadTagBytes, tag) == 1);
    return sealed;
}

std::optional<Secret> aead_open(View key, View nonce, View aad, View sealed) {
    if (sealed.size() < kAeadTagBytes) return std::nullopt;
    const NoErrorsLeft quiet;
    const Cipher cipher = begin_aead(key, nonce, aad, false);
    const View ciphertext = sealed.first(sealed.size() - kAeadTagBytes);
    Bytes tag = to_bytes(sealed.last(kAeadTagBytes));
    Secret plaintext(ciphertext.size());
    int written = 0;
    must(EVP_CipherUpdate(cipher.get(), plaintext.data(), &written, ciphertext.data(),
                          static_cast<int>(ciphertext.size())) == 1 &&
         EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_SET_TAG, kAeadTagBytes, tag.data()) == 1);
    if (EVP_CipherFinal_ex(cipher.get(), plaintext.data() + written, &written) != 1) return std::nullopt;
    return plaintext;
}

}  // namespace lestapenna::mls
