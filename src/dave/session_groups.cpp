// How a session's group changes: what is proposed, and what is decided of it.
#include <algorithm>
#include <utility>

#include "dave/rules.h"
#include "dave/session.h"

namespace lestapenna::dave {
namespace {

using mls::Reject;

/// Commits of one epoch that the server may still choose; one comes of each op 27.
constexpr std::size_t kMostOwnCommits = 16;

}  // namespace

// ---- proposals

mls::Checked<> Session::take_proposals(mls::View bytes) {
    const auto message = parse_proposals(bytes);
    if (!message) return message.error();
    if (message->revoke) {
        std::erase_if(queue_, [&](const mls::QueuedProposal& queued) {
            return std::ranges::find(message->items, queued.ref, &ProposalsMessage::Item::ref) != message->items.end();
        });
        return Ok{};
    }
    std::vector<mls::QueuedProposal> queue = queue_;
    auto adds = static_cast<std::size_t>(std::ranges::count_if(
        queue, [](const auto& queued) { return std::holds_alternative<mls::Add>(queued.proposal); }));
    for (const ProposalsMessage::Item& item : message->items) {
        if (std::ranges::find(queue_, item.ref, &mls::QueuedProposal::ref) != queue_.end()) continue;
        if (queue.size() == kMostQueued || (item.is_add && ++adds > kMostAdds)) return Reject::bad_proposal;
        auto proposal = group()->check_proposal(item.message);
        if (!proposal) return proposal.error();
        if (auto allowed = check_proposal(*proposal, recognised_); !allowed) return allowed.error();
        queue.push_back(std::move(*proposal));
    }
    if (auto allowed = check_together(*group(), queue); !allowed) return allowed.error();
    queue_ = std::move(queue);
    return Ok{};
}

bool Session::for_pending(mls::View proposals) const {
    const auto message = parse_proposals(proposals);
    return message && !message->revoke && !message->items.empty() &&
           pending_->check_proposal(message->items.front().message);
}

Actions Session::on_proposals(mls::View bytes) {
    if (group() == nullptr) return {};
    if (current_ && recovering_ && pending_ && for_pending(bytes)) {  // nobody is left in the one we were in
        leave_group();
        begin_pending();
    }
    const std::size_t before = queue_.size();
    if (const auto taken = take_proposals(bytes); !taken) return {Refused{"proposals", taken.error()}};
    Actions out;
    if (queue_.size() != before) offer_commit(out);
    return out;
}

void Session::offer_commit(Actions& out) {
    // Our own removal is for the others to commit. And a revocation may leave an Add without the Remove it needs.
    if (queue_.empty() || removes(queue_, group()->self()) || !check_together(*group(), queue_)) return;
    auto committed = group()->commit(queue_);
    if (!committed) {
        out.emplace_back(Refused{"proposals", committed.error()});
        return;
    }
    mls::Bytes both = committed->commit;
    if (committed->welcome) both.insert(both.end(), committed->welcome->begin(), committed->welcome->end());
    out.emplace_back(SendCommit{both});
    if (own_commits_.size() == kMostOwnCommits) own_commits_.erase(own_commits_.begin());
    own_commits_.push_back({std::move(committed->commit), std::move(both), std::move(committed->next)});
}

// ---- what is decided

mls::Checked<mls::Group> Session::follow(mls::View commit) const {
    auto processed = current_->process(commit, queue_);
    if (!processed) return processed.error();
    if (auto allowed = check_group(processed->next, group_id_, extensions_); !allowed) return allowed.error();
    if (auto allowed = check_step(*current_, queue_, processed->next); !allowed) return allowed.error();
    return std::move(processed->next);
}

Actions Session::on_commit(std::uint16_t transition, mls::View commit) {
    Actions out;
    const auto own = std::ranges::find_if(
        own_commits_, [commit](const OwnCommit& one) { return std::ranges::equal(one.message, commit); });
    if (own != own_commits_.end()) {
        if (!current_) packages_.clear();  // who has made the group is not welcomed to it
        mls::Group next = own->next;
        adopt(std::move(next), transition, out);
        show(out);
        return out;
    }
    if (!current_) {
        // Not for us, who wait for a welcome; but if the server thinks otherwise, it must hear that we are not with it.
        if (queue_.empty()) return out;
        out.emplace_back(Refused{"commit", Reject::wrong_epoch});
        report_invalid(transition, out);
        show(out);
        return out;
    }
    const auto epoch = check_form(commit);
    if (epoch && *epoch < current_->epoch()) return {Refused{"commit", Reject::wrong_epoch}};  // late, or twice
    auto next = epoch ? follow(commit) : epoch.error();
    if (next) {
        adopt(std::move(*next), transition, out);
    } else if (next.error() == Reject::removed) {
        out.emplace_back(ReceiveEpoch{});
        leave_group();
        // Who has one that it could be let in with is put out to be let in: another would begin it all again.
        if (packages_.empty()) {
            offer_package(out);
        } else {
            begin_pending();
        }
    } else {
        out.emplace_back(Refused{"commit", next.error()});
        if (recovering_) {  // we have asked, and are to be put out by this or the next
            leave_group();
            begin_pending();
        } else {
            report_invalid(transition, out);
        }
    }
    show(out);
    return out;
}

/// With the key package that it is for, which is used up by that, as are those before it.
mls::Checked<mls::Group> Session::join(mls::View welcome) {
    const auto message = mls::decode<mls::Welcome>(welcome);
    if (!message) return message.error();
    const auto is_for = [&message](const mls::OwnKeyPackage& own) {
        return std::ranges::find(message->secrets, mls::key_package_ref(own.package),
                                 &mls::EncryptedGroupSecrets::new_member) != message->secrets.end();
    };
    const auto found = std::find_if(packages_.rbegin(), packages_.rend(), is_for).base();
    if (found == packages_.begin()) return Reject::not_for_us;
    const mls::OwnKeyPackage own = std::move(*std::prev(found));
    packages_.erase(packages_.begin(), found);
    // What a member can make expensive is in the tree; the rest of the group is known beforehand.
    const auto context = [this](const mls::GroupContext& of) { return check_context(of, group_id_, extensions_); };
    auto joined =
        mls::Group::join(welcome, identity_, own, {}, std::nullopt, {.context = context, .most_leaves = kMostMembers});
    if (!joined) return joined.error();
    if (auto allowed = check_group(*joined, group_id_, extensions_); !allowed) return allowed.error();
    return joined;
}

Actions Session::on_welcome(std::uint16_t transition, mls::View welcome) {
    Actions out;
    const std::size_t packages = packages_.size();
    auto joined = join(welcome);
    if (joined) {
        const std::vector<UserId> users = users_of(*joined);
        const auto unnamed = [this](UserId user) { return !recognised_.contains(user); };
        const auto strangers = static_cast<std::size_t>(std::ranges::count_if(users, unnamed));
        adopt(std::move(*joined), transition, out);
        if (strangers > 0) out.emplace_back(Unnamed{strangers});
    } else {
        out.emplace_back(Refused{"welcome", joined.error()});
        const bool for_us = packages_.size() < packages;
        if (for_us) recovering_.reset();  // it was the answer to that, and is a fault of its own
        // One that is not for us is none while we are in a group: it has come twice.
        if (for_us || !current_) report_invalid(transition, out);
    }
    show(out);
    return out;
}

void Session::adopt(mls::Group next, std::uint16_t transition, Actions& out) {
    current_ = std::move(next);
    if (packages_.empty()) pending_.reset();
    owes_report_ = false;
    queue_.clear();
    own_commits_.clear();
    recovering_.reset();
    forget_who_left();
    ReceiveEpoch epoch;
    for (const UserId user : users_of(*current_)) {
        if (user != self_) epoch.keys.push_back(base_secret(*current_, user));
    }
    out.emplace_back(std::move(epoch));
    prepare({.id = transition, .version = {}, .own = base_secret(*current_, self_)}, out);
}

}  // namespace lestapenna::dave
