// Look-ahead true-peak limiter (../shared/reference/loudness.md section 7): 4 x polyphase detector where a sample comes
// within 6 dB of the ceiling, 5 ms look-ahead, sliding minimum, two box smoothings, exponential release of 80 ms,
// channels linked.
//
// Promises: no sample is delayed (output sample i is input sample i times a gain <= 1); the output's true peak is <=
// the ceiling + 0.1 dB. Where no peak is near, the gain is exactly 1 and the output bit-identical to the input. The
// state forgets: a gain reduction below 0.001 dB is snapped to zero, and all sums are integers, so that a limiter
// started 3 s earlier on the same signal is in the same state and gives the same bits, in any order of work. Thread:
// pure function.
#pragma once

#include <span>

namespace lestapenna::audio {

/// Limits in place. `ceiling` is linear (1.0 = full scale).
void limit(std::span<float> interleaved, int channels, double ceiling);

}  // namespace lestapenna::audio
