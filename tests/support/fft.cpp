#include "fft.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>
#include <utility>

namespace lestapenna::test {

void fft(std::span<std::complex<double>> values) {
    const std::size_t size = values.size();
    for (std::size_t i = 1, j = 0; i < size; ++i) {
        std::size_t bit = size >> 1;
        for (; (j & bit) != 0; bit >>= 1) j ^= bit;
        j ^= bit;
        if (i < j) std::swap(values[i], values[j]);
    }
    std::vector<std::complex<double>> roots(size / 2);
    for (std::size_t i = 0; i < roots.size(); ++i) {
        roots[i] = std::polar(1.0, -2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(size));
    }
    for (std::size_t half = 1; half < size; half *= 2) {
        const std::size_t stride = size / (2 * half);
        for (std::size_t block = 0; block < size; block += 2 * half) {
            for (std::size_t i = 0; i < half; ++i) {
                const std::complex<double> root = roots[i * stride];
                std::complex<double>& low = values[block + i];
                std::complex<double>& high = values[block + i + half];
                // Written out: operator* of std::complex checks for NaN and is four times slower.
                const std::complex<double> turned(high.real() * root.real() - high.imag() * root.imag(),
                                                  high.real() * root.imag() + high.imag() * root.real());
                high = low - turned;
                low += turned;
            }
        }
    }
}

namespace {

using Spectrum = std::vector<std::complex<double>>;

/// Divides each value by the RMS of those within `reach` bins; what is 40 dB below the mean is not lifted further.
void whiten(Spectrum& spectrum, std::size_t reach) {
    const std::size_t size = spectrum.size();
    std::vector<double> sums(size + 1);
    for (std::size_t i = 0; i < size; ++i) sums[i + 1] = sums[i] + std::norm(spectrum[i]);
    const double floor = 1e-4 * sums[size] / static_cast<double>(size);
    if (floor <= 0) return;
    for (std::size_t i = 0; i < size; ++i) {
        const std::size_t from = i > reach ? i - reach : 0;
        const std::size_t until = std::min(size, i + reach + 1);
        spectrum[i] /= std::sqrt((sums[until] - sums[from]) / static_cast<double>(until - from) + floor);
    }
}

}  // namespace

std::vector<double> whitened_correlation(std::span<const float> pattern, std::span<const float> signal,
                                         double smoothing) {
    if (pattern.empty() || pattern.size() > signal.size()) return {};
    const std::size_t size = std::bit_ceil(signal.size());
    // Two real sequences go through one transform, forwards and back: z = signal + i pattern.
    Spectrum z(size);
    for (std::size_t i = 0; i < signal.size(); ++i) z[i].real(signal[i]);
    for (std::size_t i = 0; i < pattern.size(); ++i) z[i].imag(pattern[i]);
    fft(z);
    Spectrum of_signal(size);
    Spectrum of_pattern(size);
    for (std::size_t i = 0; i < size; ++i) {
        const std::complex<double> mirrored = std::conj(z[(size - i) % size]);
        of_signal[i] = (z[i] + mirrored) * 0.5;
        of_pattern[i] = (z[i] - mirrored) * std::complex<double>(0, -0.5);
    }
    const auto reach = static_cast<std::size_t>(smoothing * static_cast<double>(size) / 2);
    whiten(of_signal, reach);
    whiten(of_pattern, reach);

    double pattern_energy = 0;
    for (std::size_t i = 0; i < size; ++i) {
        pattern_energy += std::norm(of_pattern[i]) / static_cast<double>(size);
        const std::complex<double> product = of_signal[i] * std::conj(of_pattern[i]);
        z[i] = std::conj(product +
                         std::complex<double>(0, 1) * of_signal[i]);  // conjugate: a forward transform then inverts
    }
    fft(z);  // real: correlation, -imaginary: the whitened signal; both times `size`

    const auto whitened = [&](std::size_t i) { return z[i].imag() / static_cast<double>(size); };
    double total = 0;
    for (std::size_t i = 0; i < signal.size(); ++i) total += whitened(i) * whitened(i);
    if (total <= 0 || pattern_energy <= 0) return {};
    const double floor = 1e-6 * total * static_cast<double>(pattern.size()) / static_cast<double>(signal.size());
    double window = 0;
    for (std::size_t i = 0; i < pattern.size(); ++i) window += whitened(i) * whitened(i);
    std::vector<double> result(signal.size() - pattern.size() + 1);
    for (std::size_t k = 0; k < result.size(); ++k) {
        result[k] = z[k].real() / static_cast<double>(size) / std::sqrt(pattern_energy * std::max(window, floor));
        if (k + 1 == result.size()) break;
        window += whitened(k + pattern.size()) * whitened(k + pattern.size()) - whitened(k) * whitened(k);
    }
    return result;
}

}  // namespace lestapenna::test
