// Randomness that a seed means the same everywhere: std::mt19937_64 is specified bit by bit, the library's
// distributions are not, so these are our own. One thread at a time.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>

namespace lestapenna::sandbox {

class Random {
  public:
    /// Streams of one seed are independent of each other, so that drawing more for one thing changes no other.
    Random(std::uint64_t seed, std::uint64_t stream) : engine_(mix(seed + 0x9E37'79B9'7F4A'7C15 * (stream + 1))) {}

    std::uint64_t bits() { return engine_(); }
    /// In [0, 1), 53 random bits.
    double unit() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
    /// In [low, high).
    double between(double low, double high) { return low + (high - low) * unit(); }
    /// One of 0 ... count - 1; the bias is below 2^-40 for any count used here.
    std::size_t below(std::size_t count) { return static_cast<std::size_t>(unit() * static_cast<double>(count)); }
    bool chance(double probability) { return unit() < probability; }
    double exponential(double mean) { return -mean * std::log1p(-unit()); }

  private:
    /// splitmix64's finaliser: neighbouring seeds give unlike engines.
    static std::uint64_t mix(std::uint64_t x) {
        x = (x ^ (x >> 30)) * 0xBF58'476D'1CE4'E5B9;
        x = (x ^ (x >> 27)) * 0x94D0'49BB'1331'11EB;
        return x ^ (x >> 31);
    }
    std::mt19937_64 engine_;
};

}  // namespace lestapenna::sandbox
