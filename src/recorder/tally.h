// How many packets of each user were heard, are missing or stayed closed, while the session runs. What the finished
// session says is the timeline's ledger; this is for $stato and the metrics.
//
// Thread: the loop's. Hot path: count() allocates once per SSRC, nothing per packet.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>

#include "base/ids.h"
#include "base/time.h"
#include "journal/record.h"

namespace lestapenna::recorder {

/// Packets that could not be opened, by journal::ClosedReason.
using Closed = std::array<std::uint64_t, journal::kClosedReasons>;

class Tally {
  public:
    /// `closed`: why it could not be opened.
    void count(std::uint32_t ssrc, std::uint16_t seq, BootTime arrival,
               std::optional<journal::ClosedReason> closed = std::nullopt);
    /// Whose an SSRC is: what was heard of it before is theirs too, unless it was somebody else's.
    void bind(std::uint32_t ssrc, UserId user);
    /// What arrives next does not follow what came so far: nothing in between is lost.
    void part(BootTime now);

    struct Sum {
        std::uint64_t packets = 0;     ///< copies included
        std::uint64_t lost = 0;        ///< missing in the sequence between the first packet and the last
        std::optional<BootTime> last;  ///< when the last packet came
        Closed closed{};               ///< of the packets, those that could not be opened
    };
    /// By user; 0 has what nobody claimed.
    [[nodiscard]] std::map<UserId, Sum> sums() const;

  private:
    /// A stretch of an SSRC's sequence without a jump.
    struct Stretch {
        std::uint16_t last_seq = 0;
        std::uint64_t length = 0;    ///< from its first packet to its last; 0: none yet
        std::uint64_t distinct = 0;  ///< of these, how many came
        std::uint64_t recent = 0;    ///< which of the last 64 came: bit n is last_seq - n
        [[nodiscard]] std::uint64_t lost() const { return length - distinct; }
        void begin(std::uint16_t seq);
        /// False: too far away to belong to it.
        bool take(std::uint16_t seq);
    };
    struct Source {
        UserId user;
        Stretch stretch;
        Sum sum;  ///< lost: of earlier stretches
    };
    static void add(std::map<UserId, Sum>& sums, const Source& source);

    std::unordered_map<std::uint32_t, Source> sources_;
    BootTime parted_ = BootTime::min();
    std::map<UserId, Sum> former_;  ///< of SSRCs that are somebody else's now
};

}  // namespace lestapenna::recorder
