// What the program tells of itself in numbers, and how that is written for Prometheus (text exposition format 0.0.4).
// Nothing is registered anywhere: who is asked for metrics collects them from where they are counted anyway.
// Pure values; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace lestapenna {

enum class MetricKind : std::uint8_t { counter, gauge };

/// One sample. Names and units as Prometheus advises: lestapenna_packets_total, lestapenna_sync_seconds.
struct Metric {
    std::string name;
    std::string help;  ///< one sentence; the first sample of a name decides
    MetricKind kind = MetricKind::gauge;
    std::vector<std::pair<std::string, std::string>> labels{};
    double value = 0;
};

/// Samples of one name stand together under one HELP and TYPE, in the order of their first appearance; values of labels
/// are escaped.
std::string prometheus_text(std::span<const Metric> metrics);

}  // namespace lestapenna
