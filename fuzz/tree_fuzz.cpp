// A ratchet tree of any shape is refused or can be worked with. One that grew as RFC 9420 says has, after whatever is
// done to it, the hash of the same nodes read anew, and parent hashes that hold. The first byte chooses.
#include <cstdlib>

#include "mls/tree.h"

namespace {

using namespace lestapenna::mls;

class Input {
  public:
    explicit Input(View bytes) : rest_(bytes) {}
    [[nodiscard]] bool empty() const { return rest_.empty(); }
    std::uint8_t byte() {
        if (rest_.empty()) return 0;
        const auto value = rest_.front();
        rest_ = rest_.subspan(1);
        return value;
    }

  private:
    View rest_;
};

LeafNode leaf_with(std::uint8_t key) {
    LeafNode leaf;
    leaf.encryption_key = leaf.signature_key = Bytes(kPublicKeyBytes, key);
    return leaf;
}

std::optional<Tree> tree_of_any_shape(Input& input) {
    TreeNodes nodes(input.byte() % 64);
    for (NodeIndex at; at.value < nodes.size(); ++at.value) {
        const auto kind = input.byte();
        if (kind == 0) continue;
        if (is_leaf(at) != (kind == 255)) {
            auto leaf = leaf_with(kind);
            if (kind % 2 == 0) leaf.source = LeafSource::commit;
            nodes[at.value] = std::move(leaf);
            continue;
        }
        ParentNode parent;
        parent.encryption_key = Bytes(kPublicKeyBytes, kind);
        for (auto more = kind % 8; more > 0; --more) parent.unmerged_leaves.push_back({input.byte()});
        nodes[at.value] = std::move(parent);
    }
    auto tree = Tree::from(std::move(nodes));
    if (!tree) return std::nullopt;
    return std::move(*tree);
}

void send_path(Tree& tree, LeafIndex from, Input& input) {
    std::vector<Bytes> keys(tree.filtered_path(from).size());
    for (auto& key : keys) key = Bytes(kPublicKeyBytes, input.byte());
    auto leaf = leaf_with(input.byte());
    leaf.source = LeafSource::commit;
    leaf.parent_hash = tree.set_path(from, keys);
    tree.set_leaf(from, std::move(leaf));
}

void do_something(Tree& tree, Input& input) {
    const auto what = input.byte();
    const LeafIndex at{input.byte() % tree.leaf_count()};
    if (what % 4 == 0 || tree.leaf(at) == nullptr) {
        if (tree.leaf_count() < 64) tree.add(leaf_with(input.byte()));
    } else if (what % 4 == 1) {
        tree.remove(at);
    } else if (what % 4 == 2) {
        tree.update(at, leaf_with(input.byte()));
    } else {
        send_path(tree, at, input);
    }
}

void look_at(const Tree& tree, bool is_grown) {
    if (tree.check({}).ok()) std::abort();  // no key here is one
    const auto nodes = tree.nodes();
    if (nodes.empty()) return;
    const auto again = Tree::from(nodes);
    if (!again) std::abort();
    // Below a parent that is above nobody it may be that a half is empty, and yet there.
    if (again->leaf_count() == tree.leaf_count() && again->hash() != tree.hash()) std::abort();
    if (is_grown && (again->leaf_count() != tree.leaf_count() || !tree.parent_hashes_hold())) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input({data, size});
    const bool is_grown = input.byte() % 2 == 0;
    auto tree = is_grown ? Tree(leaf_with(1)) : tree_of_any_shape(input);
    if (!tree) return 0;
    while (!input.empty()) do_something(*tree, input);
    look_at(*tree, is_grown);  // once: what an input leads to before its end, a shorter one leads to at its end
    return 0;
}
