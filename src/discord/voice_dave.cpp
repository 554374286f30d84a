#include "discord/voice_dave.h"

#include <utility>
#include <variant>

#include "base/log.h"
#include "dave/frame.h"

namespace lestapenna::discord {
namespace {

constexpr nanoseconds kTick = milliseconds(250);
/// A transition takes up to 2 s, and to be let in some seconds more: what lasts longer will not end by itself.
constexpr seconds kPatience{10};

}  // namespace

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
    apply(session_.on_users(users));
}

void VoiceDave::on_user_left(UserId user) {
    apply(session_.on_user_left(user));
}

void VoiceDave::take(const voice::Dave& message) {
    apply(std::visit([this](const auto& body) { return answer(body); }, message));
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
    for (dave::Action& action : actions) {
        if (closed_) return;
        std::visit([this](auto& what) { act(what); }, action);
    }
    if (!session_.in_transition()) {
        transition_since_.reset();
    } else if (!actions.empty()) {  // it goes on
        transition_since_ = BootClock::now();
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
    say(voice::invalid_commit_welcome(action.transition));
}

void VoiceDave::act(dave::ReceiveEpoch& action) {
    if (!action.keys.empty()) ++setting_.counts.epochs;
    frames_->begin_epoch(std::move(action.keys), BootClock::now());
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
    const BootTime now = BootClock::now();
    const BootTime end = action.allowed ? BootTime::max() : now;
    frames_->pass_clear_until(action.winding_down ? now + dave::kOverlap : end);
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
    if (transition_since_ && now - *transition_since_ < kPatience) return frames_->forgive();
    const auto failing = frames_->failing(now);
    if (failing && server_() != nullptr) recover(*failing, now);
}

void VoiceDave::recover(const VoiceFrames::Failing& failing, BootTime now) {
    const bool lasts = now - failing.since > kPatience;
    if (failing.others_heard) {  // our keys are right: it is that sender
        if (lasts) tell_once(failing.user);
        return;
    }
    if (!session_.call().established && !lasts) return;  // on our way in
    if (recoveries_.wait(now) > nanoseconds{0}) return tell_once(failing.user);
    dave::Actions actions = session_.recover();
    if (actions.empty()) {  // an earlier one has not ended
        if (lasts) tell_once(failing.user);
        return;
    }
    recoveries_.note(now);
    frames_->forgive();
    log().warn("voice: frames do not open; we ask to be let into the group anew");
    const auto held = shared_from_this();
    emit(CannotOpen{failing.user, false});
    apply(std::move(actions));
}

void VoiceDave::tell_once(UserId user) {
    if (!told_.insert(user).second) return;
    log().warn("voice: frames of a member do not open, and we have done what we can");
    emit(CannotOpen{user, true});
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
