// How loud a connection is, and the one gain that brings it to the target without lifting its room noise
// (docs/architecture.md section 7 "Level", ../shared/reference/loudness.md section 4). Pure; an object belongs to one
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "audio/loudness.h"
#include "base/time.h"

namespace lestapenna::render {

inline constexpr double kTrackTarget = -23.0;  ///< LUFS, EBU R 128; fragments always
inline constexpr double kMaxGain = 20.0;       ///< dB
inline constexpr double kMaxNoise = -45.0;     ///< LUFS after the gain

/// A connection at gain 1.
struct Levels {
    std::optional<double> lufs;   ///< BS.1770 of the whole file; nothing when nothing passes the gate
    double speech_lufs = 0;       ///< mean of the 400 ms blocks within 12 LU of the 95th percentile
    double noise_lufs = 0;        ///< 5th percentile of the 20 ms levels inside packets
    double sample_peak = 0;       ///< linear
    double packet_share = 0;      ///< of the connection's time, 0 to 1
    double sounding_seconds = 0;  ///< 100 ms steps that are speech
};

/// Takes the audio of a file in order, without its silences; positions count from the file's start.
class LevelMeter {
  public:
    void add(SamplePos at, std::span<const float> audio);
    [[nodiscard]] Levels finish(Samples length);

  private:
    void add_levels(std::span<const float> audio);

    audio::LoudnessMeter meter_{1};
    SamplePos end_;               ///< of what was fed
    std::vector<float> squares_;  ///< mean square of each 20 ms without a break
    double sum_ = 0;              ///< of squares in the 20 ms that are not full yet
    std::size_t summed_ = 0;      ///< samples in them
    double peak_ = 0;
    std::int64_t samples_ = 0;
};

/// Why a file is not simply at the target; none for an ordinary voice.
enum class LevelFlag { none, open_mic, capped, too_short, no_speech };
/// The text of the contract: open_mic, capped, too_short, no_speech; empty for none.
std::string_view to_string(LevelFlag flag);

struct GainChoice {
    double gain_db = 0;
    LevelFlag flag = LevelFlag::none;
    /// The gain is then corrected until the decoded file is at the target; not where the file's own loudness is no
    /// guide.
    [[nodiscard]] bool corrected() const { return flag == LevelFlag::none; }
};
GainChoice choose_gain(const Levels& levels, double target_lufs);

/// The gain at which this microphone's noise or our patience ends.
double gain_limit(const Levels& levels);

}  // namespace lestapenna::render
