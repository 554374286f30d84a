// What DAVE allows of all that MLS accepts (dave.md sections 2 and 4.2 to 4.4): identities that are user ids, proposals
// of the external sender only, members who stay who they are. Pure functions on values; any thread.
#pragma once

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

/// The extensions of a group whose external sender is this (the payload of op 25). Errors: malformed, unsupported (not
/// a basic credential), bad_key.
mls::Checked<std::vector<mls::Extension>> extensions_for(mls::View external_sender);

// ---- what is proposed

/// Op 27, taken apart: messages to be appended, or references to be revoked. Views point into the input.
struct ProposalsMessage {
    bool revoke = false;
    std::vector<mls::View> items;
};
mls::Checked<ProposalsMessage> parse_proposals(mls::View bytes);

/// Whether it is an Add of a user who is `recognised`, or a Remove, by the external sender. Errors: wrong_sender,
/// bad_proposal.
mls::Checked<> check_proposal(const mls::QueuedProposal& proposal, const std::set<UserId>& recognised);
/// Whether all of `queue` together leave every user once in the group. Errors: bad_proposal.
mls::Checked<> check_together(const mls::Group& group, std::span<const mls::QueuedProposal> queue);
bool removes(std::span<const mls::QueuedProposal> queue, mls::LeafIndex leaf);

// ---- what comes of it

/// The epoch that a commit is for, when it refers to one proposal or more and brings none of its own. Errors:
/// malformed, bad_proposal.
mls::Checked<std::uint64_t> check_form(mls::View commit);
/// Whether it is this channel's group, with these extensions and each member once, by user id. Errors: wrong_group,
/// wrong_sender (another external sender), bad_proposal.
mls::Checked<> check_group(const mls::Group& group, mls::View group_id, std::span<const mls::Extension> extensions);
/// Whether those who stay have kept credential and signature key, and those who are new were proposed. Errors:
/// bad_proposal.
mls::Checked<> check_step(const mls::Group& before, std::span<const mls::QueuedProposal> queue,
                          const mls::Group& after);

}  // namespace lestapenna::dave
