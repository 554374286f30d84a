#include "base/time.h"

#include <string_view>

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

namespace lestapenna {

BootTime BootClock::now() noexcept {
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return BootTime{seconds{now.tv_sec} + nanoseconds{now.tv_nsec}};
}

UnixTime unix_now() noexcept {
    return std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
}

ClockReading read_clocks() noexcept {
    ClockReading best{};
    nanoseconds least = nanoseconds::max();
    for (int tries = 0; tries < 4 && least > std::chrono::microseconds(20); ++tries) {
        const BootTime before = BootClock::now();
        const auto wall = std::chrono::system_clock::now();
        const nanoseconds took = BootClock::now() - before;
        if (took >= least) continue;
        least = took;
        best = {before + took / 2, wall};
    }
    return best;
}

namespace {

int hex_digit(char c) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    const auto at = kDigits.find(c);
    return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

}  // namespace

BootId this_boot() noexcept {
    BootId id;
    const int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return id;
    char text[37] = {};
    const ssize_t size = read(fd, text, 36);
    close(fd);
    std::size_t digits = 0;
    for (ssize_t i = 0; i < size && digits < 32; ++i) {
        const int digit = hex_digit(text[i]);
        if (digit < 0) continue;
        auto& byte = id.bytes[digits / 2];
        byte = static_cast<std::uint8_t>(byte << 4 | digit);
        ++digits;
    }
    return digits == 32 ? id : BootId{};
}

}  // namespace lestapenna
