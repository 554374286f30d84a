#include "timeline/source.h"

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "rtp/unwrap.h"

namespace lestapenna::timeline {

namespace {

// RFC 3550 appendix A.1: a jump beyond this is not loss or reorder unless something else confirms it. 3000 packets = 60
// s.
constexpr std::int64_t kMaxJump = 3'000;
// A jump that both clocks show alike is loss all the same, however long.
constexpr std::int64_t kClocksAgree = 2 * kSampleRate;
// No packet is overtaken for so long (60 s): a sequence that is behind after that has gone round meanwhile, in 163 s at
// the fastest.
constexpr std::int64_t kNoReorder = 60 * kSampleRate;
// A second packet this near to a jumped one confirms that the source starts anew there.
constexpr std::int64_t kConfirm = 50;
// Beyond this silence (6.2 h) the nearest 32-bit timestamp may be one wrap off: ask the arrival.
constexpr std::int64_t kTimestampDoubt = std::int64_t{1} << 30;

/// Follows one source through wraps.
struct Tracker {
    std::int64_t seq;
    std::int64_t timestamp;
    std::int64_t arrival;

    explicit Tracker(const Arrived& first)
        : seq(first.seq), timestamp(first.timestamp), arrival(first.packet.arrival) {}

    [[nodiscard]] Observation extend(const Arrived& next) const {
        Observation out = next.packet;
        const std::int64_t waited = out.arrival - arrival;
        out.timestamp = rtp::unwrap(timestamp + (waited > kTimestampDoubt ? waited : 0), next.timestamp);
        out.seq = rtp::unwrap(seq, next.seq);
        return out;
    }

    [[nodiscard]] bool goes_on(const Observation& next) const {
        const std::int64_t by_clock = next.timestamp - timestamp;
        const std::int64_t by_arrival = next.arrival - arrival;
        if (next.seq < seq && by_arrival > kNoReorder) return false;
        if (std::llabs(next.seq - seq) <= kMaxJump) return true;
        return next.seq > seq && std::llabs(by_clock - by_arrival) <= kClocksAgree;
    }

    void follow(const Observation& next) {
        if (next.seq <= seq) return;
        seq = next.seq;
        timestamp = next.timestamp;
        arrival = next.arrival;
    }
};

void sort_and_deduplicate(Source& source) {
    auto& packets = source.packets;
    // Stable: of two copies the one that was journaled first stays.
    std::stable_sort(packets.begin(), packets.end(), [](const auto& a, const auto& b) { return a.seq < b.seq; });
    const auto same = [](const auto& a, const auto& b) { return a.seq == b.seq; };
    const auto tail = std::unique(packets.begin(), packets.end(), same);
    source.duplicates = static_cast<std::uint64_t>(packets.end() - tail);
    packets.erase(tail, packets.end());
}

}  // namespace

std::vector<Source> split_sources(std::span<const Arrived> arrived) {
    std::vector<Source> sources;
    if (arrived.empty()) return sources;
    sources.emplace_back();
    Tracker tracker(arrived.front());
    std::optional<Arrived> jumped;  // waits for a second packet that confirms it
    for (const Arrived& next : arrived) {
        const Observation packet = tracker.extend(next);
        if (tracker.goes_on(packet)) {
            tracker.follow(packet);
            sources.back().packets.push_back(packet);
            continue;
        }
        if (!jumped || std::llabs(rtp::unwrap(std::int64_t{jumped->seq}, next.seq) - jumped->seq) > kConfirm ||
            jumped->seq == next.seq) {
            if (jumped) ++sources.back().strays;
            jumped = next;
            continue;
        }
        sources.emplace_back();
        tracker = Tracker(*jumped);
        for (const Arrived& early : {*jumped, next}) {
            const Observation confirmed = tracker.extend(early);
            tracker.follow(confirmed);
            sources.back().packets.push_back(confirmed);
        }
        jumped.reset();
    }
    if (jumped) ++sources.back().strays;
    for (Source& source : sources) sort_and_deduplicate(source);
    return sources;
}

}  // namespace lestapenna::timeline
