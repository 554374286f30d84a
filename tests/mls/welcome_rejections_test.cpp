// Welcomes that are not to be followed; what they lead to is judged by whom they are for, who has no group yet.
#include "rejections.h"

namespace lestapenna::mls {
namespace {

using test::Person;

class WelcomeRejections : public test::Rejections {
  protected:
    WelcomeRejections() { open(); }

    void open() {
        auto opened = decode<Welcome>(*committed_->welcome).value();
        const auto& entry = opened.secrets.at(0).secrets;
        const auto& sealed = opened.encrypted_group_info;
        secrets_ = decode<GroupSecrets>(*decrypt_with_label(joiner_.own.init, "Welcome", sealed, entry)).value();
        info_ = decode<GroupInfo>(*aead_open(key(), nonce(), {}, sealed)).value();
    }
    /// Instead of the commit that removes somebody, too: then no path covers the new leaf.
    void add_only() {
        queue_ = {queue_[0]};
        committed_.emplace(committer().group->commit(queue_).value());
        open();
    }

    void TearDown() override {
        Rejections::TearDown();
        const auto joined = Group::join(*committed_->welcome, joiner_.signature, joiner_.own);
        ASSERT_TRUE(joined.ok()) << to_string(joined.error());
        EXPECT_EQ(joined->secrets().authenticator, committed_->next.secrets().authenticator);
    }

    [[nodiscard]] Secret key() const {
        return expand_with_label(welcome_secret(secrets_.joiner_secret, {}), "key", {}, kAeadKeyBytes);
    }
    [[nodiscard]] Secret nonce() const {
        return expand_with_label(welcome_secret(secrets_.joiner_secret, {}), "nonce", {}, kAeadNonceBytes);
    }
    /// As a committer seals them.
    [[nodiscard]] Bytes sealed(View info, View secrets) const {
        Welcome welcome;
        welcome.encrypted_group_info = aead_seal(key(), nonce(), {}, info);
        auto entry = encrypt_with_label(joiner_.own.package.init_key, "Welcome", welcome.encrypted_group_info, secrets);
        welcome.secrets = {{key_package_ref(joiner_.own.package), std::move(entry).value()}};
        return encode(welcome);
    }
    /// The honest group info, changed and signed again by who committed.
    [[nodiscard]] Bytes with_info(const std::function<void(GroupInfo&)>& change) const {
        auto info = info_;
        change(info);
        info.signature = sign_with_label(committer().signature, "GroupInfoTBS", to_be_signed(info));
        return sealed(encode(info), encode(secrets_));
    }
    /// With another tree, whose hash the group info names.
    [[nodiscard]] Bytes with_tree(const std::function<void(TreeNodes&)>& change) const {
        return with_info([&](auto& info) {
            auto nodes = committed_->next.tree().nodes();
            change(nodes);
            info.extensions = {{Extension::kRatchetTree, encode(nodes)}};
            if (auto tree = Tree::from(std::move(nodes))) info.context.tree_hash = tree->hash();
        });
    }
    [[nodiscard]] Bytes with_secrets(const std::function<void(GroupSecrets&)>& change) const {
        auto secrets = secrets_;
        change(secrets);
        return sealed(encode(info_), encode(secrets));
    }
    [[nodiscard]] Bytes with_welcome(const std::function<void(Welcome&)>& change) const {
        auto welcome = decode<Welcome>(*committed_->welcome).value();
        change(welcome);
        return encode(welcome);
    }
    void refuses_welcome(const Bytes& welcome, Reject why) const {
        const auto joined = Group::join(welcome, joiner_.signature, joiner_.own);
        ASSERT_FALSE(joined.ok());
        EXPECT_EQ(to_string(joined.error()), to_string(why));
    }

    GroupSecrets secrets_;
    GroupInfo info_;
};

LeafNode& leaf_in(TreeNodes& nodes, std::size_t node) {
    return std::get<LeafNode>(*nodes.at(node));
}

TEST_F(WelcomeRejections, OpenedAndSealedAgainIsGood) {
    // Or the others would prove nothing.
    const auto joined = Group::join(with_info([](auto&) {}), joiner_.signature, joiner_.own);
    ASSERT_TRUE(joined.ok()) << to_string(joined.error());
    EXPECT_TRUE(secrets_.path_secret.has_value());
}

TEST_F(WelcomeRejections, ForAnotherKeyPackage) {
    Person other("other");
    const auto joined = Group::join(*committed_->welcome, other.signature, other.own);
    ASSERT_FALSE(joined.ok());
    EXPECT_EQ(joined.error(), Reject::not_for_us);
    refuses_welcome(with_welcome([](auto& welcome) { welcome.secrets.clear(); }), Reject::not_for_us);
}

TEST_F(WelcomeRejections, ForOursByNameAlone) {
    OwnKeyPackage own = joiner_.own;
    own.init = KeyPair::generate();
    const auto joined = Group::join(*committed_->welcome, joiner_.signature, own);
    ASSERT_FALSE(joined.ok());
    EXPECT_EQ(joined.error(), Reject::cannot_open);
}

TEST_F(WelcomeRejections, Suite) {
    refuses_welcome(with_welcome([](auto& welcome) { welcome.cipher_suite = 1; }), Reject::unsupported);
    refuses_welcome(with_info([](auto& info) { info.context.cipher_suite = 3; }), Reject::unsupported);
    refuses_welcome(with_info([](auto& info) { info.context.version = 2; }), Reject::unsupported);
}

TEST_F(WelcomeRejections, NotAWelcome) {
    refuses_welcome({}, Reject::malformed);
    refuses_welcome(committed_->commit, Reject::malformed);
    Bytes trailing = *committed_->welcome;
    trailing.push_back(0);
    refuses_welcome(trailing, Reject::malformed);
    // Wrapped as an MLSMessage: who has one of these unwraps it.
    refuses_welcome(encode(Message(decode<Welcome>(*committed_->welcome).value())), Reject::malformed);
    Bytes info = encode(info_);
    info.push_back(0);
    refuses_welcome(sealed(info, encode(secrets_)), Reject::malformed);
    Secret secrets = encode(secrets_);
    secrets.push_back(0);
    refuses_welcome(sealed(encode(info_), secrets), Reject::malformed);
}

TEST_F(WelcomeRejections, Secrets) {
    refuses_welcome(with_secrets([](auto& secrets) { secrets.joiner_secret.back() ^= 1; }), Reject::cannot_open);
    refuses_welcome(with_secrets([](auto& secrets) { secrets.joiner_secret.clear(); }), Reject::cannot_open);
    refuses_welcome(with_secrets([](auto& secrets) { secrets.path_secret->back() ^= 1; }), Reject::bad_path);
    refuses_welcome(with_secrets([](auto& secrets) { secrets.path_secret->clear(); }), Reject::bad_path);
}

TEST_F(WelcomeRejections, PreSharedKeysThatNobodyHas) {
    const auto with_psk = with_secrets(
        [](auto& secrets) { secrets.psks = {{.type = 1, .id = {1}, .group_id = {}, .nonce = Bytes(kHashBytes, 9)}}; });
    refuses_welcome(with_psk, Reject::bad_proposal);
    const auto joined = Group::join(with_psk, joiner_.signature, joiner_.own, [](const auto&) { return std::nullopt; });
    ASSERT_FALSE(joined.ok());
    EXPECT_EQ(joined.error(), Reject::bad_proposal);
}

TEST_F(WelcomeRejections, GroupInfoSignature) {
    auto info = info_;
    info.signature.back() ^= 1;
    refuses_welcome(sealed(encode(info), encode(secrets_)), Reject::bad_signature);
    info.signature = sign_with_label(people_[2].signature, "GroupInfoTBS", to_be_signed(info));
    refuses_welcome(sealed(encode(info), encode(secrets_)), Reject::bad_signature);
    refuses_welcome(with_info([](auto& changed) { changed.signer = {2}; }), Reject::bad_signature);
    for (const std::uint32_t nobody : {5U, 100U, 0xffffffffU}) {
        refuses_welcome(with_info([&](auto& changed) { changed.signer = {nobody}; }), Reject::bad_tree);
    }
}

TEST_F(WelcomeRejections, SignedByOurselves) {
    auto info = info_;
    info.signer = {3};  // where the joiner sits
    info.signature = sign_with_label(joiner_.signature, "GroupInfoTBS", to_be_signed(info));
    refuses_welcome(sealed(encode(info), encode(secrets_)), Reject::bad_tree);
}

TEST_F(WelcomeRejections, ConfirmationTagAndContext) {
    refuses_welcome(with_info([](auto& info) { info.confirmation_tag.back() ^= 1; }), Reject::bad_tag);
    refuses_welcome(with_info([](auto& info) { info.context.confirmed_transcript_hash.back() ^= 1; }), Reject::bad_tag);
    refuses_welcome(with_info([](auto& info) { ++info.context.epoch; }), Reject::bad_tag);
    refuses_welcome(with_info([](auto& info) { info.context.extensions.clear(); }), Reject::bad_tag);
    // With another group id nobody's leaf is signed for this group.
    refuses_welcome(with_info([](auto& info) { info.context.group_id.push_back(0); }), Reject::bad_signature);
    refuses_welcome(with_info([](auto& info) {
                        info.context.extensions.push_back({0xff00, {}});
                    }),
                    Reject::unsupported);
    refuses_welcome(with_info([](auto& info) { info.context.extensions.front().data.pop_back(); }), Reject::bad_tree);
}

TEST_F(WelcomeRejections, TreeHash) {
    refuses_welcome(with_info([](auto& info) { info.context.tree_hash.back() ^= 1; }), Reject::bad_tree);
    refuses_welcome(with_info([](auto& info) { info.context.tree_hash.clear(); }), Reject::bad_tree);
    refuses_welcome(with_info([&](auto& info) {
                        info.extensions = {{Extension::kRatchetTree, encode(victim().tree().nodes())}};
                    }),
                    Reject::bad_tree);
}

TEST_F(WelcomeRejections, NoTree) {
    refuses_welcome(with_info([](auto& info) { info.extensions.clear(); }), Reject::bad_tree);
    const auto apart = Group::join(with_info([](auto& info) { info.extensions.clear(); }), joiner_.signature,
                                   joiner_.own, {}, committed_->next.tree());
    EXPECT_TRUE(apart.ok());
    refuses_welcome(with_info([](auto& info) { info.extensions.front().data.pop_back(); }), Reject::malformed);
    refuses_welcome(with_info([](auto& info) { info.extensions.front().data.push_back(0); }), Reject::malformed);
    refuses_welcome(with_info([](auto& info) { info.extensions.front().data = {0}; }), Reject::malformed);
    refuses_welcome(with_tree([](auto& nodes) { nodes.push_back(std::nullopt); }), Reject::malformed);
    refuses_welcome(with_tree([](auto& nodes) { nodes[0] = ParentNode{}; }), Reject::malformed);
}

TEST_F(WelcomeRejections, ParentHash) {
    refuses_welcome(with_tree([](auto& nodes) {
                        for (auto& node : nodes) {
                            auto* parent = node ? std::get_if<ParentNode>(&*node) : nullptr;
                            if (parent != nullptr && !parent->parent_hash.empty()) parent->parent_hash.back() ^= 1;
                        }
                    }),
                    Reject::bad_tree);
    refuses_welcome(with_tree([](auto& nodes) { leaf_in(nodes, 2).parent_hash.back() ^= 1; }), Reject::bad_tree);
}

TEST_F(WelcomeRejections, LeafSignature) {
    // A leaf that a path covers can not be touched at all,
    refuses_welcome(with_tree([](auto& nodes) { leaf_in(nodes, 0).signature.back() ^= 1; }), Reject::bad_tree);
    refuses_welcome(with_tree([](auto& nodes) { leaf_in(nodes, 6).signature.back() ^= 1; }), Reject::bad_tree);
    // and one that came since is judged by its signature.
    add_only();
    refuses_welcome(with_tree([](auto& nodes) { leaf_in(nodes, 10).signature.back() ^= 1; }), Reject::bad_signature);
    refuses_welcome(with_tree([](auto& nodes) { leaf_in(nodes, 10).credential.type = 2; }), Reject::unsupported);
}

TEST_F(WelcomeRejections, WithoutOurLeaf) {
    add_only();
    const Person twin("joiner");
    refuses_welcome(with_tree([&](auto& nodes) { leaf_in(nodes, 10) = twin.own.package.leaf; }), Reject::bad_tree);
}

TEST_F(WelcomeRejections, SameKeyTwice) {
    add_only();
    refuses_welcome(with_tree([&](auto& nodes) {
                        Tree tree = committed_->next.tree();
                        tree.add(joiner_.own.package.leaf);
                        nodes = tree.nodes();
                    }),
                    Reject::bad_key);
}

TEST_F(WelcomeRejections, EveryByteCounts) {
    test::spoil(*committed_->welcome,
                [&](const Bytes& spoiled) { EXPECT_FALSE(Group::join(spoiled, joiner_.signature, joiner_.own).ok()); });
}

TEST_F(WelcomeRejections, EveryByteOfTheGroupInfoCountsEvenSigned) {
    std::size_t understood = 0;
    test::spoil(encode(info_), [&](const Bytes& spoiled) {
        auto info = decode<GroupInfo>(spoiled);
        if (!info || info->signature != info_.signature) return;
        info->signature = sign_with_label(committer().signature, "GroupInfoTBS", to_be_signed(*info));
        const auto welcome = sealed(encode(*info), encode(secrets_));
        EXPECT_FALSE(Group::join(welcome, joiner_.signature, joiner_.own).ok());
        ++understood;
    });
    EXPECT_GT(understood, 1000U);
}

TEST_F(WelcomeRejections, EveryByteOfTheSecretsCounts) {
    const Secret secrets = encode(secrets_);
    test::spoil({secrets.begin(), secrets.end()}, [&](const Bytes& spoiled) {
        EXPECT_FALSE(Group::join(sealed(encode(info_), spoiled), joiner_.signature, joiner_.own).ok());
    });
}

// What only members have seen may be made to cost: a group that is not wanted is refused before its tree is read.
TEST_F(WelcomeRejections, AGroupThatTheCallerDoesNotWantIsRefusedBeforeItsTree) {
    const auto unsound = with_info([](auto& info) { info.extensions.clear(); });
    const auto join_with = [this](View welcome, const JoinDemands& demands) {
        const auto joined = Group::join(welcome, joiner_.signature, joiner_.own, {}, std::nullopt, demands);
        return joined ? std::nullopt : std::optional(joined.error());
    };
    const JoinDemands another{.context = [](const GroupContext&) { return Checked<>(Reject::wrong_group); }};
    EXPECT_EQ(join_with(unsound, {}), Reject::bad_tree);
    EXPECT_EQ(join_with(unsound, another), Reject::wrong_group);
    const JoinDemands this_one{.context = [this](const GroupContext& of) {
        return of == info_.context ? Checked<>(Ok{}) : Checked<>(Reject::wrong_group);
    }};
    EXPECT_EQ(join_with(*committed_->welcome, this_one), std::nullopt);

    const std::size_t leaves = committed_->next.tree().leaf_count();
    EXPECT_EQ(join_with(*committed_->welcome, {.context = {}, .most_leaves = leaves}), std::nullopt);
    EXPECT_EQ(join_with(*committed_->welcome, {.context = {}, .most_leaves = leaves / 2}), Reject::bad_tree);
}

}  // namespace
}  // namespace lestapenna::mls
