// One bot of ours that listens in a channel of the Loopback, and one player that talks without a pause; everything on
// one loop. What the bot heard is compared with what the player's socket really took.
#pragma once

#include <cctype>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "discord/gateway.h"
#include "discord/guilds.h"
#include "discord/rest.h"
#include "discord/voice.h"
#include "net/loop.h"
#include "sandbox/live_player.h"
#include "sandbox/loopback.h"

namespace lestapenna::test {

struct TableOptions {
    std::uint64_t seed = 1;
    sandbox::LoopbackOptions loopback{};
    Samples length{seconds(30)};  ///< of the player's talk
};

/// A packet as the bot heard it.
struct Heard {
    std::uint32_t ssrc = 0;
    std::uint16_t seq = 0;
    BootTime arrival;
};

class VoiceTable : public discord::Listener {
  public:
    explicit VoiceTable(TableOptions options);
    ~VoiceTable() override;

    /// Runs `body` on the loop, once the bot hears the player, then ends everything. False when that never happened.
    bool run(std::function<net::Task<>(VoiceTable&)> body);

    /// Waits until `condition` holds, at most `time`; what it said last.
    net::Task<bool> until(std::function<bool()> condition, nanoseconds time);

    /// Calls `what` on the loop after `time`, while the table is there.
    void later(nanoseconds time, std::function<void()> what);
    /// Packets that the sandbox's line to the bot threw away.
    [[nodiscard]] std::size_t dropped_on_purpose();

    [[nodiscard]] sandbox::Loopback& discord() { return *discord_; }
    [[nodiscard]] sandbox::VoiceServer& voice_server() { return discord_->voice_server(channel); }
    [[nodiscard]] discord::Voice& voice() { return *voice_; }
    [[nodiscard]] discord::Gateway& gateway() { return *gateway_; }
    [[nodiscard]] discord::Rest& rest() { return *rest_; }

    GuildId guild;
    ChannelId channel;
    ChannelId other_channel;
    ChannelId text;
    UserId player;
    sandbox::Loopback::Bot bot;

    std::vector<Heard> heard;
    std::vector<discord::VoiceEvent> events;
    std::deque<sandbox::TrueFrame> sent;  ///< what the player's socket took; `opus` is void
    std::optional<Status> gateway_over;

  private:
    void on_packet(const discord::VoicePacket& packet) noexcept override;
    void on_event(const discord::VoiceEvent& event) noexcept override;
    net::Task<> log_in();
    net::Task<> play();
    net::Task<> drive(std::function<net::Task<>(VoiceTable&)> body);

    net::Loop loop_;
    TableOptions options_;
    std::unique_ptr<sandbox::Loopback> discord_;
    std::optional<discord::Rest> rest_;
    discord::Guilds guilds_;
    std::unique_ptr<discord::Gateway> gateway_;
    std::unique_ptr<discord::Voice> voice_;
    std::unique_ptr<sandbox::LivePlayer> talker_;
    bool ran_ = false;
};

/// A sentence for a table of what happened: "resumed", "rejoined (session 2)", "over: ...".
std::string describe(const std::vector<discord::VoiceEvent>& events, std::size_t from);

/// The name of a row with a `name` of its own, as GoogleTest wants it.
template <class Case>
std::string case_name(const ::testing::TestParamInfo<Case>& info) {
    std::string name;
    for (const char c : info.param.name) name += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
    return name;
}

}  // namespace lestapenna::test
