// Following a group that others change: the official vectors, and a scenario in which two other implementations made
// everything.
#include "passive.h"

#include <iostream>

#include <gtest/gtest.h>

#include "mls/framing.h"
#include "mls/group.h"
#include "vectors.h"

namespace lestapenna::mls {
namespace {

TEST(PassiveVectors, EveryCommitIsFollowed) {
    const auto cases = test::official("passive-client-handling-commit.json");
    if (!cases) GTEST_SKIP() << test::kNoVectors;
    std::size_t commits = 0;
    std::size_t by_reference = 0;
    for (const auto& vector : *cases) {
        SCOPED_TRACE("case " + std::to_string(&vector - &(*cases)[0]));
        test::PreSharedKeys psks(vector);
        auto group = test::join(vector, psks);
        ASSERT_TRUE(group.ok()) << to_string(group.error());
        EXPECT_EQ(to_bytes(group->epoch_authenticator()), test::hex(vector, "initial_epoch_authenticator"));
        for (const auto& epoch : vector["epochs"]) {
            SCOPED_TRACE("epoch " + std::to_string(group->epoch()));
            psks.saw(*group);
            std::vector<QueuedProposal> queue;
            for (const auto& proposal : epoch["proposals"]) {
                auto checked = group->check_proposal(test::unhex(proposal.get<std::string>()));
                ASSERT_TRUE(checked.ok()) << to_string(checked.error());
                queue.push_back(std::move(*checked));
            }
            const auto processed = group->process(test::hex(epoch, "commit"), queue, psks);
            ASSERT_TRUE(processed.ok()) << to_string(processed.error());
            group = processed->next;
            EXPECT_EQ(to_bytes(group->epoch_authenticator()), test::hex(epoch, "epoch_authenticator"));
            ++commits;
            by_reference += queue.size();
        }
    }
    std::cout << "passive-client-handling-commit.json: " << cases->size() << " cases, " << commits << " commits, "
              << by_reference << " proposals by reference\n";
}

/// One message of op 27: `uint8 0 | MLSMessage messages<V>` here always with one message.
Bytes only_message(const Bytes& op27) {
    Reader reader(op27);
    EXPECT_EQ(reader.u8(), 0) << "not an append";
    const View message = reader.vec();
    EXPECT_TRUE(reader.done());
    return to_bytes(message);
}

void expect_epoch(const Group& group, const nlohmann::json& after) {
    EXPECT_EQ(group.epoch(), after["epoch"].get<std::uint64_t>());
    EXPECT_EQ(to_bytes(group.epoch_authenticator()), test::hex(after, "epoch_authenticator"));
    EXPECT_EQ(to_bytes(group.secrets().exporter), test::hex(after, "exporter_secret"));
    EXPECT_EQ(group.context().tree_hash, test::hex(after, "tree_hash"));
    EXPECT_EQ(group.context().confirmed_transcript_hash, test::hex(after, "confirmed_transcript_hash"));
    for (const auto& [user, of] : after["senders"].items()) {
        Bytes context(8);
        for (std::size_t i = 0; i < 8; ++i) context[i] = static_cast<std::uint8_t>(std::stoull(user) >> (8 * i));
        EXPECT_EQ(to_bytes(group.export_secret("Discord Secure Frames v0", context, 16)), test::hex(of, "base_secret"));
    }
}

/// Leaf 0 is A, made by OpenMLS; leaf 2 C, too; we are B, whose part ts-mls played when this was made.
TEST(DaveVectors, FollowedAsMemberB) {
    const auto vector = test::dave_vectors();
    const auto& b = vector["member_B"];
    const auto signature = KeyPair::from_private(test::hex(b, "signature_priv")).value();
    const auto package = decode<KeyPackage>(test::hex(b, "key_package"));
    ASSERT_TRUE(package.ok());
    ASSERT_TRUE(check_key_package(*package).ok());
    const OwnKeyPackage own{*package, KeyPair::from_private(test::hex(b, "init_priv")).value(),
                            KeyPair::from_private(test::hex(b, "encryption_priv")).value()};
    const auto& steps = vector["steps"];
    EXPECT_EQ(key_package_ref(own.package), test::hex(steps[0]["intermediate"], "key_package_ref"));

    // What led to the welcome was said in A's group of one; that it was signed by the external sender we see.
    const auto first = decode<Message>(only_message(test::hex(steps[0], "proposals_op27_payload")));
    ASSERT_TRUE(first.ok());
    EXPECT_EQ(proposal_ref(std::get<PublicMessage>(*first)), test::hex(steps[0], "proposal_ref"));
    auto group = Group::join(test::hex(steps[0], "welcome"), signature, own);
    ASSERT_TRUE(group.ok()) << to_string(group.error());
    EXPECT_EQ(group->self(), LeafIndex{1});
    expect_epoch(*group, steps[0]["after"]);

    for (const std::size_t step : {1U, 2U}) {
        SCOPED_TRACE("step " + std::to_string(step));
        const auto queued = group->check_proposal(only_message(test::hex(steps[step], "proposals_op27_payload")));
        ASSERT_TRUE(queued.ok()) << to_string(queued.error());
        EXPECT_EQ(queued->ref, test::hex(steps[step], "proposal_ref"));
        EXPECT_EQ(queued->sender, (Sender{SenderType::external, 0}));
        const auto processed = group->process(test::hex(steps[step], "commit"), std::span(&*queued, 1));
        ASSERT_TRUE(processed.ok()) << to_string(processed.error());
        EXPECT_EQ(processed->committer, LeafIndex{step == 1 ? 0U : 2U});
        EXPECT_EQ(processed->had_path, step == 2);
        EXPECT_FALSE(processed->inline_proposals);
        group = processed->next;
        expect_epoch(*group, steps[step]["after"]);
    }

    // An Add comes, is taken back, and another comes: the commit is of the second alone.
    const auto& last = steps[3];
    std::vector<QueuedProposal> both;
    for (const std::size_t i : {0U, 2U}) {
        auto queued = group->check_proposal(only_message(test::unhex(last["op27_sequence"][i].get<std::string>())));
        ASSERT_TRUE(queued.ok()) << to_string(queued.error());
        EXPECT_EQ(queued->ref, test::unhex(last["proposal_refs"][i / 2].get<std::string>()));
        both.push_back(std::move(*queued));
    }
    const auto processed = group->process(test::hex(last, "commit"), both);
    ASSERT_TRUE(processed.ok()) << to_string(processed.error());
    group = processed->next;
    expect_epoch(*group, last["after"]);
    EXPECT_EQ(group->members().size(), 3U);
    std::cout << "dave-vectors.json: " << steps.size() << " steps\n";
}

}  // namespace
}  // namespace lestapenna::mls
