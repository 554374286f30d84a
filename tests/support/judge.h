// The judge: hears where each talk run of a known track sits in what was rendered, and whether anything is missing.
// It shares no code with the product but the types of base/time.h.
//
// Method: whitened, normalised cross-correlation at 8 kHz over +-200 ms, over +-3 s where that finds nothing, then at
// 48 kHz around the peak with a parabola through it. Other people may talk in the mix at the same time. Error on known
// shifts: below 0.01 ms alone and with three others at equal level (judge_test). Speed: about 20 ms
// a run. Thread: listen() is const and may run on several threads.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/time.h"

namespace lestapenna::test {

struct Interval {
    SamplePos start;
    SamplePos end;
};

struct RunMeasure {
    Interval run;  ///< a run longer than 8 s is measured in pieces of at most 6 s
    bool found = false;
    double offset_ms = 0;     ///< how much later than the truth it was heard
    double correlation = 0;   ///< normalised, at the best place
    double distinctness = 0;  ///< that, over the RMS of the correlation at all other places
};

struct TrackMeasure {
    std::vector<RunMeasure> runs;
    std::size_t missing = 0;  ///< runs not found
    std::size_t silent = 0;   ///< runs (or pieces) that hold nothing in the truth itself; not in `runs`
    double median_ms = 0;     ///< of |offset_ms| of the found ones
    double max_ms = 0;
    /// Energy within the runs over that of the truth, after the median gain of its loud 20 ms blocks: 1 when nothing is
    /// missing and nothing too much. Means something only where this track plays alone.
    double energy_ratio = 0;
};

class Judge {
  public:
    /// `rendered` is mono at 48 kHz, its first sample at `start` of the session clock; it must outlive the judge.
    explicit Judge(std::span<const float> rendered, SamplePos start = SamplePos());

    /// `truth` begins at session time 0.
    [[nodiscard]] TrackMeasure listen(std::span<const float> truth, std::span<const Interval> runs) const;

  private:
    [[nodiscard]] RunMeasure locate(std::span<const float> truth, const Interval& run) const;

    std::span<const float> rendered_;
    std::int64_t start_;
    std::vector<float> emphasised_;
    std::vector<float> coarse_;  ///< emphasised_ at 8 kHz
};

}  // namespace lestapenna::test
