#include "discord/rest_limits.h"

#include <algorithm>
#include <set>
#include <utility>

namespace lestapenna::discord {

namespace {

// A limit is worth remembering until it resets; looking for stale ones at each answer would cost more than they do.
constexpr std::size_t kManyLimits = 1'000;

}  // namespace

RestLimits::RestLimits(int global_per_second)
    : global_(static_cast<std::size_t>(std::max(global_per_second, 1)), seconds(1)) {}

RestLimits::Ticket RestLimits::enter(LimitedBy by, BootTime now, BootTime deadline) {
    calls_.emplace(next_, Call{std::move(by), now, deadline});
    return next_++;
}

/// The bucket, or the route while none is known; then what it is about. Headers hold no line feed.
std::string RestLimits::key_of(const LimitedBy& by) const {
    const auto bucket = buckets_.find(by.route);
    return (bucket == buckets_.end() ? by.route : bucket->second) + '\n' + by.major;
}

BootTime RestLimits::free_at(const Call& call, const std::string& key, BootTime now) const {
    BootTime at = std::max(now, call.not_before);
    const auto limit = limits_.find(key);
    if (limit != limits_.end() && limit->second.remaining <= 0) at = std::max(at, limit->second.reset);
    if (call.by.global) at = std::max({at, global_pause_, now + global_.wait(now)});
    return at;
}

RestLimits::Turn RestLimits::poll(BootTime now) {
    Turn turn;
    std::set<std::string> taken;  // lines whose head is on its way, or waits
    for (const auto& [ticket, call] : calls_) {
        if (call.on_its_way) taken.insert(key_of(call.by));
    }
    for (auto& [ticket, call] : calls_) {
        if (call.on_its_way) continue;
        const std::string key = key_of(call.by);
        if (taken.contains(key)) continue;
        const BootTime at = free_at(call, key, now);
        if (at > call.deadline) {
            turn.hopeless.push_back(ticket);
            continue;
        }
        taken.insert(key);
        if (at > now) {
            turn.next = turn.next ? std::min(*turn.next, at) : at;
            continue;
        }
        turn.go.push_back(ticket);
        call.on_its_way = true;
        if (call.by.global) global_.note(now);
    }
    for (const Ticket ticket : turn.hopeless) calls_.erase(ticket);
    return turn;
}

void RestLimits::answered(Ticket ticket, const LimitNews& news, BootTime now) {
    const auto found = calls_.find(ticket);
    if (found == calls_.end()) return;
    const LimitedBy& by = found->second.by;
    if (!news.bucket.empty()) buckets_[by.route] = news.bucket;
    if (limits_.size() > kManyLimits) {
        std::erase_if(limits_, [&](const auto& limit) { return limit.second.reset <= now; });
    }
    Limit& limit = limits_[key_of(by)];
    if (news.remaining && news.reset_after) limit = {*news.remaining, now + *news.reset_after};
    if (!news.blocked_for) return;
    if (news.blocked_globally && by.global) {
        global_pause_ = std::max(global_pause_, now + *news.blocked_for);
    } else {
        limit = {0, now + *news.blocked_for};
    }
}

void RestLimits::again(Ticket ticket, BootTime not_before) {
    const auto found = calls_.find(ticket);
    if (found == calls_.end()) return;
    found->second.on_its_way = false;
    found->second.not_before = not_before;
}

void RestLimits::leave(Ticket ticket) {
    calls_.erase(ticket);
}

}  // namespace lestapenna::discord
