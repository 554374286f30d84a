#include "mls/tree_math.h"

#include <gtest/gtest.h>

#include "vectors.h"

namespace lestapenna::mls {
namespace {

std::optional<std::uint32_t> number(const std::optional<NodeIndex>& node) {
    return node ? std::optional(node->value) : std::nullopt;
}
std::optional<std::uint32_t> number(const nlohmann::json& value) {
    return value.is_null() ? std::nullopt : std::optional(value.get<std::uint32_t>());
}

TEST(TreeMath, OfficialVectors) {
    const auto cases = test::official("tree-math.json");
    if (!cases) GTEST_SKIP() << test::kNoVectors;
    std::size_t values = 0;
    for (const auto& entry : *cases) {
        const auto leaves = entry["n_leaves"].get<std::uint32_t>();
        const auto nodes = entry["n_nodes"].get<std::uint32_t>();
        ASSERT_EQ(node_count(leaves), nodes);
        ASSERT_EQ(root(leaves).value, entry["root"].get<std::uint32_t>());
        for (std::uint32_t i = 0; i < nodes; ++i) {
            const NodeIndex node{i};
            ASSERT_EQ(number(left(node)), number(entry["left"][i])) << i;
            ASSERT_EQ(number(right(node)), number(entry["right"][i])) << i;
            ASSERT_EQ(number(parent(node, leaves)), number(entry["parent"][i])) << i;
            ASSERT_EQ(number(sibling(node, leaves)), number(entry["sibling"][i])) << i;
        }
        values += 2 + std::size_t{4} * nodes;
    }
    std::cout << "tree-math.json: " << cases->size() << " trees, " << values << " values\n";
}

TEST(TreeMath, AncestorsAreThoseMetOnTheWayUp) {
    constexpr std::uint32_t kLeaves = 64;
    const auto up = [](NodeIndex from) {
        std::vector<NodeIndex> way;
        for (std::optional<NodeIndex> at = from; at; at = parent(*at, kLeaves)) way.push_back(*at);
        return way;
    };
    for (std::uint32_t i = 0; i < node_count(kLeaves); ++i) {
        const auto way = up({i});
        for (std::uint32_t top = 0; top < node_count(kLeaves); ++top) {
            const auto found = std::ranges::find(way, NodeIndex{top});
            ASSERT_EQ(is_below({i}, {top}), found != way.end()) << i << " below " << top;
        }
    }
    for (LeafIndex a; a.value < kLeaves; ++a.value) {
        for (LeafIndex b; b.value < kLeaves; ++b.value) {
            const auto way = up(node_of(a));
            const auto first = std::ranges::find_if(way, [&](NodeIndex node) { return is_below(node_of(b), node); });
            ASSERT_EQ(common_ancestor(a, b), *first) << a.value << " and " << b.value;
        }
    }
}

TEST(TreeMath, FarNodes) {
    const LeafIndex last{(1U << 30) - 1};
    EXPECT_EQ(common_ancestor({0}, last), root(1U << 30));
    EXPECT_TRUE(is_below(node_of(last), root(1U << 30)));
    EXPECT_EQ(parent(root(1U << 30), 1U << 30), std::nullopt);
}

}  // namespace
}  // namespace lestapenna::mls
