#include "judge.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <numeric>

#include "fft.h"

namespace lestapenna::test {
namespace {

constexpr std::int64_t kDecimation = 6;

/// How far to look, and what convinces there. Among six real voices (30 and 60 % of the time, as loud as they are and
/// all at one level; 820 runs) what was there had a height of at least 0.079 and a distinctness of 8.7 (1 in 20 below
/// 21), what was not there at most 0.10 and 9.2 over 3 s, with one exception.
struct Reach {
    std::int64_t samples;
    double least_height;
    double least_distinctness;
};
constexpr Reach kNear{200 * kSamplesPerMs, 0.06, 7};
constexpr Reach kFar{3'000 * kSamplesPerMs, 0.12, 10};

constexpr std::int64_t kPeakWidth = 40;  ///< 5 ms at 8 kHz
constexpr std::int64_t kAround = 1'600;  ///< 200 ms at 8 kHz: what a peak is compared with
constexpr std::int64_t kBlock = 960;     ///< 20 ms

std::vector<float> emphasise(std::span<const float> pcm) {
    std::vector<float> result(pcm.size());
    float before = 0;
    for (std::size_t i = 0; i < pcm.size(); ++i) {
        result[i] = pcm[i] - 0.95F * before;
        before = pcm[i];
    }
    return result;
}

/// Every sixth sample after a linear-phase low pass at 3.5 kHz (97 taps, Hann); sample k of the result lies at 6 k.
std::vector<float> decimate(std::span<const float> pcm) {
    constexpr std::int64_t kHalf = 48;
    static const std::vector<float> taps = [] {
        std::vector<float> result;
        for (std::int64_t i = -kHalf; i <= kHalf; ++i) {
            const double x = 2 * 3'500.0 / kSampleRate * static_cast<double>(i);
            const double sinc = i == 0 ? 1 : std::sin(std::numbers::pi * x) / (std::numbers::pi * x);
            const double hann = 0.5 + 0.5 * std::cos(std::numbers::pi * static_cast<double>(i) / (kHalf + 1));
            result.push_back(static_cast<float>(2 * 3'500.0 / kSampleRate * sinc * hann));
        }
        return result;
    }();
    const std::int64_t size = std::ssize(pcm);
    std::vector<float> result(static_cast<std::size_t>((size + kDecimation - 1) / kDecimation));
    for (std::int64_t k = 0; k < std::ssize(result); ++k) {
        const std::int64_t centre = k * kDecimation;
        const std::int64_t from = std::max<std::int64_t>(0, centre - kHalf);
        const std::int64_t until = std::min(size, centre + kHalf + 1);
        float sum = 0;
        for (std::int64_t i = from; i < until; ++i) {
            sum += taps[static_cast<std::size_t>(i - centre + kHalf)] * pcm[static_cast<std::size_t>(i)];
        }
        result[static_cast<std::size_t>(k)] = sum;
    }
    return result;
}

/// pcm[from, from + count), zeros where it has none.
std::vector<float> cut(std::span<const float> pcm, std::int64_t from, std::int64_t count) {
    std::vector<float> result(static_cast<std::size_t>(std::max<std::int64_t>(count, 0)));
    const std::int64_t first = std::clamp<std::int64_t>(from, 0, std::ssize(pcm));
    const std::int64_t last = std::clamp<std::int64_t>(from + count, first, std::ssize(pcm));
    std::copy(pcm.begin() + first, pcm.begin() + last, result.begin() + (first - from));
    return result;
}

/// In eight sums, so that the additions need not wait for each other.
double dot(std::span<const float> a, std::span<const float> b) {
    std::array<double, 8> sums{};
    for (std::size_t i = 0; i < a.size(); ++i) sums[i % 8] += static_cast<double>(a[i]) * b[i];
    return std::accumulate(sums.begin(), sums.end(), 0.0);
}
double energy(std::span<const float> a) {
    return dot(a, a);
}

struct Peak {
    std::int64_t lag = 0;  ///< into the list
    double height = 0;
    double distinctness = 0;
};

/// The highest of the whitened correlations of `pattern` at each place in `signal`.
Peak search(std::span<const float> pattern, std::span<const float> signal) {
    const std::vector<double> r = whitened_correlation(pattern, signal, 100.0 / 8'000);
    if (r.empty()) return {};
    const auto highest = std::max_element(r.begin(), r.end());
    Peak peak{.lag = highest - r.begin(), .height = *highest, .distinctness = 0};
    const std::int64_t edge = std::min(peak.lag, std::ssize(r) - 1 - peak.lag);
    if (edge <= kPeakWidth) return peak;  // the foot of a peak that lies outside
    double sum = 0;
    std::int64_t count = 0;
    for (std::int64_t k = std::max<std::int64_t>(0, peak.lag - kAround);
         k < std::min(std::ssize(r), peak.lag + kAround); ++k) {
        if (std::abs(k - peak.lag) <= kPeakWidth) continue;
        sum += r[static_cast<std::size_t>(k)] * r[static_cast<std::size_t>(k)];
        ++count;
    }
    if (sum > 0) peak.distinctness = peak.height / std::sqrt(sum / static_cast<double>(count));
    return peak;
}

std::vector<Interval> pieces_of(std::span<const Interval> runs) {
    constexpr Samples kWhole = seconds(8);
    constexpr Samples kPiece = seconds(6);
    std::vector<Interval> pieces;
    for (Interval run : runs) {
        const auto count = run.end - run.start <= kWhole ? 1 : (run.end - run.start + kPiece - Samples(1)) / kPiece;
        const Samples length = (run.end - run.start) / count;
        for (std::int64_t i = 1; i < count; ++i) {
            pieces.push_back({run.start, run.start + length});
            run.start += length;
        }
        pieces.push_back(run);
    }
    return pieces;
}

double median(std::vector<double> values) {
    if (values.empty()) return 0;
    const auto middle = values.begin() + std::ssize(values) / 2;
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

struct Block {
    double truth;
    double heard;
};

/// See TrackMeasure::energy_ratio. Blocks within 30 dB of the loudest set the gain.
double energy_ratio(const std::vector<Block>& blocks) {
    double loudest = 0;
    for (const Block& block : blocks) loudest = std::max(loudest, block.truth);
    std::vector<double> gains;
    double truth = 0;
    double heard = 0;
    for (const Block& block : blocks) {
        if (block.truth > 1e-3 * loudest) gains.push_back(block.heard / block.truth);
        truth += block.truth;
        heard += block.heard;
    }
    const double gain = median(gains);
    return gain > 0 && truth > 0 ? heard / (gain * truth) : 0;
}

}  // namespace

Judge::Judge(std::span<const float> rendered, SamplePos start)
    : rendered_(rendered),
      start_(start.time_since_epoch().count()),
      emphasised_(emphasise(rendered)),
      coarse_(decimate(emphasised_)) {}

RunMeasure Judge::locate(std::span<const float> truth, const Interval& run) const {
    const std::int64_t from = run.start.time_since_epoch().count();
    const std::int64_t length = (run.end - run.start).count();
    const std::vector<float> pattern = emphasise(cut(truth, from, length));
    const std::vector<float> coarse_pattern = decimate(pattern);

    // Where the run should begin in the rendered samples, down to a place that the decimated ones have.
    const std::int64_t expected = (from - start_) / kDecimation;
    RunMeasure measure{.run = run};
    std::int64_t coarse_lag = 0;
    for (const Reach& reach : {kNear, kFar}) {
        const std::int64_t around = reach.samples / kDecimation;
        const Peak peak =
            search(coarse_pattern, cut(coarse_, expected - around, std::ssize(coarse_pattern) + 2 * around));
        coarse_lag = peak.lag - around;
        measure.correlation = peak.height;
        measure.distinctness = peak.distinctness;
        measure.found = peak.height > reach.least_height && peak.distinctness > reach.least_distinctness;
        if (measure.found) break;
    }
    if (!measure.found) return measure;

    constexpr std::int64_t kReach = 15;  // the coarse peak is right to +-3 samples, and has a neighbour
    const std::int64_t centre = (expected + coarse_lag) * kDecimation;
    const std::vector<float> signal = cut(emphasised_, centre - kReach, length + 2 * kReach);
    std::vector<double> r;
    for (std::size_t k = 0; k <= 2 * kReach; ++k)
        r.push_back(dot(pattern, std::span(signal).subspan(k, pattern.size())));
    const auto best = std::max_element(r.begin() + 1, r.end() - 1);
    const double curve = best[-1] - 2 * best[0] + best[1];
    const double fraction = curve < 0 ? std::clamp(0.5 * (best[-1] - best[1]) / curve, -0.5, 0.5) : 0;
    const double position = static_cast<double>(centre - kReach + (best - r.begin())) + fraction;
    measure.offset_ms = (position - static_cast<double>(from - start_)) / kSamplesPerMs;
    return measure;
}

TrackMeasure Judge::listen(std::span<const float> truth, std::span<const Interval> runs) const {
    TrackMeasure track;
    std::vector<double> offsets;
    for (const Interval& run : pieces_of(runs)) {
        const std::int64_t from = run.start.time_since_epoch().count();
        const auto said = cut(truth, from, (run.end - run.start).count());
        if (energy(said) <= 1e-10 * static_cast<double>(said.size())) {  // below -100 dBFS
            ++track.silent;
            continue;
        }
        track.runs.push_back(locate(truth, run));
        if (track.runs.back().found) offsets.push_back(std::abs(track.runs.back().offset_ms));
    }
    track.missing = track.runs.size() - offsets.size();
    track.median_ms = median(offsets);
    track.max_ms = offsets.empty() ? 0 : *std::max_element(offsets.begin(), offsets.end());

    std::vector<Block> blocks;
    for (const RunMeasure& measure : track.runs) {
        const std::int64_t from = measure.run.start.time_since_epoch().count();
        const std::int64_t shift = std::llround(measure.offset_ms * kSamplesPerMs) - start_;
        for (std::int64_t at = from; at < measure.run.end.time_since_epoch().count(); at += kBlock) {
            blocks.push_back({energy(cut(truth, at, kBlock)), energy(cut(rendered_, at + shift, kBlock))});
        }
    }
    track.energy_ratio = energy_ratio(blocks);
    return track;
}

}  // namespace lestapenna::test
