// The timeline against the simulated line: every packet's place is known, and so is all that the line did.
#include "sandbox/line.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "rtp/packet.h"
#include "timeline/timeline.h"

namespace lestapenna::timeline {
namespace {

using sandbox::LineOptions;

constexpr std::uint64_t kSeed = 20261122;

/// Voices need not be voices here: noise is enough to make packets.
std::vector<std::vector<float>> noises(std::size_t count) {
    std::vector<std::vector<float>> voices;
    std::mt19937 random(1);
    for (std::size_t v = 0; v < count; ++v) {
        auto& voice = voices.emplace_back(12 * kSampleRate);
        for (std::size_t i = 0; i < voice.size(); ++i) {
            const float wave =
                0.3F * std::sin(static_cast<float>(i) * 0.03F) * std::sin(static_cast<float>(i) * 0.0002F);
            voice[i] = wave + static_cast<float>(random() % 1000) * 1e-5F;
        }
    }
    return voices;
}

sandbox::SimulatedTable simulate(std::size_t players, Samples length, const LineOptions& options) {
    sandbox::CutTable cut;
    cut.length = length;
    cut.seed = options.seed;
    return sandbox::simulate(sandbox::cut_table(noises(players), cut), options);
}

/// What the importer does, without files. With `until`, the journal ends with the first record at or after that time.
Timeline build(const sandbox::SimulatedTable& table, seconds rotation = seconds(300),
               SessionTime until = SessionTime::max()) {
    Builder builder{rotation};
    const auto time_of = [&](const sandbox::Arrival& a) { return SessionTime{a.time - table.start_time}; };
    for (const auto& sender : table.senders) {
        builder.add(journal::Binding{BootTime{}, sender.ssrc, sender.user}, SessionTime{}, {});
    }
    std::uint32_t index = 0;
    for (const sandbox::Arrival& arrival : table.arrivals) {
        const rtp::Parsed parsed = rtp::parse(arrival.datagram);
        journal::Packet packet;
        packet.ssrc = parsed.header.ssrc;
        packet.seq = parsed.header.seq;
        packet.rtp_timestamp = parsed.header.timestamp;
        packet.payload = parsed.payload;
        packet.payload_size = static_cast<std::uint16_t>(parsed.payload.size());
        builder.add(packet, time_of(arrival), {0, index++, packet.payload_size});
        if (time_of(arrival) >= until) return builder.finish();
    }
    builder.add(journal::End{}, SessionTime{to_session_time(SamplePos{table.length})}, {});
    return builder.finish();
}

struct Errors {
    std::vector<double> runs_ms;      ///< of each run's first placed packet
    double beyond_promise_ms = -1e9;  ///< worst of |error| - max(20 ms, least delay of the run + 5 ms)
    std::size_t unknowable = 0;       ///< runs inside a stall of a frozen clock

    [[nodiscard]] double median() const {
        auto sorted = runs_ms;
        std::sort(sorted.begin(), sorted.end());
        return sorted.empty() ? 0 : sorted[sorted.size() / 2];
    }
    [[nodiscard]] double max() const { return runs_ms.empty() ? 0 : *std::max_element(runs_ms.begin(), runs_ms.end()); }
};

/// How far each run was put from where it was said. Runs that section 6 calls unplaceable are only counted.
Errors errors_of(const sandbox::SimulatedTable& table, const Timeline& timeline, const LineOptions& options) {
    Errors errors;
    for (std::size_t s = 0; s < table.senders.size(); ++s) {
        const auto& sender = table.senders[s];
        std::map<std::uint32_t, const PlacedPacket*> by_arrival;
        for (const Connection& c : timeline.connections) {
            if (c.user != sender.user) continue;
            for (const Stream& stream : c.streams) {
                for (const PlacedPacket& p : stream.packets) by_arrival[p.payload.offset] = &p;
            }
        }
        std::map<std::uint16_t, std::vector<std::uint32_t>> arrivals;  // by wrapped seq
        for (std::uint32_t i = 0; i < table.arrivals.size(); ++i) {
            if (table.arrivals[i].ssrc == sender.ssrc)
                arrivals[rtp::parse(table.arrivals[i].datagram).header.seq].push_back(i);
        }
        const bool frozen =
            s < options.senders.size() ? options.senders[s].frozen_rtp_clock : options.sender.frozen_rtp_clock;
        std::map<std::size_t, double> worst;
        for (const auto& sent : table.sent[s]) {
            for (const std::uint32_t i : arrivals[static_cast<std::uint16_t>(sent.seq)]) {
                const auto found = by_arrival.find(i);
                if (found == by_arrival.end()) continue;
                const double off =
                    static_cast<double>((found->second->at - sandbox::nearest_sample(sent.sent_at)).count()) / 48;
                auto& w = worst[sent.run];
                w = std::max(w, std::fabs(off));
            }
        }
        for (const auto& [run, error] : worst) {
            const auto& ledger = sender.runs[run];
            if (frozen && ledger.in_stall) {
                ++errors.unknowable;
                continue;
            }
            errors.runs_ms.push_back(error);
            const double least = static_cast<double>(ledger.least_delay.count()) / 1e6;
            errors.beyond_promise_ms = std::max(errors.beyond_promise_ms, error - std::max(20.0, least + 5));
        }
    }
    return errors;
}

void expect_ledger(const sandbox::SimulatedTable& table, const Timeline& timeline) {
    for (const auto& sender : table.senders) {
        const Counts counts = timeline.counts_of(sender.user);
        EXPECT_EQ(counts.received, sender.delivered) << "ssrc " << sender.ssrc;
        EXPECT_EQ(counts.lost, sender.lost.size()) << "ssrc " << sender.ssrc;
        EXPECT_EQ(counts.duplicate, sender.duplicated) << "ssrc " << sender.ssrc;
        EXPECT_EQ(counts.late, 0U);
        EXPECT_EQ(counts.stray, 0U);
        Counts by_minute;
        for (const Minute& row : timeline.ledger) {
            if (row.user == sender.user) by_minute += row.counts;
        }
        EXPECT_EQ(by_minute.received, counts.received);
        EXPECT_EQ(by_minute.lost, counts.lost);
        EXPECT_EQ(by_minute.concealed, counts.concealed);
    }
}

void report(const char* what, const Errors& e) {
    std::printf("%-28s runs %4zu  median %6.3f ms  max %7.3f ms  beyond promise %8.3f ms  unknowable %zu\n", what,
                e.runs_ms.size(), e.median(), e.max(), e.beyond_promise_ms, e.unknowable);
}

TEST(Line, CleanLineIsExact) {
    LineOptions options;
    options.seed = kSeed;
    const auto table = simulate(6, seconds(600), options);
    const Timeline timeline = build(table);
    const Errors e = errors_of(table, timeline, options);
    report("clean", e);
    expect_ledger(table, timeline);
    EXPECT_LE(e.median(), 2.0);
    EXPECT_LE(e.max(), 5.0);
}

TEST(Line, BadLine) {
    for (std::uint64_t seed = kSeed; seed < kSeed + 5; ++seed) {
        SCOPED_TRACE(seed);
        LineOptions options;
        options.seed = seed;
        options.jitter = milliseconds(60);
        options.loss = 0.05;
        options.reorder = 0.02;
        options.duplicate = 0.02;
        options.stalls_per_minute = 1;
        options.wrap_counters = true;
        options.senders.resize(6);
        for (std::size_t i = 0; i < 6; ++i) options.senders[i].skew_ppm = i % 2 == 0 ? 50 : -50;
        options.senders[2].frozen_rtp_clock = true;
        const auto table = simulate(6, seconds(600), options);
        const Timeline timeline = build(table);
        const Errors e = errors_of(table, timeline, options);
        report("bad line", e);
        expect_ledger(table, timeline);
        EXPECT_LE(e.median(), 5.0);
        EXPECT_LE(e.beyond_promise_ms, 0.0);
    }
}

TEST(Line, ClocksThatStandStillOverSilence) {
    for (std::uint64_t seed = kSeed; seed < kSeed + 4; ++seed) {
        SCOPED_TRACE(seed);
        LineOptions options;
        options.seed = seed;
        options.jitter = milliseconds(60);
        options.loss = 0.05;
        options.stalls_per_minute = 2;
        options.stall_scope = sandbox::StallScope::whole_line;
        options.sender.frozen_rtp_clock = true;
        const auto table = simulate(4, seconds(400), options);
        const Timeline timeline = build(table);
        const Errors e = errors_of(table, timeline, options);
        report("standing clocks", e);
        expect_ledger(table, timeline);
        EXPECT_LE(e.median(), 5.0);
        EXPECT_LE(e.beyond_promise_ms, 0.0);
    }
}

/// Five minutes without a pause, the sender's clock off by the worst there is: slid in steps of one sample, never far
/// off.
TEST(Line, AnOpenMicrophoneOnABadClock) {
    for (const double ppm : {-200.0, 200.0}) {
        SCOPED_TRACE(ppm);
        LineOptions options;
        options.seed = kSeed;
        options.jitter = milliseconds(40);
        options.sender.skew_ppm = ppm;
        const auto voice = noises(1)[0];
        sandbox::Talk talk{SamplePos{}, {}};
        for (int i = 0; i < 25; ++i) talk.pcm.insert(talk.pcm.end(), voice.begin(), voice.end());
        sandbox::Script script;
        script.length = seconds(310);
        script.players.push_back({sandbox::player_id(0), SamplePos{}, SamplePos{script.length}, {talk}});
        const auto table = sandbox::simulate(script, options);
        const Timeline timeline = build(table);
        const Errors e = errors_of(table, timeline, options);
        report("open microphone", e);
        EXPECT_LE(e.max(), 10.0);
        std::int64_t slips = 0;
        for (const PlacedPacket& packet : timeline.connections.at(0).streams.at(0).packets) slips += packet.slip;
        // 300 s at 200 ppm are 2880 samples; the last ones may still be owed.
        EXPECT_NEAR(static_cast<double>(slips), -ppm * 1e-6 * 300 * kSampleRate, 400);
    }
}

/// What is placed when a window closes is what is placed when all is known.
TEST(Line, PlacementIsCausal) {
    constexpr seconds kRotation{30};
    LineOptions options;
    options.seed = kSeed;
    options.jitter = milliseconds(80);
    options.loss = 0.03;
    options.reorder = 0.02;
    options.stalls_per_minute = 2;
    options.senders.resize(4);
    options.senders[1].frozen_rtp_clock = true;
    options.senders[2].skew_ppm = 180;
    const auto table = simulate(4, seconds(180), options);
    const Timeline whole = build(table, kRotation);
    std::size_t compared = 0;
    for (const Connection& connection : whole.connections) {
        for (int window = 0; window < 5; ++window) {
            const SamplePos end = connection.opened + (window + 1) * kRotation;
            const Timeline then = build(table, kRotation, to_session_time(end) + kClosingDelay);
            const auto same_user = [&](const Connection& c) { return c.user == connection.user; };
            const auto found = std::find_if(then.connections.begin(), then.connections.end(), same_user);
            ASSERT_NE(found, then.connections.end());
            const SamplePos closed = end + std::chrono::floor<Samples>(kClosingGuard);
            const auto& now_packets = connection.streams.at(0).packets;
            const auto& then_packets = found->streams.at(0).packets;
            for (std::size_t i = 0; i < now_packets.size() && now_packets[i].at < closed; ++i, ++compared) {
                ASSERT_LT(i, then_packets.size());
                ASSERT_EQ(then_packets[i].at, now_packets[i].at) << "window " << window << " packet " << i;
                ASSERT_EQ(then_packets[i].missing, now_packets[i].missing);
                ASSERT_EQ(then_packets[i].slip, now_packets[i].slip);
            }
            EXPECT_EQ(found->start, connection.start);
        }
    }
    std::printf("causal: %zu packets compared\n", compared);
    EXPECT_GT(compared, 5000U);
}

}  // namespace
}  // namespace lestapenna::timeline
