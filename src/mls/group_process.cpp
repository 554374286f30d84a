#include <algorithm>
#include <set>

#include "mls/framing.h"
#include "mls/group_state.h"

namespace lestapenna::mls {

namespace {

/// The proposals of a commit, its own and those it refers to. Errors: unknown_proposal, bad_proposal (one twice: none
/// makes sense so, and thousands would cost), and those of check_one().
Checked<std::vector<Listed>> resolve(const Commit& commit, std::span<const QueuedProposal> queue, const Sender& sender,
                                     const Ground& on) {
    std::vector<Listed> list;
    list.reserve(commit.proposals.size());
    std::set<const QueuedProposal*> named;
    for (const ProposalOrRef& item : commit.proposals) {
        if (const auto* own = std::get_if<Proposal>(&item)) {
            if (auto checked = check_one(*own, sender, on); !checked) return checked.error();
            list.push_back({own, sender});
            continue;
        }
        const auto& ref = std::get<ProposalRef>(item);
        const auto queued = std::ranges::find(queue, ref, &QueuedProposal::ref);
        if (queued == queue.end()) return Reject::unknown_proposal;
        if (!named.insert(&*queued).second) return Reject::bad_proposal;
        list.push_back({&queued->proposal, queued->sender});
    }
    return list;
}

bool has_inline(const Commit& commit) {
    return std::ranges::any_of(commit.proposals,
                               [](const auto& item) { return std::holds_alternative<Proposal>(item); });
}

/// An Update of our own leaf: we make none, so it is nobody's.
bool updates(LeafIndex leaf, std::span<const Listed> list) {
    return std::ranges::any_of(list, [&](const Listed& item) {
        return std::holds_alternative<Update>(*item.proposal) && item.sender.index == leaf.value;
    });
}

}  // namespace

Checked<PublicMessage> Group::State::open(View bytes) const {
    auto decoded = decode<Message>(bytes);
    if (!decoded) return decoded.error();
    auto* message = std::get_if<PublicMessage>(&*decoded);
    if (message == nullptr) return Reject::unsupported;
    const FramedContent& content = message->content;
    if (std::holds_alternative<Bytes>(content.content)) return Reject::unsupported;  // talk is not for public messages
    if (content.group_id != context.group_id) return Reject::wrong_group;
    if (content.epoch != context.epoch) return Reject::wrong_epoch;

    if (content.sender.type == SenderType::member) {
        const LeafNode* sender = tree.leaf({content.sender.index});
        if (sender == nullptr) return Reject::wrong_sender;
        const Bytes tag = membership_tag(*message, context, secrets.membership_key);
        if (!same(tag, message->membership_tag)) return Reject::bad_tag;
        if (!verify(*message, context, sender->signature_key)) return Reject::bad_signature;
        return std::move(*message);
    }
    const auto key = external_sender_key(context.extensions, content.sender.index);
    const bool may_speak =
        content.sender.type == SenderType::external && std::holds_alternative<Proposal>(content.content);
    if (!key || !may_speak) return Reject::wrong_sender;
    if (!verify(*message, context, *key)) return Reject::bad_signature;
    return std::move(*message);
}

Checked<QueuedProposal> Group::check_proposal(View message) const {
    auto opened = state_->open(message);
    if (!opened) return opened.error();
    auto* proposal = std::get_if<Proposal>(&opened->content.content);
    if (proposal == nullptr) return Reject::malformed;
    const Sender sender = opened->content.sender;
    if (auto checked = check_one(*proposal, sender, state_->ground()); !checked) return checked.error();
    auto ref = proposal_ref(*opened);
    return QueuedProposal{std::move(ref), std::move(*proposal), sender};
}

Checked<Group::Processed> Group::process(View message, std::span<const QueuedProposal> queue,
                                         const PskLookup& psks) const {
    const State& now = *state_;
    const auto opened = now.open(message);
    if (!opened) return opened.error();
    const auto* commit = std::get_if<Commit>(&opened->content.content);
    if (commit == nullptr) return Reject::malformed;
    const LeafIndex committer{opened->content.sender.index};
    if (committer == now.self) return Reject::wrong_sender;  // what we commit is not told to us, but kept

    const auto list = resolve(*commit, queue, opened->content.sender, now.ground());
    if (!list) return list.error();
    if (updates(now.self, *list)) return Reject::bad_proposal;
    auto applied = apply_proposals(*list, committer, now.ground());
    if (!applied) return applied.error();
    if (applied->needs_path && !commit->path) return Reject::bad_path;
    if (applied->removed.contains(now.self)) return Reject::removed;
    const auto psk = psk_secret(applied->psks, psks);
    if (!psk) return psk.error();

    GroupContext provisional = now.provisional_context(*applied);
    State::Fresh fresh;
    if (commit->path) {
        auto path = open_path(applied->tree, now.self, now.keys, committer, *commit->path, provisional,
                              applied->joined_leaves());
        if (!path) return path.error();
        fresh = {std::move(path->tree), std::move(path->result.keys), std::move(path->result.commit_secret)};
    } else {
        fresh = {std::move(applied->tree), now.keys, {}};
    }
    if (!fresh.tree.keys_differ()) return Reject::bad_key;
    if (auto known = check_extensions(provisional.extensions, fresh.tree); !known) return known.error();

    State next = now.after(*opened, std::move(provisional), std::move(fresh), *psk).next;
    if (!same(next.confirmation_tag, opened->confirmation_tag)) return Reject::bad_tag;
    return Processed{.next = Group(std::make_shared<const State>(std::move(next))),
                     .committer = committer,
                     .inline_proposals = has_inline(*commit),
                     .had_path = commit->path.has_value()};
}

}  // namespace lestapenna::mls
