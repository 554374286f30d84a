#include "base/metrics.h"

#include <limits>

#include <gtest/gtest.h>

namespace lestapenna {
namespace {

TEST(Metrics, SamplesOfOneNameStandTogetherUnderOneHead) {
    const std::vector<Metric> metrics{
        {"lestapenna_packets_total", "Packets by outcome.", MetricKind::counter, {{"outcome", "stored"}}, 1'234'567},
        {"lestapenna_sessions", "Sessions being recorded.", MetricKind::gauge, {}, 2},
        {"lestapenna_packets_total", "Not this.", MetricKind::gauge, {{"outcome", "lost"}, {"guild", "7"}}, 0.25},
    };
    EXPECT_EQ(prometheus_text(metrics),
              "# HELP lestapenna_packets_total Packets by outcome.\n"
              "# TYPE lestapenna_packets_total counter\n"
              "lestapenna_packets_total{outcome=\"stored\"} 1234567\n"
              "lestapenna_packets_total{outcome=\"lost\",guild=\"7\"} 0.25\n"
              "# HELP lestapenna_sessions Sessions being recorded.\n"
              "# TYPE lestapenna_sessions gauge\n"
              "lestapenna_sessions 2\n");
    EXPECT_EQ(prometheus_text({}), "");
}

TEST(Metrics, WhatWouldEndALineOrAValueIsEscaped) {
    const std::vector<Metric> metrics{{"m", "a \\ b\n\"c\"", MetricKind::gauge, {{"who", "\"A\\\nB\""}}, 1}};
    EXPECT_EQ(prometheus_text(metrics),
              "# HELP m a \\\\ b\\n\"c\"\n"
              "# TYPE m gauge\n"
              "m{who=\"\\\"A\\\\\\nB\\\"\"} 1\n");
}

TEST(Metrics, NumbersAreWrittenAsPrometheusReadsThem) {
    const std::vector<std::pair<double, std::string>> numbers{
        {0, "0"},
        {-3, "-3"},
        {1e6, "1000000"},
        {9'007'199'254'740'992, "9007199254740992"},
        {1e300, "1e+300"},
        {0.1, "0.1"},
        {1e-9, "1e-09"},
        {std::numeric_limits<double>::infinity(), "+Inf"},
        {-std::numeric_limits<double>::infinity(), "-Inf"},
        {std::numeric_limits<double>::quiet_NaN(), "NaN"},
    };
    for (const auto& [value, text] : numbers) {
        const std::vector<Metric> one{{"m", "h", MetricKind::gauge, {}, value}};
        EXPECT_TRUE(prometheus_text(one).ends_with("\nm " + text + "\n")) << prometheus_text(one);
    }
}

}  // namespace
}  // namespace lestapenna
