// Members, versions and transitions; proposals and commits are in delivery_proposals.cpp and delivery_commit.cpp.
#include "sandbox/delivery.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "sandbox/delivery_impl.h"

namespace lestapenna::sandbox {
namespace {

/// From op 31 to the op 26 behind it, so that both its leaf's end and its return are one round.
constexpr milliseconds kPackageFollows{100};

std::string prepare_transition(int version, std::uint16_t transition) {
    return fmt::format(R"({{"protocol_version":{},"transition_id":{}}})", version, transition);
}

}  // namespace

Delivery::Delivery(net::Loop& loop, ChannelId channel, DeliveryOptions options, Send send)
    : impl_(std::make_unique<Impl>(loop, channel, options, std::move(send))) {}
Delivery::~Delivery() = default;

// ---- who is there

int Delivery::version_for(int dave_version) const {
    return std::min({impl_->version_wanted(), dave_version, 1});
}

void Delivery::join(MemberKey member, UserId user, int dave_version) {
    Impl::Member newcomer;
    newcomer.user = user;
    newcomer.dave_version = dave_version;
    newcomer.prepared = version_for(dave_version) > 0;
    if (impl_->find(member) != nullptr) impl_->begin_anew(member);
    impl_->members[member] = newcomer;
    if (newcomer.prepared) impl_->tell_sender(member);
    impl_->changed();
}

void Delivery::leave(MemberKey member) {
    if (impl_->find(member) == nullptr) return;
    impl_->begin_anew(member);
    impl_->members.erase(member);
    impl_->changed();
}

// ---- what members say

void Delivery::on_key_package(MemberKey from, std::string_view package) {
    Impl::Member* const member = impl_->find(from);
    if (member == nullptr || !member->prepared) return;
    auto read = read_key_package(bytes_of(package), member->user);
    if (!read) return void(++impl_->counts.refused);
    ++impl_->counts.key_packages;
    auto ref = mls::key_package_ref(*read);
    impl_->begin_anew(from);
    member->owes_package_until = {};
    member->package =
        std::make_shared<const Impl::Package>(Impl::Package{std::move(*read), std::move(ref), ++impl_->packages});
    impl_->changed();
}

void Delivery::on_ready(MemberKey from, std::uint16_t transition) {
    if (!impl_->transition || impl_->transition->id != transition) return;
    impl_->no_longer_awaited(from);
    impl_->advance();
}

void Delivery::on_invalid(MemberKey from, std::uint16_t /*transition*/) {
    Impl::Member* const member = impl_->find(from);
    if (member == nullptr) return;
    ++impl_->counts.invalid;
    member->owes_package_until = Impl::Clock::now() + kPackageFollows;
    impl_->look_again_at(member->owes_package_until);
    impl_->begin_anew(from);
    impl_->changed();
}

// ---- script

void Delivery::set_options(const DeliveryOptions& options) {
    impl_->options = options;
    impl_->changed();
}

void Delivery::misbehave(UserId towards, Misbehaviour how) {
    ++impl_->mischief[{towards, how}];
}

void Delivery::revoke_and_repeat() {
    if (impl_->round) impl_->take_back();
    impl_->advance();
}

void Delivery::reset() {
    if (impl_->version_wanted() == 0) return;
    if (impl_->transition) impl_->execute();
    impl_->forget_group();
    for (auto& [_, member] : impl_->members) member.prepared = false;
    impl_->advance();
}

const DeliveryOptions& Delivery::options() const {
    return impl_->options;
}

int Delivery::version() const {
    return impl_->version;
}

std::uint64_t Delivery::epoch() const {
    return impl_->epoch;
}

std::optional<UserId> Delivery::committer() const {
    return impl_->committer;
}

bool Delivery::in_group(UserId user) const {
    return std::ranges::any_of(impl_->members, [user](const auto& entry) {
        return entry.second.user == user && entry.second.leaf.has_value();
    });
}

bool Delivery::settled() const {
    if (impl_->transition || impl_->round || !impl_->changes_wanted().empty()) return false;
    const bool alone = impl_->members.size() < 2;
    if (impl_->version_wanted() == 0 || alone) return true;
    return std::ranges::all_of(impl_->members, [](const auto& entry) { return entry.second.leaf.has_value(); });
}

const DeliveryCounts& Delivery::counts() const {
    return impl_->counts;
}

// ---- what is next

Delivery::Impl::Member* Delivery::Impl::find(MemberKey key) {
    const auto found = members.find(key);
    return found == members.end() ? nullptr : &found->second;
}

bool Delivery::Impl::sound(std::uint32_t leaf) const {
    if (leaf >= leaves.size() || !leaves[leaf]) return false;
    const auto owner = members.find(leaves[leaf]->owner);
    return owner != members.end() && owner->second.leaf == leaf;
}

int Delivery::Impl::version_wanted() const {
    const bool all = std::ranges::all_of(members, [](const auto& entry) { return entry.second.dave_version > 0; });
    return options.enabled && all ? 1 : 0;
}

void Delivery::Impl::changed() {
    if (options.batch.count() > 0 && batch_ends <= Clock::now()) {
        batch_ends = Clock::now() + options.batch;
        look_again_at(batch_ends);
    }
    advance();
}

void Delivery::Impl::look_again_at(Clock::time_point when) {
    later.at(when, [this] { advance(); });
}

void Delivery::Impl::advance() {
    if (transition) return;
    if (version_wanted() == 0) return go_down();
    if (members.size() < 2) return be_alone();
    prepare();
    const bool forsaken =
        std::ranges::none_of(members, [](const auto& entry) { return entry.second.leaf.has_value(); });
    if (epoch > 0 && forsaken) forget_group();
    renew_round();
}

// Who is at version 0 already, and who takes no part, hears nothing of it.
void Delivery::Impl::go_down() {
    Transition down{0, 0, {}, {}};
    for (const auto& [key, member] : members) {
        if (member.prepared) down.audience.insert(key);
    }
    forget_group();
    version = down.audience.empty() ? 0 : version;
    if (down.audience.empty()) return;
    down.id = next_transition();
    down.waiting = down.audience;
    for (const auto key : down.audience) tell(key, 21, prepare_transition(0, down.id));
    begin(std::move(down));
}

void Delivery::Impl::be_alone() {
    if (members.empty()) return forget_group();
    auto& [key, member] = *members.begin();
    if (epoch == 0) renew_round();  // takes back whom it was to put in
    if (epoch == 0 && member.prepared && version == 1) return;
    if (options.sole_member_drops_to_zero) {
        if (member.prepared) tell(key, 21, prepare_transition(0, 0));
        member.prepared = false;
        version = 0;
        return forget_group();
    }
    member.prepared = member.prepared && epoch == 0;
    forget_group();
    prepare();
    tell(key, 21, prepare_transition(1, 0));
    version = 1;
}

void Delivery::Impl::prepare() {
    for (auto& [key, member] : members) {
        if (std::exchange(member.prepared, true)) continue;
        member.package.reset();
        tell(key, 24, R"({"protocol_version":1,"epoch":1})");
        tell_sender(key);
    }
}

void Delivery::Impl::forget_group() {
    if (round) end_round();
    leaves.clear();
    epoch = 0;
    committer.reset();
    for (auto& [_, member] : members) member.leaf.reset();
}

void Delivery::Impl::begin_anew(MemberKey key) {
    Member& member = members.at(key);
    member.leaf.reset();
    member.package.reset();
    no_longer_awaited(key);
    if (!round) return;
    round->told.erase(key);
    round->held_back.erase(key);
    if (round->runner_up && round->runner_up->first == key) round->runner_up.reset();
}

// ---- transitions

std::uint16_t Delivery::Impl::next_transition() {
    if (++transitions == 0) ++transitions;
    return transitions;
}

void Delivery::Impl::begin(Transition next) {
    transition = std::move(next);
    if (transition->waiting.empty()) return execute();
    later.at(Clock::now() + options.ready_within, [this, id = transition->id] {
        if (!transition || transition->id != id) return;
        ++counts.timeouts;
        execute();
        advance();
    });
}

void Delivery::Impl::no_longer_awaited(MemberKey member) {
    if (!transition || transition->waiting.erase(member) == 0) return;
    if (transition->waiting.empty()) execute();
}

// With transition 0 nobody is waited for, nor told: they have executed it by themselves.
void Delivery::Impl::execute() {
    const Transition done = *std::exchange(transition, std::nullopt);
    ++counts.transitions;
    version = done.version;
    for (const auto key : done.audience) {
        Member* const member = find(key);
        if (member == nullptr) continue;
        if (done.id != 0) tell(key, 22, fmt::format(R"({{"transition_id":{}}})", done.id));
        member->prepared = member->prepared && done.version > 0;
    }
}

// ---- to members

void Delivery::Impl::tell(MemberKey to, std::uint8_t op, std::string json) {
    send(to, {op, false, std::move(json)});
}

void Delivery::Impl::tell_binary(MemberKey to, std::uint8_t op, const std::string& body) {
    const Member* const member = find(to);
    if (member == nullptr) return;
    const bool ends_mischief = op == 29 || op == 30;
    const bool twice = ends_mischief ? misbehaves(member->user, Misbehaviour::duplicate_messages)
                                     : would_misbehave(member->user, Misbehaviour::duplicate_messages);
    for (int i = 0; i < (twice ? 2 : 1); ++i) send(to, {op, true, body});
}

void Delivery::Impl::tell_sender(MemberKey to) {
    if (std::exchange(members.at(to).knows_sender, true)) return;
    tell_binary(to, 25, text_of(signer.external_sender()));
}

bool Delivery::Impl::would_misbehave(UserId towards, Misbehaviour how) const {
    return mischief.contains({towards, how});
}

bool Delivery::Impl::misbehaves(UserId towards, Misbehaviour how) {
    const auto found = mischief.find({towards, how});
    if (found == mischief.end()) return false;
    if (--found->second == 0) mischief.erase(found);
    return true;
}

}  // namespace lestapenna::sandbox
