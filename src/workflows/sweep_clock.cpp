#include "workflows/sweep_clock.h"

#include <array>
#include <ctime>

#include <fmt/format.h>

namespace lestapenna::workflows {

namespace {

using catalog::Moment;

constexpr std::chrono::hours kDrift{1};
constexpr std::chrono::days kLongestAbsence{7};
constexpr std::chrono::hours kProof{20};  ///< less than a day: sweeps are a day apart
constexpr std::chrono::hours kBetweenSweeps{24};

bool fits(const Moment& earlier, const Moment& now) {
    const nanoseconds by_wall = now.wall - earlier.wall;
    if (now.machine == earlier.machine && now.machine != BootId{}) {
        const nanoseconds by_boot = now.boot - earlier.boot;
        return by_boot >= nanoseconds(0) && std::chrono::abs(by_wall - by_boot) <= kDrift;
    }
    return by_wall >= -kDrift && by_wall <= kLongestAbsence;
}

std::string date(UnixTime time) {
    const auto seconds = static_cast<std::time_t>(time.time_since_epoch().count() / 1000);
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    std::array<char, 32> text{};
    return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M UTC", &utc)};
}

std::string sentence(const Moment& now, std::string_view what, UnixTime other) {
    return fmt::format(
        "nothing is removed: the clock says {}, which does not go with {} ({}); set it, or leave it, if it is right: "
        "a sweep a day from now believes it",
        date(now.wall), what, date(other));
}

}  // namespace

ClockVerdict judge_clock(const catalog::Sweeps& before, const Moment& now, std::optional<UnixTime> newest_end) {
    const bool proven = before.doubted && fits(*before.doubted, now) && now.wall - before.doubted->wall >= kProof;
    const bool after_last = !before.believed || fits(*before.believed, now);
    const bool after_sessions = !newest_end || now.wall >= *newest_end - kDrift;
    if (proven || (after_last && after_sessions)) return {{now, std::nullopt}, std::nullopt};
    ClockVerdict verdict{before, after_last ? sentence(now, "the end of a session", *newest_end)
                                            : sentence(now, "the last sweep", before.believed->wall)};
    if (!before.doubted || !fits(*before.doubted, now)) verdict.sweeps.doubted = now;
    return verdict;
}

bool is_sweep_due(const catalog::Sweeps& before, UnixTime now) {
    const auto passed = [&](const Moment& then, std::chrono::hours time) {
        return now < then.wall || now - then.wall >= time;
    };
    if (before.doubted) return passed(*before.doubted, kProof);
    return !before.believed || passed(*before.believed, kBetweenSweeps);
}

}  // namespace lestapenna::workflows
