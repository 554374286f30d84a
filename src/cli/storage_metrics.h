// How much is kept, and when retention last swept, for Prometheus. Thread: the catalog's; looks at the journals'
// folder.
#pragma once

#include <vector>

#include "base/config.h"
#include "base/metrics.h"
#include "catalog/catalog.h"

namespace lestapenna::cli {

/// lestapenna_store_objects and _bytes by tier, lestapenna_journal_bytes,
/// lestapenna_retention_last_sweep_timestamp_seconds and _clock_doubted. What the catalog can not say is left out.
std::vector<Metric> storage_metrics(const catalog::Catalog& catalog, const Config& config);

}  // namespace lestapenna::cli
