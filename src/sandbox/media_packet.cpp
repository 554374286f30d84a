#include "sandbox/media_packet.h"

#include <algorithm>
#include <string>

#include "rtp/packet.h"

namespace lestapenna::sandbox {
namespace {

std::uint32_t read32(Bytes bytes, std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value << 8 | bytes[at + i];
    return value;
}
void write32(std::span<std::uint8_t> bytes, std::size_t at, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<std::uint8_t>(value >> (24 - 8 * i));
}
void append(std::vector<std::uint8_t>& to, Bytes what) {
    to.insert(to.end(), what.begin(), what.end());
}

}  // namespace

bool is_keep_alive(Bytes datagram) {
    return datagram.size() == discord::kKeepAliveBytes;
}

bool answer_keep_alive(std::span<std::uint8_t> datagram) {
    if (read32(datagram, 0) != 0x1337'CAFE) return false;
    write32(datagram, 0, 0x1337'F00D);
    return true;
}

std::optional<std::uint32_t> discovery_request(Bytes datagram) {
    if (datagram.size() != discord::kDiscoveryBytes || read32(datagram, 0) != 0x0001'0046) return std::nullopt;
    return read32(datagram, 4);
}

std::array<std::uint8_t, discord::kDiscoveryBytes> discovery_answer(std::uint32_t ssrc,
                                                                    const discord::UdpAddress& address) {
    std::array<std::uint8_t, discord::kDiscoveryBytes> answer{};
    write32(answer, 0, 0x0002'0046);
    write32(answer, 4, ssrc);
    const std::string text = address.ip_text();
    std::copy(text.begin(), text.end(), answer.begin() + 8);
    answer[72] = static_cast<std::uint8_t>(address.port >> 8);
    answer[73] = static_cast<std::uint8_t>(address.port);
    return answer;
}

KeptPacket::KeptPacket(const Packet& packet) : clear_bytes_(packet.clear.size()), seq_(packet.seq) {
    bytes_.reserve(packet.clear.size() + packet.plain.size());
    append(bytes_, packet.clear);
    append(bytes_, packet.plain);
}

Packet KeptPacket::view() const {
    return {Bytes(bytes_).first(clear_bytes_), Bytes(bytes_).subspan(clear_bytes_), seq_};
}

bool dress(const Packet& packet, std::vector<std::uint8_t>& clear, std::vector<std::uint8_t>& plain) {
    static constexpr std::array<std::uint8_t, 4> kPreamble = {0xBE, 0xDE, 0, 2};
    static constexpr std::array<std::uint8_t, 8> kExtension = {0x10, 0xFF, 0x90, 0x02, 0x32, 0xAA, 0xBB, 0xCC};
    static constexpr std::array<std::uint8_t, 4> kPadding = {0, 0, 0, 4};
    const rtp::Front front = rtp::parse_front(packet.clear);
    const rtp::Parsed parsed = rtp::strip(front, packet.plain);
    if (parsed.reject != rtp::Reject::none) return false;
    clear.clear();
    rtp::write(front.header, {}, clear);
    clear[0] |= 0x31;                           // P, X, one CSRC
    append(clear, packet.clear.subspan(8, 4));  // the SSRC itself, as a mixer of one source would say
    append(clear, kPreamble);
    plain.clear();
    append(plain, kExtension);
    append(plain, parsed.payload);
    append(plain, kPadding);
    return true;
}

}  // namespace lestapenna::sandbox
