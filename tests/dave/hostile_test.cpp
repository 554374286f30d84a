// A member who makes commits that MLS allows and DAVE does not: signed, tagged and encrypted as they should be.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dave/rules.h"
#include "service.h"

namespace lestapenna::dave {
namespace {

using test::append;
using test::Member;
using test::words;
using testing::ElementsAre;

constexpr UserId kAnna{1001};
constexpr UserId kBea{1002};
constexpr UserId kCarla{1003};

/// Anna and Carla are Sessions; Bea is nothing but a group and a key, and does as she likes.
class HostileMember : public testing::Test {
  protected:
    HostileMember() {
        for (Member* member : {&anna_, &carla_}) {
            member->op11({kAnna, kBea, kCarla});
            member->op4();
            member->op25(gateway_.op25());
        }
        const auto own = Session::fresh_key_package(key_, kBea);
        const auto offer = test::offer_in(anna_.op27(append({gateway_.add(0, mls::encode(own.package)),
                                                             gateway_.add(0, carla_.packages.back())})))
                               .value();
        anna_.op29(0, offer.commit);
        carla_.op30(0, offer.welcome);
        auto joined = mls::Group::join(offer.welcome, key_, own);
        EXPECT_TRUE(joined);
        bea_.emplace(std::move(*joined));
        removal_ = gateway_.remove(1, 2);
    }

    /// Her commit of the removal of Carla, with her own leaf changed and signed like this.
    mls::Bytes commit_with(const std::function<void(mls::LeafNode&)>& change, const mls::KeyPair& sign_leaf_with) {
        const mls::GroupContext& context = bea_->context();
        const mls::LeafIndex self = bea_->self();
        const auto removal = bea_->check_proposal(removal_).value();
        mls::Tree tree = bea_->tree();
        tree.remove({2});
        mls::LeafNode leaf = *tree.leaf(self);
        change(leaf);
        tree.set_leaf(self, leaf);
        mls::GroupContext next = context;
        ++next.epoch;
        auto made = mls::make_path(tree, self, sign_leaf_with, next, {});

        mls::PublicMessage message;
        message.content = {.group_id = context.group_id,
                           .epoch = context.epoch,
                           .sender = {mls::SenderType::member, self.value},
                           .authenticated_data = {},
                           .content = mls::Commit{.proposals = {removal.ref}, .path = made.path}};
        message.signature = mls::sign(message.content, context, key_);
        const mls::Bytes& confirmed = context.confirmed_transcript_hash;
        const auto tag = mls::confirmation_tag(bea_->secrets().confirmation_key, confirmed);
        next.tree_hash = made.tree.hash();
        next.confirmed_transcript_hash =
            mls::confirmed_transcript_hash(mls::interim_transcript_hash(confirmed, tag), message);
        const auto joiner = mls::joiner_secret(bea_->secrets().init, made.result.commit_secret, next);
        const auto secrets = mls::epoch_secrets(mls::epoch_secret(joiner, {}, next));
        message.confirmation_tag = mls::confirmation_tag(secrets.confirmation_key, next.confirmed_transcript_hash);
        message.membership_tag = mls::membership_tag(message, context, bea_->secrets().membership_key);
        return mls::encode(mls::Message(message));
    }

    test::ExternalSender gateway_;
    Member anna_{kAnna};
    Member carla_{kCarla};
    mls::KeyPair key_ = mls::KeyPair::generate();
    std::optional<mls::Group> bea_;
    mls::Bytes removal_;
};

TEST_F(HostileMember, IsFollowedWhileSheDoesNothingWrong) {
    anna_.op27(append({removal_}));
    EXPECT_THAT(words(anna_.op29(5, commit_with([](mls::LeafNode& /*as it was*/) {}, key_))),
                ElementsAre("hear 1", "ready 5", "changed"));
}

TEST_F(HostileMember, DoesNotBecomeSomebodyElse) {
    for (const UserId name : {kCarla, kAnna, UserId{666}}) {
        Session anna = anna_.session;
        anna.on_proposals(append({removal_}));
        const auto renamed = [name](mls::LeafNode& leaf) { leaf.credential.identity = identity_of(name); };
        EXPECT_THAT(words(anna.on_commit(5, commit_with(renamed, key_))),
                    ElementsAre("refused commit bad_proposal", "invalid 5", "key package", "changed"))
            << name.value;
    }
}

TEST_F(HostileMember, DoesNotChangeTheKeyThatPeopleHaveCompared) {
    anna_.op27(append({removal_}));
    const mls::KeyPair other = mls::KeyPair::generate();
    const auto other_key = [&other](mls::LeafNode& leaf) { leaf.signature_key = other.public_key; };
    EXPECT_THAT(words(anna_.op29(5, commit_with(other_key, other))),
                ElementsAre("refused commit bad_proposal", "invalid 5", "key package", "changed"));
}

TEST_F(HostileMember, BringsNoProposalsOfHerOwn) {
    const auto ordinary = mls::decode<mls::Message>(commit_with([](mls::LeafNode& /*as it was*/) {}, key_)).value();
    const auto with = [&](std::vector<mls::ProposalOrRef> proposals) {
        auto message = std::get<mls::PublicMessage>(ordinary);
        std::get<mls::Commit>(message.content.content).proposals = std::move(proposals);
        message.signature = mls::sign(message.content, bea_->context(), key_);
        message.membership_tag = mls::membership_tag(message, bea_->context(), bea_->secrets().membership_key);
        return mls::encode(mls::Message(message));
    };
    const std::vector<mls::ProposalOrRef> lists[] = {
        {}, {mls::Proposal(mls::Remove{{2}})}, {mls::Proposal(mls::Remove{{0}})}};  // the last one: us
    for (const auto& list : lists) {
        Session anna = anna_.session;
        anna.on_proposals(append({removal_}));
        EXPECT_THAT(words(anna.on_commit(5, with(list))),
                    ElementsAre("refused commit bad_proposal", "invalid 5", "key package", "changed"));
    }
}

}  // namespace
}  // namespace lestapenna::dave
