// Joining, as the official vectors have it: the layers of a welcome one by one, then whole groups.
#include <iostream>

#include <gtest/gtest.h>

#include "mls/framing.h"
#include "mls/group.h"
#include "passive.h"
#include "vectors.h"

namespace lestapenna::mls {
namespace {

TEST(WelcomeVectors, OpenLayerByLayer) {
    const auto cases = test::official("welcome.json");
    if (!cases) GTEST_SKIP() << test::kNoVectors;
    for (const auto& vector : *cases) {
        const auto package = test::message<KeyPackage>(vector, "key_package");
        const auto welcome = test::message<Welcome>(vector, "welcome");
        const auto init = KeyPair::from_private(test::hex(vector, "init_priv"));
        ASSERT_TRUE(init.has_value());
        const auto entry = std::find_if(welcome.secrets.begin(), welcome.secrets.end(),
                                        [&](const auto& one) { return one.new_member == key_package_ref(package); });
        ASSERT_NE(entry, welcome.secrets.end());
        const auto plain = decrypt_with_label(*init, "Welcome", welcome.encrypted_group_info, entry->secrets);
        ASSERT_TRUE(plain.has_value());
        const auto secrets = decode<GroupSecrets>(*plain);
        ASSERT_TRUE(secrets.ok());
        EXPECT_TRUE(secrets->psks.empty());
        const Secret secret = welcome_secret(secrets->joiner_secret, {});
        const auto bytes =
            aead_open(expand_with_label(secret, "key", {}, kAeadKeyBytes),
                      expand_with_label(secret, "nonce", {}, kAeadNonceBytes), {}, welcome.encrypted_group_info);
        ASSERT_TRUE(bytes.has_value());
        const auto info = decode<GroupInfo>(*bytes);
        ASSERT_TRUE(info.ok());
        EXPECT_TRUE(
            verify_with_label(test::hex(vector, "signer_pub"), "GroupInfoTBS", to_be_signed(*info), info->signature));
        const auto epoch = epoch_secrets(epoch_secret(secrets->joiner_secret, {}, info->context));
        EXPECT_EQ(confirmation_tag(epoch.confirmation_key, info->context.confirmed_transcript_hash),
                  info->confirmation_tag);
    }
    std::cout << "welcome.json: " << cases->size() << " cases\n";
}

TEST(WelcomeVectors, ArePassivelyJoined) {
    const auto cases = test::official("passive-client-welcome.json");
    if (!cases) GTEST_SKIP() << test::kNoVectors;
    std::size_t with_psks = 0;
    std::size_t with_tree_apart = 0;
    for (const auto& vector : *cases) {
        SCOPED_TRACE("case " + std::to_string(&vector - &(*cases)[0]));
        const auto joined = test::join(vector);
        ASSERT_TRUE(joined.ok()) << to_string(joined.error());
        EXPECT_EQ(to_bytes(joined->epoch_authenticator()), test::hex(vector, "initial_epoch_authenticator"));
        if (!vector["external_psks"].empty()) ++with_psks;
        if (!vector["ratchet_tree"].is_null()) ++with_tree_apart;
    }
    EXPECT_GT(with_psks, 0U);
    EXPECT_GT(with_tree_apart, 0U);
    std::cout << "passive-client-welcome.json: " << cases->size() << " cases, " << with_psks
              << " with pre-shared keys, " << with_tree_apart << " with the tree apart\n";
}

TEST(WelcomeVectors, WithoutTheirPreSharedKeysAreRefused) {
    const auto cases = test::official("passive-client-welcome.json");
    if (!cases) GTEST_SKIP() << test::kNoVectors;
    for (const auto& vector : *cases) {
        if (vector["external_psks"].empty()) continue;
        const auto joined = test::join(vector, PskLookup{});
        ASSERT_FALSE(joined.ok());
        EXPECT_EQ(joined.error(), Reject::bad_proposal);
        const auto nothing = test::join(vector, [](const auto&) { return std::nullopt; });
        ASSERT_FALSE(nothing.ok());
        EXPECT_EQ(nothing.error(), Reject::bad_proposal);
        const auto another = test::join(vector, [](const auto&) { return Secret(32, 1); });
        ASSERT_FALSE(another.ok());
        EXPECT_EQ(another.error(), Reject::cannot_open);
    }
}

TEST(WelcomeVectors, WithoutTheTreeAreRefused) {
    const auto cases = test::official("passive-client-welcome.json");
    if (!cases) GTEST_SKIP() << test::kNoVectors;
    for (auto vector : *cases) {
        if (vector["ratchet_tree"].is_null()) continue;
        vector["ratchet_tree"] = nullptr;
        const auto joined = test::join(vector);
        ASSERT_FALSE(joined.ok());
        EXPECT_EQ(joined.error(), Reject::bad_tree);
    }
}

}  // namespace
}  // namespace lestapenna::mls
