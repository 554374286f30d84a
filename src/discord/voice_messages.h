// The messages of the voice gateway, version 8 (discord-voice.md sections 2, 3 and 12; dave.md section 3), total: each
// is one of those we use, or it is named as ignored, unknown or malformed. JSON, and binary for what MLS made. Pure;
// any thread. What identify() and resume() return holds the token: it goes to the socket and nowhere else.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
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
    int dave_version = 0;  ///< 0, also where nothing is said of it: a call without end-to-end encryption
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

// ---- end-to-end encryption. Spans point into the message.
struct PrepareTransition {  ///< op 21
    int version = 0;
    std::uint16_t transition = 0;
};
struct ExecuteTransition {  ///< op 22
    std::uint16_t transition = 0;
};
struct PrepareEpoch {  ///< op 24
    int version = 0;
    std::uint64_t epoch = 0;
};
struct ExternalSender {  ///< op 25
    std::span<const std::uint8_t> bytes;
};
struct Proposals {  ///< op 27
    std::span<const std::uint8_t> bytes;
};
struct Commit {  ///< op 29
    std::uint16_t transition = 0;
    std::span<const std::uint8_t> message;
};
struct Welcome {  ///< op 30
    std::uint16_t transition = 0;
    std::span<const std::uint8_t> message;
};
using Dave =
    std::variant<PrepareTransition, ExecuteTransition, PrepareEpoch, ExternalSender, Proposals, Commit, Welcome>;

enum class Other : std::uint8_t { ignored, unknown, malformed };

using Body = std::variant<Other, Hello, Ready, SessionDescription, Speaking, HeartbeatRequest, HeartbeatAck, Resumed,
                          ClientsConnect, ClientDisconnect, Dave>;
struct Message {
    std::optional<std::uint16_t> seq;  ///< taken from malformed messages too: the server counts them
    Body body = Other::malformed;
};
Message parse_text(std::string_view text);
/// Binary messages begin with their sequence number. What MLS made of the rest is for dave::Session to judge; here it
/// only must not be empty.
Message parse_binary(std::string_view bytes);

struct Credentials {
    GuildId guild;
    UserId user;
    std::string session_id;
    std::string token;
};
/// `dave_version`: the newest we speak, 0 for none.
std::string identify(const Credentials& who, int dave_version);
/// `seq_ack`: the last sequence number, -1 before any.
std::string resume(const Credentials& who, std::int32_t seq_ack);
std::string select_protocol(const UdpAddress& ours, TransportMode mode);
std::string heartbeat(std::int64_t nonce, std::int32_t seq_ack);
std::string speaking(bool on, std::uint32_t ssrc);

std::string ready_for_transition(std::uint16_t transition);    ///< op 23
std::string invalid_commit_welcome(std::uint16_t transition);  ///< op 31
/// Binary, op 26: a bare key package (dave.md section 3).
std::string key_package(std::span<const std::uint8_t> package);
/// Binary, op 28: the commit and, where it adds somebody, the welcome.
std::string commit_welcome(std::span<const std::uint8_t> commit_welcome);

/// What asks a voice server for our address (section 5).
std::array<std::uint8_t, kDiscoveryBytes> discovery_request(std::uint32_t ssrc);
/// Nothing when the datagram is no answer, or the address in it is none.
std::optional<UdpAddress> parse_discovery(std::span<const std::uint8_t> datagram);

}  // namespace lestapenna::discord::voice
