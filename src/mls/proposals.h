// Which proposals may stand in a group, alone (RFC 9420 section 12.1) and together (12.2), and what a commit of them
// makes of it (12.3). Pure functions on values; any thread.
#pragma once

#include <optional>
#include <set>
#include <span>
#include <vector>

#include "mls/messages.h"
#include "mls/reject.h"
#include "mls/tree.h"

namespace lestapenna::mls {

/// A proposal that was checked against the epoch it was made in.
struct QueuedProposal {
    ProposalRef ref;
    Proposal proposal;
    Sender sender;
};

/// The epoch that proposals are for.
struct Ground {
    const GroupContext& context;
    const Tree& tree;
};

/// What can be said of one proposal without the others. Errors: wrong_sender (who may not say this), bad_proposal,
/// unsupported (ReInit, ExternalInit, and what check_leaf() says), bad_key, bad_signature, malformed.
Checked<> check_one(const Proposal& proposal, const Sender& sender, const Ground& on);

/// One of a commit's list.
struct Listed {
    const Proposal* proposal;
    Sender sender;
};

/// The group as the proposals of a commit leave it, before its path.
struct Applied {
    Tree tree;
    std::vector<Extension> extensions;
    struct Joined {
        LeafIndex leaf;
        const KeyPackage* package;  ///< of the list applied
    };
    std::vector<Joined> joined;        ///< in the order of the list
    std::vector<PreSharedKeyId> psks;  ///< in the order of the list
    std::set<LeafIndex> removed;
    bool needs_path = false;

    [[nodiscard]] std::set<LeafIndex> joined_leaves() const;
};
/// Proposals that check_one() has accepted, committed together by `committer`; whether the keys of the outcome differ
/// and its members know its extensions is seen when the path is in it. Errors: bad_proposal (they contradict each other
/// or the tree).
Checked<Applied> apply_proposals(std::span<const Listed> list, LeafIndex committer, const Ground& on);

/// Each extension of a group context once and well-formed, and known to all members. Errors: bad_proposal, unsupported.
Checked<> check_extensions(std::span<const Extension> extensions, const Tree& tree);
/// The key of an external sender; nothing when there is none in that place.
std::optional<Bytes> external_sender_key(std::span<const Extension> extensions, std::uint32_t index);

}  // namespace lestapenna::mls
