// Puts the packets of one source on the session's clock (docs/architecture.md section 6). Pure; any thread.
//
// The least-delayed packets tell where the sender's clock sits: offset(t) = min(arrival - timestamp) over the packets
// around t, the lower envelope. Jitter and a stall followed by a burst only ever raise arrivals, so they move nothing.
// A sender whose timestamp stands still over silence raises the envelope for good after each pause; that, and only
// that, starts a new span with an envelope of its own. Inside a run the offset slides by at most one sample per packet.
#pragma once

#include <cstdint>
#include <vector>

#include "timeline/source.h"
#include "timeline/timeline.h"

namespace lestapenna::timeline {

/// The rotation windows of a connection, and when they close.
struct Windows {
    std::int64_t opened = 0;    ///< samples of the session clock
    std::int64_t rotation = 0;  ///< samples

    [[nodiscard]] std::int64_t index(std::int64_t position) const;
    /// What was journaled at this time or later is too late for window `index`.
    [[nodiscard]] SessionTime closing(std::int64_t index) const;
};

/// What became of an observation.
enum class Fate : std::uint8_t {
    placed,
    late,     ///< journaled after its window closed
    closed,   ///< undecryptable: it has a place, but nothing to play
    runaway,  ///< its sender claims more audio than time has passed
};

struct Placement {
    std::vector<PlacedPacket> packets;
    std::vector<std::int64_t> positions;  ///< of each observation, placed or not (for the ledger)
    std::vector<Fate> fates;              ///< of each observation
    std::uint64_t unplaceable_runs = 0;
};

/// `first_free` is where the connection's earlier packets of this source end; nothing is placed before it.
Placement place(const std::vector<Observation>& packets, const Windows& windows, std::int64_t first_free);

}  // namespace lestapenna::timeline
