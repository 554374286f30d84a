#include "mls/tree.h"

#include <random>

#include <gtest/gtest.h>

#include "tree_members.h"
#include "vectors.h"

namespace lestapenna::mls {
namespace {

const Bytes kGroup{1, 2, 3, 4, 5, 6, 7, 8};

Tree decoded(View bytes) {
    auto nodes = decode<TreeNodes>(bytes);
    EXPECT_TRUE(nodes.ok());
    auto tree = Tree::from(std::move(*nodes));
    EXPECT_TRUE(tree.ok());
    return std::move(*tree);
}

Checked<> checked_from(TreeNodes nodes) {
    auto tree = Tree::from(std::move(nodes));
    if (!tree) return tree.error();
    return tree->check(kGroup);
}

/// Why a check failed; nothing when it did not.
std::optional<Reject> why(const Checked<>& checked) {
    return checked ? std::nullopt : std::optional(checked.error());
}

// ---- official vectors

TEST(Tree, OfficialOperations) {
    const auto cases = test::official("tree-operations.json");
    if (!cases) GTEST_SKIP() << test::kNoVectors;
    for (const auto& entry : *cases) {
        auto tree = decoded(test::unhex(entry["tree_before"]));
        EXPECT_EQ(tree.hash(), test::unhex(entry["tree_hash_before"]));
        const auto proposal = decode<Proposal>(test::unhex(entry["proposal"]));
        ASSERT_TRUE(proposal.ok());
        if (const auto* const add = std::get_if<Add>(&*proposal)) {
            tree.add(add->key_package.leaf);
        } else if (const auto* const update = std::get_if<Update>(&*proposal)) {
            tree.update({entry["proposal_sender"].get<std::uint32_t>()}, update->leaf);
        } else {
            tree.remove(std::get<Remove>(*proposal).leaf);
        }
        EXPECT_EQ(tree.hash(), test::unhex(entry["tree_hash_after"]));
        EXPECT_EQ(encode(tree.nodes()), test::unhex(entry["tree_after"]));
    }
    std::cout << "tree-operations.json: " << cases->size() << " operations\n";
}

TEST(Tree, OfficialValidation) {
    const auto cases = test::official("tree-validation.json");
    if (!cases) GTEST_SKIP() << test::kNoVectors;
    std::size_t nodes = 0;
    std::size_t leaves = 0;
    for (const auto& entry : *cases) {
        const auto bytes = test::unhex(entry["tree"]);
        const auto tree = decoded(bytes);
        EXPECT_EQ(encode(tree.nodes()), bytes);
        ASSERT_EQ(node_count(tree.leaf_count()), entry["tree_hashes"].size());
        for (NodeIndex at; at.value < node_count(tree.leaf_count()); ++at.value, ++nodes) {
            EXPECT_EQ(tree.hash(at), test::unhex(entry["tree_hashes"][at.value])) << at.value;
            std::vector<std::uint32_t> resolution;
            for (const auto node : tree.resolution(at)) resolution.push_back(node.value);
            EXPECT_EQ(resolution, entry["resolutions"][at.value].get<std::vector<std::uint32_t>>()) << at.value;
        }
        EXPECT_TRUE(tree.parent_hashes_hold());
        const auto group_id = test::unhex(entry["group_id"]);
        for (const auto at : tree.members()) {
            EXPECT_TRUE(check_leaf(*tree.leaf(at), {.group_id = group_id, .leaf = at}).ok()) << at.value;
            ++leaves;
        }
        EXPECT_EQ(why(tree.check(group_id)), std::nullopt);
    }
    std::cout << "tree-validation.json: " << cases->size() << " trees, " << nodes << " nodes, " << leaves
              << " leaves\n";
}

// ---- trees of our own

class OwnTree : public testing::Test {
  protected:
    /// Members 0 to n - 1, some of whose paths are in the tree; the last came after those.
    explicit OwnTree(std::size_t members = 6) {
        for (std::size_t i = 0; i < members; ++i) {
            join();
            if (i == 3 || i + 2 == members) path(LeafIndex{static_cast<std::uint32_t>(i) / 2});
        }
    }

    void join() {
        auto& member = members_.emplace_back(test::new_member());
        member.leaf = tree_.add(test::new_leaf(member, "member"));
    }
    void path(LeafIndex from) {
        GroupContext context;
        context.group_id = kGroup;
        auto made = make_path(tree_, from, members_[from.value].signature, context, {});
        tree_ = std::move(made.tree);
        members_[from.value].keys = std::move(made.result.keys);
    }
    /// Leaf signed again by its member, as if it had always been like that.
    void sign(LeafNode& leaf, LeafIndex at) const {
        test::sign_leaf(leaf, members_[at.value].signature, {.group_id = kGroup, .leaf = at});
    }
    template <class T>
    static T& at(TreeNodes& nodes, std::uint32_t index) {
        return std::get<T>(*nodes.at(index));
    }

    Tree tree_;
    std::vector<test::TreeMember> members_;
};

TEST_F(OwnTree, IsAccepted) {
    EXPECT_EQ(why(tree_.check(kGroup)), std::nullopt);
    EXPECT_EQ(why(checked_from(tree_.nodes())), std::nullopt);
    EXPECT_EQ(tree_.members().size(), 6U);
    ASSERT_NE(tree_.parent_node(root(8)), nullptr);
    EXPECT_EQ(tree_.parent_node(root(8))->unmerged_leaves, (std::vector<LeafIndex>{{5}}));
}

TEST_F(OwnTree, CopiesDoNotFollow) {
    const auto before = tree_;
    const auto hash = before.hash();
    tree_.remove({1});
    tree_.add(test::new_leaf(test::new_member(), "new"));
    EXPECT_EQ(before.hash(), hash);
    EXPECT_NE(tree_.hash(), hash);
    EXPECT_EQ(why(before.check(kGroup)), std::nullopt);
}

TEST_F(OwnTree, IndicesFromOutsideNameNothing) {
    for (const std::uint32_t far : {15U, 16U, 0x8000'0000U, ~0U}) {
        EXPECT_EQ(tree_.leaf({far}), nullptr);
        EXPECT_EQ(tree_.parent_node({far}), nullptr);
        EXPECT_EQ(tree_.encryption_key({far}), nullptr);
    }
    EXPECT_EQ(tree_.parent_node({0}), nullptr) << "a leaf";
}

TEST_F(OwnTree, ShrinksWhileTheRightHalfIsEmpty) {
    EXPECT_EQ(tree_.leaf_count(), 8U);
    tree_.remove({4});
    EXPECT_EQ(tree_.leaf_count(), 8U);
    tree_.remove({5});
    EXPECT_EQ(tree_.leaf_count(), 4U);
    tree_.remove({1});
    tree_.remove({2});
    EXPECT_EQ(tree_.leaf_count(), 4U);
    tree_.remove({3});
    EXPECT_EQ(tree_.leaf_count(), 1U);
    EXPECT_EQ(tree_.hash(), Tree(*tree_.leaf({0})).hash());
}

TEST_F(OwnTree, FormsThatAreNone) {
    const auto good = tree_.nodes();
    EXPECT_EQ(why(checked_from({})), Reject::malformed);
    auto nodes = good;
    nodes.emplace_back();
    EXPECT_EQ(why(checked_from(nodes)), Reject::malformed) << "a blank at the end";
    nodes = good;
    std::swap(nodes[0], nodes[3]);
    EXPECT_EQ(why(checked_from(nodes)), Reject::malformed) << "a parent where a leaf belongs";
    for (const std::vector<LeafIndex>& unmerged : {std::vector<LeafIndex>{{5}, {4}}, {{5}, {5}}, {{8}}, {{~0U}}}) {
        nodes = good;
        at<ParentNode>(nodes, 7).unmerged_leaves = unmerged;
        EXPECT_EQ(why(checked_from(nodes)), Reject::malformed) << unmerged.front().value;
    }
    nodes = good;
    ASSERT_TRUE(nodes[3]);
    at<ParentNode>(nodes, 3).unmerged_leaves = {{5}};
    EXPECT_EQ(why(checked_from(nodes)), Reject::malformed) << "not below";

    nodes = {good[0]};
    nodes.resize(kMaxTreeNodes);
    nodes.back() = good[0];
    EXPECT_EQ(Tree::from(nodes)->leaf_count(), 2048U);
    nodes.resize(kMaxTreeNodes + 2);
    nodes.back() = good[0];
    EXPECT_EQ(why(checked_from(nodes)), Reject::malformed) << "too many";
}

TEST_F(OwnTree, ParentsThatNobodyVouchesFor) {
    for (std::uint32_t i = 1; i < tree_.nodes().size(); i += 2) {
        auto nodes = tree_.nodes();
        if (!nodes[i]) continue;
        at<ParentNode>(nodes, i).encryption_key = KeyPair::generate().public_key;
        EXPECT_EQ(why(checked_from(nodes)), Reject::bad_tree) << i;
    }
    auto nodes = tree_.nodes();
    at<ParentNode>(nodes, root(8).value).parent_hash = Bytes(32, 7);
    EXPECT_EQ(why(checked_from(nodes)), Reject::bad_tree);
    nodes = tree_.nodes();
    auto& committer = at<LeafNode>(nodes, 4);
    ASSERT_EQ(committer.source, LeafSource::commit);
    committer.parent_hash.back() ^= 1;
    sign(committer, {2});
    EXPECT_EQ(why(checked_from(nodes)), Reject::bad_tree) << "well signed, but another parent hash";
}

TEST_F(OwnTree, UnmergedLeavesThatAreNot) {
    auto nodes = tree_.nodes();
    at<ParentNode>(nodes, 7).unmerged_leaves = {{5}, {7}};
    EXPECT_EQ(why(checked_from(nodes)), Reject::malformed) << "7 is blank";
    nodes = tree_.nodes();
    at<ParentNode>(nodes, 7).unmerged_leaves.clear();
    EXPECT_EQ(why(checked_from(nodes)), Reject::bad_tree) << "5 came after the path";
    nodes = tree_.nodes();
    at<ParentNode>(nodes, 7).unmerged_leaves = {{3}, {5}};
    EXPECT_EQ(why(checked_from(nodes)), Reject::bad_tree) << "3 came before it, and 5 (the node) does not list it";
}

TEST_F(OwnTree, UnmergedAboveButNotBetween) {
    // A path from 4, then 7 joins: nodes 11 (4 to 7) and 7 (all) must both list it.
    join();
    path({4});
    join();
    ASSERT_EQ(tree_.parent_node({11})->unmerged_leaves, (std::vector<LeafIndex>{{7}}));
    ASSERT_EQ(tree_.parent_node({7})->unmerged_leaves, (std::vector<LeafIndex>{{7}}));
    EXPECT_EQ(why(tree_.check(kGroup)), std::nullopt);
    auto nodes = tree_.nodes();
    at<ParentNode>(nodes, 11).unmerged_leaves.clear();
    EXPECT_EQ(why(checked_from(nodes)), Reject::bad_tree);
}

TEST_F(OwnTree, KeysTwice) {
    auto nodes = tree_.nodes();
    auto& leaf = at<LeafNode>(nodes, 10);
    ASSERT_EQ(leaf.source, LeafSource::key_package);
    leaf.encryption_key = *tree_.encryption_key(node_of({0}));
    sign(leaf, {5});
    EXPECT_EQ(why(checked_from(nodes)), Reject::bad_key);

    nodes = tree_.nodes();
    auto& other = at<LeafNode>(nodes, 10);
    other.signature_key = tree_.leaf({0})->signature_key;
    sign(other, {0});
    EXPECT_EQ(why(checked_from(nodes)), Reject::bad_key);
}

TEST_F(OwnTree, LeavesThatAreNotToBeTakenIn) {
    const auto with = [&](const auto& change) {
        auto nodes = tree_.nodes();
        auto& leaf = at<LeafNode>(nodes, 10);
        change(leaf);
        sign(leaf, {5});
        return why(checked_from(nodes));
    };
    EXPECT_EQ(with([](LeafNode& /*unchanged*/) {}), std::nullopt);
    EXPECT_EQ(with([](LeafNode& leaf) { leaf.capabilities.versions = {2}; }), Reject::unsupported);
    EXPECT_EQ(with([](LeafNode& leaf) { leaf.capabilities.cipher_suites = {1, 3}; }), Reject::unsupported);
    EXPECT_EQ(with([](LeafNode& leaf) { leaf.capabilities.credentials = {}; }), Reject::unsupported);
    EXPECT_EQ(with([](LeafNode& leaf) { leaf.credential.type = Credential::kX509; }), Reject::unsupported);
    EXPECT_EQ(with([](LeafNode& leaf) { leaf.extensions = {{.type = 0xF000, .data = {}}}; }), Reject::unsupported);
    EXPECT_EQ(with([](LeafNode& leaf) {
                  leaf.extensions = {{.type = 0xF000, .data = {}}, {.type = 1, .data = {}}};
                  leaf.capabilities.extensions = {0x0A0A, 0xF000};
              }),
              std::nullopt)
        << "known ones, and one to be ignored";
    EXPECT_EQ(with([](LeafNode& leaf) { leaf.encryption_key[10] ^= 1; }), Reject::bad_key);
    EXPECT_EQ(with([](LeafNode& leaf) { leaf.encryption_key.clear(); }), Reject::bad_key);
    EXPECT_EQ(with([](LeafNode& leaf) { leaf.signature_key[0] = 2; }), Reject::bad_key);

    auto nodes = tree_.nodes();
    at<LeafNode>(nodes, 10).lifetime.not_after -= 1;
    EXPECT_EQ(why(checked_from(nodes)), Reject::bad_signature);
    EXPECT_EQ(why(tree_.check(Bytes{9})), Reject::bad_signature) << "of another group";
}

TEST_F(OwnTree, EveryChangedByteShows) {
    const auto seed = std::random_device{}();
    std::mt19937 random(seed);
    const auto good = encode(tree_.nodes());
    std::size_t malformed = 0;
    std::size_t refused = 0;
    for (std::size_t i = 0; i < good.size(); ++i) {
        auto bytes = good;
        bytes[i] ^= static_cast<std::uint8_t>(1U << random() % 8);
        auto nodes = decode<TreeNodes>(bytes);
        auto tree = nodes ? Tree::from(std::move(*nodes)) : Checked<Tree>(nodes.error());
        if (!tree) {
            ++malformed;
            continue;
        }
        EXPECT_NE(tree->hash(), tree_.hash()) << "seed " << seed << ", byte " << i;
        if (!tree->check(kGroup)) ++refused;
    }
    EXPECT_EQ(malformed + refused, good.size()) << "seed " << seed;
    std::cout << "seed " << seed << ": " << good.size() << " bytes, " << malformed << " malformed, " << refused
              << " with another hash and refused\n";
}

// ---- key packages

class AKeyPackage : public testing::Test {
  protected:
    AKeyPackage() {
        package_.init_key = KeyPair::generate().public_key;
        package_.leaf = test::new_leaf(member_, "new");
        sign();
    }
    void sign() { package_.signature = sign_with_label(member_.signature, "KeyPackageTBS", to_be_signed(package_)); }

    test::TreeMember member_ = test::new_member();
    KeyPackage package_;
};

TEST_F(AKeyPackage, IsAccepted) {
    EXPECT_EQ(why(check_key_package(package_)), std::nullopt);
}

TEST_F(AKeyPackage, IsRefused) {
    const auto with = [&](const auto& change) {
        const auto good = package_;
        change(package_);
        sign();
        const auto found = why(check_key_package(package_));
        package_ = good;
        return found;
    };
    EXPECT_EQ(with([](KeyPackage& package) { package.version = 2; }), Reject::unsupported);
    EXPECT_EQ(with([](KeyPackage& package) { package.cipher_suite = 1; }), Reject::unsupported);
    EXPECT_EQ(with([](KeyPackage& package) { package.leaf.source = LeafSource::update; }), Reject::malformed);
    EXPECT_EQ(with([](KeyPackage& package) { package.init_key = package.leaf.encryption_key; }), Reject::bad_key);
    EXPECT_EQ(with([](KeyPackage& package) { package.init_key = {4}; }), Reject::bad_key);
    EXPECT_EQ(with([](KeyPackage& package) { package.leaf.credential.identity = {1}; }), Reject::bad_signature)
        << "the leaf is not what was signed";
    package_.extensions.push_back({.type = 9, .data = {1}});
    EXPECT_EQ(why(check_key_package(package_)), Reject::bad_signature) << "the package is not what was signed";
}

}  // namespace
}  // namespace lestapenna::mls
