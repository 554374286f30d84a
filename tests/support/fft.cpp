#include "fft.h"

#include <bit>
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

std::vector<double> correlate(std::span<const float> pattern, std::span<const float> signal) {
    if (pattern.empty() || pattern.size() > signal.size()) return {};
    const std::size_t size = std::bit_ceil(signal.size());
    // Both real sequences go through one transform: z = signal + i pattern.
    std::vector<std::complex<double>> z(size);
    for (std::size_t i = 0; i < signal.size(); ++i) z[i].real(signal[i]);
    for (std::size_t i = 0; i < pattern.size(); ++i) z[i].imag(pattern[i]);
    fft(z);
    std::vector<std::complex<double>> product(size);
    for (std::size_t i = 0; i < size; ++i) {
        const std::complex<double> a = z[i];
        const std::complex<double> b = std::conj(z[(size - i) % size]);
        const std::complex<double> of_signal = (a + b) * 0.5;
        const std::complex<double> of_pattern = (a - b) * std::complex<double>(0, -0.5);
        product[i] = std::conj(of_signal * std::conj(of_pattern));  // conjugate: a forward transform then inverts
    }
    fft(product);
    std::vector<double> result(signal.size() - pattern.size() + 1);
    for (std::size_t k = 0; k < result.size(); ++k) result[k] = product[k].real() / static_cast<double>(size);
    return result;
}

}  // namespace lestapenna::test
