#include "sandbox/line.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>
#include <set>

#include "rtp/packet.h"
#include "sandbox/parallel.h"
#include "sandbox/random.h"

namespace lestapenna::sandbox {
namespace {

/// Streams of the seed: 0 for the line, four for each player.
enum Stream : std::uint64_t { kSsrc = 1, kNumbers, kPackets, kStalls, kPerPlayer = kStalls };
Random stream_of(std::uint64_t seed, std::size_t player, Stream stream) {
    return {seed, kPerPlayer * player + stream};
}

/// Gives sequence and timestamp their start values: random, or such that both wrap half way.
void number(std::vector<SentPacket>& packets, bool wrap, Random random) {
    auto seq = static_cast<std::int64_t>(random.bits() & 0xFFFF);
    auto timestamp = static_cast<std::int64_t>(random.bits() & 0xFFFF'FFFF);
    if (wrap && !packets.empty()) {
        const auto half = static_cast<std::int64_t>(packets.size() / 2);
        seq = (65'536 - half % 65'536) % 65'536;
        timestamp = (std::int64_t{1} << 32) - packets[packets.size() / 2].timestamp;
    }
    for (SentPacket& packet : packets) {
        packet.seq += seq;
        packet.timestamp += timestamp;
    }
}

// ---- the way

struct Stall {
    nanoseconds from;
    nanoseconds until;
};
std::vector<Stall> draw_stalls(double per_minute, Samples length, Random random) {
    std::vector<Stall> stalls;
    if (per_minute <= 0) return stalls;
    const auto in_seconds = [](double s) { return nanoseconds(std::llround(s * 1e9)); };
    nanoseconds at{0};
    for (;;) {
        at += in_seconds(random.exponential(60 / per_minute));
        if (at >= length) return stalls;
        stalls.push_back({at, at + in_seconds(random.between(0.5, 3))});
        at = stalls.back().until;
    }
}

struct Delivery {
    nanoseconds at;
    std::size_t packet = 0;
    bool copy = false;
    bool stalled = false;
};

/// What one packet meets; drawn whatever the options are.
struct Fate {
    explicit Fate(Random& random)
        : loss(random.unit()),
          jitter(random.unit()),
          reorder(random.unit()),
          held_by(1 + random.below(3)),
          duplicate(random.unit()),
          copy_after(random.between(0.1e6, 30e6)) {}
    double loss;
    double jitter;
    double reorder;
    std::size_t held_by;
    double duplicate;
    double copy_after;  ///< ns
};

/// Sends packets through loss, a queue with jitter, reordering, duplication and stalls; in order of arrival.
std::vector<Delivery> deliver(const std::vector<SentPacket>& packets, const LineOptions& options,
                              const std::vector<Stall>& stalls, Random random) {
    std::vector<Delivery> queue;  // what gets through, in order
    std::vector<Fate> fates;
    nanoseconds before = nanoseconds::min();  // also of what got lost on the way: a loss moves nobody else
    for (std::size_t i = 0; i < packets.size(); ++i) {
        const Fate fate(random);
        const double jitter_ns = fate.jitter * static_cast<double>(nanoseconds(options.jitter).count());
        const nanoseconds at = packets[i].sent_at + options.base_delay + nanoseconds(std::llround(jitter_ns));
        before = std::max(at, before);
        if (fate.loss < options.loss) continue;
        queue.push_back({before, i});
        fates.push_back(fate);
    }

    std::vector<Delivery> deliveries = queue;
    for (std::size_t i = 0; i < queue.size(); ++i) {
        const std::size_t after = i + fates[i].held_by;
        const bool same_run = after < queue.size() && packets[queue[after].packet].run == packets[queue[i].packet].run;
        if (fates[i].reorder < options.reorder && same_run) deliveries[i].at = queue[after].at + nanoseconds(1);
        if (fates[i].duplicate < options.duplicate) {
            deliveries.push_back(
                {deliveries[i].at + nanoseconds(std::llround(fates[i].copy_after)), queue[i].packet, true});
        }
    }
    const auto earlier = [](const Delivery& a, const Delivery& b) { return a.at < b.at; };
    std::stable_sort(deliveries.begin(), deliveries.end(), earlier);

    auto stall = stalls.begin();
    for (Delivery& delivery : deliveries) {
        while (stall != stalls.end() && stall->until <= delivery.at) ++stall;
        if (stall == stalls.end() || delivery.at < stall->from) continue;
        delivery.at = stall->until;
        delivery.stalled = true;
    }
    return deliveries;
}

/// Books what really happened to each packet.
void book(const std::vector<SentPacket>& packets, const std::vector<Delivery>& deliveries, SenderLedger& ledger) {
    std::vector<bool> arrived(packets.size());
    std::optional<std::size_t> highest;
    for (RunLedger& run : ledger.runs) {
        run.least_delay = nanoseconds::max();
        run.in_stall = true;
    }
    for (const SentPacket& packet : packets) ++ledger.runs[packet.run].packets;
    for (const Delivery& delivery : deliveries) {
        if (arrived[delivery.packet]) {
            ++ledger.duplicated;
            continue;
        }
        arrived[delivery.packet] = true;
        const SentPacket& packet = packets[delivery.packet];
        RunLedger& run = ledger.runs[packet.run];
        ++run.delivered;
        run.least_delay = std::min(run.least_delay, delivery.at - packet.sent_at);
        run.in_stall = run.in_stall && delivery.stalled;
        ++ledger.delivered;
        ledger.stalled += delivery.stalled ? 1U : 0U;
        ledger.reordered += highest && delivery.packet < *highest ? 1U : 0U;
        highest = std::max(highest.value_or(0), delivery.packet);
    }
    for (RunLedger& run : ledger.runs) {
        if (run.delivered == 0) run.least_delay = nanoseconds(0), run.in_stall = false;
    }
    ledger.sent = packets.size();
    ledger.dropped = ledger.sent - ledger.delivered;
    if (!highest) return;
    const auto lowest = static_cast<std::size_t>(std::find(arrived.begin(), arrived.end(), true) - arrived.begin());
    ledger.first_seq = packets[lowest].seq;
    ledger.last_seq = packets[*highest].seq;
    for (std::size_t i = lowest; i < *highest; ++i) {
        if (!arrived[i]) ledger.lost.push_back(packets[i].seq);
    }
}

std::vector<std::uint8_t> datagram_of(const SentPacket& packet, std::uint32_t ssrc) {
    std::vector<std::uint8_t> bytes;
    rtp::write({.marker = false,
                .payload_type = rtp::kOpusPayloadType,
                .seq = static_cast<std::uint16_t>(packet.seq),
                .timestamp = static_cast<std::uint32_t>(packet.timestamp),
                .ssrc = ssrc},
               packet.opus, bytes);
    return bytes;
}

}  // namespace

SimulatedTable simulate(const Script& script, const LineOptions& options) {
    const std::size_t players = script.players.size();
    SimulatedTable table;
    table.seed = options.seed;
    table.start_time = options.start_time;
    table.length = script.length;
    table.senders.resize(players);
    table.sent.resize(players);

    std::set<std::uint32_t> taken{0};
    for (std::size_t i = 0; i < players; ++i) {
        Random random = stream_of(options.seed, i, kSsrc);
        std::uint32_t& ssrc = table.senders[i].ssrc;
        while (!taken.insert(ssrc).second) ssrc = static_cast<std::uint32_t>(random.bits());
        table.senders[i].user = script.players[i].user;
    }

    const std::vector<Stall> line_stalls = draw_stalls(options.stalls_per_minute, script.length, {options.seed, 0});
    std::vector<std::vector<Arrival>> arrivals(players);
    for_each_index(players, [&](std::size_t i) {
        Packed packed = pack(script.players[i], i < options.senders.size() ? options.senders[i] : options.sender);
        table.sent[i] = std::move(packed.packets);
        table.senders[i].runs = std::move(packed.runs);
        number(table.sent[i], options.wrap_counters, stream_of(options.seed, i, kNumbers));

        const std::vector<Stall> stalls =
            options.stall_scope == StallScope::whole_line
                ? line_stalls
                : draw_stalls(options.stalls_per_minute, script.length, stream_of(options.seed, i, kStalls));
        const auto deliveries = deliver(table.sent[i], options, stalls, stream_of(options.seed, i, kPackets));
        book(table.sent[i], deliveries, table.senders[i]);
        for (const Delivery& delivery : deliveries) {
            arrivals[i].push_back({CaptureTime(options.start_time) + delivery.at, table.senders[i].ssrc,
                                   datagram_of(table.sent[i][delivery.packet], table.senders[i].ssrc)});
        }
    });

    for (std::vector<Arrival>& of_player : arrivals) {
        std::move(of_player.begin(), of_player.end(), std::back_inserter(table.arrivals));
    }
    std::stable_sort(table.arrivals.begin(), table.arrivals.end(),
                     [](const Arrival& a, const Arrival& b) { return a.time < b.time; });
    return table;
}

}  // namespace lestapenna::sandbox
