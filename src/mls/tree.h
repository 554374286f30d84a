// The ratchet tree of RFC 9420 section 7: the public keys of a group, and the hashes over them. A value: who wants to
// try something copies it first. Holds no secret. Any thread, one at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "mls/messages.h"
#include "mls/reject.h"
#include "mls/tree_math.h"

namespace lestapenna::mls {

class Tree {
  public:
    Tree() = default;
    /// One member.
    explicit Tree(LeafNode first);
    /// From a ratchet_tree extension. Errors: malformed (a leaf where a parent belongs, a blank at the end, too many).
    /// Nothing of its contents is checked: see check().
    static Checked<Tree> from(TreeNodes nodes);
    /// As the extension carries it.
    [[nodiscard]] TreeNodes nodes() const;

    [[nodiscard]] std::uint32_t leaf_count() const;  ///< blank ones included: a power of two
    [[nodiscard]] const LeafNode* leaf(LeafIndex at) const;
    [[nodiscard]] const ParentNode* parent_node(NodeIndex at) const;
    /// Leaf or parent; null when blank.
    [[nodiscard]] const Bytes* encryption_key(NodeIndex at) const;
    [[nodiscard]] std::vector<LeafIndex> members() const;  ///< ascending

    // ---- changes (section 12.1). What leaf signatures and keys are worth is the caller's business.
    /// Into the leftmost blank leaf; the tree doubles when there is none.
    LeafIndex add(LeafNode leaf);
    void update(LeafIndex at, LeafNode leaf);
    /// And halves the tree while its right half is empty.
    void remove(LeafIndex at);

    // ---- what the shape says
    /// Section 4.1.1.
    [[nodiscard]] std::vector<NodeIndex> resolution(NodeIndex at) const;
    struct PathStep {
        NodeIndex node;
        NodeIndex copath;  ///< its child that is not on the path
    };
    /// The filtered direct path, from the leaf upwards (section 4.1.2).
    [[nodiscard]] std::vector<PathStep> filtered_path(LeafIndex of) const;

    // ---- hashes
    [[nodiscard]] Bytes hash() const { return hash(root(leaf_count())); }
    [[nodiscard]] Bytes hash(NodeIndex at) const;
    /// Whether every parent is vouched for by exactly one below it (section 7.9.2).
    [[nodiscard]] bool parent_hashes_hold() const;

    // ---- paths (section 7.5)
    /// Puts an update path's public keys in place: blanks the direct path of `at`, sets the filtered one with parent
    /// hashes, and sets the leaf, whose parent hash must then fit. Errors: bad_path (wrong number of nodes, parent
    /// hash), bad_key (one that stands in the tree already, or twice); the tree is then garbage.
    Checked<> merge(LeafIndex at, const UpdatePath& path);
    /// The same for one's own path: sets the nodes, and gives the parent hash that the new leaf must carry.
    Bytes set_path(LeafIndex at, const std::vector<Bytes>& keys);
    void set_leaf(LeafIndex at, LeafNode leaf);

    /// Everything that section 12.4.3.1 demands of a tree from outside: parent hashes, leaf signatures for `group_id`,
    /// unmerged leaves that exist, no key twice, capabilities that contain what is used. Errors: bad_tree, bad_key,
    /// bad_signature, unsupported.
    [[nodiscard]] Checked<> check(View group_id) const;

  private:
    std::vector<std::optional<Node>> nodes_;  ///< 2n - 1
    // The author's business from here on.
};

/// Whether a leaf is one of ours to take in: known source and credential, capabilities that name version, suite and
/// credential type, usable keys, a good signature. Errors: unsupported, bad_key, bad_signature.
Checked<> check_leaf(const LeafNode& leaf, const LeafPlace& place);
/// An Add's key package (section 10.1): its leaf, its own signature, an init key that is not the leaf's. The lifetime
/// is not looked at: who needs it does. Errors: as above, and malformed.
Checked<> check_key_package(const KeyPackage& package);

}  // namespace lestapenna::mls
