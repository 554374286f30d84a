#include "mls/treekem.h"

#include <algorithm>
#include <cassert>

namespace lestapenna::mls {

namespace {

constexpr std::string_view kPathLabel = "UpdatePathNode";

KeyPair node_key(View path_secret) {
    return KeyPair::derive(derive_secret(path_secret, "node"));
}

Secret secret_above(View path_secret) {
    return derive_secret(path_secret, "path");
}

/// To whom a step's secret is encrypted: those on the other side, without who came with the same commit.
std::vector<NodeIndex> recipients(const Tree& tree, const Tree::PathStep& step, const std::set<LeafIndex>& joined) {
    auto nodes = tree.resolution(step.copath);
    std::erase_if(nodes, [&](NodeIndex node) { return is_leaf(node) && joined.contains(leaf_of(node)); });
    return nodes;
}

/// The key pair for a node's present key, when this member holds it.
const KeyPair* held(const PathKeys& keys, LeafIndex self, const Tree& tree, NodeIndex node) {
    const KeyPair* pair = nullptr;
    if (node == node_of(self)) pair = &keys.leaf;
    if (const auto found = keys.parents.find(node); found != keys.parents.end()) pair = &found->second;
    return pair != nullptr && pair->public_key == *tree.encryption_key(node) ? pair : nullptr;
}

/// Without the keys that are no longer those of their nodes.
void drop_stale(PathKeys& keys, const Tree& tree) {
    std::erase_if(keys.parents, [&](const auto& held) {
        const auto* const key = tree.encryption_key(held.first);
        return key == nullptr || *key != held.second.public_key;
    });
}

bool are_two_members(const Tree& tree, LeafIndex a, LeafIndex b) {
    return a != b && tree.leaf(a) != nullptr && tree.leaf(b) != nullptr;
}

/// Where somebody's path meets that of another member, which is below the copath of just one of its steps.
std::size_t meeting_step(const std::vector<Tree::PathStep>& steps, LeafIndex other) {
    const auto meets = [&](const auto& step) { return is_below(node_of(other), step.copath); };
    return static_cast<std::size_t>(std::ranges::find_if(steps, meets) - steps.begin());
}

/// Derives upwards from the first of `steps`, whose secret is known. Gives the commit secret; nothing when a key is not
/// that of the tree, which has the path in it.
std::optional<Secret> climb(const Tree& tree, std::span<const Tree::PathStep> steps, Secret path_secret,
                            PathKeys& keys) {
    for (const auto& step : steps) {
        auto pair = node_key(path_secret);
        const auto* const key = tree.encryption_key(step.node);
        if (key == nullptr || *key != pair.public_key) return std::nullopt;
        keys.parents.insert_or_assign(step.node, std::move(pair));
        path_secret = secret_above(path_secret);
    }
    return path_secret;
}

}  // namespace

MadePath make_path(const Tree& tree, LeafIndex self, const KeyPair& signature, GroupContext context,
                   const std::set<LeafIndex>& joined) {
    MadePath made{.path = {},
                  .tree = tree,
                  .result = {.keys = {.leaf = KeyPair::generate(), .parents = {}}, .commit_secret = {}},
                  .path_secrets = {}};
    const auto steps = tree.filtered_path(self);

    // With nobody else in the tree there is no step, and the commit secret is any fresh one.
    auto secret = random_secret(kHashBytes);
    std::vector<Bytes> public_keys;
    public_keys.reserve(steps.size());
    made.path_secrets.reserve(steps.size());
    for (const auto& step : steps) {
        auto pair = node_key(secret);
        public_keys.push_back(pair.public_key);
        made.result.keys.parents.emplace(step.node, std::move(pair));
        auto above = secret_above(secret);
        made.path_secrets.emplace_back(step.node, std::exchange(secret, std::move(above)));
    }
    made.result.commit_secret = std::move(secret);

    auto leaf = *tree.leaf(self);
    leaf.encryption_key = made.result.keys.leaf.public_key;
    leaf.source = LeafSource::commit;
    leaf.lifetime = {};
    leaf.parent_hash = made.tree.set_path(self, public_keys);
    leaf.signature =
        sign_with_label(signature, "LeafNodeTBS", to_be_signed(leaf, {.group_id = context.group_id, .leaf = self}));
    made.tree.set_leaf(self, leaf);
    made.path.leaf = std::move(leaf);

    context.tree_hash = made.tree.hash();
    const auto info = encode(context);
    made.path.nodes.reserve(steps.size());
    for (std::size_t i = 0; i < steps.size(); ++i) {
        auto& node = made.path.nodes.emplace_back(
            UpdatePathNode{.encryption_key = std::move(public_keys[i]), .encrypted_path_secret = {}});
        const auto to = recipients(tree, steps[i], joined);
        node.encrypted_path_secret.reserve(to.size());
        for (const auto recipient : to) {
            auto sealed =
                encrypt_with_label(*tree.encryption_key(recipient), kPathLabel, info, made.path_secrets[i].second);
            assert(sealed && "a key that is none has got into the tree");
            node.encrypted_path_secret.push_back(std::move(*sealed));
        }
    }
    return made;
}

Checked<OpenedPath> open_path(const Tree& tree, LeafIndex self, const PathKeys& keys, LeafIndex sender,
                              const UpdatePath& path, GroupContext context, const std::set<LeafIndex>& joined) {
    if (!are_two_members(tree, self, sender)) return Reject::bad_path;
    const auto steps = tree.filtered_path(sender);
    if (path.nodes.size() != steps.size()) return Reject::bad_path;
    std::vector<NodeIndex> to;  // where the path meets ours
    const auto meeting = meeting_step(steps, self);
    for (std::size_t i = 0; i < steps.size(); ++i) {
        auto expected = recipients(tree, steps[i], joined);
        if (path.nodes[i].encrypted_path_secret.size() != expected.size()) return Reject::bad_path;
        if (i == meeting) to = std::move(expected);
    }
    const auto ours = std::ranges::find_if(to, [&](NodeIndex node) { return held(keys, self, tree, node) != nullptr; });
    if (ours == to.end()) return Reject::bad_path;

    OpenedPath opened{.tree = tree, .result = {.keys = keys, .commit_secret = {}}};
    if (auto merged = opened.tree.merge(sender, path); !merged) return merged.error();
    const auto leaf = check_leaf(path.leaf, {.group_id = context.group_id, .leaf = sender});
    if (!leaf) return leaf.error();
    context.tree_hash = opened.tree.hash();

    const auto& sealed = path.nodes[meeting].encrypted_path_secret[static_cast<std::size_t>(ours - to.begin())];
    auto secret = decrypt_with_label(*held(keys, self, tree, *ours), kPathLabel, encode(context), sealed);
    if (!secret || secret->size() != kHashBytes) return Reject::bad_path;
    const auto above = std::span(steps).subspan(meeting);
    auto commit_secret = climb(opened.tree, above, std::move(*secret), opened.result.keys);
    if (!commit_secret) return Reject::bad_path;
    opened.result.commit_secret = std::move(*commit_secret);
    drop_stale(opened.result.keys, opened.tree);
    return opened;
}

Checked<PathKeys> keys_from_path_secret(const Tree& tree, LeafIndex self, const KeyPair& leaf, LeafIndex sender,
                                        View path_secret) {
    if (!are_two_members(tree, self, sender) || path_secret.size() != kHashBytes) return Reject::bad_path;
    const auto steps = tree.filtered_path(sender);
    const auto above = std::span(steps).subspan(meeting_step(steps, self));
    PathKeys keys{.leaf = leaf, .parents = {}};
    if (!climb(tree, above, {path_secret.begin(), path_secret.end()}, keys)) return Reject::bad_path;
    return keys;
}

}  // namespace lestapenna::mls
