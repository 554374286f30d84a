// A plain radix-2 FFT, and what the judge needs of it. Pure; any thread.
#pragma once

#include <complex>
#include <span>
#include <vector>

namespace lestapenna::test {

/// In place, forward, not scaled; the size is a power of two.
void fft(std::span<std::complex<double>> values);

/// How alike `pattern` and signal[k, k + pattern.size()) are, for k = 0 ... signal.size() - pattern.size(): normalised
/// cross-correlation, 1 for the same up to a gain, after both were divided by their own magnitude spectrum (smoothed
/// over `smoothing` of the sampling rate, so that the pitch of a voice counts no more than the rest of it). Windows
/// more than 60 dB quieter than the signal's mean count as silence. Empty when the pattern is longer than the signal or
/// either is all zero.
std::vector<double> whitened_correlation(std::span<const float> pattern, std::span<const float> signal,
                                         double smoothing);

}  // namespace lestapenna::test
