// Sample-rate conversion to 48 kHz for what people bring along (players' files of 8 to 192 kHz). Not used on
// recordings. Pure function; any thread.
#pragma once

#include <span>
#include <vector>

namespace lestapenna::audio {

/// Mono at `rate` Hz to 48 kHz. Linear phase: output sample n is the input at n * rate / 48000, no delay. Flat to 90 %
/// of the narrower band, images 80 dB down. The length is ceil(size * 48000 / rate).
std::vector<float> resample_to_48k(std::span<const float> mono, int rate);

}  // namespace lestapenna::audio
