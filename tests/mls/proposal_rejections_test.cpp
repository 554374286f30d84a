// Proposals that are not to be taken, from outside and from members.
#include "rejections.h"

namespace lestapenna::mls {
namespace {

using test::Person;

class ProposalRejections : public test::Rejections {
  protected:
    [[nodiscard]] PublicMessage honest_add() const {
        return std::get<PublicMessage>(decode<Message>(messages_[0]).value());
    }
    /// The honest Add, changed, and signed again by the external sender.
    [[nodiscard]] Bytes altered_add(const std::function<void(PublicMessage&)>& change) const {
        auto message = honest_add();
        change(message);
        message.signature = sign(message.content, context(), outside_.signature);
        return encode(Message(std::move(message)));
    }
    /// The joiner's key package, changed, and signed again by its owner.
    [[nodiscard]] Bytes with_package(const std::function<void(KeyPackage&)>& change) const {
        KeyPackage package = joiner_.own.package;
        change(package);
        LeafNode& leaf = package.leaf;
        leaf.signature = sign_with_label(joiner_.signature, "LeafNodeTBS", to_be_signed(leaf, {}));
        package.signature = sign_with_label(joiner_.signature, "KeyPackageTBS", to_be_signed(package));
        return outside_.propose(context(), Add{package});
    }
    /// Leaf 1's update, changed, and signed again.
    [[nodiscard]] Bytes with_update(const std::function<void(LeafNode&)>& change) const {
        LeafNode leaf = *victim().tree().leaf(committer().group->self());
        leaf.source = LeafSource::update;
        leaf.parent_hash.clear();
        leaf.encryption_key = KeyPair::generate().public_key;
        change(leaf);
        leaf.signature = sign_with_label(committer().signature, "LeafNodeTBS",
                                         to_be_signed(leaf, {context().group_id, committer().group->self()}));
        return encode(Message(test::said_by(committer(), Proposal(Update{leaf}))));
    }
};

TEST_F(ProposalRejections, Signature) {
    auto message = honest_add();
    message.signature.back() ^= 1;
    refuses_proposal(encode(Message(message)), Reject::bad_signature);
    message.signature.clear();
    refuses_proposal(encode(Message(message)), Reject::bad_signature);
    // Who has the place, but not the key.
    refuses_proposal(test::Outsider{}.propose(context(), joiner_.add()), Reject::bad_signature);
}

TEST_F(ProposalRejections, ExternalSenderThatThereIsNot) {
    refuses_proposal(outside_.propose(context(), joiner_.add(), 1), Reject::wrong_sender);
    refuses_proposal(outside_.propose(context(), joiner_.add(), 0xffffffff), Reject::wrong_sender);
    Person alone("alone");
    alone.group = Group::create(test::bytes_of("table"), alone.signature, alone.own, {});
    const auto queued = alone.group->check_proposal(outside_.propose(alone.group->context(), joiner_.add()));
    ASSERT_FALSE(queued.ok());
    EXPECT_EQ(queued.error(), Reject::wrong_sender);
}

TEST_F(ProposalRejections, WhatOutsidersMayNotSay) {
    refuses_proposal(outside_.propose(context(), Update{*victim().tree().leaf({2})}), Reject::wrong_sender);
    refuses_proposal(outside_.propose(context(), ExternalInit{Bytes(65, 4)}), Reject::wrong_sender);
    for (const auto type : {SenderType::new_member_proposal, SenderType::new_member_commit}) {
        refuses_proposal(altered_add([&](auto& message) { message.content.sender = {type, 0}; }), Reject::wrong_sender);
    }
    refuses_proposal(outside_.propose(context(), ReInit{context().group_id, 1, 2, {}}), Reject::unsupported);
}

TEST_F(ProposalRejections, GroupAndEpoch) {
    refuses_proposal(altered_add([](auto& message) { message.content.group_id.back() ^= 1; }), Reject::wrong_group);
    refuses_proposal(altered_add([](auto& message) { ++message.content.epoch; }), Reject::wrong_epoch);
    refuses_proposal(altered_add([](auto& message) { --message.content.epoch; }), Reject::wrong_epoch);
    const auto later = committed_->next.check_proposal(messages_[0]);
    ASSERT_FALSE(later.ok());
    EXPECT_EQ(later.error(), Reject::wrong_epoch);
}

TEST_F(ProposalRejections, OtherMessages) {
    refuses_proposal(committed_->commit, Reject::malformed);
    refuses_proposal(encode(Message(joiner_.own.package)), Reject::unsupported);
    refuses_proposal({}, Reject::malformed);
    Bytes trailing = messages_[0];
    trailing.push_back(0);
    refuses_proposal(trailing, Reject::malformed);
}

TEST_F(ProposalRejections, SameProposalHasTheSameReference) {
    // So that who queues one twice can see it.
    EXPECT_EQ(victim().check_proposal(messages_[0])->ref, queue_[0].ref);
    EXPECT_EQ(people_[2].group->check_proposal(messages_[0])->ref, queue_[0].ref);
    EXPECT_NE(victim().check_proposal(outside_.propose(context(), joiner_.add()))->ref, queue_[0].ref);
}

TEST_F(ProposalRejections, KeyPackage) {
    refuses_proposal(with_package([](auto& package) { package.version = 2; }), Reject::unsupported);
    refuses_proposal(with_package([](auto& package) { package.cipher_suite = 1; }), Reject::unsupported);
    refuses_proposal(with_package([](auto& package) { package.init_key.back() ^= 1; }), Reject::bad_key);
    refuses_proposal(with_package([](auto& package) { package.init_key.clear(); }), Reject::bad_key);
    refuses_proposal(with_package([](auto& package) { package.init_key = package.leaf.encryption_key; }),
                     Reject::bad_key);
    refuses_proposal(with_package([](auto& package) { package.leaf.encryption_key.back() ^= 1; }), Reject::bad_key);
    refuses_proposal(with_package([](auto& package) { package.leaf.signature_key.back() ^= 1; }), Reject::bad_key);
    refuses_proposal(with_package([](auto& package) { package.leaf.source = LeafSource::update; }), Reject::malformed);
    refuses_proposal(with_package([](auto& package) { package.leaf.credential.type = 2; }), Reject::unsupported);
    refuses_proposal(with_package([](auto& package) { package.leaf.capabilities.versions = {2}; }),
                     Reject::unsupported);
    refuses_proposal(with_package([](auto& package) {
                         package.leaf.extensions = {{0xff00, {}}};
                     }),
                     Reject::unsupported);

    auto add = joiner_.add();
    add.key_package.signature.back() ^= 1;
    refuses_proposal(outside_.propose(context(), add), Reject::bad_signature);
    add = joiner_.add();
    add.key_package.leaf.signature.back() ^= 1;
    refuses_proposal(outside_.propose(context(), add), Reject::bad_signature);
}

TEST_F(ProposalRejections, RemoveOfNobody) {
    for (const std::uint32_t nobody : {5U, 8U, 0x7fffffffU, 0x80000000U, 0xffffffffU}) {
        refuses_proposal(outside_.propose(context(), Remove{{nobody}}), Reject::bad_proposal);
    }
}

TEST_F(ProposalRejections, Member) {
    auto message = test::said_by(committer(), Proposal(Remove{{2}}));
    ASSERT_TRUE(victim().check_proposal(encode(Message(message))).ok());
    message.membership_tag.back() ^= 1;
    refuses_proposal(encode(Message(message)), Reject::bad_tag);
    message.membership_tag.clear();
    refuses_proposal(encode(Message(message)), Reject::bad_tag);
    message = test::said_by(committer(), Proposal(Remove{{2}}));
    message.signature.back() ^= 1;
    refuses_proposal(tagged(message), Reject::bad_signature);
    message = test::said_by(committer(), Proposal(ExternalInit{Bytes(65, 4)}));
    refuses_proposal(encode(Message(message)), Reject::unsupported);
}

TEST_F(ProposalRejections, Update) {
    ASSERT_TRUE(victim().check_proposal(with_update([](auto&) {})).ok());
    refuses_proposal(with_update([](auto& leaf) { leaf.source = LeafSource::commit; }), Reject::bad_proposal);
    refuses_proposal(with_update([&](auto& leaf) { leaf.encryption_key = *victim().tree().encryption_key({2}); }),
                     Reject::bad_proposal);
    refuses_proposal(with_update([](auto& leaf) { leaf.encryption_key.back() ^= 1; }), Reject::bad_key);
    refuses_proposal(with_update([](auto& leaf) { leaf.capabilities.credentials = {2}; }), Reject::unsupported);
    // Leaf 1's update, said by leaf 2.
    auto stolen = std::get<PublicMessage>(decode<Message>(with_update([](auto&) {})).value());
    refuses_proposal(encode(Message(test::said_by(people_[2], std::move(stolen.content.content)))),
                     Reject::bad_signature);
}

TEST_F(ProposalRejections, UpdateOfOurselvesThatWeDidNotMake) {
    // Somebody has our signature key: the update is well-formed, but its private key is not ours to have.
    LeafNode leaf = *victim().tree().leaf(victim().self());
    leaf.source = LeafSource::update;
    leaf.parent_hash.clear();
    leaf.encryption_key = KeyPair::generate().public_key;
    leaf.signature =
        sign_with_label(people_[0].signature, "LeafNodeTBS", to_be_signed(leaf, {context().group_id, victim().self()}));
    const auto queue = test::checked(victim(), {encode(Message(test::said_by(people_[0], Proposal(Update{leaf}))))});
    const auto committed = committer().group->commit(queue);
    ASSERT_TRUE(committed.ok());
    refuses(committed->commit, queue, Reject::bad_proposal);
    EXPECT_TRUE(people_[2].group->process(committed->commit, queue).ok()) << "for the others it is one like any";
}

TEST_F(ProposalRejections, EveryByteCounts) {
    for (const Bytes& message : messages_) {
        test::spoil(message, [&](const Bytes& spoiled) { EXPECT_FALSE(victim().check_proposal(spoiled).ok()); });
    }
    const Bytes update = with_update([](auto&) {});
    test::spoil(update, [&](const Bytes& spoiled) { EXPECT_FALSE(victim().check_proposal(spoiled).ok()); });
}

}  // namespace
}  // namespace lestapenna::mls
