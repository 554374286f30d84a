// What a voice server's line does to media, and its exact account of it. Values; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.h"

namespace lestapenna::sandbox {

/// The line from the server to one receiver (or, by default, to all): loss, delay, jitter, reorder, duplicates, by
/// seed. The default forwards at once and loses nothing.
struct Forwarding {
    double loss = 0;
    double duplicate = 0;  ///< probability that a packet comes again, up to 30 ms later
    double reorder = 0;    ///< probability that a packet is held back behind the sender's next one (200 ms at most)
    milliseconds delay{0};
    milliseconds jitter{0};  ///< uniform on top, order kept per sender
    bool extras = false;     ///< adds RTP padding, a 0xBEDE extension and a CSRC on the way
    bool operator==(const Forwarding&) const = default;
};

/// What one receiver was sent of one sender's SSRC, while it could hear: not deaf, its session described, its address
/// known. arrived = dropped + sent + send_failed + those still delayed.
struct Forwarded {
    std::uint64_t arrived = 0;      ///< different packets from the sender
    std::uint64_t dropped = 0;      ///< on purpose: by Forwarding, by a muted line, encrypted for who can not open it
    std::uint64_t sent = 0;         ///< different packets that the kernel took
    std::uint64_t duplicated = 0;   ///< further copies that it took
    std::uint64_t send_failed = 0;  ///< different packets that it did not take, or whose receiver was gone by then
    // Sequence numbers, not wrapped: they count on from base_seq, that of the first packet the server had of the SSRC.
    std::int64_t base_seq = 0;
    std::optional<std::int64_t> first_seq;  ///< lowest sent
    std::optional<std::int64_t> last_seq;   ///< highest sent
    std::vector<std::int64_t> lost_seqs;    ///< of those dropped or failed, in the order they arrived
};

}  // namespace lestapenna::sandbox
