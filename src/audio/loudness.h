// BS.1770 / EBU R 128 loudness (libebur128) that can be measured in parts, and true peak by 4 x oversampling.
// A file is measured with the channels it has; mono is one channel, never dual mono.
// Thread: an object belongs to one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/time.h"

namespace lestapenna::audio {

/// Meters gate on 400 ms blocks every 100 ms. To measure a file in parts on several cores, cut it at multiples of 100
/// ms and begin each part kMeterOverlap earlier: the parts together then hold exactly the blocks of the whole.
inline constexpr Samples kMeterOverlap{14'400};  ///< 300 ms
inline constexpr double kAbsoluteGate = -70;     ///< LUFS: what is below counts as silence (BS.1770-4)

class LoudnessMeter {
  public:
    explicit LoudnessMeter(int channels = 1);
    LoudnessMeter(LoudnessMeter&&) noexcept;
    LoudnessMeter& operator=(LoudnessMeter&&) noexcept;
    ~LoudnessMeter();
    void feed(std::span<const float> interleaved);
    void feed_silence(Samples length);
    /// Loudness of each 400 ms block fed so far, in LUFS, in order (-infinity for silence).
    [[nodiscard]] const std::vector<float>& momentary() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// Integrated loudness in LUFS by the blocks of a whole file, from as many meters as measured its parts, in any order;
/// nothing when no block passes the -70 LUFS gate. A part leaves 40 bytes a second behind, a meter 160 KB.
std::optional<double> integrated_loudness(std::span<const float> momentary);

/// Highest true peak, linear (1.0 = full scale), of interleaved audio; oversampled only around samples within 6 dB of
/// the highest sample. Reads up to 0.2 dB low, like every 4 x meter (EBU Tech 3341 allows +0.2/-0.4 dB).
double true_peak(std::span<const float> interleaved, int channels = 1);

/// 20 lg, -infinity for 0.
double to_db(double linear);
double from_db(double db);

}  // namespace lestapenna::audio
