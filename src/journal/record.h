// What a journal says: the records, as values. Layout on disk is format.h and docs/journal-format.md.
// Pure value types; any thread. Spans point into memory that somebody else owns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <variant>

#include "base/ids.h"
#include "base/time.h"

namespace lestapenna::journal {

/// Why a packet stayed closed (discord/voice.h, Closed); a journal of before reasons were written says `unknown`.
enum class ClosedReason : std::uint8_t { unknown = 0, no_user = 1, no_key = 2, forged = 3, plain = 4, overflow = 5 };
inline constexpr std::size_t kClosedReasons = 6;
/// As it is spelled here: "no_key".
std::string_view to_text(ClosedReason reason);

/// A voice packet as it arrived, after decryption. `payload` is one Opus packet (RFC 6716 section 3).
/// An undecryptable packet keeps its header and its length, but no payload.
struct Packet {
    std::uint32_t ssrc = 0;
    std::uint16_t seq = 0;            ///< RTP sequence number (RFC 3550), wraps at 2^16
    std::uint32_t rtp_timestamp = 0;  ///< RTP timestamp in ticks of 1/48000 s, wraps at 2^32
    BootTime arrival;
    bool undecryptable = false;
    bool parked = false;             ///< waited for a key or a binding: comes up to 10 s after packets that came later
    std::uint16_t payload_size = 0;  ///< payload.size(), or the length of what could not be opened
    std::span<const std::uint8_t> payload;
    ClosedReason closed = ClosedReason::unknown;  ///< of an undecryptable one, of no other
};

/// A user is in the channel from here on.
struct Join {
    BootTime at;
    UserId user;
};
struct Leave {
    BootTime at;
    UserId user;
};
/// Packets of `ssrc` are this user's, also those already journaled that no other binding claimed.
struct Binding {
    BootTime at;
    std::uint32_t ssrc = 0;
    UserId user;
};
struct Pause {
    BootTime at;
};
struct Resume {
    BootTime at;
};
enum class GapReason : std::uint8_t { outage = 1, kernel_drop = 2, queue_full = 3, server_deaf = 4, restart = 5 };
/// The recorder heard nothing, or lost `packets` of what it heard (0: unknown), between `from` and `to`.
struct Gap {
    BootTime from;
    BootTime to;
    GapReason reason = GapReason::outage;
    std::uint32_t packets = 0;
};
/// At least one a second while the session is open: closes windows, and shows steps of the wall clock.
struct Clock {
    BootTime at;
    UnixTime wall;
};
/// A note of a person, UTF-8, at most kMaxMarkerBytes.
struct Marker {
    BootTime at;
    UserId user;
    std::string_view text;
};
/// The session is over: nothing follows.
struct End {
    BootTime at;
};

using Record = std::variant<Packet, Join, Leave, Binding, Pause, Resume, Gap, Clock, Marker, End>;

inline constexpr std::size_t kMaxPayloadBytes = 8'192;  ///< 120 ms of Opus is at most 6 x 1275 bytes
inline constexpr std::size_t kMaxMarkerBytes = 4'000;   ///< Discord's longest message

/// When the record happened; a Gap counts from its end, when it became known.
BootTime time_of(const Record& record);

}  // namespace lestapenna::journal
