// A voice connection (gateway v8, UDP, transport encryption, DAVE end-to-end encryption): join a channel, hear every
// packet, send Opus, stay there through resumes, server changes, moves and crashes of the other side, until leave().
//
// The caller owns the main gateway: it passes on its VoiceState and VoiceServer events of this guild, and sends op 4
// when asked to. Everything heard goes to the Listener, packets in the order of the socket.
//
// Thread: the loop's; Listener calls come from it and must not block. Ownership: the Listener outlives the Voice;
// destroying the Voice closes its sockets and calls nobody any more. Hot path: no allocation and no lock per packet.
// Errors: no input ends it. Each datagram becomes a packet or a counted reject; each close code ends in a resume, a
// rejoin (at once, then after 1, 2, 4, 8, 16 s with jitter, for as long as it takes) or in Ended, which says why.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "dave/version.h"
#include "discord/datagram.h"
#include "discord/events.h"
#include "discord/transport.h"
#include "net/loop.h"
#include "net/tls.h"
#include "rtp/packet.h"

namespace lestapenna::mls {
struct KeyPair;
}

namespace lestapenna::discord {

/// Why a frame of an encrypted call stayed closed.
enum class Closed : std::uint8_t {
    no_user = 1,  ///< nobody has said whose SSRC it is, and no member's key opens it
    no_key,       ///< its sender was no member of the group while we were, or it was sent before we were
    forged,       ///< no key of its sender opens it: damaged, or somebody else's
    plain,        ///< not encrypted, in a call where it must be
    overflow,     ///< waited for its key together with too many others
};

/// One Opus packet as it came, decrypted; valid during the call. One that had to wait for its key or its user comes up
/// to 10 s after its arrival, and after packets that arrived later.
struct VoicePacket {
    rtp::Header header;
    BootTime arrival;  ///< when the kernel had it, or when it was read where the kernel's stamp can not be trusted
    std::span<const std::uint8_t> payload;  ///< empty when it stayed closed
    bool parked = false;                    ///< it had to wait
    std::optional<Closed> closed{};         ///< end-to-end encrypted, and could not be opened
    std::uint16_t sealed_bytes = 0;         ///< of a closed one: how long its frame is
};

// What happens besides packets. `generation` counts voice sessions from 1: a resume keeps it, a rejoin raises it.
struct Connected {
    int generation = 0;
    ChannelId channel;
    std::uint32_t own_ssrc = 0;
    TransportMode mode{};
    bool resumed = false;
};
struct Disconnected {
    int generation = 0;
    std::uint16_t code = 0;      ///< close code; 0: lost without one, or given up by us
    bool media_goes_on = false;  ///< a resume is tried; packets keep coming
    std::string reason;
};
struct SsrcBound {
    std::uint32_t ssrc = 0;
    UserId user;
};
struct UserConnected {
    UserId user;
};
struct UserDisconnected {
    UserId user;
};
/// The kernel threw datagrams away because we were too slow.
struct KernelDropped {
    std::uint32_t datagrams = 0;
    BootTime noticed;
};
/// We are in another channel now; a Connected follows.
struct Moved {
    ChannelId to;
};
/// What the call's end-to-end encryption is now, each time that has changed.
struct Encryption {
    bool encrypted = false;  ///< DAVE is on, and we are a member of its group
    std::uint64_t epoch = 0;
    std::string privacy_code;  ///< 30 digits, to be compared with what Discord shows; empty when not encrypted
};
/// Nothing of somebody has opened for 10 s, or frames do not open although nothing is under way and we ask to be let in
/// anew; after the third time within ten minutes we no longer do (gave_up), and wait for the next change of members.
/// Said of each at most once in kToldApart, and again only when it was heard in between.
struct CannotOpen {
    UserId user;
    bool gave_up = false;
};
inline constexpr nanoseconds kToldApart = std::chrono::minutes(10);
enum class EndReason : std::uint8_t { left, removed, refused };
/// It is over: leave(), removed from the channel (or the channel is gone), or a close code that forbids to go on. No
/// Disconnected comes before it, and nothing after it until the next join().
struct Ended {
    EndReason reason{};
    std::uint16_t code = 0;
    std::string message;
};
using VoiceEvent = std::variant<Connected, Disconnected, SsrcBound, UserConnected, UserDisconnected, KernelDropped,
                                Moved, Encryption, CannotOpen, Ended>;

class Listener {
  public:
    virtual ~Listener() = default;
    virtual void on_packet(const VoicePacket& packet) noexcept = 0;
    virtual void on_event(const VoiceEvent& event) noexcept = 0;
};

/// Waits; tests shorten them.
struct VoiceTiming {
    nanoseconds answer = seconds(3);     ///< of the main gateway to op 4, before it is asked again
    nanoseconds open = seconds(15);      ///< connect to op 2, and op 1 to op 4
    nanoseconds discovery = seconds(1);  ///< per try, 5 tries
    nanoseconds resume = seconds(10);
    nanoseconds moved = seconds(4);  ///< after 4014/4022: for what the main gateway says; then it rejoins
    nanoseconds backoff_first = seconds(1);
    nanoseconds backoff_most = seconds(16);
    nanoseconds rate_limited = seconds(60);  ///< after close 4021
    nanoseconds steady = seconds(30);        ///< connected that long: what failed before is forgotten
    nanoseconds keep_alive = seconds(5);
    nanoseconds deaf = seconds(3);  ///< somebody says it speaks (op 5), yet not a packet in that time: see VoiceCounts
};

struct VoiceOptions {
    net::Trust trust;
    std::vector<TransportMode> modes{TransportMode::aes256_gcm, TransportMode::xchacha20_poly1305};  ///< best first
    int receive_buffer_bytes = 4 << 20;  ///< the default of the kernel holds 0.7 s of five talkers
    bool self_mute = false;  ///< for whoever sends op 4; Voice itself only knows by self_deaf that nothing will come
    bool self_deaf = false;
    /// The newest version of DAVE that we say we speak: 0 is a client that knows nothing of it.
    int dave_version = dave::kProtocolVersion;
    /// Signs for us in the groups of encrypted calls. All connections of one bot share one, so that other people see
    /// the same key everywhere; each player of a process has its own. Null: the Voice makes one.
    std::shared_ptr<const mls::KeyPair> identity{};
    std::size_t most_parked = 8'192;  ///< frames of all users together that may wait; 10 s of 16 people talking
    bool greet = true;  ///< speaking, five silence frames, speaking off: without it some servers sent nothing
    VoiceTiming timing{};
};

struct VoiceCounts {
    DatagramCounts datagrams;
    std::uint64_t kernel_drops = 0;
    std::uint64_t untrusted_stamps = 0;  ///< arrivals that took the time of reading
    std::uint64_t malformed_messages = 0;
    std::uint64_t unknown_messages = 0;
    std::uint64_t sent = 0;         ///< packets
    std::uint64_t send_failed = 0;  ///< the kernel took them not
    std::uint64_t resumes = 0;
    std::uint64_t rejoins = 0;              ///< op 4 again
    std::uint64_t parked = 0;               ///< frames that had to wait for a key or a user
    std::array<std::uint64_t, 6> closed{};  ///< by Closed
    std::uint64_t replayed = 0;             ///< frames that had been opened already
    std::uint64_t epochs = 0;               ///< of the group that we followed
    std::uint64_t transitions = 0;          ///< executed
    std::uint64_t refused_messages = 0;     ///< of the group, that were not accepted
    std::uint64_t unnamed_members = 0;      ///< of groups that we were welcomed to, whom the server had not named
    std::uint64_t recoveries = 0;           ///< op 31
    /// "Connected but deaf": at most three steps until a packet comes, each at a fresh op 5: greet, resume, rejoin.
    std::uint64_t deaf_steps = 0;
};

class Voice {
  public:
    /// Op 4 of the main gateway for this guild: be in that channel, or in none.
    using AskGateway = std::function<void(std::optional<ChannelId>)>;

    Voice(net::Loop& loop, GuildId guild, UserId self, VoiceOptions options, Listener& listener, AskGateway ask);
    ~Voice();
    Voice(const Voice&) = delete;
    Voice& operator=(const Voice&) = delete;

    /// Joins, or moves to, `channel`. What comes of it are events.
    void join(ChannelId channel);
    /// Leaves; Ended{left} comes at once.
    void leave();

    /// The main gateway's events; those of other guilds and users are ignored.
    void on_voice_state(const VoiceState& state);
    void on_voice_server(const VoiceServer& server);

    /// Op 5. True before the first packet of a talk run, false after its silence frames.
    void set_speaking(bool speaking);
    /// Sends one Opus packet now, `timestamp` in RTP ticks of the caller's own clock; the sequence goes on by itself.
    /// False when not connected, or the kernel did not take it, or nobody could open it (may_speak()): but for the
    /// silence frame nothing goes plain into an encrypted call.
    bool send(std::uint32_t timestamp, std::span<const std::uint8_t> opus);
    /// RTP sequence of the packet that was sent last; for who keeps account of them.
    [[nodiscard]] std::uint16_t last_seq() const;

    [[nodiscard]] bool connected() const;
    /// Whether send() reaches the others: connected, and in an encrypted call a member of its group.
    [[nodiscard]] bool may_speak() const;
    [[nodiscard]] const VoiceCounts& counts() const;

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace lestapenna::discord
