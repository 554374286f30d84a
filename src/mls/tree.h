// The ratchet tree of RFC 9420 section 7: the public keys of a group, and the hashes over them. A value: who wants to
// try something copies it first, which is cheap: copies share their nodes. Holds no secret. Any thread, one at a time.
//
// A leaf or node index that comes from outside is looked up with leaf(), parent_node() or encryption_key(), which take
// any; whatever else takes an index wants one that is in the tree.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "mls/messages.h"
#include "mls/reject.h"
#include "mls/tree_math.h"

namespace lestapenna::mls {

/// The most nodes, blank ones included, that a tree from outside may have: 2,048 leaves. A voice channel holds at most
/// 99 people, so twenty times what can come; and checking one that large takes a fifth of a second, not more.
inline constexpr std::size_t kMaxTreeNodes = 4095;

class Tree {
  public:
    /// Of nobody: not a tree yet, until somebody is added.
    Tree() = default;
    /// One member.
    explicit Tree(LeafNode first);
    /// From a ratchet_tree extension. Errors: malformed (a leaf where a parent belongs, a blank at the end, unmerged
    /// leaves that do not ascend, are blank or not below their node, too many). No more is checked: see check().
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
    /// hashes, and sets the leaf, whose parent hash must then fit. Its signature is the caller's business. Errors:
    /// bad_path (wrong number of nodes, source or parent hash of the leaf), bad_key (one that is no key, stands in the
    /// tree already, or twice); the tree is then garbage.
    Checked<> merge(LeafIndex at, const UpdatePath& path);
    /// The same for one's own path: sets the nodes, a key for each of filtered_path(), and gives the parent hash that
    /// the new leaf must carry.
    Bytes set_path(LeafIndex at, const std::vector<Bytes>& keys);
    void set_leaf(LeafIndex at, LeafNode leaf);

    /// No encryption key on two nodes, no signature key on two leaves.
    [[nodiscard]] bool keys_differ() const;
    /// Everything that section 12.4.3.1 demands of a tree from outside: parent hashes, leaf signatures for `group_id`,
    /// unmerged leaves that all nodes between know of, no key twice, capabilities that contain what is used. Errors:
    /// bad_tree, bad_key, bad_signature, unsupported.
    [[nodiscard]] Checked<> check(View group_id) const;

  private:
    using Hash = std::array<std::uint8_t, kHashBytes>;

    void put(NodeIndex at, Node node) { nodes_[at.value] = std::make_shared<const Node>(std::move(node)); }
    void grow();
    void blank_above(LeafIndex at);
    void rehash_from(NodeIndex first);
    void rehash_right_of(std::size_t first);
    [[nodiscard]] Hash fresh_hash(NodeIndex at) const;
    [[nodiscard]] Hash hash_without(NodeIndex at, std::span<const LeafIndex> removed) const;
    [[nodiscard]] Bytes parent_hash(NodeIndex of, NodeIndex copath) const;

    [[nodiscard]] bool is_empty(NodeIndex at) const;
    void resolve(NodeIndex at, std::vector<NodeIndex>& into) const;
    [[nodiscard]] std::vector<View> encryption_keys() const;
    [[nodiscard]] bool unmerged_leaves_hold(NodeIndex at) const;
    [[nodiscard]] bool is_vouched_for(NodeIndex at, NodeIndex child, NodeIndex copath) const;

    // 2n - 1 of each.
    std::vector<std::shared_ptr<const Node>> nodes_;  ///< null when blank
    std::vector<Hash> hashes_;                        ///< of the subtrees; right whenever a public function returns
};

/// What a leaf's capabilities cover, each question in constant time: whoever made them may list thousands of types,
/// each as often as they like, and use as many. The types of RFC 9420 itself go without saying (section 7.2).
class Known {
  public:
    explicit Known(const Capabilities& listed);
    [[nodiscard]] bool extension(std::uint16_t type) const;
    [[nodiscard]] bool proposal(std::uint16_t type) const;
    [[nodiscard]] bool credential(std::uint16_t type) const { return credentials_[type]; }

  private:
    using Types = std::bitset<1U << 16>;
    Types extensions_, proposals_, credentials_;
};
/// Whether a leaf is one to take in: a basic credential, capabilities that name version, suite, credential type and the
/// leaf's extensions, usable keys, a good signature. Errors: unsupported, bad_key, bad_signature.
Checked<> check_leaf(const LeafNode& leaf, const LeafPlace& place);
/// An Add's key package (section 10.1): its leaf, its own signature, an init key that is not the leaf's. The lifetime
/// is not looked at: who needs it does. Errors: as above, and malformed.
Checked<> check_key_package(const KeyPackage& package);

}  // namespace lestapenna::mls
