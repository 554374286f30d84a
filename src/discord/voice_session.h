// One voice session: what one identify began, up to its end. Its websocket may be replaced by resumes; media, SSRC, key
// and the group of its end-to-end encryption stay. Whatever arrives late for a session that was abandoned finds nobody.
//
// Thread: the loop's. Ownership: Setting's references outlive it, or it is abandon()ed before.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include <boost/asio/steady_timer.hpp>

#include "discord/voice_dave.h"
#include "discord/voice_frames.h"
#include "discord/voice_media.h"
#include "discord/voice_messages.h"
#include "discord/voice_setting.h"
#include "net/websocket.h"

namespace lestapenna::discord {

/// Why there is no websocket any more.
struct SessionLoss {
    std::uint16_t code = 0;  ///< the server's; 0: lost, refused, or no answer in time
    std::string reason;
    bool may_resume = true;
};

class VoiceSession : public std::enable_shared_from_this<VoiceSession> {
  public:
    VoiceSession(const VoiceSetting& setting, voice::Credentials who, std::string endpoint, ChannelId channel,
                 int generation);
    VoiceSession(const VoiceSession&) = delete;
    VoiceSession& operator=(const VoiceSession&) = delete;
    ~VoiceSession() = default;

    void identify();
    /// After a loss, when was_connected().
    void resume();
    /// Returns when the websocket is lost, or the session abandoned.
    net::Task<> lost() { return lost_.wait(); }
    [[nodiscard]] const SessionLoss& loss() const { return loss_; }

    /// What came before the end is heard: to be called before abandon() while somebody listens, who may end it, too.
    void drain();
    /// Closes everything and calls nobody any more.
    void abandon();

    [[nodiscard]] bool was_connected() const { return was_connected_; }
    [[nodiscard]] bool connected() const { return connected_; }
    /// How long the last websocket stood, from Connected to its loss.
    [[nodiscard]] nanoseconds stood() const { return stood_; }
    [[nodiscard]] int generation() const { return generation_; }
    [[nodiscard]] const voice::Credentials& credentials() const { return who_; }
    [[nodiscard]] const std::string& endpoint() const { return endpoint_; }

    void set_speaking(bool speaking);
    bool send(std::uint32_t timestamp, std::span<const std::uint8_t> opus);
    [[nodiscard]] std::uint16_t last_seq() const { return media_ ? media_->last_seq() : std::uint16_t{0}; }
    /// Whether send() takes more than silence.
    [[nodiscard]] bool may_speak() const { return connected_ && dave_->may_speak(); }
    /// Only until it is connected: a move after that is another session.
    void set_channel(ChannelId channel);
    /// A moderator deafened us, or no more: then silence means nothing.
    void set_deafened(bool deafened) { deafened_ = deafened; }

  private:
    /// One websocket.
    struct Link {
        Link(net::Loop& loop, std::unique_ptr<net::WebSocket> with) : socket(std::move(with)), gone(loop) {}
        std::unique_ptr<net::WebSocket> socket;
        net::Signal gone;
        bool beating = false;
        int unanswered = 0;  // heartbeats
    };
    using Self = std::shared_ptr<VoiceSession>;
    using LinkPtr = std::shared_ptr<Link>;

    static net::Task<> talk(Self self, int attempt, bool resuming);
    static net::Task<> beat(Self self, LinkPtr link, nanoseconds interval);
    static net::Task<> find_address(Self self, std::shared_ptr<VoiceMedia> media, TransportMode mode);
    static net::Task<> greet(Self self, LinkPtr link);
    static net::Task<> watch(Self self, LinkPtr link, BootTime since);

    void start(bool resuming);
    void deadline(nanoseconds after, const char* what);
    void no_deadline();
    void lose(SessionLoss loss);
    void connect_up(bool resumed);
    void emit(const VoiceEvent& event);
    void send_heartbeat(Link& link);
    void send_speaking(bool speaking);
    void start_greeting();
    void begin_encryption();

    void take(const voice::Message& message);
    void on(voice::Other other);
    void on(const voice::Hello& hello);
    void on(const voice::Ready& ready);
    void on(const voice::SessionDescription& description);
    void on(const voice::Speaking& speaking);
    void on(const voice::HeartbeatRequest&);
    void on(const voice::HeartbeatAck&);
    void on(const voice::Resumed&);
    void on(const voice::ClientsConnect& clients);
    void on(const voice::ClientDisconnect& client);
    void on(const voice::Dave& message);

    const VoiceSetting setting_;
    const voice::Credentials who_;
    const std::string endpoint_;
    ChannelId channel_;
    const int generation_;

    bool abandoned_ = false;
    int attempt_ = 0;  // of a websocket; what belongs to an older one finds another number here
    LinkPtr link_;
    std::shared_ptr<VoiceMedia> media_;
    const std::shared_ptr<VoiceFrames> frames_;  // from media_ to the listener
    std::shared_ptr<VoiceDave> dave_;
    std::optional<TransportMode> mode_;
    std::int32_t seq_ack_ = -1;
    bool resuming_ = false;
    bool connected_ = false;
    bool was_connected_ = false;
    BootTime connected_at_{};
    nanoseconds stood_{0};
    net::Signal lost_;
    SessionLoss loss_;
    boost::asio::steady_timer deadline_;

    std::set<UserId> present_;

    bool speaking_ = false;
    bool greeting_ = false;
    bool watching_ = false;
    bool deafened_ = false;
};

}  // namespace lestapenna::discord
