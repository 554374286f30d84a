// One voice server on loopback: a TLS websocket endpoint (gateway v8) and one UDP socket that forwards media between
// the members of each channel, re-sealed for each receiver (discord-voice.md, standin.md sections 4 and 5).
//
// It knows only the tickets it is given. Payload bytes are never changed; nothing is forwarded to who is deaf or has no
// session description yet, nor from who may not speak. A session whose websocket is gone keeps its place, its media and
// its last 256 messages for a resume, for `resume_grace` or until its ticket goes; then the others are told. Thread:
// the loop's. Ownership: the loop outlives it; destroying it cuts every connection. Determinism: SSRCs, keys and
// trouble from the seed, a user's SSRC from its id and how often it came; the servers of one world want different
// seeds. Nothing a client sends ends more than its own connection: 4001 unknown opcode, 4002 not to be decoded, 4003
// not identified, 4004 wrong token, 4005 identified already, 4006 session unknown or over, 4009 no heartbeat for three
// intervals, 4012 protocol, 4016 mode,
// 4017 no DAVE in an encrypted call.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "discord/transport.h"
#include "net/loop.h"
#include "net/tls.h"
#include "sandbox/delivery.h"
#include "sandbox/forwarder.h"
#include "sandbox/forwarding.h"

namespace lestapenna::sandbox {

struct VoiceServerOptions {
    std::uint64_t seed = 1;
    std::vector<discord::TransportMode> modes{};  ///< offered; others are refused
    milliseconds heartbeat_interval{13'750};
    milliseconds resume_grace{5'000};
    bool hold_until_speaking = true;  ///< a sender's first 16 packets wait for its op 5, 500 ms at most
    DeliveryOptions delivery{};       ///< of calls; those of stage channels are never encrypted
};

/// What the main gateway gave a client, and what it may do with it.
struct VoiceTicket {
    GuildId guild;
    ChannelId channel;
    UserId user;
    std::string session_id;
    std::string token;
    bool deaf = false;    ///< self or by a moderator: nothing is forwarded to it
    bool silent = false;  ///< by a moderator, or audience of a stage: nothing of it is forwarded
    bool stage = false;
};

enum class SpeakingNews : std::uint8_t { at_once, late, never };

struct VoiceTraffic {
    std::uint64_t identifies = 0, resumes = 0, heartbeats = 0, bad_tokens = 0;
    std::uint64_t datagrams = 0, forged = 0, replayed = 0;  ///< what came from it; see Uplink
    std::vector<std::uint16_t> client_closes;               ///< its own close codes, 0: cut
};

class VoiceServer {
  public:
    static Result<std::unique_ptr<VoiceServer>> start(net::Loop& loop, const net::Certificate& certificate,
                                                      VoiceServerOptions options);
    ~VoiceServer();
    VoiceServer(const VoiceServer&) = delete;
    VoiceServer& operator=(const VoiceServer&) = delete;

    [[nodiscard]] std::string endpoint() const;  ///< 127.0.0.1:PORT

    /// This user may connect; replaces an earlier ticket of the same user and guild, whose session then ends: its
    /// socket stays open but means nothing any more.
    void admit(const VoiceTicket& ticket);
    /// The ticket is void; a session that stands is closed with `code` (0: dropped without one).
    void dismiss(GuildId guild, UserId user, std::uint16_t code);
    void set_deaf(GuildId guild, UserId user, bool deaf);
    void set_silent(GuildId guild, UserId user, bool silent);

    // ---- trouble
    void set_forwarding(std::optional<UserId> receiver, const Forwarding& forwarding);
    void close(GuildId guild, UserId user, std::uint16_t code);  ///< websocket; media and resume data stay
    void drop(GuildId guild, UserId user);                       ///< TCP cut; they stay, too
    /// TCP is cut by the next `op` (23, 26, 28 or 31) of this user: once it has been heard, or before.
    void cut_at(GuildId guild, UserId user, int op, bool heard);
    void refuse_resumes(bool refuse);  ///< with 4006
    void speaking_news(UserId receiver, SpeakingNews when, milliseconds late_by = milliseconds{500});
    void mute_udp(GuildId guild, UserId receiver, bool muted);  ///< "ready but deaf"
    void mute_discovery(bool muted);
    void mute_heartbeat_acks(bool muted);
    void send_raw(GuildId guild, UserId receiver, std::string bytes, bool binary);  ///< on the websocket
    /// A datagram as it is to this receiver's media address.
    void send_datagram(GuildId guild, UserId receiver, std::vector<std::uint8_t> bytes);
    /// Sealed with the receiver's key: RTCP, video, odd headers. `clear` is the authenticated part.
    void send_sealed(GuildId guild, UserId receiver, std::vector<std::uint8_t> clear,
                     std::vector<std::uint8_t> plaintext);

    /// End-to-end encryption of a channel's call; null while nobody is in it.
    Delivery* delivery(GuildId guild, ChannelId channel);
    /// For calls that begin from now on, in all channels of this server but stages.
    void set_delivery(const DeliveryOptions& options);

    // ---- what happened
    [[nodiscard]] std::optional<std::uint32_t> ssrc(GuildId guild, UserId user) const;
    /// Whether media is forwarded to it: not deaf, its address known, its key in its hands.
    [[nodiscard]] bool hears(GuildId guild, UserId user) const;
    [[nodiscard]] std::map<std::uint32_t, Forwarded> forwarded(UserId receiver) const;  ///< by the sender's SSRC
    [[nodiscard]] VoiceTraffic traffic(UserId user) const;
    /// Of the UDP socket: what its kernel buffer lost is in no account of forwarded().
    [[nodiscard]] const SocketCounts& media() const;

  private:
    struct Impl;
    explicit VoiceServer(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

}  // namespace lestapenna::sandbox
