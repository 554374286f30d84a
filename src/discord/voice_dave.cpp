#include "discord/voice_dave.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/log.h"
#include "dave/frame.h"

namespace lestapenna::discord {
namespace {

constexpr nanoseconds kTick = milliseconds(250);
/// A transition takes up to 2 s, and to be let in some seconds more: what lasts longer will not end by itself.
constexpr seconds kPatience{10};
/// From a resume, or the last thing that happened after it. A server waits 2 s for a transition to be ready.
constexpr seconds kNothingComes{2};
/// From the first frame that does not open: as late may be what the group says, on a websocket that stalls while UDP
/// flows. What waits is kept for 10 s, so that nothing is lost by it.
constexpr seconds kMayBeLate{3};
constexpr seconds kHeardJustNow{2};
constexpr std::size_t kMostTold = 10'000;  // a server that names more is not one

/// By which a transition, or our way in, goes on.
bool is_progress(const dave::Action& action) {
    const auto* const epoch = std::get_if<dave::ReceiveEpoch>(&action);
    return (epoch != nullptr && !epoch->keys.empty()) || std::holds_alternative<dave::SendReady>(action) ||
           std::holds_alternative<dave::ReceiveClear>(action);
}

}  // namespace

BootTime clear_until(const dave::ReceiveClear& clear, int version, BootTime now) {
    if (!clear.allowed) return now;
    if (clear.winding_down) return now + dave::kOverlap;
    return version == 0 ? BootTime::max() : now + kDowngradeWithin;
}

VoiceDave::VoiceDave(const VoiceSetting& setting, UserId self, ChannelId channel, std::shared_ptr<VoiceFrames> frames,
                     Server server)
    : setting_(setting),
      frames_(std::move(frames)),
      server_(std::move(server)),
      session_(self, channel, *setting.options.identity),
      over_(setting.loop) {
    outgoing_.reserve(kMaxDatagramBytes);
}

void VoiceDave::close() {
    closed_ = true;
    over_.set();
}

// ---- what the server says

void VoiceDave::prepare(int version) {
    if (version > 0) return expect_sealed();
    sending_ = Sending::clear;
    frames_->pass_clear_until(BootTime::max());
}

void VoiceDave::on_session_description(int version) {
    apply(session_.on_session_description(version));
}

void VoiceDave::on_users(std::span<const UserId> users) {
    changed_ = BootClock::now();
    apply(session_.on_users(users));
}

void VoiceDave::on_user_left(UserId user) {
    changed_ = BootClock::now();
    apply(session_.on_user_left(user));
}

void VoiceDave::take(const voice::Dave& message) {
    session_.hold_reports(!recoveries_.may_report(BootClock::now()));
    apply(std::visit([this](const auto& body) { return answer(body); }, message));
}

void VoiceDave::on_resumed() {
    say_again_at_ = BootClock::now() + kNothingComes;
}

dave::Actions VoiceDave::answer(const voice::PrepareTransition& message) {
    if (message.version > 0) expect_sealed();
    return session_.on_prepare_transition(message.version, message.transition);
}
dave::Actions VoiceDave::answer(const voice::ExecuteTransition& message) {
    return session_.on_execute_transition(message.transition);
}
dave::Actions VoiceDave::answer(const voice::PrepareEpoch& message) {
    if (message.version > 0) expect_sealed();
    return session_.on_prepare_epoch(message.version, message.epoch);
}
dave::Actions VoiceDave::answer(const voice::ExternalSender& message) {
    return session_.on_external_sender(message.bytes);
}
dave::Actions VoiceDave::answer(const voice::Proposals& message) {
    return session_.on_proposals(message.bytes);
}
dave::Actions VoiceDave::answer(const voice::Commit& message) {
    return session_.on_commit(message.transition, message.message);
}
dave::Actions VoiceDave::answer(const voice::Welcome& message) {
    return session_.on_welcome(message.transition, message.message);
}

void VoiceDave::expect_sealed() {
    frames_->expect_sealed();
    if (!std::exchange(tending_, true)) net::spawn(setting_.loop, tend(shared_from_this()));
}

// ---- what is to be done

void VoiceDave::apply(dave::Actions actions) {
    const auto held = shared_from_this();
    const BootTime now = BootClock::now();
    const bool goes_on = std::any_of(actions.begin(), actions.end(), is_progress);  // acting takes the keys
    for (dave::Action& action : actions) {
        if (closed_) return;
        std::visit([this](auto& what) { act(what); }, action);
    }
    if (say_again_at_ && !actions.empty()) say_again_at_ = now + kNothingComes;
    if (!session_.in_transition()) {
        transition_since_.reset();
    } else if (!transition_since_ || goes_on) {
        transition_since_ = now;
        frames_->forgive();
    }
}

void VoiceDave::say(std::string text) {
    if (net::WebSocket* const to = server_()) to->send(std::move(text));
}
void VoiceDave::say_binary(std::string bytes) {
    if (net::WebSocket* const to = server_()) to->send_binary(std::move(bytes));
}

void VoiceDave::act(const dave::SendKeyPackage& action) {
    say_binary(voice::key_package(action.package));
}
void VoiceDave::act(const dave::SendCommit& action) {
    say_binary(voice::commit_welcome(action.commit_welcome));
}
void VoiceDave::act(const dave::SendReady& action) {
    say(voice::ready_for_transition(action.transition));
}
void VoiceDave::act(const dave::SendInvalid& action) {
    ++setting_.counts.recoveries;
    recoveries_.note(BootClock::now());
    log().warn("voice: we ask to be let into the group anew");
    say(voice::invalid_commit_welcome(action.transition));
}

void VoiceDave::act(dave::ReceiveEpoch& action) {
    if (!action.keys.empty()) ++setting_.counts.epochs;
    changed_ = BootClock::now();
    frames_->begin_epoch(std::move(action.keys), changed_);
}

void VoiceDave::act(dave::SendWith& action) {
    if (action.own || sending_ != Sending::clear) ++setting_.counts.transitions;
    if (action.own) {
        sending_ = Sending::sealed;
        if (sender_ && sends_with_ == action.own->secret) return;
        sends_with_ = action.own->secret;
        sender_.emplace(std::move(*action.own));
    } else if (session_.call().version > 0) {
        sending_ = Sending::nothing;  // never plain in an encrypted call
    } else {
        sending_ = Sending::clear;
        frames_->expect_clear(BootClock::now());
    }
}

void VoiceDave::act(const dave::ReceiveClear& action) {
    frames_->pass_clear_until(clear_until(action, session_.call().version, BootClock::now()));
}

void VoiceDave::act(const dave::CallChanged& /*call*/) {
    const dave::Call call = session_.call();
    Encryption now{call.version > 0 && call.established, call.epoch, call.privacy_code};
    if (!now.encrypted) now = {};
    Encryption& told = setting_.encryption;
    if (now.encrypted == told.encrypted && now.epoch == told.epoch && now.privacy_code == told.privacy_code) return;
    told = now;
    emit(now);
}

void VoiceDave::act(const dave::Refused& action) {
    ++setting_.counts.refused_messages;
    log().info("voice: {} of the group not accepted: {}", action.what, to_string(action.why));
}

void VoiceDave::act(const dave::Unnamed& action) {
    setting_.counts.unnamed_members += action.members;
    log().info("voice: the group has {} members whom the server has not named", action.members);
}

void VoiceDave::emit(const VoiceEvent& event) {
    if (!closed_) setting_.listener.on_event(event);
}

// ---- what goes wrong

net::Task<> VoiceDave::tend(std::shared_ptr<VoiceDave> self) {
    while (!self->closed_) {
        co_await self->over_.wait_for(kTick);
        if (!self->closed_) self->tick(BootClock::now());
    }
}

void VoiceDave::tick(BootTime now) {
    frames_->tick(now);
    if (closed_) return;
    tell_unheard(now);
    if (closed_ || server_() == nullptr) return;
    const auto held = shared_from_this();
    session_.hold_reports(!recoveries_.may_report(now));
    if (say_again_at_ && now >= *say_again_at_) {
        say_again_at_.reset();
        apply(session_.say_again());
        if (closed_) return;
    }
    if (session_.owes_report() && recoveries_.may_report(now)) return apply(session_.recover());
    if (transition_since_ && now - *transition_since_ < kPatience) return frames_->forgive();
    if (const auto failing = frames_->failing(now)) recover(*failing, now);
}

/// Whether it can be our keys that are wrong. Who was heard since the group last changed and fails alone does that by
/// itself: by nothing that one member sends may all the recoveries be used up.
bool VoiceDave::may_be_ours(const VoiceFrames::Failing& failing, BootTime now) const {
    if (failing.others_opened > now - kHeardJustNow) return false;
    if (session_.recovering() || !session_.call().established || failing.users > 1) return true;
    if (session_.awaits_commit()) return true;  // perhaps that is what we have missed
    return failing.opened <= changed_ && failing.others_opened <= changed_;
}

void VoiceDave::recover(const VoiceFrames::Failing& failing, BootTime now) {
    if (now - failing.since < kMayBeLate) return;
    if (!may_be_ours(failing, now)) return;  // if it lasts, tell_unheard() says so
    if (!recoveries_.may_try(now)) return tell(failing.user, failing.opened, true, now);
    dave::Actions actions = session_.recover();
    if (actions.empty()) return;  // a clear call by now
    frames_->forgive();
    transition_since_ = now;
    tell(failing.user, failing.opened, false, now);
    apply(std::move(actions));
}

void VoiceDave::tell_unheard(BootTime now) {
    const auto held = shared_from_this();
    for (const VoiceFrames::Unheard& one : frames_->unheard(now, kPatience)) tell(one.user, one.opened, false, now);
}

/// Again only when it was heard in between, and not too soon.
void VoiceDave::tell(UserId user, BootTime opened, bool gave_up, BootTime now) {
    if (closed_ || told_.size() >= kMostTold) return;
    const auto [told, first] = told_.try_emplace({user, gave_up}, now);
    if (!first && (opened <= told->second || now - told->second < kToldApart)) return;
    told->second = now;
    log().warn("voice: frames of a member do not open{}", gave_up ? ", and we have done what we can" : "");
    emit(CannotOpen{user, gave_up});
}

// ---- what goes

std::optional<std::span<const std::uint8_t>> VoiceDave::seal(std::span<const std::uint8_t> opus) {
    if (sending_ == Sending::clear || dave::is_silence(opus)) return opus;
    if (sending_ == Sending::nothing) return std::nullopt;
    outgoing_.clear();
    sender_->seal(opus, outgoing_);
    return outgoing_;
}

}  // namespace lestapenna::discord
