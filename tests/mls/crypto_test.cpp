#include "mls/crypto.h"

#include <cstdio>
#include <thread>

#include <gtest/gtest.h>
#include <openssl/err.h>

#include "vectors.h"

namespace lestapenna::mls {
namespace {

using namespace std::string_view_literals;
using test::unhex;

KeyPair key_from(const nlohmann::json& digits) {
    auto pair = KeyPair::from_private(unhex(digits));
    EXPECT_TRUE(pair.has_value());
    return pair.value_or(KeyPair{});
}

TEST(Crypto, Basics) {
    const auto cases = test::official("crypto-basics.json");
    if (!cases) GTEST_SKIP() << test::kNoVectors;
    std::size_t checks = 0;
    for (const auto& one : *cases) {
        const auto& ref = one.at("ref_hash");
        EXPECT_EQ(ref_hash(ref.at("label").get<std::string>(), unhex(ref.at("value"))), unhex(ref.at("out")));

        const auto& expand = one.at("expand_with_label");
        EXPECT_EQ(to_bytes(expand_with_label(unhex(expand.at("secret")), expand.at("label").get<std::string>(),
                                             unhex(expand.at("context")), expand.at("length"))),
                  unhex(expand.at("out")));

        const auto& derive = one.at("derive_secret");
        EXPECT_EQ(to_bytes(derive_secret(unhex(derive.at("secret")), derive.at("label").get<std::string>())),
                  unhex(derive.at("out")));

        const auto& tree = one.at("derive_tree_secret");
        EXPECT_EQ(to_bytes(derive_tree_secret(unhex(tree.at("secret")), tree.at("label").get<std::string>(),
                                              tree.at("generation"), tree.at("length"))),
                  unhex(tree.at("out")));

        const auto& sign = one.at("sign_with_label");
        const KeyPair signer = key_from(sign.at("priv"));
        const auto label = sign.at("label").get<std::string>();
        const Bytes content = unhex(sign.at("content"));
        EXPECT_EQ(signer.public_key, unhex(sign.at("pub")));
        EXPECT_TRUE(verify_with_label(signer.public_key, label, content, unhex(sign.at("signature"))));
        EXPECT_TRUE(verify_with_label(signer.public_key, label, content, sign_with_label(signer, label, content)));

        const auto& seal = one.at("encrypt_with_label");
        const KeyPair reader = key_from(seal.at("priv"));
        EXPECT_EQ(reader.public_key, unhex(seal.at("pub")));
        const auto name = seal.at("label").get<std::string>();
        const Bytes context = unhex(seal.at("context"));
        const Bytes plaintext = unhex(seal.at("plaintext"));
        const auto opened =
            decrypt_with_label(reader, name, context, {unhex(seal.at("kem_output")), unhex(seal.at("ciphertext"))});
        ASSERT_TRUE(opened.has_value());
        EXPECT_EQ(to_bytes(*opened), plaintext);
        const auto own = encrypt_with_label(reader.public_key, name, context, plaintext);
        ASSERT_TRUE(own.has_value());
        const auto again = decrypt_with_label(reader, name, context, *own);
        ASSERT_TRUE(again.has_value());
        EXPECT_EQ(to_bytes(*again), plaintext);
        checks += 6;
    }
    std::printf("crypto-basics.json: %zu entries, %zu functions\n", cases->size(), checks);
}

// mls.md section 4, and dave.md section 6: values on the way that no official vector names.
TEST(Crypto, WorkedValues) {
    const KeyPair reader = key_from("ff21771424dadd640e05c67983aafe19b4d8df50783a0c2decc17d0c7ca4cc17");
    const Bytes kem_output = unhex(
        "041fae8a8173cad50c0cc6d55f148ff8edda63083b3673cf6dce6a0ae6ee3f0b61505470309dade87ac5ccdb581da3e9ddf6726949d5a9"
        "2b65dcad6c8679c7313e");
    const auto dh = ecdh(reader, kem_output);
    ASSERT_TRUE(dh.has_value());
    EXPECT_EQ(hex(*dh), "b4b535ba772f83345f8dd85246d2ed1022388616e43b056fd433ba1310c25750");

    const auto plaintext = aead_open(
        unhex("62efb139d1a416748438aa38cb0e1c3b"), unhex("7cb981d11a55452335212158"), {},
        unhex("98b7d4edc79f4a90f65434050f75e31a3bc6501c584d41abd6ed5fe3c2db9de22d25ef40c45cce7d0fcc881d7d27af2f"));
    ASSERT_TRUE(plaintext.has_value());
    EXPECT_EQ(hex(*plaintext), "38a6b327573639d654b5b729336cf74d01728cf4fa9af81a0ef1814ffc1d492f");
    // The first HKDF of the schedule, by hand.
    Writer labeled;
    for (const std::string_view part : {"HPKE-v1"sv, "KEM\0\x10"sv, "eae_prk"sv}) {
        labeled.raw({reinterpret_cast<const std::uint8_t*>(part.data()), part.size()});
    }
    labeled.raw(*dh);
    EXPECT_EQ(hex(hkdf_extract({}, labeled.bytes())),
              "ee0d725546631fca273faf1b60c4c91e9591bc7a5e2a50e108e0f7547eb1e02b");

    // A base secret of 16 bytes, and the keys of two generations.
    const Bytes base = unhex("8c7f4eeab0b9ed9d368d5f150eb38953");
    EXPECT_EQ(hex(derive_tree_secret(base, "key", 0, kAeadKeyBytes)), "d8b079ca6b6dfd738fcc9bfcdcac67a2");
    Secret next = derive_tree_secret(base, "secret", 0, kHashBytes);
    EXPECT_EQ(hex(derive_tree_secret(next, "key", 1, kAeadKeyBytes)), "85cc37c850307ad3a0baaa5fc0ae0c1b");
    for (std::uint32_t g = 1; g < 255; ++g) next = derive_tree_secret(next, "secret", g, kHashBytes);
    EXPECT_EQ(hex(derive_tree_secret(next, "key", 255, kAeadKeyBytes)), "b2b14fc8204d8b69ee739bc757d7cf30");
}

TEST(Crypto, DeriveKeyPair) {
    const auto cases = test::official("key-schedule.json");
    if (!cases) GTEST_SKIP() << test::kNoVectors;
    std::size_t count = 0;
    for (const auto& one : *cases) {
        for (const auto& epoch : one.at("epochs")) {
            EXPECT_EQ(KeyPair::derive(unhex(epoch.at("external_secret"))).public_key, unhex(epoch.at("external_pub")));
            ++count;
        }
    }
    const auto& first = (*cases)[0].at("epochs")[0];
    EXPECT_EQ(hex(KeyPair::derive(unhex(first.at("external_secret"))).private_key),
              "d1f2e513a4a4b8c2fdf221803a7f335366c1c5a9dbc407cb35d5e539f5ffdd28");
    std::printf("key-schedule.json: %zu external keys\n", count);
}

// RFC 5869, appendix A.1 to A.3.
TEST(Crypto, Hkdf) {
    struct Case {
        const char *ikm, *salt, *info, *prk, *okm;
    };
    const Case cases[] = {
        {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
         "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
         "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
        {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
         "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
         "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
    };
    for (const Case& one : cases) {
        const Secret prk = hkdf_extract(unhex(one.salt), unhex(one.ikm));
        EXPECT_EQ(hex(prk), one.prk);
        EXPECT_EQ(hex(hkdf_expand(prk, unhex(one.info), 42)), one.okm);
    }
}

TEST(Crypto, Hashes) {
    EXPECT_EQ(hex(sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    const Bytes a = {'a'};
    const Bytes bc = {'b', 'c'};
    EXPECT_EQ(hex(sha256({a, bc})), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    // RFC 4231, cases 2 and 6 (a key longer than a block).
    const auto bytes = [](std::string_view text) { return Bytes(text.begin(), text.end()); };
    EXPECT_EQ(hex(hmac_sha256(bytes("Jefe"), bytes("what do ya want for nothing?"))),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    EXPECT_EQ(hex(hmac_sha256(Bytes(131, 0xaa), bytes("Test Using Larger Than Block-Size Key - Hash Key First"))),
              "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Crypto, SecretsAreRandomAndComparedWhole) {
    EXPECT_NE(random_secret(32), random_secret(32));
    const Bytes a = unhex("0102");
    EXPECT_TRUE(same(a, unhex("0102")));
    EXPECT_FALSE(same(a, unhex("0103")));
    EXPECT_FALSE(same(a, unhex("01")));
    EXPECT_FALSE(same(a, {}));
}

TEST(Crypto, PrivateKeysAreBelowTheOrder) {
    EXPECT_FALSE(KeyPair::from_private(Bytes(32)));
    EXPECT_FALSE(KeyPair::from_private(unhex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551")));
    EXPECT_TRUE(KeyPair::from_private(unhex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550")));
    EXPECT_FALSE(KeyPair::from_private(Bytes(32, 0xff)));
    EXPECT_FALSE(KeyPair::from_private(Bytes(31, 1)));
    EXPECT_FALSE(KeyPair::from_private(Bytes(33, 1)));
    // One times the generator is the generator.
    Bytes one(32);
    one.back() = 1;
    EXPECT_EQ(
        hex(KeyPair::from_private(one)->public_key),
        "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b3"
        "15ececbb6406837bf51f5");
}

std::vector<Bytes> bad_public_keys() {
    const KeyPair good = KeyPair::generate();
    std::vector<Bytes> bad(11, good.public_key);
    bad[0].back() ^= 1;                                        // off the curve
    bad[1] = {};                                               // nothing
    bad[2] = {0};                                              // infinity, as OpenSSL writes it
    bad[3] = Bytes(65);                                        // zeros
    bad[4].resize(33), bad[4][0] = bad[4].back() & 1 ? 3 : 2;  // compressed
    bad[5][0] = bad[5].back() & 1 ? 7 : 6;                     // hybrid
    bad[6].push_back(0);                                       // too long
    bad[7].pop_back();                                         // too short
    std::fill(bad[8].begin() + 1, bad[8].end(), 0xff);         // coordinates not below the prime
    std::fill(bad[9].begin() + 1, bad[9].end(), 0);            // (0, 0)
    bad[10][0] = 0x05;                                         // a form that there is not
    return bad;
}

TEST(Crypto, PublicKeysAreOnTheCurve) {
    const KeyPair good = KeyPair::generate();
    EXPECT_TRUE(is_public_key(good.public_key));
    const Bytes content = unhex("00");
    const Bytes signature = sign_with_label(good, "L", content);
    for (const Bytes& bad : bad_public_keys()) {
        EXPECT_FALSE(is_public_key(bad)) << hex(bad);
        EXPECT_FALSE(ecdh(good, bad)) << hex(bad);
        EXPECT_FALSE(encrypt_with_label(bad, "L", {}, content)) << hex(bad);
        EXPECT_FALSE(decrypt_with_label(good, "L", {}, {bad, Bytes(48)})) << hex(bad);
        EXPECT_FALSE(verify_with_label(bad, "L", content, signature)) << hex(bad);
        EXPECT_EQ(ERR_peek_error(), 0U) << "left for the thread's TLS connections to stumble on";
    }
}

TEST(Crypto, SignaturesCoverLabelAndContent) {
    const KeyPair signer = KeyPair::generate();
    const KeyPair other = KeyPair::generate();
    const Bytes content = unhex("0102030405");
    const Bytes signature = sign_with_label(signer, "L", content);
    ASSERT_TRUE(verify_with_label(signer.public_key, "L", content, signature));
    EXPECT_FALSE(verify_with_label(other.public_key, "L", content, signature));
    EXPECT_FALSE(verify_with_label(signer.public_key, "M", content, signature));
    EXPECT_FALSE(verify_with_label(signer.public_key, "L", unhex("0102030400"), signature));
    for (std::size_t i = 0; i < signature.size(); ++i) {
        Bytes bent = signature;
        bent[i] ^= 1;
        EXPECT_FALSE(verify_with_label(signer.public_key, "L", content, bent)) << i;
        EXPECT_FALSE(verify_with_label(signer.public_key, "L", content, View(signature).first(i))) << i;
    }
    EXPECT_FALSE(verify_with_label(signer.public_key, "L", content, {}));
    Bytes longer = signature;
    longer.push_back(0);
    EXPECT_FALSE(verify_with_label(signer.public_key, "L", content, longer));
    EXPECT_EQ(ERR_peek_error(), 0U);
}

TEST(Crypto, WhatIsBentDoesNotOpen) {
    const KeyPair reader = KeyPair::generate();
    const Bytes context = unhex("aabb");
    const Bytes plaintext = unhex("00112233");
    const auto sealed = encrypt_with_label(reader.public_key, "L", context, plaintext);
    ASSERT_TRUE(sealed);
    EXPECT_FALSE(decrypt_with_label(KeyPair::generate(), "L", context, *sealed));
    EXPECT_FALSE(decrypt_with_label(reader, "L", context, {}));
    EXPECT_FALSE(decrypt_with_label(reader, "M", context, *sealed));
    EXPECT_FALSE(decrypt_with_label(reader, "L", unhex("aabc"), *sealed));
    for (std::size_t i = 0; i < sealed->ciphertext.size(); ++i) {
        HpkeCiphertext bent = *sealed;
        bent.ciphertext[i] ^= 1;
        EXPECT_FALSE(decrypt_with_label(reader, "L", context, bent)) << i;
        bent.ciphertext.resize(i);
        EXPECT_FALSE(decrypt_with_label(reader, "L", context, bent)) << i;
    }
    EXPECT_EQ(ERR_peek_error(), 0U);
}

TEST(Crypto, AeadCoversItsAad) {
    const Bytes key(kAeadKeyBytes, 1);
    const Bytes nonce(kAeadNonceBytes, 2);
    const Bytes aad = unhex("010203");
    const Bytes plaintext(100, 3);
    const Bytes sealed = aead_seal(key, nonce, aad, plaintext);
    ASSERT_EQ(sealed.size(), plaintext.size() + kAeadTagBytes);
    const auto opened = aead_open(key, nonce, aad, sealed);
    ASSERT_TRUE(opened);
    EXPECT_EQ(to_bytes(*opened), plaintext);
    EXPECT_FALSE(aead_open(key, nonce, {}, sealed));
    EXPECT_FALSE(aead_open(key, Bytes(kAeadNonceBytes), aad, sealed));
    EXPECT_FALSE(aead_open(Bytes(kAeadKeyBytes), nonce, aad, sealed));
    // An empty message is a tag.
    const Bytes nothing = aead_seal(key, nonce, {}, {});
    EXPECT_EQ(nothing.size(), kAeadTagBytes);
    EXPECT_TRUE(aead_open(key, nonce, {}, nothing));
}

// What is looked up once is looked up by several threads at a time.
TEST(Crypto, AnyThread) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([] {
            for (int round = 0; round < 10; ++round) {
                const KeyPair pair = KeyPair::derive(random_secret(kHashBytes));
                const Bytes content(100, 9);
                EXPECT_TRUE(verify_with_label(pair.public_key, "L", content, sign_with_label(pair, "L", content)));
                const auto sealed = encrypt_with_label(pair.public_key, "L", {}, content);
                EXPECT_TRUE(sealed && decrypt_with_label(pair, "L", {}, *sealed));
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace lestapenna::mls
