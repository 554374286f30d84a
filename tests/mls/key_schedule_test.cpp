#include "mls/key_schedule.h"

#include <cstdio>
#include <map>

#include <gtest/gtest.h>

#include "vectors.h"

namespace lestapenna::mls {
namespace {

using test::unhex;

TEST(KeySchedule, Official) {
    const auto cases = test::official("key-schedule.json");
    if (!cases) GTEST_SKIP() << test::kNoVectors;
    std::size_t epochs = 0;
    for (const auto& one : *cases) {
        Secret init;
        for (const std::uint8_t byte : unhex(one.at("initial_init_secret"))) init.push_back(byte);
        std::uint64_t number = 0;
        for (const auto& epoch : one.at("epochs")) {
            GroupContext context;
            context.group_id = unhex(one.at("group_id"));
            context.epoch = number++;
            context.tree_hash = unhex(epoch.at("tree_hash"));
            context.confirmed_transcript_hash = unhex(epoch.at("confirmed_transcript_hash"));
            EXPECT_EQ(encode(context), unhex(epoch.at("group_context")));

            const Bytes psk = unhex(epoch.at("psk_secret"));
            const Secret joiner = joiner_secret(init, unhex(epoch.at("commit_secret")), context);
            EXPECT_EQ(hex(joiner), epoch.at("joiner_secret"));
            EXPECT_EQ(hex(welcome_secret(joiner, psk)), epoch.at("welcome_secret"));
            const Secret root = epoch_secret(joiner, psk, context);
            for (const auto& [label, name] :
                 {std::pair("sender data", "sender_data_secret"), std::pair("encryption", "encryption_secret"),
                  std::pair("external", "external_secret")}) {
                EXPECT_EQ(hex(derive_secret(root, label)), epoch.at(name));
            }
            const EpochSecrets of = epoch_secrets(root);
            EXPECT_EQ(hex(of.init), epoch.at("init_secret"));
            EXPECT_EQ(hex(of.exporter), epoch.at("exporter_secret"));
            EXPECT_EQ(hex(of.confirmation_key), epoch.at("confirmation_key"));
            EXPECT_EQ(hex(of.membership_key), epoch.at("membership_key"));
            EXPECT_EQ(hex(of.authenticator), epoch.at("epoch_authenticator"));
            EXPECT_EQ(hex(of.resumption), epoch.at("resumption_psk"));
            const auto& exporter = epoch.at("exporter");
            EXPECT_EQ(hex(export_secret(of, exporter.at("label").get<std::string>(), unhex(exporter.at("context")),
                                        exporter.at("length"))),
                      exporter.at("secret"));
            init = of.init;
            ++epochs;
        }
    }
    std::printf("key-schedule.json: %zu entries, %zu epochs\n", cases->size(), epochs);
}

TEST(KeySchedule, NothingStandsForZeros) {
    const Bytes init(kHashBytes, 1);
    const Bytes zeros(kHashBytes);
    const GroupContext context;
    EXPECT_EQ(joiner_secret(init, {}, context), joiner_secret(init, zeros, context));
    EXPECT_EQ(epoch_secret(init, {}, context), epoch_secret(init, zeros, context));
    EXPECT_EQ(welcome_secret(init, {}), welcome_secret(init, zeros));
}

TEST(KeySchedule, TranscriptHashes) {
    const auto cases = test::official("transcript-hashes.json");
    if (!cases) GTEST_SKIP() << test::kNoVectors;
    for (const auto& one : *cases) {
        // AuthenticatedContent: as a message, it has a version in front and a membership tag behind.
        Writer writer;
        writer.u16(kProtocolVersion);
        writer.raw(unhex(one.at("authenticated_content")));
        writer.vec({});
        const auto message = decode<Message>(writer.bytes());
        ASSERT_TRUE(message.ok());
        const auto& commit = std::get<PublicMessage>(*message);
        const Bytes confirmed = confirmed_transcript_hash(unhex(one.at("interim_transcript_hash_before")), commit);
        EXPECT_EQ(hex(confirmed), one.at("confirmed_transcript_hash_after"));
        EXPECT_EQ(hex(interim_transcript_hash(confirmed, commit.confirmation_tag)),
                  one.at("interim_transcript_hash_after"));
        EXPECT_EQ(hmac_sha256(unhex(one.at("confirmation_key")), confirmed), commit.confirmation_tag);
    }
    std::printf("transcript-hashes.json: %zu cases\n", cases->size());
}

TEST(KeySchedule, PreSharedKeys) {
    const auto cases = test::official("psk_secret.json");
    if (!cases) GTEST_SKIP() << test::kNoVectors;
    std::size_t keys = 0;
    for (const auto& one : *cases) {
        std::vector<PreSharedKeyId> ids;
        std::map<Bytes, Secret> known;
        for (const auto& psk : one.at("psks")) {
            PreSharedKeyId& id = ids.emplace_back();
            id.id = unhex(psk.at("psk_id"));
            id.nonce = unhex(psk.at("psk_nonce"));
            const Bytes key = unhex(psk.at("psk"));
            known[id.id] = Secret(key.begin(), key.end());
        }
        const PskLookup lookup = [&](const PreSharedKeyId& id) {
            const auto found = known.find(id.id);
            return found == known.end() ? std::nullopt : std::optional(found->second);
        };
        const auto secret = psk_secret(ids, lookup);
        ASSERT_TRUE(secret.ok());
        EXPECT_EQ(hex(*secret), one.at("psk_secret"));
        keys += ids.size();
        if (ids.empty()) continue;
        known.erase(ids.back().id);
        EXPECT_EQ(psk_secret(ids, lookup).error(), Reject::bad_proposal);
        EXPECT_EQ(psk_secret(ids, {}).error(), Reject::bad_proposal);
    }
    std::printf("psk_secret.json: %zu cases, %zu keys\n", cases->size(), keys);
}

// The secret tree itself is of no use to us (private messages); its ratchet is what the keys of media frames come from.
struct SecretTree {
    std::size_t leaves;
    std::map<std::size_t, Secret> nodes;  ///< by position in a heap: children of i are 2i and 2i + 1

    SecretTree(std::size_t count, View root) : leaves(count) {
        nodes[1] = Secret(root.begin(), root.end());
        const auto child = [](View parent, std::string_view side) {
            return expand_with_label(parent, "tree", {reinterpret_cast<const std::uint8_t*>(side.data()), side.size()},
                                     kHashBytes);
        };
        for (std::size_t i = 1; i < leaves; ++i) {
            nodes[2 * i] = child(nodes[i], "left");
            nodes[2 * i + 1] = child(nodes[i], "right");
        }
    }
    [[nodiscard]] Secret ratchet(std::size_t leaf, std::string_view kind) const {
        return derive_secret(nodes.at(leaves + leaf), kind);
    }
};

TEST(KeySchedule, SecretTreeRatchets) {
    const auto cases = test::official("secret-tree.json");
    if (!cases) GTEST_SKIP() << test::kNoVectors;
    std::size_t checks = 0;
    for (const auto& one : *cases) {
        const auto& leaves = one.at("leaves");
        const SecretTree tree(leaves.size(), unhex(one.at("encryption_secret")));
        for (std::size_t leaf = 0; leaf < leaves.size(); ++leaf) {
            for (const char* kind : {"handshake", "application"}) {
                Secret secret = tree.ratchet(leaf, kind);
                std::uint32_t generation = 0;
                for (const auto& wanted : leaves[leaf]) {
                    for (; generation < wanted.at("generation").get<std::uint32_t>(); ++generation) {
                        secret = derive_tree_secret(secret, "secret", generation, kHashBytes);
                    }
                    EXPECT_EQ(hex(derive_tree_secret(secret, "key", generation, kAeadKeyBytes)),
                              wanted.at(std::string(kind) + "_key"));
                    EXPECT_EQ(hex(derive_tree_secret(secret, "nonce", generation, kAeadNonceBytes)),
                              wanted.at(std::string(kind) + "_nonce"));
                    checks += 2;
                }
            }
        }
        // Which key the sender data is under: the same labels.
        const auto& data = one.at("sender_data");
        const Bytes sample = unhex(data.at("ciphertext").get<std::string>().substr(0, 2 * kHashBytes));
        const Bytes secret = unhex(data.at("sender_data_secret"));
        EXPECT_EQ(hex(expand_with_label(secret, "key", sample, kAeadKeyBytes)), data.at("key"));
        EXPECT_EQ(hex(expand_with_label(secret, "nonce", sample, kAeadNonceBytes)), data.at("nonce"));
        checks += 2;
    }
    std::printf("secret-tree.json: %zu cases, %zu keys and nonces\n", cases->size(), checks);
}

// The scenario's first epoch, from the joiner secret to what frames are encrypted with.
TEST(KeySchedule, DaveScenario) {
    const auto step = test::dave_vectors().at("steps")[0];
    const auto& between = step.at("intermediate");
    const auto& after = step.at("after");
    const auto welcome = decode<Welcome>(unhex(step.at("welcome")));
    ASSERT_TRUE(welcome.ok());
    const Bytes joiner = unhex(between.at("joiner_secret"));
    const Secret secret = welcome_secret(joiner, {});
    EXPECT_EQ(hex(secret), between.at("welcome_secret"));
    const auto opened =
        aead_open(expand_with_label(secret, "key", {}, kAeadKeyBytes),
                  expand_with_label(secret, "nonce", {}, kAeadNonceBytes), {}, welcome->encrypted_group_info);
    ASSERT_TRUE(opened.has_value());
    const auto info = decode<GroupInfo>(*opened);
    ASSERT_TRUE(info.ok());
    const Secret root = epoch_secret(joiner, {}, info->context);
    EXPECT_EQ(hex(root), between.at("epoch_secret"));
    const EpochSecrets of = epoch_secrets(root);
    EXPECT_EQ(hex(of.exporter), after.at("exporter_secret"));
    EXPECT_EQ(hex(of.authenticator), after.at("epoch_authenticator"));
    EXPECT_EQ(hmac_sha256(of.confirmation_key, info->context.confirmed_transcript_hash), info->confirmation_tag);
    EXPECT_EQ(hex(export_secret(of, "Discord Secure Frames v0", unhex("79df3a1b82e5200f"), 16)),
              "8c7f4eeab0b9ed9d368d5f150eb38953");
}

}  // namespace
}  // namespace lestapenna::mls
