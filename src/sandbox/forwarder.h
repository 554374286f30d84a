// The UDP side of a voice server: one socket for all its members. Learns their addresses, opens what they send with
// their own key and seals it again for each other member of the room that can hear (discord-voice.md sections 5 and 6,
// standin.md section 5).
//
// Promises: header and payload bytes go on as they came (unless Forwarding::extras); a datagram that does not open with
// the key of the SSRC it claims changes nothing but a counter; a datagram that comes again is not forwarded again; a
// sender's first packets wait for its announcement (op 5), 16 packets and 500 ms at most. Counters are exact: `sent`
// counts what the kernel took. No allocation per packet on a line without trouble.
//
// Thread: the loop's. Ownership: destroying it closes the socket; what is still delayed is gone.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "discord/transport.h"
#include "discord/udp.h"
#include "net/loop.h"
#include "sandbox/forwarding.h"

namespace lestapenna::sandbox {

/// Who hears whom: the members of one voice channel.
struct Room {
    GuildId guild;
    ChannelId channel;
    auto operator<=>(const Room&) const = default;
};

/// What came from one user, all its sessions together.
struct Uplink {
    std::uint64_t datagrams = 0;  ///< packets that opened, first copies
    std::uint64_t forged = 0;     ///< did not open with the key of the SSRC they claim
    std::uint64_t replayed = 0;   ///< opened, but had come before
};

/// What the socket met, of whomever.
struct SocketCounts {
    std::uint64_t received = 0;
    std::uint64_t kernel_drops = 0;  ///< we were too slow: the only loss that is in no other account
    std::uint64_t discoveries = 0;
    std::uint64_t keep_alives = 0;
    std::uint64_t unknown_ssrc = 0;
    std::uint64_t not_voice = 0;  ///< RTCP, video, too short or no RTP at all
};

struct ForwarderOptions {
    std::uint64_t seed = 1;
    bool hold_until_announced = true;
};

class Forwarder {
  public:
    /// Errors: failed, no socket to be had.
    static Result<std::unique_ptr<Forwarder>> start(net::Loop& loop, const ForwarderOptions& options);
    ~Forwarder();
    Forwarder(const Forwarder&) = delete;
    Forwarder& operator=(const Forwarder&) = delete;

    [[nodiscard]] std::uint16_t port() const;

    // ---- members, by SSRC; an SSRC that is not there is ignored
    void add(std::uint32_t ssrc, const Room& room, UserId user, bool deaf);
    /// Its key: from now on it may speak. It hears as soon as its address is known and it has shown, by a packet that
    /// opens, that it has the key too; 250 ms later at the latest. (Op 4 goes by TCP: media sent right after it may be
    /// there first.)
    void describe(std::uint32_t ssrc, discord::TransportMode mode,
                  std::span<const std::uint8_t, discord::kTransportKeyBytes> key);
    /// The others were told whose SSRC this is.
    void announce(std::uint32_t ssrc);
    void remove(std::uint32_t ssrc);
    void set_deaf(std::uint32_t ssrc, bool deaf);
    /// Frames that look end-to-end encrypted (they end FA FA) are dropped for it: it could do nothing with them.
    void spare_encrypted(std::uint32_t ssrc, bool spare);
    /// What it sends is opened and counted (Uplink), and goes no further.
    void set_silent(std::uint32_t ssrc, bool silent);

    // ---- trouble
    /// For one receiver, or for all that have none of their own.
    void set_forwarding(std::optional<UserId> receiver, const Forwarding& forwarding);
    /// Everything for it is dropped.
    void mute(std::uint32_t ssrc, bool muted);
    void mute_discovery(bool muted);
    /// As it is. False: no address is known, or the kernel did not take it.
    bool send_datagram(std::uint32_t ssrc, std::span<const std::uint8_t> bytes);
    /// Sealed with the receiver's key.
    bool send_sealed(std::uint32_t ssrc, std::span<const std::uint8_t> clear, std::span<const std::uint8_t> plaintext);

    // ---- what happened
    [[nodiscard]] std::map<std::uint32_t, Forwarded> forwarded(UserId receiver) const;  ///< by the sender's SSRC
    [[nodiscard]] Uplink uplink(UserId user) const;
    [[nodiscard]] bool hears(std::uint32_t ssrc) const;
    [[nodiscard]] const SocketCounts& socket() const;

  private:
    struct Impl;
    explicit Forwarder(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace lestapenna::sandbox
