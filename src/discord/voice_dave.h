// The end-to-end encryption of one voice session: hands what the voice server says to dave::Session, and does what that
// answers: messages to the server, keys to VoiceFrames (what comes) and to a Sender (what goes), events to the
// listener. It asks to be let in anew when frames persistently do not open and it is not only their sender that may be
// at fault, and tells of everybody who can not be heard for long. It stays through resumes of the websocket and dies
// with the voice session.
//
// Thread: the loop's; the work of MLS is done on it (bench_discord says how long a message holds it). Ownership: held
// by a shared_ptr; setting and `server` outlive it, or it is close()d before; the listener may close it from within a
// call. Nothing from outside ends it: what the group does not accept is counted and logged, without secrets.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dave/sender.h"
#include "dave/session.h"
#include "discord/voice_frames.h"
#include "discord/voice_messages.h"
#include "discord/voice_setting.h"
#include "discord/window.h"
#include "net/websocket.h"

namespace lestapenna::discord {

inline constexpr std::size_t kMostRecoveries = 3;
inline constexpr nanoseconds kRecoveriesWithin = std::chrono::minutes(10);
/// After that, as long as we are out of the group for certain.
inline constexpr nanoseconds kRecoveriesApart = std::chrono::minutes(1);
/// Of a downgrade that was announced, until its execution; 2 s are usual.
inline constexpr seconds kDowngradeWithin{30};

/// Until when clear frames are taken, in a call whose executed version is `version`: a downgrade that was announced and
/// is never executed does not open it for ever.
[[nodiscard]] BootTime clear_until(const dave::ReceiveClear& clear, int version, BootTime now);

/// How often op 31 may be said: kMostRecoveries within kRecoveriesWithin, whoever asks; then, of what could not be
/// followed, once in kRecoveriesApart. Pure.
class Recoveries {
  public:
    /// Frames do not open: there may be no use in asking.
    [[nodiscard]] bool may_try(BootTime now) const { return window_.wait(now) == nanoseconds{0}; }
    /// We can not follow the group any more: there is.
    [[nodiscard]] bool may_report(BootTime now) const {
        return may_try(now) || (last_ && now - *last_ >= kRecoveriesApart);
    }
    void note(BootTime now) {
        window_.note(now);
        last_ = now;
    }

  private:
    Window window_{kMostRecoveries, kRecoveriesWithin};
    std::optional<BootTime> last_;
};

class VoiceDave : public std::enable_shared_from_this<VoiceDave> {
  public:
    /// The websocket to the voice server; null while there is none.
    using Server = std::function<net::WebSocket*()>;

    VoiceDave(const VoiceSetting& setting, UserId self, ChannelId channel, std::shared_ptr<VoiceFrames> frames,
              Server server);

    /// Of op 4, before Connected is said: whether anything may be sent in the clear.
    void prepare(int version);
    void on_session_description(int version);  ///< after it
    void on_users(std::span<const UserId> users);
    void on_user_left(UserId user);
    void take(const voice::Dave& message);
    /// The websocket is another one: what was said on the old one may be lost, and is said again if nothing comes of
    /// it.
    void on_resumed();
    void close();

    /// What is to be sent for one Opus packet, valid until the next; nothing: it may not be sent now.
    std::optional<std::span<const std::uint8_t>> seal(std::span<const std::uint8_t> opus);
    [[nodiscard]] bool may_speak() const { return sending_ != Sending::nothing; }

  private:
    enum class Sending : std::uint8_t {
        nothing,  ///< but silence: no group yet, in an encrypted call
        clear,
        sealed,
    };

    static net::Task<> tend(std::shared_ptr<VoiceDave> self);
    void tick(BootTime now);
    void recover(const VoiceFrames::Failing& failing, BootTime now);
    [[nodiscard]] bool may_be_ours(const VoiceFrames::Failing& failing, BootTime now) const;
    void tell_unheard(BootTime now);
    void tell(UserId user, BootTime opened, bool gave_up, BootTime now);
    void emit(const VoiceEvent& event);
    void expect_sealed();

    dave::Actions answer(const voice::PrepareTransition& message);
    dave::Actions answer(const voice::ExecuteTransition& message);
    dave::Actions answer(const voice::PrepareEpoch& message);
    dave::Actions answer(const voice::ExternalSender& message);
    dave::Actions answer(const voice::Proposals& message);
    dave::Actions answer(const voice::Commit& message);
    dave::Actions answer(const voice::Welcome& message);

    void apply(dave::Actions actions);
    void say(std::string text);
    void say_binary(std::string bytes);
    void act(const dave::SendKeyPackage& action);
    void act(const dave::SendCommit& action);
    void act(const dave::SendReady& action);
    void act(const dave::SendInvalid& action);
    void act(dave::ReceiveEpoch& action);
    void act(dave::SendWith& action);
    void act(const dave::ReceiveClear& action);
    void act(const dave::CallChanged&);
    void act(const dave::Refused& action);
    void act(const dave::Unnamed& action);

    const VoiceSetting setting_;
    const std::shared_ptr<VoiceFrames> frames_;
    const Server server_;
    dave::Session session_;
    bool closed_ = false;
    bool tending_ = false;
    net::Signal over_;

    Sending sending_ = Sending::nothing;
    std::optional<dave::Sender> sender_;
    mls::Secret sends_with_;  // its key: with the same one its nonces must go on
    std::vector<std::uint8_t> outgoing_;

    std::optional<BootTime> transition_since_;
    std::optional<BootTime> say_again_at_;  // after a resume
    BootTime changed_ = BootTime::min();    // who is there, or the group
    Recoveries recoveries_;
    std::map<std::pair<UserId, bool>, BootTime> told_;  // that they can not be heard, and whether that was given up
};

}  // namespace lestapenna::discord
