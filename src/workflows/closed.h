// What of a session can not change any more, although it may still be recorded (docs/architecture.md section 6,
// "Placement is causal"): the windows that are closed, the connections that are over. Pure; any thread.
#pragma once

#include "base/time.h"
#include "render/chunk.h"
#include "timeline/placement.h"
#include "timeline/timeline.h"

namespace lestapenna::workflows {

class Closed {
  public:
    /// `recorded`: its journal may still grow. `timeline` must outlive this.
    Closed(const timeline::Timeline& timeline, milliseconds rotation, bool recorded);

    [[nodiscard]] bool everything() const { return everything_; }
    /// Is this connection over, and all that will ever be known of it known? What nobody has claimed so far may still
    /// be claimed: it is never over before the session is.
    [[nodiscard]] bool over(const timeline::Connection& connection) const;
    [[nodiscard]] bool chunk(const timeline::Connection& connection, const render::ChunkWindow& window) const;
    /// How long from the last record until the next window of anybody closes; of somebody who comes at once, if none
    /// is open.
    [[nodiscard]] nanoseconds next_closing() const;

  private:
    [[nodiscard]] timeline::Windows windows_of(const timeline::Connection& connection) const;
    [[nodiscard]] bool known_at(SessionTime closing) const { return timeline_->known_until >= closing; }

    const timeline::Timeline* timeline_;
    milliseconds rotation_;
    bool everything_;
};

}  // namespace lestapenna::workflows
