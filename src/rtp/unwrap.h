// Counters that wrap, extended to 64 bits: the RTP timestamp wraps every 24.8 h from a random start, so one session in
// four sees it; the sequence number every 22 minutes. Pure value types; any thread.
#pragma once

#include <cstdint>

namespace lestapenna::rtp {

/// The value congruent to `next` (mod 2^bits of T) that is nearest to `reference`; of two equally near ones the higher.
template <class T>
constexpr std::int64_t unwrap(std::int64_t reference, T next) {
    static_assert(sizeof(T) <= 4 && T(-1) > T(0));
    const auto distance = static_cast<T>(next - static_cast<T>(reference));
    constexpr std::int64_t kModulus = std::int64_t{1} << (8 * sizeof(T));
    const auto ahead = static_cast<std::int64_t>(distance);
    return reference + (ahead <= kModulus / 2 ? ahead : ahead - kModulus);
}

}  // namespace lestapenna::rtp
