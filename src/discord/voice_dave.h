// The end-to-end encryption of one voice session: hands what the voice server says to dave::Session, and does what that
// answers: messages to the server, keys to VoiceFrames (what comes) and to a Sender (what goes), events to the
// listener. It asks to be let in anew when frames of somebody persistently do not open. It stays through resumes of the
// websocket and dies with the voice session.
//
// Thread: the loop's; the work of MLS is done on it (bench_discord says how long a message holds it). Ownership: held
// by a shared_ptr; setting and `server` outlive it, or it is close()d before; the listener may close it from within a
// call. Nothing from outside ends it: what the group does not accept is counted and logged, without secrets.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
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
    void tell_once(UserId user);
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
    Window recoveries_{kMostRecoveries, kRecoveriesWithin};
    std::set<UserId> told_;  // that they can not be heard
};

}  // namespace lestapenna::discord
