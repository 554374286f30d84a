// What the bot counts, for Prometheus. Thread: the loop's.
#pragma once

#include <vector>

#include "base/metrics.h"
#include "bot/core.h"

namespace lestapenna::bot {

/// Packets by outcome, those of encrypted calls that stayed closed by reason, how far behind the disk is, sessions,
/// reconnects to voice servers, and what REST answered. Those of sessions that are over are in the sums.
std::vector<Metric> metrics_of(const Core& core);

}  // namespace lestapenna::bot
