#include "cli/storage_metrics.h"

#include "workflows/retention.h"

namespace lestapenna::cli {

namespace {

void add_tier(const char* tier, const catalog::Stored& stored, std::vector<Metric>& metrics) {
    metrics.push_back({"lestapenna_store_objects",
                       "Objects in the store, by tier.",
                       MetricKind::gauge,
                       {{"tier", tier}},
                       static_cast<double>(stored.objects)});
    metrics.push_back({"lestapenna_store_bytes",
                       "Bytes in the store, by tier.",
                       MetricKind::gauge,
                       {{"tier", tier}},
                       static_cast<double>(stored.bytes)});
}

}  // namespace

std::vector<Metric> storage_metrics(const catalog::Catalog& catalog, const Config& config) {
    std::vector<Metric> metrics;
    if (const auto sizes = catalog.sizes()) {
        add_tier("chunks", sizes->chunks, metrics);
        add_tier("fragments", sizes->fragments, metrics);
        add_tier("masters", sizes->masters, metrics);
    }
    metrics.push_back({"lestapenna_journal_bytes",
                       "Bytes of journals on this machine.",
                       MetricKind::gauge,
                       {},
                       static_cast<double>(workflows::journal_bytes(config))});
    if (const auto sweeps = catalog.sweeps()) {
        const double last =
            sweeps->believed ? std::chrono::duration<double>(sweeps->believed->wall.time_since_epoch()).count() : 0;
        metrics.push_back({"lestapenna_retention_last_sweep_timestamp_seconds",
                           "When retention last swept, Unix time; 0: never.",
                           MetricKind::gauge,
                           {},
                           last});
        metrics.push_back({"lestapenna_retention_clock_doubted",
                           "1: retention does not believe the wall clock, and removes nothing.",
                           MetricKind::gauge,
                           {},
                           sweeps->doubted ? 1.0 : 0.0});
    }
    return metrics;
}

}  // namespace lestapenna::cli
