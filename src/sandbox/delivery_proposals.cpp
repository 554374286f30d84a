// What the group is to become, and what is proposed of it.
#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "dave/rules.h"
#include "mls/group.h"
#include "sandbox/delivery_impl.h"

namespace lestapenna::sandbox {
namespace {

mls::Proposal proposal_of(const mls::KeyPackage* add, std::uint32_t leaf) {
    if (add != nullptr) return mls::Add{*add};
    return mls::Remove{mls::LeafIndex{leaf}};
}

/// Somebody whom op 11 never named, and who is nowhere.
mls::KeyPackage package_of_nobody() {
    constexpr UserId kNobody{1};
    constexpr mls::Lifetime kForEver{0, std::numeric_limits<std::uint64_t>::max()};
    return mls::make_key_package(mls::KeyPair::generate(), dave::identity_of(kNobody), kForEver).package;
}

}  // namespace

// Leaves to take out first, then those who wait, in the order they came. The first group needs two.
std::vector<Delivery::Impl::Change> Delivery::Impl::changes_wanted() const {
    std::vector<Change> changes;
    for (std::uint32_t leaf = 0; leaf < leaves.size(); ++leaf) {
        if (leaves[leaf] && !sound(leaf)) changes.push_back({leaves[leaf]->owner, leaf, nullptr});
    }
    const auto removes = std::ssize(changes);
    for (const auto& [key, member] : members) {
        if (member.prepared && member.package) changes.push_back({key, 0, member.package});
    }
    std::ranges::sort(changes.begin() + removes, changes.end(), {},
                      [](const Change& change) { return change.add->number; });
    if (epoch == 0 && changes.size() < 2) changes.clear();
    return changes;
}

void Delivery::Impl::renew_round() {
    const auto now = Clock::now();
    const bool more_to_come =
        std::ranges::any_of(members, [now](const auto& entry) { return entry.second.owes_package_until > now; });
    if (more_to_come || batch_ends > now) return;
    auto wanted = changes_wanted();
    const std::vector<Round::Proposed> none;
    const auto& proposed = round ? round->proposals : none;
    if (std::ranges::equal(proposed, wanted, {}, &Round::Proposed::change)) return;
    if (round) take_back();
    if (!wanted.empty()) propose(std::move(wanted));
}

void Delivery::Impl::propose(std::vector<Change> changes) {
    round.emplace();
    round->number = ++rounds;
    for (auto& change : changes) {
        const auto proposal = proposal_of(change.add ? &change.add->package : nullptr, change.leaf);
        round->proposals.push_back({std::move(change), signer.propose(channel, epoch, proposal)});
    }
    counts.proposals += round->proposals.size();
    for (const auto& [key, member] : members) {
        if (may_commit(key, member)) round->told.insert(key);
    }
    for (const auto key : std::set(round->told)) tell_proposals(key);
}

bool Delivery::Impl::may_commit(MemberKey key, const Member& member) const {
    if (epoch > 0) return member.leaf.has_value();
    return member.prepared && member.package && !proposals_for(key).empty();
}

// Before there is a group each is alone in its own, and to put in all others.
std::vector<const Delivery::Impl::Round::Proposed*> Delivery::Impl::proposals_for(MemberKey member) const {
    std::vector<const Round::Proposed*> own;
    for (const auto& one : round->proposals) {
        if (one.change.who != member || !one.change.add) own.push_back(&one);
    }
    return own;
}

void Delivery::Impl::tell_proposals(MemberKey to) {
    std::vector<mls::View> messages;
    for (const auto* const one : proposals_for(to)) messages.emplace_back(one->proposal.message);
    const auto body = proposals_append(messages);
    const UserId user = members.at(to).user;
    const bool others_can = epoch > 0 && round->told.size() > 1 && options.winner != user;
    if (others_can && misbehaves(user, Misbehaviour::reordered)) {
        round->told.erase(to);
        round->held_back[to] = body;
        return;
    }
    tell_binary(to, 27, body);
    tell_bad_proposals(to);
}

void Delivery::Impl::tell_bad_proposals(MemberKey to) {
    const auto& first = proposals_for(to).front()->change;
    const auto proposal = proposal_of(first.add ? &first.add->package : nullptr, first.leaf);
    const UserId user = members.at(to).user;
    const auto append = [&](const SignedProposal& bad) { tell_binary(to, 27, proposals_append({bad.message})); };
    if (misbehaves(user, Misbehaviour::forged_proposal)) append(ProposalSigner().propose(channel, epoch, proposal));
    if (misbehaves(user, Misbehaviour::unknown_user)) {
        append(signer.propose(channel, epoch, mls::Add{package_of_nobody()}));
    }
    if (epoch > 0 && misbehaves(user, Misbehaviour::proposal_of_epoch_past)) {
        append(signer.propose(channel, epoch - 1, proposal));
    }
}

// To each what it was sent: clients stumble over a reference that they never had.
void Delivery::Impl::take_back() {
    for (const auto key : round->told) {
        std::vector<mls::View> refs;
        for (const auto* const one : proposals_for(key)) refs.emplace_back(one->proposal.ref);
        tell_binary(key, 27, proposals_revoke(refs));
    }
    end_round();
}

Delivery::Impl::Round Delivery::Impl::end_round() {
    constexpr std::size_t kRemembered = 10'000;
    if (over.size() > kRemembered) over.clear();
    Round ended = *std::exchange(round, std::nullopt);
    std::ranges::transform(ended.proposals, std::inserter(over, over.end()),
                           [](const Round::Proposed& one) { return one.proposal.ref; });
    return ended;
}

}  // namespace lestapenna::sandbox
