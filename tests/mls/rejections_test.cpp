// Commits that are not to be followed.
#include "rejections.h"

namespace lestapenna::mls {
namespace {

using test::Person;

class CommitRejections : public test::Rejections {
  protected:
    /// Proposals of these, and a commit of them all that says nothing else.
    void refuses_together(const std::vector<Proposal>& proposals, Reject why) const {
        std::vector<Bytes> messages;
        messages.reserve(proposals.size());
        for (const auto& proposal : proposals) messages.push_back(outside_.propose(context(), proposal));
        const auto queue = test::checked(victim(), messages);
        refuses(commit_of(queue), queue, why);
        const auto own = committer().group->commit(queue);
        ASSERT_FALSE(own.ok());
        EXPECT_EQ(to_string(own.error()), to_string(why)) << "committed by ourselves";
    }
    void refuses_inline(Proposal proposal, Reject why) const {
        refuses(encode(Message(test::said_by(committer(), Commit{{std::move(proposal)}, {}}))), {}, why);
    }
};

// ---- who says it, and when

TEST_F(CommitRejections, Signature) {
    auto message = honest();
    message.signature.back() ^= 1;
    refuses(tagged(message), Reject::bad_signature);
    message.signature.clear();
    refuses(tagged(message), Reject::bad_signature);
    message.signature = sign(message.content, context(), people_[2].signature);
    refuses(tagged(message), Reject::bad_signature);
    message = honest();
    message.content.sender.index = 2;
    refuses(tagged(message), Reject::bad_signature);
}

TEST_F(CommitRejections, MembershipTag) {
    auto message = honest();
    message.membership_tag.back() ^= 1;
    refuses(encode(Message(message)), Reject::bad_tag);
    message.membership_tag.clear();
    refuses(encode(Message(message)), Reject::bad_tag);
    Bytes without = committed_->commit;
    without.resize(without.size() - 1 - kHashBytes);
    refuses(without, Reject::malformed);
}

TEST_F(CommitRejections, ConfirmationTag) {
    refuses(altered([](auto& message) { message.confirmation_tag.back() ^= 1; }), Reject::bad_tag);
    refuses(altered([](auto& message) { message.confirmation_tag.clear(); }), Reject::bad_tag);
    // Another signature of the same is another transcript.
    refuses(altered([](auto&) {}), Reject::bad_tag);
}

TEST_F(CommitRejections, GroupAndEpoch) {
    refuses(altered([](auto& message) { message.content.group_id.push_back(0); }), Reject::wrong_group);
    refuses(altered([](auto& message) { ++message.content.epoch; }), Reject::wrong_epoch);
    refuses(altered([](auto& message) { --message.content.epoch; }), Reject::wrong_epoch);
}

TEST_F(CommitRejections, Replay) {
    const auto next = victim().process(committed_->commit, queue_);
    ASSERT_TRUE(next.ok());
    const auto again = next->next.process(committed_->commit, queue_);
    ASSERT_FALSE(again.ok());
    EXPECT_EQ(again.error(), Reject::wrong_epoch);
}

TEST_F(CommitRejections, Sender) {
    for (const std::uint32_t nobody : {5U, 7U, 8U, 0x7fffffffU, 0x80000001U, 0xffffffffU}) {
        refuses(altered([&](auto& message) { message.content.sender.index = nobody; }), Reject::wrong_sender);
    }
    for (const auto type : {SenderType::external, SenderType::new_member_proposal, SenderType::new_member_commit}) {
        auto message = honest();
        message.content.sender = {type, 0};
        message.signature = sign(message.content, context(), outside_.signature);
        message.membership_tag.clear();
        refuses(encode(Message(message)), Reject::wrong_sender);
    }
}

TEST_F(CommitRejections, OurOwn) {
    const auto own = victim().commit(queue_);
    ASSERT_TRUE(own.ok());
    refuses(own->commit, Reject::wrong_sender);
}

TEST_F(CommitRejections, OtherMessages) {
    refuses(messages_[0], Reject::malformed);
    refuses(encode(Message(test::said_by(committer(), Bytes{1, 2, 3}))), Reject::unsupported);
    refuses(encode(Message(joiner_.own.package)), Reject::unsupported);
    refuses(encode(Message(PrivateMessage{context().group_id, context().epoch, 3, {}, {}, {}})), Reject::unsupported);
    refuses({}, Reject::malformed);
    Bytes trailing = committed_->commit;
    trailing.push_back(0);
    refuses(trailing, Reject::malformed);
}

// ---- which proposals

TEST_F(CommitRejections, UnknownReference) {
    refuses(committed_->commit, {}, Reject::unknown_proposal);
    refuses(committed_->commit, {queue_[0]}, Reject::unknown_proposal);
    refuses(altered([](auto& message) { commit_of(message).proposals[0] = ProposalRef(kHashBytes, 7); }),
            Reject::unknown_proposal);
    refuses(altered([](auto& message) { commit_of(message).proposals[0] = ProposalRef{}; }), Reject::unknown_proposal);
}

TEST_F(CommitRejections, NoPathWithARemove) {
    refuses(altered([](auto& message) { commit_of(message).path.reset(); }), Reject::bad_path);
    // Not even for who is removed.
    const auto bare = altered([](auto& message) { commit_of(message).path.reset(); });
    const auto gone = people_[3].group->process(bare, queue_);
    ASSERT_FALSE(gone.ok());
    EXPECT_EQ(gone.error(), Reject::bad_path);
}

TEST_F(CommitRejections, NoPathWithNothing) {
    refuses(commit_of(std::vector<QueuedProposal>{}), Reject::bad_path);
}

TEST_F(CommitRejections, RemoveOfWhoCommits) {
    refuses_together({Remove{committer().group->self()}}, Reject::bad_proposal);
}

TEST_F(CommitRejections, OneLeafTwice) {
    refuses_together({Remove{{3}}, Remove{{3}}}, Reject::bad_proposal);
    refuses(altered([](auto& message) {
                auto& list = commit_of(message).proposals;
                list.push_back(list[1]);
            }),
            Reject::bad_proposal);
}

TEST_F(CommitRejections, SameKeysTwice) {
    // A commit that adds only needs no path, so that keys are all there is to complain about.
    refuses_together({joiner_.add(), joiner_.add()}, Reject::bad_key);
    refuses_together({people_[2].add()}, Reject::bad_key);
    Person twin("twin");
    twin.own.leaf = people_[2].own.leaf;
    twin.own.package.leaf.encryption_key = twin.own.leaf.public_key;
    auto& leaf = twin.own.package.leaf;
    leaf.signature = sign_with_label(twin.signature, "LeafNodeTBS", to_be_signed(leaf, {}));
    twin.own.package.signature = sign_with_label(twin.signature, "KeyPackageTBS", to_be_signed(twin.own.package));
    refuses_together({twin.add()}, Reject::bad_key);
    Person same_signature("same signature");
    same_signature.own = make_key_package(people_[2].signature, same_signature.identity, test::kForever);
    refuses_together({same_signature.add()}, Reject::bad_key);
}

TEST_F(CommitRejections, InlineProposalsThatAreNotValid) {
    refuses_inline(Remove{{5}}, Reject::bad_proposal);
    refuses_inline(Remove{{0xffffffff}}, Reject::bad_proposal);
    refuses_inline(ReInit{context().group_id, 1, 2, {}}, Reject::unsupported);
    refuses_inline(ExternalInit{Bytes(65, 4)}, Reject::unsupported);
    auto add = joiner_.add();
    add.key_package.signature.back() ^= 1;
    refuses_inline(add, Reject::bad_signature);
    // An update of who commits belongs into the path; it is not even asked whether it is well signed.
    LeafNode leaf = *victim().tree().leaf(committer().group->self());
    leaf.source = LeafSource::update;
    leaf.encryption_key = KeyPair::generate().public_key;
    leaf.parent_hash.clear();
    leaf.signature = sign_with_label(committer().signature, "LeafNodeTBS",
                                     to_be_signed(leaf, {context().group_id, committer().group->self()}));
    refuses_inline(Update{leaf}, Reject::bad_proposal);
}

TEST_F(CommitRejections, PreSharedKeys) {
    PreSharedKeyId id{.type = 1, .id = {1}, .group_id = {}, .nonce = Bytes(kHashBytes, 9)};
    refuses_inline(UsePreSharedKey{id}, Reject::bad_proposal);  // nobody has it
    refuses_together({UsePreSharedKey{id}, UsePreSharedKey{id}}, Reject::bad_proposal);
    id.nonce.pop_back();
    refuses_inline(UsePreSharedKey{id}, Reject::bad_proposal);
    id = {.type = 2, .id = {}, .usage = 2, .group_id = {1}, .epoch = 0, .nonce = Bytes(kHashBytes, 9)};
    refuses_inline(UsePreSharedKey{id}, Reject::bad_proposal);
}

TEST_F(CommitRejections, Extensions) {
    const auto by_hand = [&](const std::vector<Extension>& extensions) {
        return test::commit_by_hand(committer(), {Proposal(GroupContextExtensions{extensions})}, victim().tree(),
                                    extensions)
            .commit;
    };
    const auto refuses_set = [&](const std::vector<Extension>& extensions, Reject why) {
        refuses(by_hand(extensions), {}, why);
        const auto queue = test::checked(victim(), {outside_.propose(context(), GroupContextExtensions{extensions})});
        const auto own = committer().group->commit(queue);
        ASSERT_FALSE(own.ok());
        EXPECT_EQ(to_string(own.error()), to_string(why)) << "committed by ourselves";
    };
    refuses_set({{0xff00, {}}}, Reject::unsupported);                     // which nobody knows
    refuses_set({{5, {}}}, Reject::bad_proposal);                         // external senders, cut
    refuses_set({{5, {4, 1, 65, 0, 1}}}, Reject::bad_proposal);           // with lengths that lie
    refuses_set({{3, {0, 0, 0}}, {3, {0, 0, 0}}}, Reject::bad_proposal);  // twice
    refuses_set({{3, {0, 0}}}, Reject::bad_proposal);                     // required capabilities, cut
    refuses_set({{3, {2, 0xff, 0, 0, 0}}}, Reject::unsupported);          // an extension,
    refuses_set({{3, {0, 2, 0, 8, 0}}}, Reject::unsupported);             // a proposal,
    refuses_set({{3, {0, 0, 2, 0, 2}}}, Reject::unsupported);             // a credential that nobody knows
    const auto known = victim().process(by_hand({{3, {2, 0, 5, 2, 0, 7, 2, 0, 1}}}), {});
    EXPECT_TRUE(known.ok()) << to_string(known.error());
    refuses_together({GroupContextExtensions{}, GroupContextExtensions{}}, Reject::bad_proposal);
}

// ---- the path

TEST_F(CommitRejections, PathOfAnotherShape) {
    refuses(altered([](auto& message) { commit_of(message).path->nodes.pop_back(); }), Reject::bad_path);
    refuses(altered([](auto& message) {
                auto& nodes = commit_of(message).path->nodes;
                nodes.push_back(nodes.front());
            }),
            Reject::bad_path);
    refuses(altered([](auto& message) { commit_of(message).path->nodes.front().encrypted_path_secret.pop_back(); }),
            Reject::bad_path);
    refuses(altered([](auto& message) {
                auto& secrets = commit_of(message).path->nodes.front().encrypted_path_secret;
                secrets.push_back(secrets.front());
            }),
            Reject::bad_path);
}

TEST_F(CommitRejections, PathThatDoesNotOpen) {
    // The victim is leaf 0 and the committer leaf 1: the first node's one secret is for it.
    const auto sealed = [](auto& message) -> HpkeCiphertext& {
        return commit_of(message).path->nodes[0].encrypted_path_secret[0];
    };
    refuses(altered([&](auto& message) { sealed(message).ciphertext.back() ^= 1; }), Reject::bad_path);
    refuses(altered([&](auto& message) { sealed(message).ciphertext.clear(); }), Reject::bad_path);
    refuses(altered([&](auto& message) { sealed(message).kem_output.back() ^= 1; }), Reject::bad_path);
    refuses(altered([&](auto& message) { sealed(message).kem_output.clear(); }), Reject::bad_path);
}

TEST_F(CommitRejections, PathKeys) {
    const auto first_key = [](auto& message) -> Bytes& { return commit_of(message).path->nodes[0].encryption_key; };
    refuses(altered([&](auto& message) { first_key(message).back() ^= 1; }), Reject::bad_key);
    refuses(altered([&](auto& message) { first_key(message) = *victim().tree().encryption_key({0}); }),
            Reject::bad_key);
    // Another good key: the leaf's parent hash does not cover it.
    refuses(altered([&](auto& message) { first_key(message) = KeyPair::generate().public_key; }), Reject::bad_path);
}

TEST_F(CommitRejections, PathLeaf) {
    refuses(with_leaf([](auto& leaf) { leaf.parent_hash.back() ^= 1; }), Reject::bad_path);
    refuses(with_leaf([](auto& leaf) { leaf.parent_hash.clear(); }), Reject::bad_path);
    refuses(with_leaf([](auto& leaf) { leaf.source = LeafSource::update; }), Reject::bad_path);
    refuses(with_leaf([](auto& leaf) { leaf.source = LeafSource::key_package; }), Reject::bad_path);
    refuses(with_leaf([&](auto& leaf) { leaf.encryption_key = *victim().tree().encryption_key({2}); }),
            Reject::bad_key);
    refuses(with_leaf([&](auto& leaf) { leaf.encryption_key = *victim().tree().encryption_key({0}); }),
            Reject::bad_key);
    refuses(with_leaf([](auto& leaf) { leaf.encryption_key.back() ^= 1; }), Reject::bad_key);
    refuses(with_leaf([](auto& leaf) { leaf.capabilities.cipher_suites = {1}; }), Reject::unsupported);
    refuses(with_leaf([](auto& leaf) { leaf.credential.type = Credential::kX509; }), Reject::unsupported);
    refuses(with_leaf([&](auto& leaf) { leaf.signature_key = joiner_.signature.public_key; }), Reject::bad_key);
    refuses(with_leaf([&](auto& leaf) { leaf.signature_key = KeyPair::generate().public_key; }), Reject::bad_signature);
    refuses(altered([](auto& message) { commit_of(message).path->leaf.signature.back() ^= 1; }), Reject::bad_signature);
}

TEST_F(CommitRejections, PathLeafThatTakesSomebodysSignatureKey) {
    // Signed by whom it pretends to be: two members that are of one mind can not make themselves one.
    const auto commit = altered([&](auto& message) {
        auto& leaf = commit_of(message).path->leaf;
        leaf.signature_key = people_[2].signature.public_key;
        leaf.signature = sign_with_label(people_[2].signature, "LeafNodeTBS",
                                         to_be_signed(leaf, {context().group_id, committer().group->self()}));
    });
    refuses(commit, Reject::bad_key);
}

// ---- whatever it may be

TEST_F(CommitRejections, EveryByteCounts) {
    test::spoil(committed_->commit,
                [&](const Bytes& spoiled) { EXPECT_FALSE(victim().process(spoiled, queue_).ok()); });
}

TEST_F(CommitRejections, EveryByteCountsEvenSignedByAMember) {
    std::size_t understood = 0;
    test::spoil(encode(honest().content), [&](const Bytes& spoiled) {
        auto content = decode<FramedContent>(spoiled);
        if (!content || content->content.index() != 2) return;
        auto message = honest();
        message.content = std::move(*content);
        message.signature = sign(message.content, context(), committer().signature);
        EXPECT_FALSE(victim().process(tagged(std::move(message)), queue_).ok());
        ++understood;
    });
    EXPECT_GT(understood, 1000U);
}

}  // namespace
}  // namespace lestapenna::mls
