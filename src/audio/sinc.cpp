#include "audio/sinc.h"

#include <cmath>
#include <numbers>

namespace lestapenna::audio {

namespace {

/// Modified Bessel function of the first kind and order 0, by its series: terms fall fast below x = 20.
double bessel_i0(double x) {
    double sum = 1;
    double term = 1;
    for (int k = 1; term > sum * 1e-17; ++k) {
        term *= (x / (2 * k)) * (x / (2 * k));
        sum += term;
    }
    return sum;
}

}  // namespace

double windowed_sinc(double x, double cutoff, double half_width, double beta) {
    const double place = x / half_width;
    if (std::abs(place) >= 1) return 0;
    const double angle = std::numbers::pi * cutoff * x;
    const double sinc = std::abs(angle) < 1e-9 ? 1 : std::sin(angle) / angle;
    return cutoff * sinc * bessel_i0(beta * std::sqrt(1 - place * place)) / bessel_i0(beta);
}

}  // namespace lestapenna::audio
