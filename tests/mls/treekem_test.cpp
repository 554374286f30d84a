#include "mls/treekem.h"

#include <functional>
#include <random>

#include <gtest/gtest.h>

#include "tree_members.h"
#include "vectors.h"

namespace lestapenna::mls {
namespace {

std::optional<Reject> why(const Checked<OpenedPath>& opened) {
    return opened ? std::nullopt : std::optional(opened.error());
}

// ---- official vectors

struct OfficialCase {
    explicit OfficialCase(const nlohmann::json& entry) {
        context.group_id = test::unhex(entry["group_id"]);
        context.epoch = entry["epoch"].get<std::uint64_t>();
        context.confirmed_transcript_hash = test::unhex(entry["confirmed_transcript_hash"]);
        tree = *Tree::from(*decode<TreeNodes>(test::unhex(entry["ratchet_tree"])));
        for (const auto& known : entry["leaves_private"]) {
            auto& member = members.emplace_back(test::TreeMember{
                .signature = *KeyPair::from_private(test::unhex(known["signature_priv"])),
                .keys = {.leaf = *KeyPair::from_private(test::unhex(known["encryption_priv"])), .parents = {}},
                .leaf = {known["index"].get<std::uint32_t>()}});
            for (const auto& parent : known["path_secrets"]) {
                const NodeIndex node{parent["node"].get<std::uint32_t>()};
                auto pair = KeyPair::derive(derive_secret(test::unhex(parent["path_secret"]), "node"));
                EXPECT_EQ(pair.public_key, *tree.encryption_key(node));
                member.keys.parents.emplace(node, std::move(pair));
            }
        }
    }

    /// All but the sender open the path, and `then` looks at what each has got. How many that were.
    template <class Then>
    std::size_t opened_by_others(LeafIndex sender, const UpdatePath& path, const Then& then) const {
        std::size_t times = 0;
        for (const auto& member : members) {
            if (member.leaf == sender) continue;
            const auto opened = open_path(tree, member.leaf, member.keys, sender, path, context, {});
            EXPECT_EQ(why(opened), std::nullopt) << member.leaf.value << " from " << sender.value;
            if (!opened) continue;
            ++times;
            then(member, *opened);
        }
        return times;
    }

    GroupContext context;
    Tree tree;
    std::vector<test::TreeMember> members;
};

TEST(TreeKem, OfficialPathsAreOpenedByEverybody) {
    const auto cases = test::official("treekem.json");
    if (!cases) GTEST_SKIP() << test::kNoVectors;
    std::size_t paths = 0;
    std::size_t opened_paths = 0;
    for (const auto& entry : *cases) {
        const OfficialCase given(entry);
        for (const auto& sent : entry["update_paths"]) {
            ++paths;
            const LeafIndex sender{sent["sender"].get<std::uint32_t>()};
            const auto path = decode<UpdatePath>(test::unhex(sent["update_path"]));
            ASSERT_TRUE(path.ok());
            opened_paths += given.opened_by_others(sender, *path, [&](const auto& member, const OpenedPath& opened) {
                EXPECT_EQ(opened.tree.hash(), test::unhex(sent["tree_hash_after"]));
                EXPECT_TRUE(opened.tree.parent_hashes_hold());
                EXPECT_EQ(to_bytes(opened.result.commit_secret), test::unhex(sent["commit_secret"]));
                // What it knows after is what whoever joins there is told by a welcome.
                const auto secret = test::unhex(sent["path_secrets"][member.leaf.value]);
                const auto told = keys_from_path_secret(opened.tree, member.leaf, member.keys.leaf, sender, secret);
                ASSERT_TRUE(told.ok());
                for (const auto& [node, pair] : told->parents) {
                    EXPECT_EQ(opened.result.keys.parents.at(node).private_key, pair.private_key);
                }
                EXPECT_TRUE(told->parents.contains(common_ancestor(member.leaf, sender)));
            });
        }
    }
    std::cout << "treekem.json: " << cases->size() << " trees, " << paths << " paths, opened " << opened_paths
              << " times\n";
}

TEST(TreeKem, OwnPathsFromOfficialTreesAreOpenedByEverybody) {
    const auto cases = test::official("treekem.json");
    if (!cases) GTEST_SKIP() << test::kNoVectors;
    std::size_t paths = 0;
    std::size_t opened_paths = 0;
    for (const auto& entry : *cases) {
        const OfficialCase given(entry);
        for (const auto& sender : given.members) {
            ++paths;
            const auto made = make_path(given.tree, sender.leaf, sender.signature, given.context, {});
            EXPECT_TRUE(made.tree.check(given.context.group_id).ok());
            opened_paths += given.opened_by_others(sender.leaf, made.path, [&](const auto&, const OpenedPath& opened) {
                EXPECT_EQ(opened.tree.hash(), made.tree.hash());
                EXPECT_EQ(opened.result.commit_secret, made.result.commit_secret);
            });
        }
    }
    std::cout << "from treekem.json's trees: " << paths << " paths of our own, opened " << opened_paths << " times\n";
}

// ---- paths that must not open

/// Five members, one of them (4) new. 0 sends a path; 1 to 3 are to open it.
class Path : public testing::Test {
  protected:
    Path() {
        context_.group_id = {1, 2, 3};
        context_.epoch = 7;
        for (int i = 0; i < 5; ++i) {
            auto& member = members_.emplace_back(test::new_member());
            member.leaf = tree_.add(test::new_leaf(member, "member"));
        }
        made_ = make_path(tree_, {0}, members_[0].signature, context_, joined_);
    }

    [[nodiscard]] Checked<OpenedPath> open(const UpdatePath& path, std::uint32_t by = 1, std::uint32_t from = 0) const {
        return open_path(tree_, {by}, members_.at(by).keys, {from}, path, context_, joined_);
    }
    template <class Change>
    [[nodiscard]] std::optional<Reject> with(const Change& change, std::uint32_t by = 1) const {
        auto path = made_->path;
        change(path);
        return why(open(path, by));
    }
    /// A path with these keys in it, in which all is right but them; for member 1.
    [[nodiscard]] UpdatePath well_made(const std::vector<Bytes>& keys,
                                       const std::function<void(LeafNode&)>& change) const {
        auto path = made_->path;
        change(path.leaf);
        auto tree = tree_;
        for (std::size_t i = 0; i < keys.size(); ++i) path.nodes[i].encryption_key = keys[i];
        path.leaf.parent_hash = tree.set_path({0}, keys);
        test::sign_leaf(path.leaf, members_[0].signature, {.group_id = context_.group_id, .leaf = {0}});
        tree.set_leaf({0}, path.leaf);
        path.nodes[0].encrypted_path_secret[0] = sealed_for_1(tree, made_->path_secrets[0].second);
        return path;
    }
    [[nodiscard]] HpkeCiphertext sealed_for_1(const Tree& next, const Secret& path_secret) const {
        auto context = context_;
        context.tree_hash = next.hash();
        return *encrypt_with_label(members_[1].keys.leaf.public_key, "UpdatePathNode", encode(context), path_secret);
    }
    [[nodiscard]] std::vector<Bytes> keys() const {
        std::vector<Bytes> keys;
        for (const auto& node : made_->path.nodes) keys.push_back(node.encryption_key);
        return keys;
    }

    GroupContext context_;
    Tree tree_;
    std::vector<test::TreeMember> members_;
    std::set<LeafIndex> joined_{{4}};
    std::optional<MadePath> made_;
};

TEST_F(Path, IsOpened) {
    for (const std::uint32_t by : {1U, 2U, 3U}) {
        const auto opened = open(made_->path, by);
        ASSERT_EQ(why(opened), std::nullopt);
        EXPECT_EQ(opened->result.commit_secret, made_->result.commit_secret);
    }
    // 4 is new: it is in the resolutions that say which nodes there are, and nothing is encrypted to it.
    ASSERT_EQ(made_->path.nodes.size(), 3U);
    EXPECT_EQ(made_->path.nodes[2].encrypted_path_secret.size(), 0U);
    EXPECT_EQ(why(open(made_->path, 4)), Reject::bad_path);
    const auto& [node, secret] = made_->path_secrets[2];
    EXPECT_EQ(node, common_ancestor({0}, {4}));
    const auto told = keys_from_path_secret(made_->tree, {4}, members_[4].keys.leaf, {0}, secret);
    ASSERT_TRUE(told.ok());
    EXPECT_EQ(told->parents.at(node).private_key, made_->result.keys.parents.at(node).private_key);
}

TEST_F(Path, FromNobody) {
    EXPECT_EQ(why(open(made_->path, 1, 5)), Reject::bad_path) << "blank";
    EXPECT_EQ(why(open(made_->path, 1, 8)), Reject::bad_path) << "not in the tree";
    EXPECT_EQ(why(open(made_->path, 1, ~0U)), Reject::bad_path);
    EXPECT_EQ(why(open(made_->path, 1, 1)), Reject::bad_path) << "from oneself";
    EXPECT_EQ(why(open(made_->path, 1, 2)), Reject::bad_path) << "another member's";
}

TEST_F(Path, WithAnotherShape) {
    EXPECT_EQ(with([](UpdatePath& path) { path.nodes.pop_back(); }), Reject::bad_path);
    EXPECT_EQ(with([](UpdatePath& path) { path.nodes.push_back(path.nodes.back()); }), Reject::bad_path);
    for (const std::size_t i : {0U, 1U, 2U}) {
        EXPECT_EQ(with([&](UpdatePath& path) { path.nodes[i].encrypted_path_secret.emplace_back(); }),
                  Reject::bad_path);
    }
    for (const std::size_t i : {0U, 1U}) {
        EXPECT_EQ(with([&](UpdatePath& path) { path.nodes[i].encrypted_path_secret.pop_back(); }), Reject::bad_path);
    }
}

TEST_F(Path, WithoutParentHash) {
    EXPECT_EQ(with([](UpdatePath& path) { path.leaf.parent_hash.back() ^= 1; }), Reject::bad_path);
    EXPECT_EQ(with([](UpdatePath& path) { path.leaf.parent_hash.clear(); }), Reject::bad_path);
    EXPECT_EQ(with([](UpdatePath& path) { path.nodes[1].encryption_key = KeyPair::generate().public_key; }),
              Reject::bad_path);
}

TEST_F(Path, WhoseLeafIsNotOfACommit) {
    EXPECT_EQ(with([](UpdatePath& path) { path.leaf.source = LeafSource::update; }), Reject::bad_path);
    EXPECT_EQ(with([](UpdatePath& path) { path.leaf.source = LeafSource::key_package; }), Reject::bad_path);
}

TEST_F(Path, WhoseLeafIsNotSigned) {
    EXPECT_EQ(with([](UpdatePath& path) { path.leaf.signature.back() ^= 1; }), Reject::bad_signature);
    EXPECT_EQ(with([](UpdatePath& path) { path.leaf.signature.clear(); }), Reject::bad_signature);
    EXPECT_EQ(with([](UpdatePath& path) { path.leaf.credential.identity = {9}; }), Reject::bad_signature);
    context_.group_id = {9};
    EXPECT_EQ(why(open(made_->path)), Reject::bad_signature) << "of another group";
}

TEST_F(Path, WithKeysThatAreThereAlready) {
    const auto unchanged = [](LeafNode& /*leaf*/) {};
    EXPECT_EQ(why(open(well_made(keys(), unchanged))), std::nullopt);
    auto twice = keys();
    twice[1] = twice[0];
    EXPECT_EQ(why(open(well_made(twice, unchanged))), Reject::bad_key);
    auto of_another = keys();
    of_another[2] = members_[3].keys.leaf.public_key;
    EXPECT_EQ(why(open(well_made(of_another, unchanged))), Reject::bad_key);
    const auto same_as_before = [&](LeafNode& leaf) { leaf.encryption_key = members_[0].keys.leaf.public_key; };
    EXPECT_EQ(why(open(well_made(keys(), same_as_before))), Reject::bad_key);
    auto none = keys();
    none[0].back() ^= 1;
    EXPECT_EQ(why(open(well_made(none, unchanged))), Reject::bad_key);
}

TEST_F(Path, WithSomebodyElsesSignatureKey) {
    auto path = made_->path;
    path.leaf.signature_key = members_[2].signature.public_key;
    test::sign_leaf(path.leaf, members_[2].signature, {.group_id = context_.group_id, .leaf = {0}});
    EXPECT_EQ(why(open(path)), Reject::bad_key);
}

TEST_F(Path, ForAnotherContext) {
    context_.epoch += 1;
    EXPECT_EQ(why(open(made_->path)), Reject::bad_path);
}

TEST_F(Path, WhoseSecretIsNotThatOfItsKeys) {
    const auto sealing = [&](const Secret& secret) {
        return with(
            [&](UpdatePath& path) { path.nodes[0].encrypted_path_secret[0] = sealed_for_1(made_->tree, secret); });
    };
    EXPECT_EQ(sealing(made_->path_secrets[0].second), std::nullopt) << "as it was";
    EXPECT_EQ(sealing(random_secret(32)), Reject::bad_path);
    EXPECT_EQ(sealing(made_->path_secrets[1].second), Reject::bad_path) << "that of the node above";
    EXPECT_EQ(sealing({}), Reject::bad_path);
}

TEST_F(Path, IsNotOpenedWithOldKeys) {
    members_[1].keys.leaf = KeyPair::generate();
    EXPECT_EQ(why(open(made_->path)), Reject::bad_path);
}

TEST_F(Path, SecretOfAWelcomeThatDoesNotFit) {
    const auto told = [&](std::uint32_t self, std::uint32_t sender, const Secret& secret) {
        return keys_from_path_secret(made_->tree, {self}, members_[4].keys.leaf, {sender}, secret).ok();
    };
    const auto& secret = made_->path_secrets[2].second;
    EXPECT_TRUE(told(4, 0, secret));
    EXPECT_FALSE(told(4, 0, made_->path_secrets[1].second));
    EXPECT_FALSE(told(4, 0, {}));
    EXPECT_FALSE(told(4, 4, secret));
    EXPECT_FALSE(told(4, 9, secret));
    EXPECT_FALSE(told(9, 0, secret));
    EXPECT_FALSE(told(1, 0, secret)) << "of another node";
}

TEST_F(Path, OfWhoIsAlone) {
    const Tree alone(*tree_.leaf({0}));
    const auto made = make_path(alone, {0}, members_[0].signature, context_, {});
    EXPECT_TRUE(made.path.nodes.empty());
    EXPECT_TRUE(made.path.leaf.parent_hash.empty());
    EXPECT_EQ(made.result.commit_secret.size(), kHashBytes);
    EXPECT_TRUE(made.tree.check(context_.group_id).ok());
}

TEST_F(Path, EveryChangedByteIsNoticedBySomebody) {
    const auto seed = std::random_device{}();
    std::mt19937 random(seed);
    const auto good = encode(made_->path);
    std::size_t malformed = 0;
    for (std::size_t i = 0; i < good.size(); ++i) {
        auto bytes = good;
        bytes[i] ^= static_cast<std::uint8_t>(1U << random() % 8);
        const auto path = decode<UpdatePath>(bytes);
        if (!path) {
            ++malformed;
            continue;
        }
        // A ciphertext is only looked at by whom it is for; the commit's signature is there for the rest of it.
        bool noticed = false;
        for (const std::uint32_t by : {1U, 2U, 3U}) noticed = noticed || !open(*path, by);
        EXPECT_TRUE(noticed) << "seed " << seed << ", byte " << i;
    }
    std::cout << "seed " << seed << ": " << good.size() << " bytes, " << malformed
              << " malformed, the others refused\n";
}

}  // namespace
}  // namespace lestapenna::mls
