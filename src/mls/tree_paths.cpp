// Paths in the ratchet tree, and the parent hashes that vouch for them.
#include <algorithm>
#include <cassert>

#include "mls/tree.h"

namespace lestapenna::mls {

namespace {

/// Those below a node, of leaves that ascend.
std::span<const LeafIndex> below(NodeIndex top, std::span<const LeafIndex> leaves) {
    const auto is_below_top = [&](LeafIndex leaf) { return is_below(node_of(leaf), top); };
    const auto first = std::ranges::find_if(leaves, is_below_top);
    const auto last = std::find_if_not(first, leaves.end(), is_below_top);
    return {first, last};
}

bool all_differ(std::vector<View> keys) {
    std::ranges::sort(keys, [](View a, View b) { return std::ranges::lexicographical_compare(a, b); });
    return std::ranges::adjacent_find(keys, [](View a, View b) { return std::ranges::equal(a, b); }) == keys.end();
}

}  // namespace

std::vector<View> Tree::encryption_keys() const {
    std::vector<View> keys;
    keys.reserve(nodes_.size());
    for (NodeIndex at; at.value < nodes_.size(); ++at.value) {
        if (const auto* const key = encryption_key(at)) keys.emplace_back(*key);
    }
    return keys;
}

bool Tree::keys_differ() const {
    std::vector<View> signature_keys;
    signature_keys.reserve(leaf_count());
    for (const auto at : members()) signature_keys.emplace_back(leaf(at)->signature_key);
    return all_differ(encryption_keys()) && all_differ(std::move(signature_keys));
}

Checked<> Tree::merge(LeafIndex at, const UpdatePath& path) {
    if (path.leaf.source != LeafSource::commit) return Reject::bad_path;
    if (path.nodes.size() != filtered_path(at).size()) return Reject::bad_path;
    std::vector<Bytes> keys;
    keys.reserve(path.nodes.size());
    for (const auto& node : path.nodes) keys.push_back(node.encryption_key);
    if (!is_public_key(path.leaf.encryption_key) || !std::ranges::all_of(keys, is_public_key)) return Reject::bad_key;
    // The keys that the path replaces count, too: whoever is put out knows some of them.
    auto together = encryption_keys();
    together.insert(together.end(), keys.begin(), keys.end());
    together.emplace_back(path.leaf.encryption_key);
    if (!all_differ(std::move(together))) return Reject::bad_key;

    if (set_path(at, keys) != path.leaf.parent_hash) return Reject::bad_path;
    set_leaf(at, path.leaf);
    if (!keys_differ()) return Reject::bad_key;
    return Ok{};
}

Bytes Tree::set_path(LeafIndex at, const std::vector<Bytes>& keys) {
    const auto steps = filtered_path(at);
    assert(keys.size() == steps.size());
    blank_above(at);
    Bytes from_above;
    for (auto i = steps.size(); i-- > 0;) {
        put(steps[i].node,
            ParentNode{.encryption_key = keys[i], .parent_hash = std::move(from_above), .unmerged_leaves = {}});
        from_above = parent_hash(steps[i].node, steps[i].copath);
    }
    rehash_from(node_of(at));
    return from_above;
}

/// What the node below a parent on a path must carry of it (section 7.9).
Bytes Tree::parent_hash(NodeIndex of, NodeIndex copath) const {
    const auto& node = *parent_node(of);
    Writer input;
    input.vec(node.encryption_key);
    input.vec(node.parent_hash);
    input.vec(hash_without(copath, below(copath, node.unmerged_leaves)));
    return sha256({input.bytes()});
}

bool Tree::parent_hashes_hold() const {
    for (NodeIndex at{1}; at.value < nodes_.size(); at.value += 2) {
        if (!nodes_[at.value]) continue;
        const auto l = *left(at);
        const auto r = *right(at);
        if (is_vouched_for(at, l, r) == is_vouched_for(at, r, l)) return false;
    }
    return true;
}

/// Whether the path that set a parent came from below `child`: then one node in that child's resolution carries the
/// parent hash, and the others are leaves that came later. That this holds for every parent chains each to a leaf.
bool Tree::is_vouched_for(NodeIndex at, NodeIndex child, NodeIndex copath) const {
    if (is_empty(copath)) return false;  // no path would have had this parent in it
    const auto later = below(child, parent_node(at)->unmerged_leaves);
    auto candidates = resolution(child);
    const auto came_later = std::erase_if(
        candidates, [&](NodeIndex node) { return is_leaf(node) && std::ranges::binary_search(later, leaf_of(node)); });
    if (candidates.size() != 1 || came_later != later.size()) return false;
    // Leaves that were not made by a commit carry an empty one.
    const auto& carried = std::visit([](const auto& node) -> const Bytes& { return node.parent_hash; },
                                     *nodes_[candidates.front().value]);
    return carried == parent_hash(at, copath);
}

}  // namespace lestapenna::mls
