// Files at a target loudness: gain, true-peak limiter, MP3, measured on what a player will decode and corrected until
// it fits. Fragments and the master are made here. All files are worked on together, slice by slice, so that one long
// file does not leave cores idle.
//
// Promises: the bytes depend on the inputs alone, not on threads or order. On success the decoded file is within
// kTolerance of the target (unless the gain is fixed or limited) and its true peak is <= kPeakCeiling. Errors leave
// unfinished files at the paths.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "audio/mp3.h"
#include "base/result.h"
#include "render/pcm.h"
#include "render/work.h"

namespace lestapenna::render {

inline constexpr double kTolerance = 0.2;     ///< LU (EBU R 128 for files)
inline constexpr double kPeakCeiling = -1.0;  ///< dBTP after decoding

/// What a file measures.
struct Measured {
    std::optional<double> lufs;          ///< nothing when nothing passes the gate
    std::optional<double> true_peak_db;  ///< nothing for pure zeros
};

struct LeveledFile {
    std::filesystem::path path;
    audio::Mp3Format format;
    Samples length{};
    PcmSource source;  ///< at gain 1, of format.channels
    double target_lufs = -23;
    double gain_db = 0;         ///< in: where to start; out: what was applied
    double gain_limit_db = 20;  ///< never more than this
    bool fixed_gain = false;    ///< do not correct the gain, only the peaks
    double limiter_db = -2.5;   ///< in: the limiter's first ceiling, dBTP; out: the last
    Measured measured;          ///< out: of the decoded file
    int passes = 0;             ///< out: how often it was encoded
};

/// Makes the files.
Status make_leveled(std::vector<LeveledFile>& files, const Work& work);

/// Measures a source as it is, without limiter and codec.
Result<Measured> measure_source(const PcmSource& source, int channels, Samples length, const Work& work);

}  // namespace lestapenna::render
