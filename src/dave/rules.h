// What DAVE allows of all that MLS accepts (dave.md sections 2 and 4.2 to 4.4): identities that are user ids, proposals
// of the external sender only, members who stay who they are. Pure functions on values; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "base/ids.h"
#include "mls/group.h"

namespace lestapenna::dave {

// ---- names

/// Eight bytes, big-endian: a member's credential, and a group's id.
mls::Bytes identity_of(UserId user);
mls::Bytes group_id_of(ChannelId channel);
/// Nothing when it is not eight bytes.
std::optional<UserId> user_of(mls::View identity);
/// Of its members, by leaf.
std::vector<UserId> users_of(const mls::Group& group);

/// The extensions of a group whose external sender is this (the payload of op 25). Errors: malformed, unsupported (not
/// a basic credential), bad_key.
mls::Checked<std::vector<mls::Extension>> extensions_for(mls::View external_sender);

// ---- what is proposed

/// The most proposals under way at a time, and in one message: a voice channel holds 99 people, and all of them out and
/// in again are 198. Each costs a signature, an Add three, before it is known to be good (0.1 and 0.3 ms).
inline constexpr std::size_t kMostQueued = 256;
/// Of those, Adds: each costs another 0.2 ms in our welcome.
inline constexpr std::size_t kMostAdds = 128;
/// The largest group, in members and in leaves: blank ones cost nothing, and a check of each member 0.1 ms.
inline constexpr std::size_t kMostMembers = 256;

/// Op 27, taken apart: messages to be appended, or references to be revoked; none twice. Views point into the input.
struct ProposalsMessage {
    struct Item {
        mls::ProposalRef ref;
        mls::View message;  ///< empty in a revocation
        bool is_add = false;
    };
    bool revoke = false;
    std::vector<Item> items;
};
/// No signature is looked at. Errors: malformed, bad_proposal (more than kMostQueued).
mls::Checked<ProposalsMessage> parse_proposals(mls::View bytes);

/// Whether it is an Add of a user who is `recognised`, or a Remove, by the external sender. Errors: wrong_sender,
/// bad_proposal.
mls::Checked<> check_proposal(const mls::QueuedProposal& proposal, const std::set<UserId>& recognised);
/// Whether all of `queue` together leave every user once in the group, and not too many. Errors: bad_proposal.
mls::Checked<> check_together(const mls::Group& group, std::span<const mls::QueuedProposal> queue);
bool removes(std::span<const mls::QueuedProposal> queue, mls::LeafIndex leaf);

// ---- what comes of it

/// The epoch that a commit is for, when it refers to one proposal or more and brings none of its own. Errors:
/// malformed, bad_proposal.
mls::Checked<std::uint64_t> check_form(mls::View commit);
/// Whether it is this channel's group, with these extensions. Errors: wrong_group, wrong_sender (another external
/// sender).
mls::Checked<> check_context(const mls::GroupContext& context, mls::View group_id,
                             std::span<const mls::Extension> extensions);
/// That, and each member once, by user id. Errors: as above, and bad_proposal.
mls::Checked<> check_group(const mls::Group& group, mls::View group_id, std::span<const mls::Extension> extensions);
/// Whether those who stay have kept credential and signature key, and those who are new were proposed. Errors:
/// bad_proposal.
mls::Checked<> check_step(const mls::Group& before, std::span<const mls::QueuedProposal> queue,
                          const mls::Group& after);

}  // namespace lestapenna::dave
