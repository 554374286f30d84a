// From the packets of one SSRC in the order they were journaled to sources: counters extended to 64 bits, duplicates
// and strays out, in the order of the sequence. Pure; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/time.h"
#include "journal/reader.h"
#include "timeline/timeline.h"

namespace lestapenna::timeline {

/// A packet as the placement sees it. Times are counted in samples of the session's clock.
struct Observation {
    std::int64_t seq = 0;        ///< extended
    std::int64_t timestamp = 0;  ///< extended RTP timestamp, samples of the sender's clock
    std::int64_t arrival = 0;    ///< session clock
    SessionTime known;           ///< the latest time any record had when this one was journaled
    journal::PayloadRef payload;
    std::uint16_t duration = 0;
    bool silence = false;
    bool parked = false;
    bool undecryptable = false;
    journal::ClosedReason closed = journal::ClosedReason::unknown;

    /// Network delay plus a constant, as long as the sender's clock runs on.
    [[nodiscard]] std::int64_t delay() const { return arrival - timestamp; }
};

/// A packet as it was journaled: counters still 16 and 32 bits wide.
struct Arrived {
    std::uint16_t seq = 0;
    std::uint32_t timestamp = 0;
    Observation packet;  ///< all but seq and timestamp
};

struct Source {
    std::vector<Observation> packets;  ///< strictly ascending seq
    std::uint64_t duplicates = 0;
    std::uint64_t strays = 0;
};

/// Splits where the counters start anew (a restarted client that kept its SSRC). Never empty sources.
std::vector<Source> split_sources(std::span<const Arrived> arrived);

}  // namespace lestapenna::timeline
