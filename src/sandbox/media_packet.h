// Datagrams as a voice server handles them: discovery and keep-alives (discord-voice.md section 5), packets in the
// clear between opening and sealing. Pure; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "discord/datagram.h"
#include "discord/udp.h"

namespace lestapenna::sandbox {

using Bytes = std::span<const std::uint8_t>;

/// 8 bytes, by which clients keep the NAT's mapping.
bool is_keep_alive(Bytes datagram);
/// Makes the answer of it where one is wanted (1337CAFE asks for 1337F00D). False: none is.
bool answer_keep_alive(std::span<std::uint8_t> datagram);

/// The SSRC that asks for its address; nothing when the datagram is no discovery request.
std::optional<std::uint32_t> discovery_request(Bytes datagram);
std::array<std::uint8_t, discord::kDiscoveryBytes> discovery_answer(std::uint32_t ssrc,
                                                                    const discord::UdpAddress& address);

/// A packet in the clear, where it lies.
struct Packet {
    Bytes clear;  ///< header, CSRCs, preamble of the extension
    Bytes plain;  ///< the rest
    std::int64_t seq = 0;
};

/// A packet that has to wait.
class KeptPacket {
  public:
    explicit KeptPacket(const Packet& packet);
    [[nodiscard]] Packet view() const;

  private:
    std::vector<std::uint8_t> bytes_;
    std::size_t clear_bytes_;
    std::int64_t seq_;
};
using Kept = std::shared_ptr<const KeptPacket>;

/// The packet again with a CSRC, an extension and padding around its payload, in `clear` and `plain`. False: its own
/// padding or extension are damaged.
bool dress(const Packet& packet, std::vector<std::uint8_t>& clear, std::vector<std::uint8_t>& plain);

}  // namespace lestapenna::sandbox
