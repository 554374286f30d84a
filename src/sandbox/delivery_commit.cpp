// Which commit wins, and what everybody is sent of it.
#include <algorithm>
#include <iterator>
#include <utility>

#include "dave/rules.h"
#include "sandbox/delivery_impl.h"

namespace lestapenna::sandbox {
namespace {

constexpr milliseconds kWinnerWithin{1'000};
constexpr milliseconds kLateWelcome{1'500};

void spoil(std::string& body) {
    body.back() = static_cast<char>(body.back() ^ 1);
}

}  // namespace

void Delivery::on_commit(MemberKey from, std::string_view commit_welcome) {
    const auto commit = read_commit(bytes_of(commit_welcome));
    if (impl_->find(from) == nullptr) return;
    const auto verdict = commit ? impl_->judge(from, *commit) : Impl::Verdict::wrong;
    if (verdict == Impl::Verdict::wrong) return void(++impl_->counts.refused);
    if (verdict == Impl::Verdict::late) return void(++impl_->counts.commits_lost);
    if (!impl_->winner_may_still_come(from)) {
        impl_->take(from, *commit);
        return impl_->advance();
    }
    if (impl_->round->runner_up) return void(++impl_->counts.commits_lost);
    impl_->round->runner_up.emplace(from, *commit);
    impl_->later.at(Impl::Clock::now() + kWinnerWithin, [impl = impl_.get(), number = impl_->round->number] {
        if (!impl->round || impl->round->number != number || !impl->round->runner_up) return;
        const auto [runner_up, second_best] = *std::exchange(impl->round->runner_up, std::nullopt);
        impl->take(runner_up, second_best);
        impl->advance();
    });
}

// Late is what was right when it was made: of an epoch that has ended, of proposals that were taken back.
Delivery::Impl::Verdict Delivery::Impl::judge(MemberKey from, const ClientCommit& commit) const {
    if (commit.group_id != dave::group_id_of(channel)) return Verdict::wrong;
    const bool is_over = std::ranges::any_of(commit.refs, [this](const auto& ref) { return over.contains(ref); });
    if (is_over || commit.epoch < epoch) return Verdict::late;
    if (!round || !round->told.contains(from) || commit.epoch != epoch) return Verdict::wrong;
    return complete(from, commit) ? Verdict::fits : Verdict::wrong;
}

// All that was proposed to this member, no more; a welcome for all who are put in, and for nobody else; a path where
// somebody is put out, of its own leaf and key.
bool Delivery::Impl::complete(MemberKey from, const ClientCommit& commit) const {
    const Member& member = members.at(from);
    if (commit.leaf != member.leaf.value_or(0)) return false;
    std::set<mls::Bytes> wanted, welcomed;
    bool removes = false;
    for (const auto* const one : proposals_for(from)) {
        wanted.insert(one->proposal.ref);
        removes = removes || !one->change.add;
        if (one->change.add) welcomed.insert(one->change.add->ref);
    }
    if (commit.refs.size() != wanted.size() || std::set(commit.refs.begin(), commit.refs.end()) != wanted) return false;
    if (commit.welcome.has_value() != !welcomed.empty()) return false;
    if (commit.welcome) {
        std::set<mls::Bytes> named;
        std::ranges::transform(commit.welcome->secrets, std::inserter(named, named.end()),
                               &mls::EncryptedGroupSecrets::new_member);
        if (named != welcomed || commit.welcome->secrets.size() != welcomed.size()) return false;
    }
    if (!commit.path) return !removes;
    const mls::Bytes& key =
        epoch > 0 ? leaves[*member.leaf]->signature_key : member.package->package.leaf.signature_key;
    return path_is_of(commit, key, dave::identity_of(member.user));
}

bool Delivery::Impl::winner_may_still_come(MemberKey instead_of) const {
    return options.winner && members.at(instead_of).user != options.winner &&
           std::ranges::any_of(round->told, [this](MemberKey key) { return members.at(key).user == options.winner; });
}

void Delivery::Impl::take(MemberKey from, const ClientCommit& commit) {
    const Round done = end_round();
    ++counts.commits_won;
    counts.commits_lost += done.runner_up ? 1U : 0U;
    const bool first = epoch == 0;
    const std::uint16_t id = first && options.first_transition_zero ? 0 : next_transition();

    Transition next{id, 1, {}, {}};
    for (const auto& [key, member] : members) {
        if (member.leaf || (first && key == from)) next.audience.insert(key);
    }
    const auto before = next.audience;
    if (first) {
        Member& founder = members.at(from);
        leaves = {Leaf{from, founder.package->package.leaf.signature_key}};
        founder.leaf = 0;
        founder.package.reset();
    }
    ++epoch;
    committer = members.at(from).user;
    ++counts.epochs;
    std::vector<Change> added;
    for (const auto& ref : commit.refs) {
        const auto one = std::ranges::find(done.proposals, ref, [](const auto& made) { return made.proposal.ref; });
        if (!one->change.add) leaves[one->change.leaf].reset();
        if (one->change.add) added.push_back(one->change);
    }
    for (const auto& change : added) seat(change);

    for (const auto key : before) announce(key, id, commit);
    for (const auto& [key, body] : done.held_back) tell_binary(key, 27, body);
    for (const auto& change : added) {
        const Member* const member = find(change.who);
        if (member == nullptr || !member->leaf) continue;
        next.audience.insert(change.who);
        welcome(change.who, id, commit, *change.add);
    }
    if (id != 0) next.waiting = next.audience;
    begin(std::move(next));
}

// Into the leftmost blank leaf. Who has gone meanwhile, or begun anew, sits there all the same until the next round.
void Delivery::Impl::seat(const Change& change) {
    const auto blank = std::ranges::find(leaves, false, &std::optional<Leaf>::has_value);
    const auto leaf = static_cast<std::uint32_t>(blank - leaves.begin());
    if (blank == leaves.end()) leaves.emplace_back();
    const auto& node = change.add->package.leaf;
    leaves[leaf] = Leaf{change.who, node.signature_key};
    Member* const member = find(change.who);
    if (member == nullptr || member->package != change.add) return;
    member->leaf = leaf;
    member->package.reset();
}

void Delivery::Impl::announce(MemberKey to, std::uint16_t id, const ClientCommit& commit) {
    const UserId user = members.at(to).user;
    if (misbehaves(user, Misbehaviour::withheld_commit)) return;
    auto body = with_transition(id, commit.message);
    if (misbehaves(user, Misbehaviour::spoiled_commit)) spoil(body);
    tell_binary(to, 29, body);
}

void Delivery::Impl::welcome(MemberKey to, std::uint16_t id, const ClientCommit& commit, const Package& package) {
    const UserId user = members.at(to).user;
    if (misbehaves(user, Misbehaviour::foreign_commit)) tell_binary(to, 29, with_transition(id, commit.message));
    auto body = with_transition(
        id, options.welcome_whole ? mls::encode(*commit.welcome) : trimmed(*commit.welcome, package.ref));
    if (misbehaves(user, Misbehaviour::spoiled_welcome)) spoil(body);
    if (!misbehaves(user, Misbehaviour::late_welcome)) return tell_binary(to, 30, body);
    later.at(Clock::now() + kLateWelcome, [this, to, body = std::move(body)] { tell_binary(to, 30, body); });
}

}  // namespace lestapenna::sandbox
