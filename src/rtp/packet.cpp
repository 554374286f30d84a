#include "rtp/packet.h"

#include <cstddef>

namespace lestapenna::rtp {
namespace {

constexpr std::size_t kFixedHeader = 12;
constexpr std::uint8_t kVersion = 2;

std::uint16_t read16(std::span<const std::uint8_t> bytes, std::size_t at) {
    return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}
std::uint32_t read32(std::span<const std::uint8_t> bytes, std::size_t at) {
    return static_cast<std::uint32_t>(read16(bytes, at)) << 16 | read16(bytes, at + 2);
}

void append16(std::uint16_t value, std::vector<std::uint8_t>& out) {
    out.push_back(static_cast<std::uint8_t>(value >> 8));
    out.push_back(static_cast<std::uint8_t>(value));
}
void append32(std::uint32_t value, std::vector<std::uint8_t>& out) {
    append16(static_cast<std::uint16_t>(value >> 16), out);
    append16(static_cast<std::uint16_t>(value), out);
}

/// RFC 5761 section 4: RTCP on the same port shows packet types 192 to 223 in the second byte. The shortest is 8 bytes.
bool is_rtcp(std::span<const std::uint8_t> datagram) {
    return datagram.size() >= 8 && datagram[0] >> 6 == kVersion && datagram[1] >= 192 && datagram[1] <= 223;
}

}  // namespace

const char* to_string(Reject reject) {
    switch (reject) {
        case Reject::none:
            return "none";
        case Reject::too_short:
            return "too_short";
        case Reject::wrong_version:
            return "wrong_version";
        case Reject::rtcp:
            return "rtcp";
        case Reject::other_payload_type:
            return "other_payload_type";
        case Reject::bad_extension:
            return "bad_extension";
        case Reject::bad_padding:
            return "bad_padding";
        case Reject::empty:
            return "empty";
    }
    return "unknown";
}

Front parse_front(std::span<const std::uint8_t> datagram) {
    Front front;
    const auto reject = [&](Reject why) {
        front.reject = why;
        return front;
    };
    if (is_rtcp(datagram)) return reject(Reject::rtcp);
    if (datagram.size() < kFixedHeader) return reject(Reject::too_short);
    const std::uint8_t flags = datagram[0];
    if (flags >> 6 != kVersion) return reject(Reject::wrong_version);

    front.header = {.marker = (datagram[1] & 0x80) != 0,
                    .payload_type = static_cast<std::uint8_t>(datagram[1] & 0x7F),
                    .seq = read16(datagram, 2),
                    .timestamp = read32(datagram, 4),
                    .ssrc = read32(datagram, 8)};
    if (front.header.payload_type != kOpusPayloadType) return reject(Reject::other_payload_type);

    front.bytes = kFixedHeader + std::size_t{4} * (flags & 0x0F);
    if (datagram.size() < front.bytes) return reject(Reject::too_short);
    if ((flags & 0x10) != 0) {
        if (datagram.size() < front.bytes + 4) return reject(Reject::bad_extension);
        front.extension_bytes = std::size_t{4} * read16(datagram, front.bytes + 2);
        front.bytes += 4;
    }
    front.padded = (flags & 0x20) != 0;
    return front;
}

Parsed strip(const Front& front, std::span<const std::uint8_t> rest) {
    Parsed parsed{.reject = front.reject, .header = front.header, .payload = {}};
    const auto reject = [&](Reject why) {
        parsed.reject = why;
        return parsed;
    };
    if (front.reject != Reject::none) return parsed;
    if (front.padded) {
        // The last byte counts the padding, itself included (RFC 3550 section 5.1).
        if (rest.empty() || rest.back() == 0 || rest.back() > rest.size()) return reject(Reject::bad_padding);
        rest = rest.first(rest.size() - rest.back());
    }
    if (rest.size() < front.extension_bytes) return reject(Reject::bad_extension);
    rest = rest.subspan(front.extension_bytes);
    if (rest.empty()) return reject(Reject::empty);
    parsed.payload = rest;
    return parsed;
}

Parsed parse(std::span<const std::uint8_t> datagram) {
    const Front front = parse_front(datagram);
    if (front.reject != Reject::none) return {.reject = front.reject, .header = front.header, .payload = {}};
    return strip(front, datagram.subspan(front.bytes));
}

void write(const Header& header, std::span<const std::uint8_t> payload, std::vector<std::uint8_t>& out) {
    out.push_back(kVersion << 6);
    out.push_back(static_cast<std::uint8_t>((header.marker ? 0x80 : 0) | (header.payload_type & 0x7F)));
    append16(header.seq, out);
    append32(header.timestamp, out);
    append32(header.ssrc, out);
    out.insert(out.end(), payload.begin(), payload.end());
}

}  // namespace lestapenna::rtp
