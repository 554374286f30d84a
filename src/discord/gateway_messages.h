// The main gateway's frames as values, and what a close code asks for. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/time.h"
#include "discord/json.h"

namespace lestapenna::discord {

namespace opcode {
inline constexpr int dispatch = 0;
inline constexpr int heartbeat = 1;
inline constexpr int identify = 2;
inline constexpr int voice_state = 4;
inline constexpr int resume = 6;
inline constexpr int reconnect = 7;
inline constexpr int invalid_session = 9;
inline constexpr int hello = 10;
inline constexpr int heartbeat_ack = 11;
}  // namespace opcode

struct GatewayFrame {
    int op = 0;
    std::optional<std::int64_t> sequence;  ///< of a dispatch
    std::string name;                      ///< of a dispatch
    Json data;
};
/// Nothing when it is no JSON object with an op.
std::optional<GatewayFrame> parse_gateway_frame(std::string_view text);

/// Op 10's heartbeat interval; nothing unless it is between 1 ms and an hour.
std::optional<nanoseconds> heartbeat_interval(const Json& hello);

// What we send. At most 4,096 bytes each, as Discord asks, while tokens and session ids have a usual length.
std::string heartbeat_frame(std::optional<std::int64_t> last_sequence);
std::string identify_frame(const std::string& token, std::uint32_t intents);
std::string resume_frame(const std::string& token, const std::string& session_id, std::int64_t last_sequence);
std::string voice_state_frame(GuildId guild, std::optional<ChannelId> channel, bool self_mute, bool self_deaf);

/// `url` with Discord's version and encoding as its only query: "wss://h" -> "wss://h/?v=10&encoding=json".
std::string gateway_address(std::string_view url);

/// What to do after the other end closed.
enum class AfterClose : std::uint8_t {
    resume,          ///< the session may still stand
    identify,        ///< it does not
    identify_later,  ///< we sent too much: the same after a pause
    drop_intents,    ///< a privileged intent is refused
    stop,            ///< a person must mend something
};
/// `code` 0: lost without one. What the documentation does not list is resumed.
AfterClose after_close(std::uint16_t code);

/// For a code that means stop or drop_intents: what happened and what to do, one sentence.
std::string advice_on_close(std::uint16_t code);

}  // namespace lestapenna::discord
