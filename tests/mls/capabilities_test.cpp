// Lists of types, as long as one message can carry them: asked about in linear time.
#include <ctime>

#include <gtest/gtest.h>

#include "mls/proposals.h"
#include "tree_members.h"

namespace lestapenna::mls {
namespace {

constexpr std::uint16_t kTypes = 4090;
constexpr std::uint16_t kFirstType = 100;
constexpr int kLeaves = 110;  ///< with so many types each, 0.9 MiB

double cpu_ms() {
    return static_cast<double>(std::clock()) * 1e3 / CLOCKS_PER_SEC;
}

Tree well_read_members() {
    Tree tree;
    for (int i = 0; i < kLeaves; ++i) {
        LeafNode leaf = test::new_leaf(test::new_member(), "member");
        for (std::uint16_t type = 0; type < kTypes; ++type) {
            leaf.capabilities.extensions.push_back(static_cast<std::uint16_t>(kFirstType + type));
        }
        tree.add(std::move(leaf));
    }
    return tree;
}

// The last of the list, as often as it goes in: 250 ms and more each when lists were searched, 1 ms now.
TEST(Capabilities, LongListsCostNoMoreThanTheyAreLong) {
    const Tree tree = well_read_members();
    Writer types;
    for (int i = 0; i < kTypes; ++i) types.u16(kFirstType + kTypes - 1);
    Writer required;
    required.vec(types.bytes());
    required.vec({});
    required.vec({});
    std::vector<Extension> many;
    for (std::uint16_t type = 0; type < kTypes; ++type) {
        many.push_back({static_cast<std::uint16_t>(kFirstType + type), {}});
    }
    const double from = cpu_ms();
    EXPECT_TRUE(check_extensions(std::vector{Extension{3, to_bytes(required.bytes())}}, tree).ok());
    EXPECT_TRUE(check_extensions(many, tree).ok());
    EXPECT_LT(cpu_ms() - from, 100);
    many.push_back({kFirstType + kTypes, {}});
    EXPECT_EQ(check_extensions(many, tree).error(), Reject::unsupported);
}

}  // namespace
}  // namespace lestapenna::mls
