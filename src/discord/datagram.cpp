#include "discord/datagram.h"

#include <numeric>
#include <optional>

namespace lestapenna::discord {
namespace {

/// Some voice servers send packets with no more than one byte that is not zero (discord-voice.md section 6). In what
/// people say the first byte, Opus' configuration, is not 0, and nothing more is looked at.
bool is_blank(std::span<const std::uint8_t> payload) {
    if (payload[0] != 0) return false;
    std::size_t others = 0;
    for (const std::uint8_t byte : payload) {
        if (byte != 0 && ++others > 1) return false;
    }
    return true;
}

Datagram kind_of(rtp::Reject reject) {
    switch (reject) {
        case rtp::Reject::none:
            return Datagram::voice;
        case rtp::Reject::too_short:
            return Datagram::too_short;
        case rtp::Reject::wrong_version:
            return Datagram::not_rtp;
        case rtp::Reject::rtcp:
            return Datagram::rtcp;
        case rtp::Reject::other_payload_type:
            return Datagram::other_payload_type;
        case rtp::Reject::bad_extension:
            return Datagram::bad_extension;
        case rtp::Reject::bad_padding:
            return Datagram::bad_padding;
        case rtp::Reject::empty:
            return Datagram::empty;
    }
    return Datagram::not_rtp;
}

}  // namespace

bool is_discovery_answer(std::span<const std::uint8_t> datagram) {
    return datagram.size() == kDiscoveryBytes && datagram[0] == 0 && datagram[1] == 2 && datagram[2] == 0 &&
           datagram[3] == kDiscoveryBytes - 4;
}

const char* to_string(Datagram kind) {
    switch (kind) {
        case Datagram::voice:
            return "voice";
        case Datagram::keep_alive:
            return "keep_alive";
        case Datagram::discovery:
            return "discovery";
        case Datagram::too_short:
            return "too_short";
        case Datagram::too_long:
            return "too_long";
        case Datagram::not_rtp:
            return "not_rtp";
        case Datagram::rtcp:
            return "rtcp";
        case Datagram::other_payload_type:
            return "other_payload_type";
        case Datagram::forged:
            return "forged";
        case Datagram::bad_padding:
            return "bad_padding";
        case Datagram::bad_extension:
            return "bad_extension";
        case Datagram::empty:
            return "empty";
        case Datagram::blank:
            return "blank";
    }
    return "unknown";
}

std::uint64_t DatagramCounts::total() const {
    return std::accumulate(by_kind.begin(), by_kind.end(), std::uint64_t{0});
}

OpenedDatagram open_datagram(std::span<std::uint8_t> datagram, Transport* transport) {
    if (datagram.size() == kKeepAliveBytes) return {.kind = Datagram::keep_alive};
    if (datagram.size() > kMaxDatagramBytes) return {.kind = Datagram::too_long};
    if (is_discovery_answer(datagram)) return {.kind = Datagram::discovery};
    const rtp::Front front = rtp::parse_front(datagram);
    if (front.reject != rtp::Reject::none) return {.kind = kind_of(front.reject), .header = front.header};
    if (datagram.size() < front.bytes + kTransportOverhead) {
        return {.kind = Datagram::too_short, .header = front.header};
    }

    const std::span<std::uint8_t> sealed = datagram.subspan(front.bytes);
    const std::optional<std::span<std::uint8_t>> plain =
        transport != nullptr ? transport->open(datagram.first(front.bytes), sealed) : std::nullopt;
    if (!plain) return {.kind = Datagram::forged, .header = front.header};

    const rtp::Parsed parsed = rtp::strip(front, *plain);
    if (parsed.reject != rtp::Reject::none) return {.kind = kind_of(parsed.reject), .header = front.header};
    if (is_blank(parsed.payload)) return {.kind = Datagram::blank, .header = front.header};
    return {.kind = Datagram::voice, .header = front.header, .payload = parsed.payload};
}

}  // namespace lestapenna::discord
