#include "sandbox/rate_limits.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace lestapenna::sandbox {

namespace {

constexpr RateLimit kGlobal{"", 50, milliseconds{1'000}};
constexpr std::size_t kMostWindows = 1'000;  // then the ended ones are swept out

using Seconds = std::chrono::duration<double>;

}  // namespace

net::HttpResponse too_many_requests(Seconds retry_after, bool global) {
    const nlohmann::json body{
        {"message", "You are being rate limited."}, {"retry_after", retry_after.count()}, {"global", global}};
    net::HttpResponse response{429, {{"Content-Type", "application/json"}}, body.dump()};
    response.headers.emplace_back("Retry-After", fmt::format("{:.0f}", std::ceil(retry_after.count())));
    response.headers.emplace_back("X-RateLimit-Scope", global ? "global" : "user");
    if (global) response.headers.emplace_back("X-RateLimit-Global", "true");
    return response;
}

RateLimits::Window& RateLimits::window(const std::string& key, milliseconds length, Time now) {
    if (windows_.size() >= kMostWindows) {
        std::erase_if(windows_, [&](const auto& entry) { return entry.second.end <= now; });
    }
    Window& found = windows_[key];
    if (found.end <= now) found = {now + length, 0};
    return found;
}

RateLimits::Verdict RateLimits::count(const RateLimit& limit, const std::string& bot, const std::string& resource,
                                      Time now) {
    Window& current = window(fmt::format("{} {} {}", limit.bucket, bot, resource), limit.window, now);
    const Seconds left = current.end - now;
    const bool refused = current.used >= limit.requests;
    if (!refused) ++current.used;
    const Seconds reset = std::chrono::system_clock::now().time_since_epoch() + left;
    Verdict verdict;
    if (refused) verdict.refusal = too_many_requests(left, false);
    verdict.headers = {{"X-RateLimit-Limit", std::to_string(limit.requests)},
                       {"X-RateLimit-Remaining", std::to_string(limit.requests - current.used)},
                       {"X-RateLimit-Reset", fmt::format("{:.3f}", reset.count())},
                       {"X-RateLimit-Reset-After", fmt::format("{:.3f}", left.count())},
                       {"X-RateLimit-Bucket", limit.bucket}};
    return verdict;
}

std::optional<net::HttpResponse> RateLimits::count_global(const std::string& bot, Time now) {
    Window& current = window(bot, kGlobal.window, now);
    if (current.used < kGlobal.requests) return ++current.used, std::nullopt;
    return too_many_requests(current.end - now, true);
}

}  // namespace lestapenna::sandbox
