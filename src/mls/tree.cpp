#include "mls/tree.h"

#include <algorithm>
#include <functional>
#include <iterator>

namespace lestapenna::mls {

namespace {

template <class T>
void put_optional(Writer& to, const T* value) {
    to.u8(value != nullptr ? 1 : 0);
    if (value != nullptr) write(to, *value);
}

std::array<std::uint8_t, kHashBytes> digest(const Writer& of) {
    std::array<std::uint8_t, kHashBytes> hash{};
    std::ranges::copy(sha256({of.bytes()}), hash.begin());
    return hash;
}

// TreeHashInput of section 7.8.
auto leaf_hash(LeafIndex at, const LeafNode* node) {
    Writer input;
    input.u8(1);
    input.u32(at.value);
    put_optional(input, node);
    return digest(input);
}
auto parent_tree_hash(const ParentNode* node, View left, View right) {
    Writer input;
    input.u8(2);
    put_optional(input, node);
    input.vec(left);
    input.vec(right);
    return digest(input);
}

bool ascend(const std::vector<LeafIndex>& leaves) {
    return std::ranges::adjacent_find(leaves, std::greater_equal()) == leaves.end();
}

/// Whether what is at `at` may be there.
bool fits(NodeIndex at, const TreeNodes& nodes) {
    const auto& node = nodes[at.value];
    if (!node) return true;
    if (is_leaf(at)) return std::holds_alternative<LeafNode>(*node);
    const auto* const parent = std::get_if<ParentNode>(&*node);
    if (parent == nullptr || !ascend(parent->unmerged_leaves)) return false;
    return std::ranges::all_of(parent->unmerged_leaves, [&](LeafIndex leaf) {
        return leaf.value <= nodes.size() / 2 && is_below(node_of(leaf), at) && node_of(leaf).value < nodes.size() &&
               nodes[node_of(leaf).value];
    });
}

}  // namespace

Tree::Tree(LeafNode first) {
    add(std::move(first));
}

Checked<Tree> Tree::from(TreeNodes nodes) {
    if (nodes.empty() || !nodes.back() || nodes.size() > kMaxTreeNodes) return Reject::malformed;
    std::uint32_t leaves = 1;
    while (node_count(leaves) < nodes.size()) leaves *= 2;
    for (NodeIndex at; at.value < nodes.size(); ++at.value) {
        if (!fits(at, nodes)) return Reject::malformed;
    }
    Tree tree;
    tree.nodes_.resize(node_count(leaves));
    for (NodeIndex at; at.value < nodes.size(); ++at.value) {
        if (auto& node = nodes[at.value]) tree.put(at, std::move(*node));
    }
    tree.rehash_right_of(0);
    return tree;
}

TreeNodes Tree::nodes() const {
    auto end = nodes_.size();
    while (end > 0 && !nodes_[end - 1]) --end;
    TreeNodes nodes(end);
    for (std::size_t i = 0; i < end; ++i) {
        if (nodes_[i]) nodes[i] = *nodes_[i];
    }
    return nodes;
}

std::uint32_t Tree::leaf_count() const {
    return static_cast<std::uint32_t>((nodes_.size() + 1) / 2);
}

const LeafNode* Tree::leaf(LeafIndex at) const {
    return at.value < leaf_count() ? std::get_if<LeafNode>(nodes_[node_of(at).value].get()) : nullptr;
}

const ParentNode* Tree::parent_node(NodeIndex at) const {
    return at.value < nodes_.size() ? std::get_if<ParentNode>(nodes_[at.value].get()) : nullptr;
}

const Bytes* Tree::encryption_key(NodeIndex at) const {
    if (at.value >= nodes_.size() || !nodes_[at.value]) return nullptr;
    return std::visit([](const auto& node) { return &node.encryption_key; }, *nodes_[at.value]);
}

std::vector<LeafIndex> Tree::members() const {
    std::vector<LeafIndex> members;
    members.reserve(leaf_count());
    for (LeafIndex at; at.value < leaf_count(); ++at.value) {
        if (leaf(at) != nullptr) members.push_back(at);
    }
    return members;
}

// ---- changes

LeafIndex Tree::add(LeafNode leaf_node) {
    LeafIndex at;
    while (leaf(at) != nullptr) ++at.value;
    if (at.value == leaf_count()) grow();

    put(node_of(at), std::move(leaf_node));
    for (auto above = parent(node_of(at), leaf_count()); above; above = parent(*above, leaf_count())) {
        const auto* const node = parent_node(*above);
        if (node == nullptr) continue;
        auto changed = *node;
        auto& unmerged = changed.unmerged_leaves;
        unmerged.insert(std::ranges::lower_bound(unmerged, at), at);
        put(*above, std::move(changed));
    }
    rehash_from(node_of(at));
    return at;
}

void Tree::update(LeafIndex at, LeafNode leaf_node) {
    blank_above(at);
    set_leaf(at, std::move(leaf_node));
}

void Tree::remove(LeafIndex at) {
    nodes_[node_of(at).value].reset();
    blank_above(at);
    rehash_from(node_of(at));
    while (leaf_count() > 1 && is_empty(*right(root(leaf_count())))) {
        const auto half = node_count(leaf_count() / 2);
        nodes_.resize(half);
        hashes_.resize(half);
    }
}

void Tree::set_leaf(LeafIndex at, LeafNode leaf_node) {
    put(node_of(at), std::move(leaf_node));
    rehash_from(node_of(at));
}

void Tree::grow() {
    const auto before = nodes_.size();
    nodes_.resize(node_count(std::max(1U, 2 * leaf_count())));
    rehash_right_of(before);
}

void Tree::blank_above(LeafIndex at) {
    for (auto above = parent(node_of(at), leaf_count()); above; above = parent(*above, leaf_count())) {
        nodes_[above->value].reset();
    }
}

// ---- what the shape says

bool Tree::is_empty(NodeIndex at) const {
    if (nodes_[at.value]) return false;
    return is_leaf(at) || (is_empty(*left(at)) && is_empty(*right(at)));
}

void Tree::resolve(NodeIndex at, std::vector<NodeIndex>& into) const {
    if (nodes_[at.value]) {
        into.push_back(at);
        if (const auto* const node = parent_node(at))
            std::ranges::transform(node->unmerged_leaves, std::back_inserter(into), node_of);
    } else if (!is_leaf(at)) {
        resolve(*left(at), into);
        resolve(*right(at), into);
    }
}

std::vector<NodeIndex> Tree::resolution(NodeIndex at) const {
    std::vector<NodeIndex> nodes;
    resolve(at, nodes);
    return nodes;
}

std::vector<Tree::PathStep> Tree::filtered_path(LeafIndex of) const {
    std::vector<PathStep> path;
    for (auto at = node_of(of); at != root(leaf_count());) {
        const auto above = *parent(at, leaf_count());
        const auto copath = *sibling(at, leaf_count());
        if (!is_empty(copath)) path.push_back({.node = above, .copath = copath});
        at = above;
    }
    return path;
}

// ---- hashes

Bytes Tree::hash(NodeIndex at) const {
    return to_bytes(hashes_[at.value]);
}

Tree::Hash Tree::fresh_hash(NodeIndex at) const {
    if (is_leaf(at)) return leaf_hash(leaf_of(at), leaf(leaf_of(at)));
    return parent_tree_hash(parent_node(at), hashes_[left(at)->value], hashes_[right(at)->value]);
}

/// Of a node that changed, and of all above it.
void Tree::rehash_from(NodeIndex first) {
    for (std::optional<NodeIndex> at = first; at; at = parent(*at, leaf_count())) hashes_[at->value] = fresh_hash(*at);
}

/// Of all nodes from there to the right, none of which may be above one further left but for the root.
void Tree::rehash_right_of(std::size_t first) {
    hashes_.resize(nodes_.size());
    for (std::uint32_t width = 1; width <= leaf_count(); width *= 2) {
        for (auto i = width - 1; i < nodes_.size(); i += 2 * width) {
            if (i >= first) hashes_[i] = fresh_hash({i});
        }
    }
}

/// The tree hash as it was before the `removed` leaves, which are all below, came: the original sibling tree hash of
/// section 7.9. Only subtrees that hold one of them are hashed anew.
Tree::Hash Tree::hash_without(NodeIndex at, std::span<const LeafIndex> removed) const {
    if (removed.empty()) return hashes_[at.value];
    if (is_leaf(at)) return leaf_hash(leaf_of(at), nullptr);
    const auto in_left =
        static_cast<std::size_t>(std::ranges::count_if(removed, [&](LeafIndex leaf) { return node_of(leaf) < at; }));
    const auto left_hash = hash_without(*left(at), removed.first(in_left));
    const auto right_hash = hash_without(*right(at), removed.subspan(in_left));
    const auto* const node = parent_node(at);
    if (node == nullptr) return parent_tree_hash(nullptr, left_hash, right_hash);
    auto before = *node;
    std::erase_if(before.unmerged_leaves, [&](LeafIndex leaf) { return std::ranges::binary_search(removed, leaf); });
    return parent_tree_hash(&before, left_hash, right_hash);
}

}  // namespace lestapenna::mls
