// RTP packets in the clear (RFC 3550 section 5.1, extensions section 5.3.1), total: each datagram is a packet or a
// named reject. Discord's voice payload type is 120. Pure functions; any thread; no allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace lestapenna::rtp {

inline constexpr std::uint8_t kOpusPayloadType = 120;

struct Header {
    bool marker = false;
    std::uint8_t payload_type = 0;
    std::uint16_t seq = 0;
    std::uint32_t timestamp = 0;
    std::uint32_t ssrc = 0;
};

enum class Reject : std::uint8_t {
    none,
    too_short,
    wrong_version,
    rtcp,
    other_payload_type,
    bad_extension,
    bad_padding,
    empty
};
const char* to_string(Reject reject);

struct Parsed {
    Reject reject = Reject::none;
    Header header;                          ///< as read, for every reject but too_short, wrong_version and rtcp
    std::span<const std::uint8_t> payload;  ///< points into the datagram; empty after a reject
};

/// The front of a packet: header, CSRCs and the extension's first four bytes. It is what Discord's "rtpsize" encryption
/// leaves in the clear (discord-voice.md section 6).
struct Front {
    Reject reject = Reject::none;     ///< bad_padding and empty come from strip()
    Header header{};                  ///< as in Parsed
    std::size_t bytes = 0;            ///< how long the front is; the datagram is at least that long
    bool padded = false;              ///< P
    std::size_t extension_bytes = 0;  ///< of the extension's body, which follows the front
};
Front parse_front(std::span<const std::uint8_t> datagram);

/// `rest` is all that follows the front, in the clear: takes padding, then the extension's body off.
Parsed strip(const Front& front, std::span<const std::uint8_t> rest);

/// Takes a whole datagram in the clear: header, CSRCs, extension and padding are taken off. RTCP is told by its packet
/// type, 192 to 223 (RFC 5761 section 4).
Parsed parse(std::span<const std::uint8_t> datagram);

/// Appends header and payload to `out`.
void write(const Header& header, std::span<const std::uint8_t> payload, std::vector<std::uint8_t>& out);

}  // namespace lestapenna::rtp
