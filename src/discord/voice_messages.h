// The JSON of the voice gateway, version 8 (discord-voice.md sections 2, 3 and 12), total: each message is one of those
// we use, or it is named as ignored, unknown or malformed. Pure; any thread. What identify() and resume() return holds
// the token: it goes to the socket and nowhere else.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "discord/datagram.h"
#include "discord/transport.h"
#include "discord/udp.h"

namespace lestapenna::discord::voice {

struct Hello {
    nanoseconds heartbeat_interval{0};
};
struct Ready {
    std::uint32_t ssrc = 0;
    UdpAddress server;
    std::vector<TransportMode> modes;  ///< those we know
};
struct SessionDescription {
    TransportMode mode{};
    std::array<std::uint8_t, kTransportKeyBytes> key{};
};
/// Op 5, and op 12 where it names an audio SSRC.
struct Speaking {
    std::uint32_t ssrc = 0;
    UserId user;
    bool speaking = false;
};
struct HeartbeatRequest {};
struct HeartbeatAck {};
struct Resumed {};
struct ClientsConnect {
    std::vector<UserId> users;
};
struct ClientDisconnect {
    UserId user;
};
enum class Other : std::uint8_t { ignored, unknown, malformed };

using Body = std::variant<Other, Hello, Ready, SessionDescription, Speaking, HeartbeatRequest, HeartbeatAck, Resumed,
                          ClientsConnect, ClientDisconnect>;
struct Message {
    std::optional<std::uint16_t> seq;  ///< taken from malformed messages too: the server counts them
    Body body = Other::malformed;
};
Message parse_text(std::string_view text);
/// Binary messages (DAVE, not spoken yet) begin with their sequence number.
Message parse_binary(std::string_view bytes);

struct Credentials {
    GuildId guild;
    UserId user;
    std::string session_id;
    std::string token;
};
std::string identify(const Credentials& who);
/// `seq_ack`: the last sequence number, -1 before any.
std::string resume(const Credentials& who, std::int32_t seq_ack);
std::string select_protocol(const UdpAddress& ours, TransportMode mode);
std::string heartbeat(std::int64_t nonce, std::int32_t seq_ack);
std::string speaking(bool on, std::uint32_t ssrc);

/// What asks a voice server for our address (section 5).
std::array<std::uint8_t, kDiscoveryBytes> discovery_request(std::uint32_t ssrc);
/// Nothing when the datagram is no answer, or the address in it is none.
std::optional<UdpAddress> parse_discovery(std::span<const std::uint8_t> datagram);

}  // namespace lestapenna::discord::voice
