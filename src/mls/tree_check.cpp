// What is demanded of a tree, a leaf or a key package from outside.
#include <algorithm>

#include "mls/tree.h"

namespace lestapenna::mls {

namespace {

bool contains(const std::vector<std::uint16_t>& list, std::uint16_t value) {
    return std::ranges::find(list, value) != list.end();
}

bool knows_what_it_uses(const LeafNode& leaf) {
    const Known known(leaf.capabilities);
    return contains(leaf.capabilities.versions, kProtocolVersion) &&
           contains(leaf.capabilities.cipher_suites, kCipherSuite) && known.credential(leaf.credential.type) &&
           std::ranges::all_of(leaf.extensions,
                               [&](const Extension& extension) { return known.extension(extension.type); });
}

}  // namespace

Known::Known(const Capabilities& listed) {
    for (const std::uint16_t type : listed.extensions) extensions_.set(type);
    for (const std::uint16_t type : listed.proposals) proposals_.set(type);
    for (const std::uint16_t type : listed.credentials) credentials_.set(type);
}

bool Known::extension(std::uint16_t type) const {
    constexpr std::uint16_t kLastDefault = 5;
    return type <= kLastDefault || extensions_[type];
}

bool Known::proposal(std::uint16_t type) const {
    constexpr std::uint16_t kLastDefault = 7;
    return type <= kLastDefault || proposals_[type];
}

Checked<> check_leaf(const LeafNode& leaf, const LeafPlace& place) {
    // With one type of credential known, who names the type of its own names that of everybody.
    if (leaf.credential.type != Credential::kBasic || !knows_what_it_uses(leaf)) return Reject::unsupported;
    if (!is_public_key(leaf.encryption_key) || !is_public_key(leaf.signature_key)) return Reject::bad_key;
    if (!verify_with_label(leaf.signature_key, "LeafNodeTBS", to_be_signed(leaf, place), leaf.signature))
        return Reject::bad_signature;
    return Ok{};
}

Checked<> check_key_package(const KeyPackage& package) {
    if (package.version != kProtocolVersion || package.cipher_suite != kCipherSuite) return Reject::unsupported;
    if (package.leaf.source != LeafSource::key_package) return Reject::malformed;
    if (!is_public_key(package.init_key) || package.init_key == package.leaf.encryption_key) return Reject::bad_key;
    if (auto checked = check_leaf(package.leaf, {}); !checked) return checked;
    if (!verify_with_label(package.leaf.signature_key, "KeyPackageTBS", to_be_signed(package), package.signature)) {
        return Reject::bad_signature;
    }
    return Ok{};
}

/// Every node between an unmerged leaf and this one lists it, too.
bool Tree::unmerged_leaves_hold(NodeIndex at) const {
    return std::ranges::all_of(parent_node(at)->unmerged_leaves, [&](LeafIndex unmerged) {
        for (auto between = *parent(node_of(unmerged), leaf_count()); between != at;
             between = *parent(between, leaf_count())) {
            const auto* const node = parent_node(between);
            if (node != nullptr && !std::ranges::binary_search(node->unmerged_leaves, unmerged)) return false;
        }
        return true;
    });
}

Checked<> Tree::check(View group_id) const {
    // What is cheap comes first: signatures cost a hundred times as much.
    if (members().empty()) return Reject::bad_tree;
    for (NodeIndex at{1}; at.value < nodes_.size(); at.value += 2) {
        if (nodes_[at.value] && !unmerged_leaves_hold(at)) return Reject::bad_tree;
    }
    if (!parent_hashes_hold()) return Reject::bad_tree;
    if (!keys_differ()) return Reject::bad_key;
    for (NodeIndex at{1}; at.value < nodes_.size(); at.value += 2) {
        if (nodes_[at.value] && !is_public_key(*encryption_key(at))) return Reject::bad_key;
    }
    LeafPlace place{.group_id = to_bytes(group_id), .leaf = {}};
    for (const auto at : members()) {
        place.leaf = at;
        if (auto checked = check_leaf(*leaf(at), place); !checked) return checked;
    }
    return Ok{};
}

}  // namespace lestapenna::mls
