// The recorded scenario (tests/data/dave), with a Session in the place of its member B: what two other implementations
// said, step by step.
#include "../mls/vectors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dave/keys.h"
#include "dave/rules.h"
#include "service.h"

namespace lestapenna::dave {
namespace {

using test::unhex;
using test::words;
using testing::Contains;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::StartsWith;

mls::KeyPair key_pair(const nlohmann::json& scalar) {
    const mls::Bytes bytes = unhex(scalar.get<std::string>());
    return mls::KeyPair::from_private(bytes).value();
}

UserId user(const nlohmann::json& id) {
    return UserId::parse(id.get<std::string>()).value();
}

class Scenario : public testing::Test {
  protected:
    Scenario() {
        const auto& b = vectors_.at("member_B");
        const mls::OwnKeyPackage own{.package = mls::decode<mls::KeyPackage>(unhex(b.at("key_package"))).value(),
                                     .init = key_pair(b.at("init_priv")),
                                     .leaf = key_pair(b.at("encryption_priv"))};
        const ChannelId channel = ChannelId::parse(vectors_.at("channel_id").get<std::string>()).value();
        session_.emplace(b_, channel, key_pair(b.at("signature_priv")),
                         [own](const mls::KeyPair& /*identity*/, UserId /*self*/) { return own; });
    }

    Actions take(Actions actions) {
        for (const auto& action : actions) {
            const auto* epoch = std::get_if<ReceiveEpoch>(&action);
            if (epoch == nullptr) continue;
            keys_.clear();
            for (const BaseSecret& key : epoch->keys) keys_.emplace(key.user, key.secret);
            receiver_.begin_epoch(epoch->keys, now_ += seconds(1));
        }
        for (const auto& action : actions) {
            const auto* with = std::get_if<SendWith>(&action);
            if (with != nullptr && with->own) keys_.emplace(with->own->user, with->own->secret);
        }
        return actions;
    }

    /// That the call is where this step of the scenario says it is.
    void expect_after(std::size_t step) {
        SCOPED_TRACE("step " + std::to_string(step));
        const auto& after = vectors_.at("steps").at(step).at("after");
        const Call call = session_->call();
        EXPECT_TRUE(call.established);
        EXPECT_EQ(call.epoch, after.at("epoch"));
        EXPECT_EQ(call.privacy_code, after.at("privacy_code"));
        EXPECT_FALSE(session_->in_transition());
        std::vector<UserId> members;
        for (const auto& [id, sender] : after.at("senders").items()) {
            members.push_back(user(id));
            const mls::Bytes base = unhex(sender.at("base_secret"));
            ASSERT_TRUE(keys_.contains(members.back())) << id;
            EXPECT_THAT(keys_.at(members.back()), ElementsAreArray(base)) << id;
            for (const auto& frame : sender.at("frames")) {
                const Opened opened = receiver_.open(members.back(), 1, unhex(frame.at("frame")), now_);
                EXPECT_EQ(opened.what, Opening::opened) << id;
                EXPECT_THAT(opened.payload, ElementsAreArray(unhex(frame.at("plaintext"))));
                ++frames_;
            }
        }
        EXPECT_THAT(call.members, testing::UnorderedElementsAreArray(members));
    }

    nlohmann::json vectors_ = test::dave_vectors();
    UserId a_ = user(vectors_.at("users").at("A"));
    UserId b_ = user(vectors_.at("users").at("B"));
    UserId c_ = user(vectors_.at("users").at("C"));
    std::optional<Session> session_;
    Receiver receiver_;
    std::map<UserId, mls::Secret> keys_;
    BootTime now_{seconds(1'000)};
    int frames_ = 0;
};

TEST_F(Scenario, IsFollowedByMemberB) {
    const auto& steps = vectors_.at("steps");
    const auto bytes = [&](std::size_t step, const char* name) { return unhex(steps.at(step).at(name)); };

    // 0: in by welcome.
    take(session_->on_users(std::vector{a_}));
    const Actions first = take(session_->on_session_description(1));
    const auto* package = test::find<SendKeyPackage>(first);
    ASSERT_NE(package, nullptr);
    EXPECT_EQ(package->package, unhex(vectors_.at("member_B").at("key_package")));
    EXPECT_TRUE(take(session_->on_external_sender(unhex(vectors_.at("external_sender").at("package")))).empty());
    const Actions welcomed = take(session_->on_welcome(1, bytes(0, "welcome")));
    EXPECT_THAT(words(welcomed), ElementsAre("hear 1", "ready 1", "changed"));
    EXPECT_THAT(words(take(session_->on_execute_transition(1))), ElementsAre("speak"));
    expect_after(0);

    // 1: C comes in; A's commit wins over ours.
    take(session_->on_users(std::vector{c_}));
    EXPECT_THAT(words(take(session_->on_proposals(bytes(1, "proposals_op27_payload")))),
                ElementsAre("commit and welcome"));
    EXPECT_THAT(words(take(session_->on_commit(2, bytes(1, "commit")))), ElementsAre("hear 2", "ready 2", "changed"));
    take(session_->on_execute_transition(2));
    expect_after(1);

    // 2: A leaves; C commits, with a path.
    take(session_->on_user_left(a_));
    EXPECT_THAT(words(take(session_->on_proposals(bytes(2, "proposals_op27_payload")))), ElementsAre("commit"));
    EXPECT_THAT(words(take(session_->on_commit(3, bytes(2, "commit")))), ElementsAre("hear 1", "ready 3", "changed"));
    take(session_->on_execute_transition(3));
    expect_after(2);

    // 3: somebody is proposed, taken back, and A comes again.
    const auto& sequence = steps.at(3).at("op27_sequence");
    const mls::Bytes added_x = unhex(sequence.at(0));
    const auto parsed = parse_proposals(added_x);
    ASSERT_TRUE(parsed);
    const auto x = std::get<mls::PublicMessage>(mls::decode<mls::Message>(parsed->items.at(0).message).value());
    const auto& x_leaf = std::get<mls::Add>(std::get<mls::Proposal>(x.content.content)).key_package.leaf;
    take(session_->on_users(std::vector{user_of(x_leaf.credential.identity).value(), a_}));
    EXPECT_THAT(words(take(session_->on_proposals(added_x))), ElementsAre("commit and welcome"));
    EXPECT_THAT(words(take(session_->on_proposals(unhex(sequence.at(1))))), ElementsAre());
    EXPECT_THAT(words(take(session_->on_proposals(unhex(sequence.at(2))))), ElementsAre("commit and welcome"));
    EXPECT_THAT(words(take(session_->on_commit(4, bytes(3, "commit")))), ElementsAre("hear 2", "ready 4", "changed"));
    take(session_->on_execute_transition(4));
    expect_after(3);

    EXPECT_EQ(frames_, 18);
}

TEST_F(Scenario, WithItsParametersIsWhatOursAreLike) {
    const auto theirs = mls::decode<mls::KeyPackage>(unhex(vectors_.at("member_B").at("key_package"))).value();
    const auto ours = Session::fresh_key_package(mls::KeyPair::generate(), b_).package;
    EXPECT_EQ(ours.leaf.credential, theirs.leaf.credential);
    EXPECT_EQ(ours.leaf.capabilities, theirs.leaf.capabilities);
    EXPECT_EQ(ours.leaf.lifetime, theirs.leaf.lifetime);
    EXPECT_EQ(ours.leaf.extensions, theirs.leaf.extensions);
    EXPECT_EQ(ours.extensions, theirs.extensions);
}

TEST_F(Scenario, ProposalReferencesAreTheRecordedOnes) {
    for (std::size_t step = 0; step < 3; ++step) {
        const auto& recorded = vectors_.at("steps").at(step);
        const auto payload = unhex(recorded.at("proposals_op27_payload"));
        const auto message = parse_proposals(payload);
        ASSERT_TRUE(message);
        ASSERT_EQ(message->items.size(), 1U);
        EXPECT_EQ(test::ref_of(message->items.front().message), unhex(recorded.at("proposal_ref")));
    }
}

// Each byte of what is announced counts: changed, it is refused whole, and told to the server.
TEST_F(Scenario, AChangedWelcomeIsRefusedWhole) {
    const auto& steps = vectors_.at("steps");
    const mls::Bytes welcome = unhex(steps.at(0).at("welcome"));
    for (std::size_t at = 0; at < welcome.size(); at += 7) {
        Session session = *session_;
        session.on_users(std::vector{a_});
        session.on_session_description(1);
        session.on_external_sender(unhex(vectors_.at("external_sender").at("package")));
        const auto said = words(session.on_welcome(1, test::spoiled(welcome, at)));
        ASSERT_THAT(said, ElementsAre(StartsWith("refused welcome"), "invalid 1", "key package")) << at;
        ASSERT_FALSE(session.call().established);
    }
}

TEST_F(Scenario, AChangedCommitIsRefusedWhole) {
    const auto& steps = vectors_.at("steps");
    session_->on_users(std::vector{a_, c_});
    session_->on_session_description(1);
    session_->on_external_sender(unhex(vectors_.at("external_sender").at("package")));
    session_->on_welcome(0, unhex(steps.at(0).at("welcome")));
    const mls::Bytes commits[] = {unhex(steps.at(1).at("commit")), unhex(steps.at(2).at("commit"))};
    for (std::size_t step = 1; step <= 2; ++step) {
        session_->on_proposals(unhex(steps.at(step).at("proposals_op27_payload")));
        const mls::Bytes& commit = commits[step - 1];
        const std::string before = session_->call().privacy_code;
        for (std::size_t at = 0; at < commit.size(); at += 5) {
            Session session = *session_;
            const auto said = words(session.on_commit(9, test::spoiled(commit, at)));
            ASSERT_THAT(said, Contains(StartsWith("refused commit"))) << at;
            ASSERT_THAT(session.call().privacy_code, testing::AnyOf("", before)) << at;
        }
        ASSERT_THAT(words(session_->on_commit(0, commit)), Contains("changed"));
    }
}

}  // namespace
}  // namespace lestapenna::dave
