#include "mls/framing.h"

#include <cstdio>

#include <gtest/gtest.h>

#include "vectors.h"

namespace lestapenna::mls {
namespace {

using test::unhex;

PublicMessage public_message(View bytes) {
    auto message = decode<Message>(bytes);
    EXPECT_TRUE(message.ok());
    return std::get<PublicMessage>(std::move(*message));
}

TEST(Framing, Official) {
    const auto cases = test::official("message-protection.json");
    if (!cases) GTEST_SKIP() << test::kNoVectors;
    std::size_t messages = 0;
    for (const auto& one : *cases) {
        GroupContext context;
        context.group_id = unhex(one.at("group_id"));
        context.epoch = one.at("epoch");
        context.tree_hash = unhex(one.at("tree_hash"));
        context.confirmed_transcript_hash = unhex(one.at("confirmed_transcript_hash"));
        const auto key = KeyPair::from_private(unhex(one.at("signature_priv")));
        ASSERT_TRUE(key.has_value());
        EXPECT_EQ(key->public_key, unhex(one.at("signature_pub")));
        const Bytes membership_key = unhex(one.at("membership_key"));

        for (const std::string kind : {"proposal", "commit"}) {
            // Unprotect.
            const PublicMessage message = public_message(unhex(one.at(kind + "_pub")));
            EXPECT_EQ(message.content.group_id, context.group_id);
            EXPECT_EQ(message.content.epoch, context.epoch);
            EXPECT_EQ(message.content.sender, (Sender{SenderType::member, 1}));
            const Bytes content = kind == "commit" ? encode(std::get<Commit>(message.content.content))
                                                   : encode(std::get<Proposal>(message.content.content));
            EXPECT_EQ(content, unhex(one.at(kind)));
            EXPECT_TRUE(verify(message, context, key->public_key));
            EXPECT_EQ(membership_tag(message, context, membership_key), message.membership_tag);

            // Protect, and unprotect again.
            PublicMessage own;
            own.content = message.content;
            own.signature = sign(own.content, context, *key);
            own.confirmation_tag = message.confirmation_tag;
            own.membership_tag = membership_tag(own, context, membership_key);
            const PublicMessage again = public_message(encode(Message(own)));
            EXPECT_EQ(again, own);
            EXPECT_TRUE(verify(again, context, key->public_key));
            EXPECT_EQ(membership_tag(again, context, membership_key), again.membership_tag);
            ++messages;
        }
    }
    std::printf("message-protection.json: %zu entries, %zu public messages, opened and made\n", cases->size(),
                messages);
}

FramedContent remove_by(SenderType sender) {
    FramedContent content;
    content.group_id = unhex("0102");
    content.epoch = 7;
    content.sender.type = sender;
    content.content = Proposal(Remove{LeafIndex{3}});
    return content;
}

TEST(Framing, SignaturesCoverEverything) {
    const KeyPair key = KeyPair::generate();
    const GroupContext context;
    PublicMessage message{remove_by(SenderType::member), {}, {}, {}};
    message.signature = sign(message.content, context, key);
    ASSERT_TRUE(verify(message, context, key.public_key));
    const auto refused = [&](auto change) {
        PublicMessage changed = message;
        change(changed.content);
        EXPECT_FALSE(verify(changed, context, key.public_key));
        EXPECT_NE(membership_tag(changed, context, Bytes(32)), membership_tag(message, context, Bytes(32)));
    };
    refused([](FramedContent& content) { content.group_id.back() ^= 1; });
    refused([](FramedContent& content) { ++content.epoch; });
    refused([](FramedContent& content) { ++content.sender.index; });
    refused([](FramedContent& content) { content.sender.type = SenderType::external; });
    refused([](FramedContent& content) { content.authenticated_data = {1}; });
    refused([](FramedContent& content) { content.content = Proposal(Remove{LeafIndex{4}}); });
    EXPECT_FALSE(verify(message, context, KeyPair::generate().public_key));
    EXPECT_NE(membership_tag(message, context, Bytes(32)), membership_tag(message, context, Bytes(32, 1)));
}

TEST(Framing, OnlyMembersSignTheContext) {
    GroupContext other;
    other.epoch = 9;
    for (const auto& [sender, signs] :
         {std::pair(SenderType::member, true), std::pair(SenderType::new_member_commit, true),
          std::pair(SenderType::external, false), std::pair(SenderType::new_member_proposal, false)}) {
        const FramedContent content = remove_by(sender);
        EXPECT_EQ(to_be_signed(content, GroupContext{}) != to_be_signed(content, other), signs);
    }
}

// The external sender's proposals, which no official vector covers: references and signatures; and the other way round,
// with its private key.
TEST(Framing, DaveProposals) {
    const auto vectors = test::dave_vectors();
    const auto sender = decode<ExternalSender>(unhex(vectors.at("external_sender").at("package")));
    ASSERT_TRUE(sender.ok());
    const auto key = KeyPair::from_private(unhex(vectors.at("external_sender").at("signature_priv")));
    ASSERT_TRUE(key.has_value());
    EXPECT_EQ(key->public_key, sender->signature_key);

    std::size_t proposals = 0;
    const auto check = [&](const std::string& payload, const nlohmann::json& ref) {
        const Bytes bytes = unhex(payload);
        Reader reader(View(bytes).subspan(1));
        const PublicMessage message = public_message(reader.vec());
        EXPECT_TRUE(reader.done());
        EXPECT_EQ(message.content.sender, (Sender{SenderType::external, 0}));
        EXPECT_TRUE(verify(message, {}, sender->signature_key));
        EXPECT_EQ(hex(proposal_ref(message)), ref);
        PublicMessage own = message;
        own.signature = sign(own.content, {}, *key);
        EXPECT_TRUE(verify(own, {}, sender->signature_key));
        EXPECT_NE(proposal_ref(own), proposal_ref(message));
        ++proposals;
    };
    const auto& steps = vectors.at("steps");
    for (std::size_t i = 0; i < 3; ++i) check(steps[i].at("proposals_op27_payload"), steps[i].at("proposal_ref"));
    check(steps[3].at("op27_sequence")[0], steps[3].at("proposal_refs")[0]);
    check(steps[3].at("op27_sequence")[2], steps[3].at("proposal_refs")[1]);
    std::printf("dave-vectors.json: %zu proposals\n", proposals);
}

}  // namespace
}  // namespace lestapenna::mls
