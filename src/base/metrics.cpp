#include "base/metrics.h"

#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <string_view>

namespace lestapenna {

namespace {

/// Backslashes and line ends, and, in a label's value, quotes.
std::string escaped(std::string_view text, bool quoted) {
    std::string out;
    for (const char c : text) {
        if (c == '\\' || (quoted && c == '"')) out += '\\';
        if (c == '\n') {
            out += "\\n";
        } else {
            out += c;
        }
    }
    return out;
}

/// The shortest text that reads back as the same number; whole numbers without an exponent.
std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
    constexpr double kExact = 9'007'199'254'740'992;  // 2^53: up to here every whole number is itself
    std::array<char, 32> text{};
    const auto written = std::trunc(value) == value && std::abs(value) <= kExact
                             ? std::to_chars(text.data(), text.data() + text.size(), static_cast<std::int64_t>(value))
                             : std::to_chars(text.data(), text.data() + text.size(), value);
    return {text.data(), written.ptr};
}

std::string sample(const Metric& metric) {
    std::string line = metric.name;
    char before = '{';
    for (const auto& [name, value] : metric.labels) {
        line.append(1, before).append(name).append("=\"").append(escaped(value, true)).append("\"");
        before = ',';
    }
    if (!metric.labels.empty()) line += '}';
    return line + ' ' + number(metric.value) + '\n';
}

}  // namespace

std::string prometheus_text(std::span<const Metric> metrics) {
    std::vector<std::string> families;
    std::map<std::string_view, std::size_t> family_of;
    for (const Metric& metric : metrics) {
        const auto [known, is_new] = family_of.try_emplace(metric.name, families.size());
        if (is_new) {
            const char* const kind = metric.kind == MetricKind::counter ? " counter\n" : " gauge\n";
            families.push_back("# HELP " + metric.name + " " + escaped(metric.help, false) + "\n# TYPE " + metric.name +
                               kind);
        }
        families[known->second] += sample(metric);
    }
    std::string text;
    for (const std::string& family : families) text += family;
    return text;
}

}  // namespace lestapenna
