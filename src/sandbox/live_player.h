// A simulated player: a real voice connection (discord::Voice) that joins a channel of the Loopback, says what its
// script says in real Opus at the right moments, and keeps the truth of it.
//
// Frames are encoded before it begins, so that speaking costs the loop a send per packet. Each frame is due when its
// first sample is spoken (grid of its own, from the moment it joins); a loop that is late sends it late, as a network
// would deliver it late, and never moves the grid. Thread: the loop's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "discord/voice.h"
#include "sandbox/line.h"
#include "sandbox/loopback.h"
#include "sandbox/script.h"

namespace lestapenna::sandbox {

/// A frame of the truth. `due_us` is the player's clock, Unix microseconds, when its first sample was spoken; `sent_us`
/// when the kernel took it (0: it was not sent, for want of a connection).
struct TrueFrame {
    std::uint32_t ssrc = 0;
    std::uint16_t seq = 0;
    std::uint32_t timestamp = 0;
    std::int64_t due_us = 0;
    std::int64_t sent_us = 0;
    bool silence = false;
    std::span<const std::uint8_t> opus;  ///< valid during the call
};

struct LivePlayerOptions {
    Sender sender{};  ///< encoder, frame length, skew, frozen RTP clock (line.h)
    discord::VoiceOptions voice{};
    bool hears = false;  ///< false: joins deaf, so that nothing is forwarded to it
    std::function<void(const TrueFrame&)> on_frame;
    discord::Listener* listener = nullptr;  ///< what it hears
};

class LivePlayer {
  public:
    /// Encodes `script` (talks and times as in script.h; join and leave included): takes CPU, call it before the show.
    LivePlayer(net::Loop& loop, Loopback& discord, GuildId guild, ChannelId channel, Player script,
               LivePlayerOptions options);
    ~LivePlayer();
    LivePlayer(const LivePlayer&) = delete;
    LivePlayer& operator=(const LivePlayer&) = delete;

    /// Session time zero of the script is `zero`: joins, speaks and leaves at its times. Returns when it has left.
    net::Task<> play(BootTime zero);
    /// Leaves now.
    void stop();
    [[nodiscard]] discord::Voice& voice();

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace lestapenna::sandbox
