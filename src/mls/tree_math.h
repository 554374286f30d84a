// Array positions of a left-balanced binary tree (RFC 9420 appendix C): leaf i is node 2i, and there is always a power
// of two of leaves. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "mls/messages.h"

namespace lestapenna::mls {

struct NodeIndex {
    std::uint32_t value = 0;
    auto operator<=>(const NodeIndex&) const = default;
};

constexpr NodeIndex node_of(LeafIndex leaf) {
    return {leaf.value * 2};
}
constexpr bool is_leaf(NodeIndex node) {
    return node.value % 2 == 0;
}
constexpr LeafIndex leaf_of(NodeIndex node) {
    return {node.value / 2};
}
std::uint32_t level(NodeIndex node);
std::uint32_t node_count(std::uint32_t leaves);
NodeIndex root(std::uint32_t leaves);
/// Nothing for a leaf.
std::optional<NodeIndex> left(NodeIndex node);
std::optional<NodeIndex> right(NodeIndex node);
/// Nothing for the root.
std::optional<NodeIndex> parent(NodeIndex node, std::uint32_t leaves);
std::optional<NodeIndex> sibling(NodeIndex node, std::uint32_t leaves);
/// Whether `node` is `top` or below it.
bool is_below(NodeIndex node, NodeIndex top);
/// The lowest node above both.
NodeIndex common_ancestor(LeafIndex a, LeafIndex b);

}  // namespace lestapenna::mls
