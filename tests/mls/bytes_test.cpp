#include "mls/bytes.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "memory.h"
#include "mls/key_schedule.h"

namespace lestapenna::mls {
namespace {

using test::HeapWatch;

const Bytes& pattern() {
    static const Bytes bytes = to_bytes(random_secret(kHashBytes));
    return bytes;
}
Secret secret() {
    return {pattern().begin(), pattern().end()};
}

TEST(Secret, TheWatchSeesWhatIsNotWiped) {
    const HeapWatch watch(pattern());
    { const Bytes careless = to_bytes(pattern()); }
    EXPECT_EQ(watch.leaked(), 1U);
    { const std::vector<Bytes> nested(3, pattern()); }
    EXPECT_EQ(watch.leaked(), 4U);
}

TEST(Secret, IsWipedHoweverItDies) {
    const HeapWatch watch(pattern());
    { const Secret dies = secret(); }
    {
        Secret grows = secret();
        for (int i = 0; i < 100; ++i) grows.push_back(0);
    }
    {
        Secret shrinks = secret();
        shrinks.clear();  // the bytes are still there
        shrinks.shrink_to_fit();
    }
    {
        Secret replaced = secret();
        replaced = Secret(1000);
        Secret moved = secret();
        replaced = std::move(moved);
        const Secret copy = replaced;
    }
    { const std::optional<KeyPair> pair = KeyPair{secret(), {}}; }
    { const std::vector<Secret> many(5, secret()); }
    EXPECT_EQ(watch.leaked(), 0U);
}

TEST(Secret, IsWipedWhereItIsWrittenReadAndOpened) {
    const KeyPair reader = KeyPair::generate();
    const HeapWatch watch(pattern());
    const Bytes key(kAeadKeyBytes);
    const Bytes nonce(kAeadNonceBytes);
    {
        GroupSecrets secrets{secret(), secret(), {}};
        const Secret bytes = encode(secrets);
        const auto read = decode<GroupSecrets>(bytes);
        ASSERT_TRUE(read.ok());
        EXPECT_EQ(*read, secrets);
        const auto sealed = encrypt_with_label(reader.public_key, "Welcome", {}, bytes);
        ASSERT_TRUE(sealed.has_value());
        EXPECT_EQ(decrypt_with_label(reader, "Welcome", {}, *sealed), bytes);
        Bytes spoilt = aead_seal(key, nonce, {}, bytes);
        spoilt.back() ^= 1;
        EXPECT_FALSE(aead_open(key, nonce, {}, spoilt));  // deciphered, and then found to be forged
    }
    EXPECT_EQ(watch.leaked(), 0U);
}

TEST(Secret, IsWipedWhereItIsDerived) {
    const Secret init = random_secret(kHashBytes);
    const GroupContext context;
    const Secret joiner = joiner_secret(init, {}, context);
    const Secret welcome = welcome_secret(joiner, {});
    const Secret epoch = epoch_secret(joiner, {}, context);
    const EpochSecrets kept = epoch_secrets(epoch);
    for (const Secret* one : {&joiner, &welcome, &epoch, &kept.init, &kept.exporter, &kept.confirmation_key,
                              &kept.membership_key, &kept.authenticator}) {
        const HeapWatch watch(*one);
        {
            const Secret again = joiner_secret(init, {}, context);
            const Secret opens = welcome_secret(again, {});
            const EpochSecrets derived = epoch_secrets(epoch_secret(again, {}, context));
        }
        EXPECT_EQ(watch.leaked(), 0U);
    }
    const KeyPair pair = KeyPair::derive(init);
    const HeapWatch watch(pair.private_key);
    {
        const KeyPair again = KeyPair::derive(init);
        const Bytes signature = sign_with_label(again, "L", {});
        const auto shared = ecdh(again, pair.public_key);
    }
    EXPECT_EQ(watch.leaked(), 0U);
}

}  // namespace
}  // namespace lestapenna::mls
