// The voice gateway's messages as a server reads and numbers them (discord-voice.md sections 2, 3 and 12). Total: what
// a client sends is a message or says which close code it earns. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "discord/transport.h"

namespace lestapenna::sandbox {

namespace voice {

// ---- from clients
struct Identify {
    GuildId guild;
    UserId user;
    std::string session_id;
    std::string token;
    int dave_version = 0;  ///< the newest it speaks; 0: none
};
struct SelectProtocol {
    std::string protocol;
    std::string mode;
};
struct Heartbeat {
    std::string nonce;  ///< JSON, to be sent back
};
struct Speaking {
    std::int64_t flags = 0;
};
struct Resume {
    GuildId guild;
    std::string session_id;
    std::string token;
    std::int64_t seq_ack = -1;  ///< nothing was numbered yet
};
/// Op 23.
struct ReadyForTransition {
    std::uint16_t transition = 0;
};
/// Op 31.
struct InvalidCommit {
    std::uint16_t transition = 0;
};
struct DaveKeyPackage {
    std::string_view bytes;  ///< of the message
};
struct DaveCommit {
    std::string_view bytes;  ///< and welcome, if any
};
/// What we know of and do nothing about: video, statistics.
struct Ignored {};
/// 4001 unknown opcode, 4002 not to be decoded.
struct Refused {
    std::uint16_t code = 0;
};
using ClientMessage = std::variant<Identify, SelectProtocol, Heartbeat, Speaking, Resume, ReadyForTransition,
                                   InvalidCommit, DaveKeyPackage, DaveCommit, Ignored, Refused>;
ClientMessage parse_client_message(std::string_view text);
/// Op 26 and 28.
ClientMessage parse_client_binary(std::string_view bytes);

// ---- to clients: the `d` of a message, as JSON
struct Ready {
    std::uint32_t ssrc = 0;
    std::uint16_t port = 0;
    std::span<const discord::TransportMode> modes;
};
std::string data_of(const Ready& ready);
struct SessionDescription {
    discord::TransportMode mode{};
    std::span<const std::uint8_t, discord::kTransportKeyBytes> key;
    std::uint64_t media_session = 0;
    int dave_version = 0;
};
std::string data_of(const SessionDescription& description);
std::string clients_connect(std::span<const UserId> users);
std::string client_disconnect(UserId user);
std::string speaking(UserId user, std::uint32_t ssrc, std::int64_t flags);
/// {"op":...,"d":...}, without a number.
std::string plain_message(int op, std::string_view data);

}  // namespace voice

/// Numbers one session's messages, 1 to 65535 and on from 0, and keeps the last 256 for a resume.
class Outbox {
  public:
    static constexpr std::size_t kKept = 256;

    struct Numbered {
        bool binary = false;
        std::string bytes;
    };
    /// {"op":...,"d":...,"seq":...}
    const Numbered& number(int op, std::string_view data);
    /// Two bytes of number, one of opcode, and the body.
    const Numbered& number_binary(std::uint8_t op, std::string_view body);
    /// All after the one that was acknowledged, in order. Nothing: that one is not known (any more).
    [[nodiscard]] std::optional<std::vector<const Numbered*>> after(std::int64_t seq_ack) const;

  private:
    const Numbered& keep(bool binary, std::string bytes);

    std::deque<Numbered> kept_;
    std::uint64_t numbered_ = 0;
};

}  // namespace lestapenna::sandbox
