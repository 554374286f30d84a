// A plain radix-2 FFT, and what the judge needs of it. Pure; any thread.
#pragma once

#include <complex>
#include <span>
#include <vector>

namespace lestapenna::test {

/// In place, forward, not scaled; the size is a power of two.
void fft(std::span<std::complex<double>> values);

/// sum over i of pattern[i] * signal[i + k], for k = 0 ... signal.size() - pattern.size().
std::vector<double> correlate(std::span<const float> pattern, std::span<const float> signal);

}  // namespace lestapenna::test
