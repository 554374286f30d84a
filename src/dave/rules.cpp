#include "dave/rules.h"

#include <algorithm>
#include <map>

#include "mls/framing.h"

namespace lestapenna::dave {
namespace {

using mls::Reject;

constexpr std::size_t kIdBytes = 8;
constexpr std::uint8_t kAppend = 0;
constexpr std::uint8_t kRevoke = 1;

mls::Bytes big_endian(std::uint64_t id) {
    mls::Bytes bytes;
    for (unsigned shift = 8 * kIdBytes; shift > 0; shift -= 8) {
        bytes.push_back(static_cast<std::uint8_t>(id >> (shift - 8)));
    }
    return bytes;
}

using Item = ProposalsMessage::Item;
using Items = std::vector<Item>;

void append_once(Items& items, Item item) {
    if (std::ranges::find(items, item.ref, &Item::ref) == items.end()) items.push_back(std::move(item));
}

/// One MLSMessage after the other, with nothing between them; more than there may be are not even read.
mls::Checked<Items> split_messages(mls::View bytes) {
    Items items;
    std::size_t count = 0;
    for (mls::View rest = bytes; !rest.empty();) {
        if (++count > kMostQueued) return Reject::bad_proposal;
        const mls::View from = rest;
        const auto message = mls::decode_front<mls::Message>(rest);
        if (!message) return message.error();
        const auto* in_public = std::get_if<mls::PublicMessage>(&*message);
        if (in_public == nullptr) return Reject::unsupported;
        const auto* proposal = std::get_if<mls::Proposal>(&in_public->content.content);
        if (proposal == nullptr) return Reject::malformed;
        append_once(items, {.ref = mls::proposal_ref(*in_public),
                            .message = from.first(from.size() - rest.size()),
                            .is_add = std::holds_alternative<mls::Add>(*proposal)});
    }
    return items;
}

mls::Checked<Items> split_refs(mls::View bytes) {
    Items items;
    std::size_t count = 0;
    for (mls::Reader refs(bytes); !refs.at_end();) {
        if (++count > kMostQueued) return Reject::bad_proposal;
        const mls::View ref = refs.vec();
        if (ref.size() != mls::kHashBytes) return Reject::malformed;
        append_once(items, {.ref = mls::to_bytes(ref), .message = {}, .is_add = false});
    }
    return items;
}

}  // namespace

mls::Bytes identity_of(UserId user) {
    return big_endian(user.value);
}

mls::Bytes group_id_of(ChannelId channel) {
    return big_endian(channel.value);
}

std::optional<UserId> user_of(mls::View identity) {
    if (identity.size() != kIdBytes) return std::nullopt;
    std::uint64_t id = 0;
    for (const std::uint8_t byte : identity) id = id << 8 | byte;
    return UserId{id};
}

std::vector<UserId> users_of(const mls::Group& group) {
    const auto members = group.members();
    std::vector<UserId> users;
    users.reserve(members.size());
    for (const mls::Member& member : members) {
        if (const auto user = user_of(member.identity)) users.push_back(*user);
    }
    return users;
}

mls::Checked<std::vector<mls::Extension>> extensions_for(mls::View external_sender) {
    const auto sender = mls::decode<mls::ExternalSender>(external_sender);
    if (!sender) return sender.error();
    if (sender->credential.type != mls::Credential::kBasic) return Reject::unsupported;
    if (!mls::is_public_key(sender->signature_key)) return Reject::bad_key;
    mls::Writer one;
    one.vec(external_sender);
    return std::vector{mls::Extension{mls::Extension::kExternalSenders, mls::to_bytes(one.bytes())}};
}

mls::Checked<ProposalsMessage> parse_proposals(mls::View bytes) {
    mls::Reader reader(bytes);
    const std::uint8_t operation = reader.u8();
    const mls::View contents = reader.vec();
    if (!reader.done() || operation > kRevoke) return Reject::malformed;
    auto items = operation == kAppend ? split_messages(contents) : split_refs(contents);
    if (!items) return items.error();
    return ProposalsMessage{.revoke = operation == kRevoke, .items = std::move(*items)};
}

mls::Checked<> check_proposal(const mls::QueuedProposal& proposal, const std::set<UserId>& recognised) {
    if (proposal.sender != mls::Sender{mls::SenderType::external, 0}) return Reject::wrong_sender;
    if (std::holds_alternative<mls::Remove>(proposal.proposal)) return Ok{};
    const auto* add = std::get_if<mls::Add>(&proposal.proposal);
    if (add == nullptr) return Reject::bad_proposal;
    const auto user = user_of(add->key_package.leaf.credential.identity);
    if (!user || !recognised.contains(*user)) return Reject::bad_proposal;
    return Ok{};
}

mls::Checked<> check_together(const mls::Group& group, std::span<const mls::QueuedProposal> queue) {
    std::map<mls::LeafIndex, mls::Bytes> stay;
    for (mls::Member& member : group.members()) stay.emplace(member.leaf, std::move(member.identity));
    for (const mls::QueuedProposal& queued : queue) {
        const auto* remove = std::get_if<mls::Remove>(&queued.proposal);
        if (remove != nullptr && stay.erase(remove->leaf) == 0) return Reject::bad_proposal;
    }
    std::set<mls::Bytes> users;
    for (auto& [leaf, identity] : stay) users.insert(std::move(identity));
    for (const mls::QueuedProposal& queued : queue) {
        const auto* add = std::get_if<mls::Add>(&queued.proposal);
        if (add != nullptr && !users.insert(add->key_package.leaf.credential.identity).second) {
            return Reject::bad_proposal;
        }
    }
    if (users.size() > kMostMembers) return Reject::bad_proposal;
    return Ok{};
}

bool removes(std::span<const mls::QueuedProposal> queue, mls::LeafIndex leaf) {
    return std::ranges::any_of(queue, [leaf](const mls::QueuedProposal& queued) {
        const auto* remove = std::get_if<mls::Remove>(&queued.proposal);
        return remove != nullptr && remove->leaf == leaf;
    });
}

mls::Checked<std::uint64_t> check_form(mls::View commit) {
    const auto message = mls::decode<mls::Message>(commit);
    if (!message) return message.error();
    const auto* in_public = std::get_if<mls::PublicMessage>(&*message);
    if (in_public == nullptr) return Reject::malformed;
    const auto* content = std::get_if<mls::Commit>(&in_public->content.content);
    if (content == nullptr) return Reject::malformed;
    const bool refers_only = std::ranges::all_of(
        content->proposals, [](const auto& item) { return std::holds_alternative<mls::ProposalRef>(item); });
    if (content->proposals.empty() || !refers_only) return Reject::bad_proposal;
    return in_public->content.epoch;
}

mls::Checked<> check_context(const mls::GroupContext& context, mls::View group_id,
                             std::span<const mls::Extension> extensions) {
    if (!std::ranges::equal(context.group_id, group_id)) return Reject::wrong_group;
    if (!std::ranges::equal(context.extensions, extensions)) return Reject::wrong_sender;
    return Ok{};
}

mls::Checked<> check_group(const mls::Group& group, mls::View group_id, std::span<const mls::Extension> extensions) {
    if (auto ours = check_context(group.context(), group_id, extensions); !ours) return ours;
    std::set<UserId> users;
    for (const mls::Member& member : group.members()) {
        const auto user = user_of(member.identity);
        if (!user || !users.insert(*user).second) return Reject::bad_proposal;
    }
    return Ok{};
}

mls::Checked<> check_step(const mls::Group& before, std::span<const mls::QueuedProposal> queue,
                          const mls::Group& after) {
    const auto was = before.members();  // by leaf
    for (const mls::Member& member : after.members()) {
        if (std::ranges::binary_search(was, member.leaf, {}, &mls::Member::leaf) &&
            *std::ranges::lower_bound(was, member.leaf, {}, &mls::Member::leaf) == member) {
            continue;
        }
        const bool proposed = std::ranges::any_of(queue, [&member](const mls::QueuedProposal& queued) {
            const auto* add = std::get_if<mls::Add>(&queued.proposal);
            return add != nullptr && add->key_package.leaf.credential.identity == member.identity &&
                   add->key_package.leaf.signature_key == member.signature_key;
        });
        if (!proposed) return Reject::bad_proposal;
    }
    return Ok{};
}

}  // namespace lestapenna::dave
