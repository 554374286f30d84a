// parse_frame: what stands before the payload of a UDP datagram in a capture.
#include <optional>

#include "sandbox/capture.h"

namespace lestapenna::sandbox {
namespace {

using Bytes = std::span<const std::uint8_t>;

std::uint16_t read16(Bytes bytes, std::size_t at) {
    return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

Frame reject(FrameReject why) {
    return {why, {}};
}

constexpr std::uint8_t kUdp = 17;

Frame parse_udp(Bytes bytes) {
    if (bytes.size() < 8) return reject(FrameReject::bad_header);
    const std::size_t length = read16(bytes, 4);
    if (length < 8 || length > bytes.size()) return reject(FrameReject::bad_header);
    return {FrameReject::none, bytes.subspan(8, length - 8)};
}

Frame parse_ipv4(Bytes bytes) {
    if (bytes.size() < 20) return reject(FrameReject::cut);
    const std::size_t header = std::size_t{4} * (bytes[0] & 0x0F);
    const std::size_t length = read16(bytes, 2);
    if (header < 20 || length < header) return reject(FrameReject::bad_header);
    if ((read16(bytes, 6) & 0x3FFF) != 0) return reject(FrameReject::fragment);  // more to come, or an offset
    if (bytes[9] != kUdp) return reject(FrameReject::not_udp);
    if (length > bytes.size()) return reject(FrameReject::cut);
    return parse_udp(bytes.subspan(header, length - header));  // what is beyond `length` is the link's padding
}

/// Length of an IPv6 extension header that begins `bytes`, by its type; nothing for what is no extension header.
std::optional<std::size_t> extension_length(std::uint8_t type, Bytes bytes) {
    switch (type) {
        case 0:    // hop by hop
        case 43:   // routing
        case 60:   // destination options
        case 135:  // mobility
        case 139:  // host identity
        case 140:  // shim6
            return (std::size_t{bytes[1]} + 1) * 8;
        case 44:  // fragment; whole datagrams may carry one, too (RFC 6946)
            return 8;
        case 51:  // authentication
            return (std::size_t{bytes[1]} + 2) * 4;
        default:
            return std::nullopt;
    }
}

Frame parse_ipv6(Bytes bytes) {
    if (bytes.size() < 40) return reject(FrameReject::cut);
    const std::size_t length = read16(bytes, 4);
    if (length > bytes.size() - 40) return reject(FrameReject::cut);
    std::uint8_t type = bytes[6];
    Bytes rest = bytes.subspan(40, length);
    while (type != kUdp) {
        if (rest.size() < 8)
            return reject(extension_length(type, bytes) ? FrameReject::bad_header : FrameReject::not_udp);
        const auto skip = extension_length(type, rest);
        if (!skip) return reject(FrameReject::not_udp);
        if (*skip > rest.size()) return reject(FrameReject::bad_header);
        if (type == 44 && (read16(rest, 2) & 0xFFF9) != 0) return reject(FrameReject::fragment);
        type = rest[0];
        rest = rest.subspan(*skip);
    }
    return parse_udp(rest);
}

Frame parse_ip(Bytes bytes) {
    if (bytes.empty()) return reject(FrameReject::cut);
    switch (bytes[0] >> 4) {
        case 4:
            return parse_ipv4(bytes);
        case 6:
            return parse_ipv6(bytes);
        default:
            return reject(FrameReject::not_ip);
    }
}

/// What follows an EtherType, VLAN tags taken off.
Frame parse_ethertype(std::uint16_t type, Bytes bytes) {
    while (type == 0x8100 || type == 0x88A8 || type == 0x9100) {
        if (bytes.size() < 4) return reject(FrameReject::cut);
        type = read16(bytes, 2);
        bytes = bytes.subspan(4);
    }
    return type == 0x0800 || type == 0x86DD ? parse_ip(bytes) : reject(FrameReject::not_ip);
}

/// Where a link's header has its EtherType, and how long it is.
Frame parse_link(Bytes bytes, std::size_t type_at, std::size_t header) {
    if (bytes.size() < header) return reject(FrameReject::cut);
    return parse_ethertype(read16(bytes, type_at), bytes.subspan(header));
}

}  // namespace

const char* to_string(FrameReject reject) {
    switch (reject) {
        case FrameReject::none:
            return "none";
        case FrameReject::cut:
            return "cut";
        case FrameReject::not_ip:
            return "not_ip";
        case FrameReject::not_udp:
            return "not_udp";
        case FrameReject::fragment:
            return "fragment";
        case FrameReject::bad_header:
            return "bad_header";
        case FrameReject::bad_time:
            return "bad_time";
    }
    return "unknown";
}

Frame parse_frame(LinkType link, Bytes bytes) {
    switch (link) {
        case LinkType::ethernet:
            return parse_link(bytes, 12, 14);
        case LinkType::raw_ip:
            return parse_ip(bytes);
        case LinkType::linux_cooked:
            return parse_link(bytes, 14, 16);
        case LinkType::linux_cooked_v2:
            return parse_link(bytes, 0, 20);
        case LinkType::null_loopback:
            // The address family's number and byte order differ by system; the version in the IP header does not.
            return bytes.size() < 4 ? reject(FrameReject::cut) : parse_ip(bytes.subspan(4));
    }
    return reject(FrameReject::not_ip);
}

}  // namespace lestapenna::sandbox
