// Whether the wall clock may decide what is old. A clock that jumps ahead (a machine whose battery is empty, a typing
// error in a hypervisor) would make everything old at once; one that fell back and comes home looks the same.
//
// A clock is believed when it fits what the last believed sweep saw: on the same boot the wall clock has moved on as
// CLOCK_BOOTTIME has, to within an hour; after a reboot it is not earlier, and at most 7 days later, the age of the
// youngest tier. Nor may it stand before the end of a session that was recorded here. A clock that does not fit is
// noted, and believed once a sweep that finds it 20 hours older fits it: a machine that was off for a month sweeps a
// day later, and somebody has had that day to mend a wrong clock. Pure; any thread.
#pragma once

#include <optional>
#include <string>

#include "base/time.h"
#include "catalog/catalog.h"

namespace lestapenna::workflows {

struct ClockVerdict {
    catalog::Sweeps sweeps;            ///< what the next sweep is to hold its clock against
    std::optional<std::string> doubt;  ///< why nothing may be removed now: one sentence
};
/// `newest_end`: of the sessions that were recorded live.
ClockVerdict judge_clock(const catalog::Sweeps& before, const catalog::Moment& now, std::optional<UnixTime> newest_end);

/// Is there a sweep to be done: none was done, a day has passed, or a doubted clock may be believed by now?
bool is_sweep_due(const catalog::Sweeps& before, UnixTime now);

}  // namespace lestapenna::workflows
