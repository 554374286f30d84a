// Look-ahead true-peak limiter (../shared/reference/loudness.md section 7): 4 x polyphase detector where a sample comes
// within 6 dB of the ceiling, 5 ms look-ahead, sliding minimum, two box smoothings, exponential release of 80 ms,
// channels linked.
//
// Promises: no sample is delayed (output sample i is input sample i times a gain <= 1); the output's true peak is <=
// the ceiling + 0.1 dB (read by a 4 x meter). Where no peak is near, the gain is exactly 1 and the output bit-identical
// to the input. The state forgets: a gain reduction below 0.001 dB is snapped to zero, and all sums are integers, so
// that a limiter started kLimiterPreRoll earlier on the same signal gives the same bits, in any order of work.
// Thread: pure function.
#pragma once

#include <span>

#include "base/time.h"

namespace lestapenna::audio {

/// To limit a piece of a signal on its own, limit it with so much of the signal before and behind it (where there is
/// any) and take the piece out: the bits are those of the whole. The deepest reduction is forgotten after 0.74 s.
inline constexpr Samples kLimiterPreRoll{kSampleRate};
inline constexpr Samples kLimiterPostRoll{256};

/// Limits in place. `ceiling` is linear (1.0 = full scale).
void limit(std::span<float> interleaved, int channels, double ceiling);

}  // namespace lestapenna::audio
