// The clocks of the project, as types: a number of samples, of nanoseconds and of RTP ticks can not be mixed by
// accident, because std::chrono does not convert between clocks at all and between units only when told to.
//
//   BootTime     CLOCK_BOOTTIME of this machine; the only clock that journal records carry
//   SessionTime  nanoseconds since the session's time zero; SamplePos is the same clock counted in samples
//   UnixTime     wall clock in milliseconds; what people, file names and the catalog see
//
// Pure value types; any thread.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

namespace lestapenna {

inline constexpr std::int64_t kSampleRate = 48'000;
inline constexpr std::int64_t kSamplesPerMs = kSampleRate / 1000;

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

/// A length of audio at 48 kHz.
using Samples = std::chrono::duration<std::int64_t, std::ratio<1, kSampleRate>>;

/// The session's clock. It is derived from records, never read: no now().
struct SessionClock {
    using duration = nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<SessionClock, duration>;
    static constexpr bool is_steady = true;
};
using SessionTime = SessionClock::time_point;
using SamplePos = std::chrono::time_point<SessionClock, Samples>;

/// CLOCK_BOOTTIME: runs on while the machine sleeps, never steps.
struct BootClock {
    using duration = nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<BootClock, duration>;
    static constexpr bool is_steady = true;
    static time_point now() noexcept;
};
using BootTime = BootClock::time_point;

using UnixTime = std::chrono::sys_time<milliseconds>;
UnixTime unix_now() noexcept;

/// Both clocks at one instant.
struct ClockReading {
    BootTime boot;
    std::chrono::sys_time<nanoseconds> wall;
};
/// Read again when the thread lost the CPU between the two (reading takes 0.1 us, a lost time slice is milliseconds,
/// and all of it would be the error of whatever is converted by it). Thread: any.
ClockReading read_clocks() noexcept;

/// Nearest sample at or before `t`.
constexpr SamplePos floor_samples(SessionTime t) {
    return std::chrono::floor<Samples>(t);
}
/// Exact: a sample begins at a multiple of 20 833 ns 1/3; the fraction is dropped.
constexpr SessionTime to_session_time(SamplePos p) {
    return std::chrono::floor<nanoseconds>(p);
}
/// Whole milliseconds at or before `p`.
constexpr SamplePos floor_ms(SamplePos p) {
    return std::chrono::floor<milliseconds>(p);
}

/// Identity of this boot of the machine (/proc/sys/kernel/random/boot_id), 16 bytes. All zero if unknown.
struct BootId {
    std::uint8_t bytes[16] = {};
    auto operator<=>(const BootId&) const = default;
};
BootId this_boot() noexcept;

}  // namespace lestapenna
