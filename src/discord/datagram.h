// From a datagram of a voice socket to an Opus packet, total: each datagram is a packet or a named, counted reject
// (discord-voice.md section 13). Forged packets fail to open before anything else is decided by what they say.
// Pure but for the cipher; no allocation.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "discord/transport.h"
#include "rtp/packet.h"

namespace lestapenna::discord {

/// Longest datagram taken whole; Ethernet's 1500 and some.
inline constexpr std::size_t kMaxDatagramBytes = 2'048;

inline constexpr std::size_t kKeepAliveBytes = 8;
/// Of IP discovery, request and answer (discord-voice.md section 5).
inline constexpr std::size_t kDiscoveryBytes = 74;
bool is_discovery_answer(std::span<const std::uint8_t> datagram);

enum class Datagram : std::uint8_t {
    voice,
    keep_alive,  ///< 8 bytes
    discovery,   ///< an answer of IP discovery
    too_short,
    too_long,  ///< above kMaxDatagramBytes: no voice packet is that long
    not_rtp,   ///< version other than 2
    rtcp,
    other_payload_type,  ///< video, RTX, probes
    forged,              ///< did not open with the session's key
    bad_padding,
    bad_extension,
    empty,
    blank,  ///< "mostly zero" packets of some voice servers
};
inline constexpr std::size_t kDatagramKinds = 13;
const char* to_string(Datagram kind);

struct DatagramCounts {
    std::array<std::uint64_t, kDatagramKinds> by_kind{};
    [[nodiscard]] std::uint64_t of(Datagram kind) const { return by_kind[static_cast<std::size_t>(kind)]; }
    [[nodiscard]] std::uint64_t total() const;
};

struct OpenedDatagram {
    Datagram kind = Datagram::not_rtp;
    rtp::Header header{};                     ///< for voice; as read for `forged` and what comes after it
    std::span<const std::uint8_t> payload{};  ///< points into the datagram
};
/// Opens in place, so that only one try is possible. `transport` null (no key yet): what looks like voice is `forged`.
OpenedDatagram open_datagram(std::span<std::uint8_t> datagram, Transport* transport);

}  // namespace lestapenna::discord
