// The life of groups: members come, go and renew their keys in any order, and all agree.
#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "tree_members.h"

namespace lestapenna::mls {
namespace {

class Life {
  public:
    explicit Life(std::uint32_t seed) : random_(seed) {
        context_.group_id = {1, 2, 3, 4};
        members_.push_back(test::new_member());
        tree_ = Tree(test::new_leaf(members_.back(), "0"));
    }

    /// One commit: some leave, one may renew its leaf, some join, and somebody of the others sends a path (or, when
    /// nobody left, perhaps none). All that a member must know is checked after.
    void step(std::size_t most) {
        ++context_.epoch;
        const auto committer = random_() % members_.size();
        const auto committer_leaf = members_[committer].leaf;
        const auto before = members_.size();
        const auto leaving = below(4) == 0 ? below(before) : below(std::min<std::size_t>(before, 3));
        for (std::size_t i = 0; i < leaving; ++i) remove_one_but(committer_leaf);
        const bool renewed = below(5) == 0 && renew_one_but(committer_leaf);
        std::vector<test::TreeMember> joining(std::min(below(8), most - members_.size()));
        std::set<LeafIndex> joined;
        for (auto& member : joining) {
            member = test::new_member();
            member.leaf = tree_.add(test::new_leaf(member, std::to_string(context_.epoch)));
            joined.insert(member.leaf);
        }
        if (leaving == 0 && !renewed && !joining.empty() && below(2) == 0) {
            std::ranges::move(joining, std::back_inserter(members_));
        } else {
            path_from(committer_leaf, std::move(joining), joined);
        }
        check();
    }

    std::size_t opened = 0;
    std::size_t largest = 0;
    std::size_t unmerged = 0;

  private:
    std::size_t below(std::size_t end) { return random_() % end; }

    void remove_one_but(LeafIndex stays) {
        const auto at = below(members_.size());
        if (members_[at].leaf == stays) return;
        tree_.remove(members_[at].leaf);
        members_.erase(members_.begin() + static_cast<std::ptrdiff_t>(at));
    }
    bool renew_one_but(LeafIndex committer) {
        auto& member = members_[below(members_.size())];
        if (member.leaf == committer) return false;
        member.keys = {.leaf = KeyPair::generate(), .parents = {}};
        auto leaf = test::new_leaf(member, "renewed");
        leaf.source = LeafSource::update;
        leaf.lifetime = {};
        test::sign_leaf(leaf, member.signature, {.group_id = context_.group_id, .leaf = member.leaf});
        tree_.update(member.leaf, std::move(leaf));
        return true;
    }

    void path_from(LeafIndex sender, std::vector<test::TreeMember> joining, const std::set<LeafIndex>& joined) {
        const auto committer = std::ranges::find(members_, sender, &test::TreeMember::leaf);
        auto made = make_path(tree_, sender, committer->signature, context_, joined);
        for (auto& member : members_) {
            if (member.leaf == sender) continue;
            auto result = open_path(tree_, member.leaf, member.keys, sender, made.path, context_, joined);
            ASSERT_TRUE(result.ok()) << to_string(result.error()) << ", leaf " << member.leaf.value;
            ASSERT_EQ(result->tree.hash(), made.tree.hash());
            ASSERT_EQ(result->result.commit_secret, made.result.commit_secret);
            member.keys = std::move(result->result.keys);
            ++opened;
        }
        committer->keys = std::move(made.result.keys);
        tree_ = std::move(made.tree);
        for (auto& member : joining) {
            const auto meeting = common_ancestor(member.leaf, sender);
            const auto told = std::ranges::find(made.path_secrets, meeting, &std::pair<NodeIndex, Secret>::first);
            ASSERT_NE(told, made.path_secrets.end());
            auto keys = keys_from_path_secret(tree_, member.leaf, member.keys.leaf, sender, told->second);
            ASSERT_TRUE(keys.ok());
            member.keys = std::move(*keys);
            members_.push_back(std::move(member));
        }
    }

    void check() {
        largest = std::max(largest, members_.size());
        ASSERT_EQ(tree_.members().size(), members_.size());
        const auto received = Tree::from(*decode<TreeNodes>(encode(tree_.nodes())));
        ASSERT_TRUE(received.ok());
        ASSERT_EQ(received->hash(), tree_.hash()) << "hashed node by node, and all at once";
        ASSERT_TRUE(received->parent_hashes_hold());
        ASSERT_TRUE(received->keys_differ());
        if (below(8) == 0) {
            ASSERT_TRUE(received->check(context_.group_id).ok());
        }
        for (const auto& member : members_) check_keys(member);
    }
    /// A member holds the keys of the nodes above it that are not blank and do not list it as unmerged, and no others.
    void check_keys(const test::TreeMember& member) {
        ASSERT_EQ(member.keys.leaf.public_key, *tree_.encryption_key(node_of(member.leaf)));
        std::size_t known = 0;
        const auto leaves = tree_.leaf_count();
        for (auto above = parent(node_of(member.leaf), leaves); above; above = parent(*above, leaves)) {
            const auto* const node = tree_.parent_node(*above);
            if (node == nullptr) continue;
            if (std::ranges::binary_search(node->unmerged_leaves, member.leaf)) {
                ++unmerged;
                continue;
            }
            ++known;
            ASSERT_TRUE(member.keys.parents.contains(*above)) << above->value;
            ASSERT_EQ(member.keys.parents.at(*above).public_key, node->encryption_key);
        }
        ASSERT_EQ(member.keys.parents.size(), known) << "keys that are of no use any more";
    }

    std::mt19937 random_;
    GroupContext context_;
    Tree tree_;  ///< everybody's
    std::vector<test::TreeMember> members_;
};

TEST(TreeKemLife, AllAgreeWhateverHappens) {
    for (int life = 0; life < 8; ++life) {
        const auto seed = std::random_device{}();
        SCOPED_TRACE("seed " + std::to_string(seed));
        Life group(seed);
        for (int i = 0; i < 60; ++i) {
            ASSERT_NO_FATAL_FAILURE(group.step(33)) << "commit " << i;
        }
        std::cout << "seed " << seed << ": 60 commits, up to " << group.largest << " members, " << group.opened
                  << " paths opened, " << group.unmerged << " times somebody was unmerged\n";
    }
}

}  // namespace
}  // namespace lestapenna::mls
