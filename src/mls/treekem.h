// TreeKEM (RFC 9420 sections 7.4 to 7.6): a fresh secret for everybody in the tree, sent along one path. Pure functions
// on values; any thread.
#pragma once

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "mls/tree.h"

namespace lestapenna::mls {

/// The private keys one member holds: its leaf's, and those of the parents it was told of. Of nodes that were blanked
/// or replaced since none is kept.
struct PathKeys {
    KeyPair leaf;
    std::map<NodeIndex, KeyPair> parents;
};

/// What a path leaves behind for whom it reached.
struct PathResult {
    PathKeys keys;
    Secret commit_secret;
};

struct MadePath {
    UpdatePath path;
    Tree tree;  ///< with the path in it
    PathResult result;
    /// The secret of each node of the filtered path: what a welcome carries to who joins below it.
    std::vector<std::pair<NodeIndex, Secret>> path_secrets;
};

/// A path from leaf `self` of `tree` (proposals applied). `context` is the provisional one: with the new epoch, and
/// with a tree hash that this fills in. Leaves in `joined` came with the same commit: nothing is encrypted to them.
MadePath make_path(const Tree& tree, LeafIndex self, const KeyPair& signature, GroupContext context,
                   const std::set<LeafIndex>& joined);

struct OpenedPath {
    Tree tree;
    PathResult result;
};
/// The same for who receives it: the tree after proposals were applied, `keys` from before. Whose leaf may say what is
/// the caller's business (a changed signature key or credential is none of ours). Errors: bad_path, and those of
/// Tree::merge() and check_leaf().
Checked<OpenedPath> open_path(const Tree& tree, LeafIndex self, const PathKeys& keys, LeafIndex sender,
                              const UpdatePath& path, GroupContext context, const std::set<LeafIndex>& joined);

/// For who joins: keys above the common ancestor of `self` and `sender`, from the secret the welcome carried. Errors:
/// bad_path (they are not those of the tree).
Checked<PathKeys> keys_from_path_secret(const Tree& tree, LeafIndex self, const KeyPair& leaf, LeafIndex sender,
                                        View path_secret);

}  // namespace lestapenna::mls
