#include "dave/session.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "dave/codes.h"
#include "dave/rules.h"

namespace lestapenna::dave {
namespace {

using mls::Reject;

/// A recovery may cross a welcome for the key package before, and that one another: four rounds are more than any
/// server was seen to need.
constexpr std::size_t kMostPackages = 4;
constexpr std::size_t kMostTransitions = 64;
constexpr std::size_t kMostUsers = 10'000;  // a server that names more is not one

bool known(int version) {
    return version >= 0 && version <= kProtocolVersion;
}

}  // namespace

mls::OwnKeyPackage Session::fresh_key_package(const mls::KeyPair& identity, UserId self) {
    // The gateway insists on this lifetime; nobody else looks at it.
    return mls::make_key_package(identity, identity_of(self),
                                 {.not_before = 0, .not_after = std::numeric_limits<std::uint64_t>::max()});
}

Session::Session(UserId self, ChannelId channel, mls::KeyPair identity, MakeKeyPackage make)
    : self_(self),
      group_id_(group_id_of(channel)),
      identity_(std::move(identity)),
      make_(std::move(make)),
      recognised_{self} {}

// ---- who is there, and which version

Actions Session::on_session_description(int version) {
    if (!known(version)) return {Refused{"version", Reject::unsupported}};
    Actions out;
    leave_group();
    transitions_.clear();
    recovering_.reset();
    last_transition_ = 0;
    version_ = protocol_ = version;
    clear_allowed_ = version == 0;
    out.emplace_back(ReceiveClear{.allowed = clear_allowed_, .winding_down = false});
    if (version == 0) {
        out.emplace_back(SendWith{});
    } else {
        reinitialise(out);
    }
    show(out);
    return out;
}

Actions Session::on_users(std::span<const UserId> users) {
    for (const UserId user : users) {
        if (recognised_.size() >= kMostUsers && !recognised_.contains(user)) continue;
        recognised_.insert(user);
        left_.erase(user);
    }
    return {};
}

Actions Session::on_user_left(UserId user) {
    // Who has left can still be in the group, and stand in proposals under way: who forgets them at once cannot follow.
    if (user != self_ && recognised_.contains(user)) left_.insert(user);
    return {};
}

void Session::forget_who_left() {
    std::set<UserId> gone = std::exchange(left_, {});
    if (current_) {
        for (const UserId member : users_of(*current_)) {
            if (gone.erase(member) > 0) left_.insert(member);
        }
    }
    for (const UserId user : gone) recognised_.erase(user);
}

Actions Session::on_prepare_transition(int version, std::uint16_t transition) {
    if (!known(version)) return {Refused{"version", Reject::unsupported}};
    Actions out;
    if (version == 0 && transition != 0) {
        clear_allowed_ = true;
        out.emplace_back(ReceiveClear{.allowed = true, .winding_down = false});
    }
    prepare({.id = transition, .version = version, .own = {}}, out);
    show(out);
    return out;
}

Actions Session::on_prepare_epoch(int version, std::uint64_t epoch) {
    if (version <= 0 || !known(version)) return {Refused{"version", Reject::unsupported}};
    if (epoch != 1) return {};  // a change among versions, of which there is one
    Actions out;
    protocol_ = version;
    recovering_.reset();
    transitions_.clear();
    leave_group();
    forget_who_left();
    out.emplace_back(ReceiveEpoch{});
    reinitialise(out);
    show(out);
    return out;
}

Actions Session::on_external_sender(mls::View bytes) {
    if (!extensions_.empty() && std::ranges::equal(bytes, external_sender_)) return {};
    auto extensions = current_ ? Reject::wrong_sender : extensions_for(bytes);
    if (!extensions) return {Refused{"external sender", extensions.error()}};
    external_sender_ = mls::to_bytes(bytes);
    extensions_ = std::move(*extensions);
    begin_pending();
    return {};
}

// ---- groups

const mls::Group* Session::group() const {
    if (current_) return &*current_;
    return pending_ ? &*pending_ : nullptr;
}

void Session::leave_group() {
    owes_report_ = false;
    current_.reset();
    pending_.reset();
    queue_.clear();
    own_commits_.clear();
    std::erase_if(transitions_, [](const Transition& of) { return of.own.has_value(); });
}

/// A group of our own, of one, with the newest key package's leaf.
void Session::begin_pending() {
    if (packages_.empty() || extensions_.empty()) return;
    if (!current_) {
        queue_.clear();
        own_commits_.clear();
    }
    pending_ = mls::Group::create(group_id_, identity_, packages_.back(), extensions_);
}

void Session::reinitialise(Actions& out) {
    leave_group();
    offer_package(out);
}

void Session::offer_package(Actions& out) {
    if (packages_.size() == kMostPackages) packages_.erase(packages_.begin());
    packages_.push_back(make_(identity_, self_));
    out.emplace_back(SendKeyPackage{mls::encode(packages_.back().package)});
    begin_pending();
}

void Session::report_invalid(std::uint16_t transition, Actions& out) {
    if (recovering_ == transition) return;  // said already
    recovering_ = transition;
    leave_group();
    owes_report_ = hold_reports_;
    if (owes_report_) return begin_pending();
    out.emplace_back(SendInvalid{transition});
    offer_package(out);
}

Actions Session::recover() {
    if (protocol_ == 0) return {};
    if (!recovering_) recovering_ = last_transition_;
    owes_report_ = false;
    Actions out;
    out.emplace_back(SendInvalid{*recovering_});
    offer_package(out);
    return out;
}

Actions Session::say_again() {
    // Op 26 or 31.
    if (protocol_ > 0 && (recovering_ || (!current_ && own_commits_.empty()))) {
        return hold_reports_ ? Actions{} : recover();
    }
    Actions out;
    for (const Transition& prepared : transitions_) out.emplace_back(SendReady{prepared.id});
    if (!queue_.empty() && !own_commits_.empty()) out.emplace_back(SendCommit{own_commits_.back().commit_welcome});
    return out;
}

// ---- transitions

void Session::prepare(Transition transition, Actions& out) {
    if (transition.id == 0) return execute(transition, out);
    std::erase_if(transitions_, [&](const Transition& other) { return other.id == transition.id; });
    if (transitions_.size() == kMostTransitions) transitions_.erase(transitions_.begin());
    out.emplace_back(SendReady{transition.id});
    transitions_.push_back(std::move(transition));
}

Actions Session::on_execute_transition(std::uint16_t transition) {
    const auto found = std::ranges::find(transitions_, transition, &Transition::id);
    if (found == transitions_.end()) return {};
    const Transition executed = std::move(*found);
    // Epochs before it are past, whether they were executed or not.
    const auto past = std::remove_if(transitions_.begin(), found, [](const Transition& of) { return bool(of.own); });
    transitions_.erase(past, found + 1);
    Actions out;
    execute(executed, out);
    show(out);
    return out;
}

void Session::execute(const Transition& transition, Actions& out) {
    last_transition_ = transition.id;
    if (transition.version) protocol_ = *transition.version;
    version_ = protocol_;
    if (version_ == 0) {
        recovering_.reset();
        clear_allowed_ = true;
        out.emplace_back(SendWith{});
        out.emplace_back(ReceiveClear{.allowed = true, .winding_down = false});
        return;
    }
    if (transition.own) {
        out.emplace_back(SendWith{transition.own});
    } else if (current_) {
        out.emplace_back(SendWith{base_secret(*current_, self_)});
    }
    const bool downgrade_pending =
        std::ranges::any_of(transitions_, [](const Transition& of) { return of.version == 0; });
    if (clear_allowed_ && !downgrade_pending) {
        clear_allowed_ = false;
        out.emplace_back(ReceiveClear{.allowed = true, .winding_down = true});
    }
}

// ---- what it is now

Call Session::call() const {
    Call call;
    call.version = version_;
    call.established = current_.has_value();
    if (!current_) return call;
    call.epoch = current_->epoch();
    if (version_ > 0) call.privacy_code = privacy_code(current_->epoch_authenticator());
    call.members = users_of(*current_);
    return call;
}

bool Session::in_transition() const {
    return recovering_ || !transitions_.empty() || (protocol_ > 0 && !current_);
}

void Session::show(Actions& out) {
    Shown now{.version = version_, .epoch_authenticator = {}};
    if (current_) now.epoch_authenticator = mls::to_bytes(current_->epoch_authenticator());
    if (now == shown_) return;
    shown_ = std::move(now);
    out.emplace_back(CallChanged{});
}

}  // namespace lestapenna::dave
