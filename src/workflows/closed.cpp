#include "workflows/closed.h"

#include <algorithm>

namespace lestapenna::workflows {

namespace {

constexpr UserId kNobody{};

std::int64_t samples(SamplePos at) {
    return at.time_since_epoch().count();
}

/// The last sample before `at` that has a say in what stands before it.
std::int64_t last_heard(SamplePos at) {
    return samples(at + std::chrono::floor<Samples>(timeline::kClosingGuard)) - 1;
}

}  // namespace

Closed::Closed(const timeline::Timeline& timeline, milliseconds rotation, bool recorded)
    : timeline_(&timeline), rotation_(rotation), everything_(!recorded || timeline.ended) {}

timeline::Windows Closed::windows_of(const timeline::Connection& connection) const {
    return {samples(connection.opened), std::chrono::duration_cast<Samples>(rotation_).count()};
}

bool Closed::over(const timeline::Connection& connection) const {
    if (everything_) return true;
    if (!connection.left || connection.user == kNobody) return false;
    const timeline::Windows windows = windows_of(connection);
    return known_at(windows.closing(windows.index(samples(connection.end))));
}

bool Closed::chunk(const timeline::Connection& connection, const render::ChunkWindow& window) const {
    if (over(connection)) return true;
    if (connection.user == kNobody) return false;
    const timeline::Windows windows = windows_of(connection);
    return known_at(windows.closing(windows.index(last_heard(window.start + window.length))));
}

nanoseconds Closed::next_closing() const {
    const SessionTime now = timeline_->known_until;
    nanoseconds next = rotation_ + timeline::kClosingDelay;
    for (const timeline::Connection& connection : timeline_->connections) {
        if (connection.user == kNobody || over(connection)) continue;
        const timeline::Windows windows = windows_of(connection);
        const SamplePos open = connection.left ? connection.end : floor_samples(now - timeline::kClosingDelay);
        std::int64_t index = windows.index(samples(open));
        while (windows.closing(index) <= now) ++index;
        next = std::min(next, windows.closing(index) - now);
    }
    return next;
}

}  // namespace lestapenna::workflows
