// One voice server on loopback: a TLS websocket endpoint (gateway v8) and one UDP socket that forwards media between
// the members of each channel, re-sealed for each receiver (discord-voice.md, standin.md sections 4 and 5).
//
// It knows only the tickets it is given. Payload bytes are never changed; nothing is forwarded to who is deaf or has no
// session description yet. Thread: the loop's. Determinism: SSRCs, keys and trouble from the seed.
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
#include "discord/datagram.h"
#include "discord/transport.h"
#include "net/loop.h"
#include "net/tls.h"

namespace lestapenna::sandbox {

/// The line from the server to one receiver (or, by default, to all): loss, delay, jitter, reorder, duplicates, by
/// seed. The default forwards at once and loses nothing.
struct Forwarding {
    double loss = 0;
    double duplicate = 0;
    double reorder = 0;  ///< probability that a packet is held back behind the sender's next one
    milliseconds delay{0};
    milliseconds jitter{0};  ///< uniform on top, order kept per sender
    bool extras = false;     ///< adds RTP padding, a 0xBEDE extension and a CSRC on the way
    [[nodiscard]] bool plain() const;
};

/// What one receiver was sent of one sender's SSRC.
struct Forwarded {
    std::uint64_t arrived = 0;             ///< different packets from the sender
    std::uint64_t dropped = 0;             ///< on purpose, by Forwarding
    std::uint64_t sent = 0;                ///< different packets that left for the receiver
    std::uint64_t duplicated = 0;          ///< further copies
    std::uint64_t send_failed = 0;         ///< the kernel did not take it
    std::vector<std::uint16_t> lost_seqs;  ///< of the dropped ones
};

struct VoiceServerOptions {
    std::uint64_t seed = 1;
    std::vector<discord::TransportMode> modes;
    milliseconds heartbeat_interval{13'750};
};

/// What the main gateway gave a client, and what it may do with it.
struct VoiceTicket {
    GuildId guild;
    ChannelId channel;
    UserId user;
    std::string session_id;
    std::string token;
    bool deaf = false;  ///< self or by a moderator: nothing is forwarded to it
};

enum class SpeakingNews : std::uint8_t { at_once, late, never };

struct VoiceTraffic {
    std::uint64_t identifies = 0, resumes = 0, heartbeats = 0, bad_tokens = 0;
    std::uint64_t datagrams = 0, forged = 0;
    std::vector<std::uint16_t> client_closes;
};

class VoiceServer {
  public:
    static Result<std::unique_ptr<VoiceServer>> start(net::Loop& loop, const net::Certificate& certificate,
                                                      VoiceServerOptions options);
    ~VoiceServer();
    VoiceServer(const VoiceServer&) = delete;
    VoiceServer& operator=(const VoiceServer&) = delete;

    [[nodiscard]] std::string endpoint() const;  ///< 127.0.0.1:PORT

    /// This user may connect; replaces an earlier ticket of the same user and guild (whose session then ends).
    void admit(const VoiceTicket& ticket);
    /// The ticket is void; a session that stands is closed with `code` (0: dropped without one).
    void dismiss(GuildId guild, UserId user, std::uint16_t code);
    void set_deaf(GuildId guild, UserId user, bool deaf);

    // ---- trouble
    void set_forwarding(std::optional<UserId> receiver, const Forwarding& forwarding);
    void close(GuildId guild, UserId user, std::uint16_t code);  ///< websocket; media and resume data stay
    void drop(GuildId guild, UserId user);                       ///< TCP cut
    void refuse_resumes(bool refuse);                            ///< with 4006
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

    // ---- what happened
    [[nodiscard]] std::optional<std::uint32_t> ssrc(GuildId guild, UserId user) const;
    [[nodiscard]] std::map<std::uint32_t, Forwarded> forwarded(UserId receiver) const;  ///< by the sender's SSRC
    [[nodiscard]] VoiceTraffic traffic(UserId user) const;

  private:
    struct Impl;
    explicit VoiceServer(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

}  // namespace lestapenna::sandbox
