// The ledger of one SSRC of a live player: its talk runs as they were sent, and, from the server's account, what became
// of them. Pure; one thread at a time. Memory per run, not per frame.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "sandbox/forwarding.h"
#include "sandbox/line.h"

namespace lestapenna::sandbox {

class LiveLedger {
  public:
    LiveLedger(UserId user, std::uint32_t ssrc) : user_(user), ssrc_(ssrc) {}

    struct Frame {
        std::uint16_t seq = 0;
        SamplePos at;
        Samples length{0};
        nanoseconds lateness{0};  ///< sent after it was due
        bool silence = false;
    };
    /// In the order they were sent. A run ends with its silence frames.
    void add(const Frame& frame);

    /// `forwarded` null: nothing of this SSRC came to the receiver. `dropped` is what it was not sent, for whatever
    /// reason; `reordered` and `stalled` are not known here.
    [[nodiscard]] SenderLedger result(const Forwarded* forwarded) const;

  private:
    struct Run {
        RunLedger ledger;
        std::int64_t first_seq = 0;
        std::int64_t last_seq = 0;
    };
    UserId user_;
    std::uint32_t ssrc_;
    std::vector<Run> runs_;
    bool silent_ = true;  ///< the last frame was a silence frame
};

}  // namespace lestapenna::sandbox
