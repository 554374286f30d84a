#include "base/time.h"

#include <gtest/gtest.h>

namespace lestapenna {
namespace {

TEST(Clocks, AreReadAtOneInstant) {
    for (int i = 0; i < 1'000; ++i) {
        const BootTime before = BootClock::now();
        const UnixTime wall_before = unix_now();
        const ClockReading now = read_clocks();
        EXPECT_GE(now.boot, before);
        EXPECT_LE(now.boot, BootClock::now());
        EXPECT_GE(now.wall, wall_before);
    }
}

}  // namespace
}  // namespace lestapenna
