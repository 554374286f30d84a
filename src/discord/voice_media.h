// The UDP side of one voice session: finds our address as the server sees it, keeps the way open, opens what comes and
// seals what goes. It stays through resumes of the websocket and dies with its session.
//
// Thread: the loop's. Ownership: `listener` and `counts` outlive it or it is close()d before; after close() nobody is
// called any more. No allocation per packet, but for buffers that grow once.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "discord/udp.h"
#include "discord/voice.h"

namespace lestapenna::discord {

class VoiceMedia : public std::enable_shared_from_this<VoiceMedia> {
  public:
    /// Errors: no socket, or no way to the server.
    static Result<std::shared_ptr<VoiceMedia>> open(net::Loop& loop, const UdpAddress& server, std::uint32_t ssrc,
                                                    const VoiceOptions& options, Listener& listener,
                                                    VoiceCounts& counts);

    /// Asks the server for our address, at most five times; then the socket's own must do, because the server sees
    /// where our packets come from. From then on the way is kept open.
    static net::Task<UdpAddress> discover(std::shared_ptr<VoiceMedia> self);

    /// From now on packets are opened and sealed. The same key again changes nothing: its counter must go on.
    void use_key(TransportMode mode, std::span<const std::uint8_t, kTransportKeyBytes> key);
    /// Hears what came before the key. After Connected has been said: to a listener nothing came before it.
    void take_early();

    bool send(std::uint32_t timestamp, std::span<const std::uint8_t> opus);
    [[nodiscard]] std::uint16_t last_seq() const { return static_cast<std::uint16_t>(next_seq_ - 1); }

    /// Hears what has come already (UdpSocket::drain).
    void drain();
    void close();

    [[nodiscard]] std::uint32_t ssrc() const { return ssrc_; }
    /// When the last voice packet came; the clock's zero before any.
    [[nodiscard]] BootTime last_voice() const { return last_voice_; }

    VoiceMedia(const VoiceMedia&) = delete;
    VoiceMedia& operator=(const VoiceMedia&) = delete;
    ~VoiceMedia();

  private:
    VoiceMedia(net::Loop& loop, UdpSocket socket, std::uint32_t ssrc, const VoiceTiming& timing, Listener& listener,
               VoiceCounts& counts);
    /// A datagram that came before op 4 had brought its key: UDP may be faster than the websocket.
    struct Early {
        std::vector<std::uint8_t> bytes;
        BootTime arrival;
    };

    void take(const Received& received);
    void hear(const OpenedDatagram& opened, BootTime arrival);
    static net::Task<> keep_open(std::shared_ptr<VoiceMedia> self);

    net::Loop& loop_;
    std::optional<UdpSocket> socket_;
    std::uint32_t ssrc_;
    nanoseconds discovery_;
    nanoseconds keep_alive_;
    Listener* listener_;
    VoiceCounts* counts_;
    net::Signal discovered_;  // or closed
    net::Signal closed_;
    std::optional<UdpAddress> ours_;
    std::optional<Transport> transport_;
    std::array<std::uint8_t, kTransportKeyBytes> key_{};
    std::vector<Early> early_;
    BootTime last_voice_{};
    std::uint16_t next_seq_;
    std::vector<std::uint8_t> outgoing_;
};

}  // namespace lestapenna::discord
