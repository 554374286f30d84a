// The windowed sinc behind the true-peak detector and the resampler.
// Pure function; any thread.
#pragma once

namespace lestapenna::audio {

/// Value at `x` (in input samples) of a low-pass of `cutoff` (1 = half the sample rate), `half_width` samples to each
/// side, Kaiser window: beta 6 keeps 60 dB out of band, beta 8 keeps 80 dB. Zero outside.
double windowed_sinc(double x, double cutoff, double half_width, double beta);

}  // namespace lestapenna::audio
