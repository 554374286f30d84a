// A simulated player: a real voice connection (discord::Voice) that joins a channel of the Loopback, says what its
// script says in real Opus at the right moments, and keeps the truth of it.
//
// Frames are encoded before it begins, so that speaking costs the loop a send per packet. Each frame is due when its
// first sample is spoken (packer.h: a grid of its own, from the moment it joins); a loop that is late sends it late, as
// a network would deliver it late, and never moves the grid. Frames that are due without a connection, or
// in an encrypted call before it is in the group, are not sent. It
// does not greet (VoiceOptions::greet), so that what it sends is its script and nothing else. Thread: the loop's.
// Ownership: loop and Loopback outlive it; destroying it leaves, and ends a play() under way.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/ids.h"
#include "base/time.h"
#include "discord/voice.h"
#include "sandbox/loopback.h"
#include "sandbox/packer.h"
#include "sandbox/script.h"
#include "sandbox/truth.h"

namespace lestapenna::sandbox {

struct LivePlayerOptions {
    Sender sender{};                ///< encoder, frame length, skew, frozen RTP clock (packer.h)
    discord::VoiceOptions voice{};  ///< an empty trust: the Loopback's own certificate
    bool hears = false;             ///< false: joins deaf, so that nothing is forwarded to it
    nanoseconds early{0};  ///< joins this much before its script does, so that its first word finds a connection
    std::function<void(const TrueFrame&)> on_frame;
    discord::Listener* listener = nullptr;  ///< what it hears
};

class LivePlayer {
  public:
    /// Encodes `script` (talks and times as in script.h; join and leave included; its user is a person of the
    /// Loopback): takes CPU, call it before the show.
    LivePlayer(net::Loop& loop, Loopback& discord, GuildId guild, ChannelId channel, const Player& script,
               const LivePlayerOptions& options);
    /// With what is encoded already (pack_all), by several players too; of `script` only who, join and leave count.
    LivePlayer(net::Loop& loop, Loopback& discord, GuildId guild, ChannelId channel, const Player& script,
               std::shared_ptr<const Packed> packed, LivePlayerOptions options);
    ~LivePlayer();
    LivePlayer(const LivePlayer&) = delete;
    LivePlayer& operator=(const LivePlayer&) = delete;

    /// Session time zero of the script is `zero`: joins, speaks and leaves at its times. Returns when it has left, was
    /// put out, or stop() was called. Once.
    net::Task<> play(BootTime zero);
    /// Leaves now.
    void stop();
    [[nodiscard]] discord::Voice& voice();

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace lestapenna::sandbox
