// The main gateway (v10, JSON): one websocket that is kept alive, resumed and replaced until stop() or a close code
// that forbids to go on. What each close code means: docs/architecture.md and Discord's API docs "Gateway".
//
// Thread: the loop's. Ownership: outlives run(). Events come in order, on the loop, and the handler must not block.
// Errors: the connection's are handled inside and counted; run() ends only with stop() or with what a person must mend
// (a bad token). Malformed or unknown input is counted, never an end. The token and the tokens in events are in no log.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "discord/events.h"
#include "discord/rest.h"
#include "net/loop.h"
#include "net/tls.h"

namespace lestapenna::discord {

namespace intents {
inline constexpr std::uint32_t guilds = 1U << 0;
inline constexpr std::uint32_t guild_voice_states = 1U << 7;
inline constexpr std::uint32_t guild_messages = 1U << 9;
inline constexpr std::uint32_t direct_messages = 1U << 12;
inline constexpr std::uint32_t message_content = 1U << 15;  ///< privileged: the operator must switch it on
inline constexpr std::uint32_t privileged = (1U << 1) | (1U << 8) | message_content;
}  // namespace intents

/// Waits; tests shorten them.
struct GatewayTiming {
    nanoseconds hello = seconds(20);
    nanoseconds ready = seconds(30);
    nanoseconds invalid_session_least = seconds(1);  ///< after op 9: a random wait between these two
    /// Discord advises 1 to 5 s; with 3 a session that is gone for good costs a table less than 5 s of audio.
    nanoseconds invalid_session_most = seconds(3);
    nanoseconds backoff_first = seconds(1);  ///< doubled at each failure in a row, with jitter
    nanoseconds backoff_most = seconds(60);
    nanoseconds rate_limited = seconds(60);  ///< after close 4008
    nanoseconds identify_gap = seconds(5);   ///< Discord takes one identify in it
    nanoseconds send_window = seconds(60);   ///< Discord takes 120 frames in it
};

struct GatewayOptions {
    std::string token;
    std::uint32_t intents =
        intents::guilds | intents::guild_voice_states | intents::guild_messages | intents::message_content;
    net::Trust trust;
    GatewayTiming timing{};
};

struct GatewayCounts {
    std::uint64_t events = 0;
    std::uint64_t unknown_events = 0;
    std::uint64_t malformed = 0;  ///< frames or events that are not what they should be
    std::uint64_t identifies = 0;
    std::uint64_t resumes = 0;
    std::uint64_t zombies = 0;                      ///< no heartbeat ack: dropped by us
    std::map<std::uint16_t, std::uint64_t> closes;  ///< by close code; 0: lost without one
};

class Gateway {
  public:
    using Handler = std::function<void(const Event&)>;

    /// `rest` tells where the gateway is; it outlives this.
    Gateway(net::Loop& loop, Rest& rest, GatewayOptions options, Handler handler);
    ~Gateway();
    Gateway(const Gateway&) = delete;
    Gateway& operator=(const Gateway&) = delete;

    /// Connects and stays connected. Ok after stop(); an error when going on is pointless, saying what to do. A refused
    /// privileged intent is not: it identifies again without the privileged ones (lost_message_content() then).
    net::Task<Status> run();
    /// Closes with 1000: Discord ends the session and our voice states. From the loop.
    void stop();

    /// Op 4: be in `channel`, or in none. Sent now, or as soon as the session stands again (the last one per guild). A
    /// new session (Ready, not Resumed) knows nothing of it: it is then sent again, unless we were moved or thrown out.
    void update_voice_state(GuildId guild, std::optional<ChannelId> channel, bool self_mute, bool self_deaf);

    [[nodiscard]] bool ready() const;
    [[nodiscard]] bool lost_message_content() const;
    [[nodiscard]] const GatewayCounts& counts() const;

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace lestapenna::discord
