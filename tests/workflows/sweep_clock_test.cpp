// Which clocks may decide what is old.
#include "workflows/sweep_clock.h"

#include <gmock/gmock.h>

namespace lestapenna::workflows {
namespace {

using catalog::Moment;
using catalog::Sweeps;
using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using ::testing::HasSubstr;

const UnixTime kNow{milliseconds(1'800'000'000'000)};
constexpr BootTime kBoot{hours(100)};

BootId boot(std::uint8_t number) {
    BootId id;
    id.bytes[0] = number;
    return id;
}
/// After so much by the wall clock and by the boot clock.
Moment later(nanoseconds wall, nanoseconds since_boot, std::uint8_t number = 1) {
    return {kNow + std::chrono::floor<milliseconds>(wall), kBoot + since_boot, boot(number)};
}
Moment later(nanoseconds both) {
    return later(both, both);
}
const Sweeps kSwept{later(hours(0)), std::nullopt};

bool believed(const Sweeps& before, const Moment& now, std::optional<UnixTime> newest_end = std::nullopt) {
    const auto verdict = judge_clock(before, now, newest_end);
    if (verdict.doubt) {
        EXPECT_EQ(verdict.sweeps.believed, before.believed);
        EXPECT_TRUE(verdict.sweeps.doubted);
    } else {
        EXPECT_EQ(verdict.sweeps, (Sweeps{now, std::nullopt}));
    }
    return !verdict.doubt;
}

TEST(SweepClock, TheFirstIsBelievedUnlessASessionEndedLater) {
    EXPECT_TRUE(believed({}, later(hours(0))));
    EXPECT_TRUE(believed({}, later(hours(0)), kNow + minutes(30)));
    EXPECT_FALSE(believed({}, later(hours(0)), kNow + days(2)));
}

TEST(SweepClock, OnOneBootItMovesAsTheBootClockDoes) {
    EXPECT_TRUE(believed(kSwept, later(days(1))));
    EXPECT_TRUE(believed(kSwept, later(days(40)))) << "nobody swept, but the machine ran";
    EXPECT_TRUE(believed(kSwept, later(days(1) + minutes(50), days(1))));
    EXPECT_FALSE(believed(kSwept, later(days(1) + hours(2), days(1))));
    EXPECT_FALSE(believed(kSwept, later(days(300), days(1))));
    EXPECT_FALSE(believed(kSwept, later(days(-300), days(1)))) << "it fell back";
}

TEST(SweepClock, AfterARebootItMayHaveBeenOffForAWeek) {
    EXPECT_TRUE(believed(kSwept, later(days(1), hours(-99), 2)));
    EXPECT_TRUE(believed(kSwept, later(days(7), hours(-99), 2)));
    EXPECT_FALSE(believed(kSwept, later(days(8), hours(-99), 2)));
    EXPECT_FALSE(believed(kSwept, later(days(-1), hours(-99), 2)));
    EXPECT_FALSE(believed({Moment{kNow, kBoot, {}}, {}}, {kNow + days(30), kBoot + days(30), {}}))
        << "boots that nobody can tell apart";
}

TEST(SweepClock, WhatIsDoubtedIsBelievedADayLaterAndNotBefore) {
    const auto odd = later(days(300), days(1));
    auto verdict = judge_clock(kSwept, odd, std::nullopt);
    ASSERT_TRUE(verdict.doubt);
    EXPECT_THAT(*verdict.doubt, HasSubstr("2027-11-11"));
    EXPECT_THAT(*verdict.doubt, HasSubstr("the last sweep (2027-01-15"));
    EXPECT_EQ(verdict.sweeps.doubted, odd);
    EXPECT_FALSE(is_sweep_due(verdict.sweeps, odd.wall + hours(1)));
    EXPECT_TRUE(is_sweep_due(verdict.sweeps, odd.wall + hours(20)));

    verdict = judge_clock(verdict.sweeps, later(days(300) + hours(6), days(1) + hours(6)), std::nullopt);
    ASSERT_TRUE(verdict.doubt) << "so often one may ask";
    EXPECT_EQ(verdict.sweeps.doubted, odd) << "the time counts from the first";
    EXPECT_FALSE(believed(verdict.sweeps, later(days(600), days(2)))) << "it jumped once more";
    EXPECT_TRUE(believed(verdict.sweeps, later(days(301), days(2))));
    EXPECT_TRUE(believed(verdict.sweeps, later(days(2)))) << "it came home";
}

TEST(SweepClock, ASweepIsDueOnceADay) {
    EXPECT_TRUE(is_sweep_due({}, kNow));
    EXPECT_FALSE(is_sweep_due(kSwept, kNow + hours(23)));
    EXPECT_TRUE(is_sweep_due(kSwept, kNow + hours(24)));
    EXPECT_TRUE(is_sweep_due(kSwept, kNow - hours(1))) << "to find out what happened to the clock";
}

}  // namespace
}  // namespace lestapenna::workflows
