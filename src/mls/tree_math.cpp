#include "mls/tree_math.h"

#include <bit>

namespace lestapenna::mls {

std::uint32_t level(NodeIndex node) {
    return static_cast<std::uint32_t>(std::countr_one(node.value));
}

std::uint32_t node_count(std::uint32_t leaves) {
    return leaves == 0 ? 0 : 2 * leaves - 1;
}

NodeIndex root(std::uint32_t leaves) {
    return {leaves - 1};
}

std::optional<NodeIndex> left(NodeIndex node) {
    if (is_leaf(node)) return std::nullopt;
    return NodeIndex{node.value ^ (1U << (level(node) - 1))};
}

std::optional<NodeIndex> right(NodeIndex node) {
    if (is_leaf(node)) return std::nullopt;
    return NodeIndex{node.value ^ (3U << (level(node) - 1))};
}

std::optional<NodeIndex> parent(NodeIndex node, std::uint32_t leaves) {
    if (node == root(leaves)) return std::nullopt;
    const auto k = level(node);
    return NodeIndex{(node.value | (1U << k)) & ~(1U << (k + 1))};
}

std::optional<NodeIndex> sibling(NodeIndex node, std::uint32_t leaves) {
    const auto above = parent(node, leaves);
    if (!above) return std::nullopt;
    return node < *above ? right(*above) : left(*above);
}

bool is_below(NodeIndex node, NodeIndex top) {
    const auto reach = (1U << level(top)) - 1;
    return node.value + reach >= top.value && node.value <= top.value + reach;
}

NodeIndex common_ancestor(LeafIndex a, LeafIndex b) {
    const auto differing = std::bit_width(a.value ^ b.value);
    // The path up from either joins that of the other where the leaf numbers agree but for the lowest `differing` bits.
    const auto subtree = node_of(a).value >> (differing + 1) << (differing + 1);
    return {subtree + (1U << differing) - 1};
}

}  // namespace lestapenna::mls
