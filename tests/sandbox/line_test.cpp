#include "sandbox/line.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "audio/files.h"
#include "judge.h"
#include "rtp/packet.h"
#include "rtp/unwrap.h"
#include "sandbox/speech.h"
#include "support.h"

namespace lestapenna::sandbox {
namespace {

using test::TempDir;
constexpr std::uint64_t kSeed = 20'260'106;

const Script& script() {
    static const Script made = [] {
        std::vector<std::vector<float>> voices(3);
        for (std::size_t i = 0; i < voices.size(); ++i) {
            for (const std::string_view line : table_lines().first(8)) {
                const auto pcm = buzz(voice_of(i), line);
                voices[i].insert(voices[i].end(), pcm.begin(), pcm.end());
                voices[i].resize(voices[i].size() + 14'400);
            }
        }
        return cut_table(voices, {.length = seconds(60), .share = 0.5, .seed = kSeed, .join_spread = seconds(5)});
    }();
    return made;
}

LineOptions nasty() {
    LineOptions options;
    options.seed = kSeed;
    options.base_delay = milliseconds(25);
    options.jitter = milliseconds(60);
    options.loss = 0.05;
    options.reorder = 0.02;
    options.duplicate = 0.01;
    options.stalls_per_minute = 3;
    options.wrap_counters = true;
    options.senders = {{.skew_ppm = 50}, {.skew_ppm = -50}, {.frozen_rtp_clock = true}};
    return options;
}

nanoseconds session_time(const SimulatedTable& table, const Arrival& arrival) {
    return arrival.time - CaptureTime(table.start_time);
}

/// One sender's packets as a receiver sees them: sequence not wrapped, from what was said to be first.
struct Received {
    std::int64_t seq;
    nanoseconds at;
    rtp::Parsed packet;
};
std::vector<Received> received_by(const SimulatedTable& table, std::size_t sender) {
    std::vector<Received> result;
    std::int64_t reference = table.sent[sender].front().seq;
    for (const Arrival& arrival : table.arrivals) {
        const rtp::Parsed parsed = rtp::parse(arrival.datagram);
        EXPECT_EQ(parsed.reject, rtp::Reject::none);
        EXPECT_EQ(parsed.header.ssrc, arrival.ssrc);
        if (arrival.ssrc != table.senders[sender].ssrc) continue;
        reference = rtp::unwrap(reference, parsed.header.seq);
        result.push_back({reference, session_time(table, arrival), parsed});
    }
    return result;
}

/// Counts again, from the datagrams alone, what the ledger says.
void expect_ledger_is_true(const SimulatedTable& table) {
    for (std::size_t i = 0; i < table.senders.size(); ++i) {
        const SenderLedger& ledger = table.senders[i];
        const auto received = received_by(table, i);
        ASSERT_FALSE(received.empty());
        std::set<std::int64_t> different;
        std::uint64_t copies = 0;
        std::uint64_t reordered = 0;
        for (const Received& packet : received) {
            const bool behind = !different.empty() && packet.seq < *different.rbegin();
            const bool is_new = different.insert(packet.seq).second;
            copies += is_new ? 0U : 1U;
            reordered += is_new && behind ? 1U : 0U;
        }
        EXPECT_EQ(ledger.sent, table.sent[i].size());
        EXPECT_EQ(ledger.delivered, different.size());
        EXPECT_EQ(ledger.dropped, ledger.sent - ledger.delivered);
        EXPECT_EQ(ledger.duplicated, copies);
        EXPECT_EQ(ledger.reordered, reordered);
        EXPECT_EQ(ledger.first_seq, *different.begin());
        EXPECT_EQ(ledger.last_seq, *different.rbegin());
        std::vector<std::int64_t> lost;
        for (std::int64_t seq = *different.begin(); seq < *different.rbegin(); ++seq) {
            if (!different.contains(seq)) lost.push_back(seq);
        }
        EXPECT_EQ(ledger.lost, lost);
    }
}

TEST(Line, TheDefaultLosesNothingAndKeepsTheOrder) {
    const SimulatedTable table = simulate(script(), {.seed = kSeed});
    expect_ledger_is_true(table);
    for (std::size_t i = 0; i < table.senders.size(); ++i) {
        const SenderLedger& ledger = table.senders[i];
        EXPECT_EQ(ledger.dropped + ledger.duplicated + ledger.reordered + ledger.stalled, 0U);
        const auto received = received_by(table, i);
        ASSERT_EQ(received.size(), table.sent[i].size());
        for (std::size_t k = 0; k < received.size(); ++k) {
            const SentPacket& sent = table.sent[i][k];
            EXPECT_EQ(received[k].seq, sent.seq);
            EXPECT_GE(received[k].at, sent.sent_at);
            EXPECT_LE(received[k].at, sent.sent_at + milliseconds(3));
        }
        for (const RunLedger& run : ledger.runs) EXPECT_LT(run.least_delay, milliseconds(1));
    }
}

TEST(Line, RunsAreOnTheFrameGridAndEndInFiveSilenceFrames) {
    const SimulatedTable table = simulate(script(), {.seed = kSeed});
    for (std::size_t i = 0; i < table.senders.size(); ++i) {
        const Player& player = script().players[i];
        ASSERT_EQ(table.senders[i].runs.size(), player.talks.size());
        std::map<std::size_t, std::vector<const SentPacket*>> runs;
        for (const SentPacket& packet : table.sent[i]) runs[packet.run].push_back(&packet);
        for (std::size_t run = 0; run < player.talks.size(); ++run) {
            const Talk& talk = player.talks[run];
            const RunLedger& ledger = table.senders[i].runs[run];
            EXPECT_GE(ledger.start, talk.start);
            EXPECT_LT(ledger.start, talk.start + milliseconds(20));
            EXPECT_EQ((ledger.start - player.join).count() % 960, 0);
            const std::size_t frames = (talk.pcm.size() + 959) / 960;
            EXPECT_EQ(ledger.end - ledger.start, Samples(static_cast<std::int64_t>(frames) * 960));
            ASSERT_EQ(runs[run].size(), frames + 5);
            for (std::size_t k = 0; k < runs[run].size(); ++k) {
                const SentPacket& packet = *runs[run][k];
                EXPECT_EQ(packet.silence, k >= frames);
                EXPECT_EQ(audio::is_silence_frame(packet.opus), k >= frames);
                EXPECT_EQ(audio::opus_duration(packet.opus), Samples(960));
                EXPECT_EQ(packet.timestamp - runs[run][0]->timestamp, static_cast<std::int64_t>(k) * 960);
                EXPECT_EQ(packet.seq - runs[run][0]->seq, static_cast<std::int64_t>(k));
            }
        }
    }
}

TEST(Line, ANastyLineKeepsATrueLedger) {
    const SimulatedTable table = simulate(script(), nasty());
    expect_ledger_is_true(table);
    for (const SenderLedger& ledger : table.senders) {
        const auto sent = static_cast<double>(ledger.sent);
        EXPECT_NEAR(static_cast<double>(ledger.dropped) / sent, 0.05, 0.02) << "seed " << kSeed;
        EXPECT_GT(ledger.reordered, 0U);
        EXPECT_GT(ledger.duplicated, 0U);
        EXPECT_LE(ledger.lost.size(), ledger.dropped);
    }
    EXPECT_TRUE(std::is_sorted(table.arrivals.begin(), table.arrivals.end(),
                               [](const Arrival& a, const Arrival& b) { return a.time < b.time; }));
}

TEST(Line, EachTroubleComesAlone) {
    const auto sums = [](const LineOptions& options) {
        SenderLedger sum;
        const SimulatedTable table = simulate(script(), options);
        expect_ledger_is_true(table);
        for (const SenderLedger& ledger : table.senders) {
            sum.dropped += ledger.dropped;
            sum.duplicated += ledger.duplicated;
            sum.reordered += ledger.reordered;
            sum.stalled += ledger.stalled;
        }
        return std::vector{sum.dropped > 0, sum.duplicated > 0, sum.reordered > 0, sum.stalled > 0};
    };
    using Troubles = std::vector<bool>;
    EXPECT_EQ(sums({.seed = kSeed, .jitter = milliseconds(100)}), (Troubles{false, false, false, false}));
    EXPECT_EQ(sums({.seed = kSeed, .jitter = milliseconds(60), .loss = 0.05}), (Troubles{true, false, false, false}));
    EXPECT_EQ(sums({.seed = kSeed, .reorder = 0.05}), (Troubles{false, false, true, false}));
    EXPECT_EQ(sums({.seed = kSeed, .duplicate = 0.05}), (Troubles{false, true, false, false}));
    EXPECT_EQ(sums({.seed = kSeed, .stalls_per_minute = 4}), (Troubles{false, false, false, true}));
}

TEST(Line, LossMovesNobodyElse) {
    const SimulatedTable all = simulate(script(), {.seed = kSeed, .jitter = milliseconds(60)});
    const SimulatedTable some = simulate(script(), {.seed = kSeed, .jitter = milliseconds(60), .loss = 0.3});
    std::set<std::pair<CaptureTime, std::vector<std::uint8_t>>> known;
    for (const Arrival& arrival : all.arrivals) known.emplace(arrival.time, arrival.datagram);
    for (const Arrival& arrival : some.arrivals) ASSERT_TRUE(known.contains({arrival.time, arrival.datagram}));
    EXPECT_LT(some.arrivals.size(), all.arrivals.size() * 8 / 10);
}

TEST(Line, ASeedMeansTheSameAndAnotherSomethingElse) {
    LineOptions options = nasty();
    const auto bytes = [](const SimulatedTable& table) {
        std::vector<std::pair<CaptureTime, std::vector<std::uint8_t>>> result;
        for (const Arrival& arrival : table.arrivals) result.emplace_back(arrival.time, arrival.datagram);
        return result;
    };
    const auto first = bytes(simulate(script(), options));
    EXPECT_EQ(first, bytes(simulate(script(), options)));
    options.seed++;
    EXPECT_NE(first, bytes(simulate(script(), options)));
}

TEST(Line, BothCountersWrapWhenAsked) {
    const SimulatedTable table = simulate(script(), nasty());
    for (std::size_t i = 0; i < table.senders.size(); ++i) {
        const auto& sent = table.sent[i];
        EXPECT_LT(sent.front().seq, 65'536);
        EXPECT_GE(sent.back().seq, 65'536);
        EXPECT_LT(sent.front().timestamp, std::int64_t{1} << 32);
        EXPECT_GE(sent.back().timestamp, std::int64_t{1} << 32);
        for (const Received& packet : received_by(table, i)) {
            const SentPacket& original = sent[static_cast<std::size_t>(packet.seq - sent.front().seq)];
            EXPECT_EQ(packet.packet.header.timestamp, static_cast<std::uint32_t>(original.timestamp));
            EXPECT_TRUE(std::equal(original.opus.begin(), original.opus.end(), packet.packet.payload.begin(),
                                   packet.packet.payload.end()));
        }
    }
}

TEST(Line, TimestampsRunOnOverPausesOrStandStill) {
    const SimulatedTable table = simulate(script(), nasty());
    const double skews[] = {50, -50};
    for (std::size_t i = 0; i < 2; ++i) {
        const SentPacket& first = table.sent[i].front();
        for (const SentPacket& packet : table.sent[i]) {
            const double elapsed = static_cast<double>((packet.sent_at - first.sent_at).count()) * 1e-9;
            const auto ticks = static_cast<double>(packet.timestamp - first.timestamp);
            ASSERT_NEAR(ticks, elapsed * 48'000 * (1 + skews[i] * 1e-6), 0.01);
            ASSERT_EQ((packet.timestamp - first.timestamp) % 960, 0);
        }
    }
    const auto& frozen = table.sent[2];
    for (std::size_t k = 1; k < frozen.size(); ++k) ASSERT_EQ(frozen[k].timestamp - frozen[k - 1].timestamp, 960);
}

TEST(Line, AStallHoldsEverythingBackThenGivesItAtOnce) {
    for (const StallScope scope : {StallScope::each_player, StallScope::whole_line}) {
        const SimulatedTable table = simulate(
            script(), {.seed = kSeed, .jitter = milliseconds(0), .stalls_per_minute = 6, .stall_scope = scope});
        std::set<nanoseconds> ends;
        for (std::size_t i = 0; i < table.senders.size(); ++i) {
            std::map<nanoseconds, nanoseconds> oldest;  // by the end of a stall: when its first packet had left
            const auto received = received_by(table, i);
            for (std::size_t k = 0; k < received.size(); ++k) {
                const nanoseconds delay = received[k].at - table.sent[i][k].sent_at;
                ASSERT_LE(delay, seconds(3));
                if (delay > nanoseconds(0)) oldest.try_emplace(received[k].at, table.sent[i][k].sent_at);
            }
            EXPECT_GT(table.senders[i].stalled, 0U);
            for (const auto& [end, first_left] : oldest) {
                ends.insert(end);
                for (const Received& packet : received) {
                    ASSERT_FALSE(packet.at >= first_left && packet.at < end) << "something arrived during a stall";
                }
            }
            for (std::size_t run = 0; run < table.senders[i].runs.size(); ++run) {
                const RunLedger& ledger = table.senders[i].runs[run];
                bool all_held = true;
                for (std::size_t k = 0; k < received.size(); ++k) {
                    if (table.sent[i][k].run == run) all_held = all_held && received[k].at > table.sent[i][k].sent_at;
                }
                EXPECT_EQ(ledger.in_stall, all_held);
                EXPECT_EQ(ledger.least_delay > nanoseconds(0), all_held);
            }
        }
        // Of a stall of the whole line everybody sees the same end.
        if (scope == StallScope::whole_line) {
            EXPECT_LE(ends.size(), 12U);
        }
    }
}

TEST(Line, FramesMayHaveAnyLengthAndChannels) {
    for (const Samples frame : {Samples(120), Samples(480), Samples(1'920), Samples(2'880), Samples(5'760)}) {
        LineOptions options{.seed = kSeed};
        options.sender.frame = frame;
        options.sender.encoder.channels = 1;
        const SimulatedTable table = simulate(script(), options);
        for (const SentPacket& packet : table.sent[0]) {
            ASSERT_EQ(audio::opus_duration(packet.opus), packet.silence ? Samples(960) : frame);
        }
    }
}

// ---- the truth

std::vector<float> read_truth(const std::filesystem::path& path) {
    auto file = audio::read_audio_file(path);
    EXPECT_TRUE(file.ok()) << path;
    EXPECT_EQ(file->channels, 1);
    EXPECT_EQ(file->sample_rate, 48'000);
    return std::move(file->pcm);
}

TEST(Truth, SitsWhereItWasSaid) {
    const TempDir folder;
    const SimulatedTable table = simulate(script(), nasty());
    for (std::size_t i = 0; i < table.senders.size(); ++i) {
        ASSERT_TRUE(write_truth(table, i, folder / "truth.wav").ok());
        const std::vector<float> truth = read_truth(folder / "truth.wav");
        ASSERT_EQ(std::ssize(truth), script().length.count());

        std::vector<float> said(truth.size());
        std::vector<test::Interval> runs;
        for (std::size_t run = 0; run < table.senders[i].runs.size(); ++run) {
            const Talk& talk = script().players[i].talks[run];
            const SamplePos start = table.senders[i].runs[run].start;
            std::copy(talk.pcm.begin(), talk.pcm.end(), said.begin() + start.time_since_epoch().count());
            runs.push_back({start, start + Samples(std::ssize(talk.pcm))});
        }
        const test::TrackMeasure track = test::Judge(truth).listen(said, runs);
        EXPECT_EQ(track.missing, 0U);
        // The codec's look-ahead of 6.5 ms is in the truth as it is in any recording; 50 ppm over 6 s are 0.3 ms.
        for (const test::RunMeasure& run : track.runs) EXPECT_NEAR(run.offset_ms, 6.5, 0.3);
        EXPECT_NEAR(track.energy_ratio, 1, 0.05);
    }
}

TEST(Truth, HasNoHolesInSpeechAndExactSilenceOutside) {
    const TempDir folder;
    LineOptions options{.seed = kSeed};
    options.senders = {{.skew_ppm = 200}, {.skew_ppm = -200}, {}};
    const SimulatedTable table = simulate(script(), options);
    for (std::size_t i = 0; i < table.senders.size(); ++i) {
        ASSERT_TRUE(write_truth(table, i, folder / "truth.wav").ok());
        const std::vector<float> truth = read_truth(folder / "truth.wav");
        std::vector<bool> speech(truth.size());
        audio::OpusDecoder decoder;
        std::vector<float> pcm(5'760);
        std::size_t slips = 0;
        for (std::size_t k = 0; k < table.sent[i].size(); ++k) {
            const SentPacket& packet = table.sent[i][k];
            if (packet.silence) continue;
            const auto count = static_cast<std::size_t>(decoder.decode(packet.opus, pcm).count());
            const auto at = static_cast<std::size_t>(nearest_sample(packet.sent_at).time_since_epoch().count());
            const SentPacket& next = table.sent[i][k + 1];
            const std::int64_t until = nearest_sample(next.sent_at).time_since_epoch().count();
            const auto length = static_cast<std::size_t>(until) - at;
            ASSERT_NEAR(static_cast<double>(length), static_cast<double>(count), 1);
            slips += length != count ? 1U : 0U;
            for (std::size_t n = 0; n < std::min(count, length); ++n) ASSERT_EQ(truth[at + n], pcm[n]);
            // The sample that a slow clock leaves free repeats the one before; before a pause there is none to fill.
            if (length > count && !next.silence) {
                ASSERT_EQ(truth[at + count], pcm[count - 1]);
            }
            std::fill_n(speech.begin() + static_cast<std::ptrdiff_t>(at), std::max(count, length), true);
        }
        if (i == 2) {
            EXPECT_EQ(slips, 0U);
        } else {
            EXPECT_GT(slips, 100U) << "200 ppm of 30 s are 288 samples";
        }
        for (std::size_t n = 0; n < truth.size(); ++n) {
            ASSERT_TRUE(speech[n] || truth[n] == 0.0F) << "sender " << i << " sample " << n;
        }
    }
}

TEST(WriteTable, TheFilesSayWhatTheTableSays) {
    const TempDir folder;
    const SimulatedTable table = simulate(script(), nasty());
    const Status status = write_table(table, folder / "out");
    ASSERT_TRUE(status.ok()) << status.error().message;

    auto reader = CaptureReader::open(folder / "out" / "table.pcap");
    ASSERT_TRUE(reader.ok());
    for (const Arrival& arrival : table.arrivals) {
        const CaptureOutcome outcome = reader->next();
        ASSERT_TRUE(std::holds_alternative<Datagram>(outcome));
        const auto& datagram = std::get<Datagram>(outcome);
        ASSERT_EQ(datagram.time, arrival.time);
        ASSERT_TRUE(std::equal(datagram.payload.begin(), datagram.payload.end(), arrival.datagram.begin(),
                               arrival.datagram.end()));
    }
    EXPECT_TRUE(std::holds_alternative<CaptureEnd>(reader->next()));

    const auto ledger = nlohmann::json::parse(std::ifstream(folder / "out" / "truth" / "ledger.json"));
    EXPECT_EQ(ledger["seed"], kSeed);
    EXPECT_EQ(ledger["start_time"], table.start_time.time_since_epoch().count());
    ASSERT_EQ(ledger["senders"].size(), table.senders.size());
    for (std::size_t i = 0; i < table.senders.size(); ++i) {
        const SenderLedger& sender = table.senders[i];
        const auto& json = ledger["senders"][i];
        EXPECT_EQ(json["user_id"], sender.user.text());
        EXPECT_EQ(json["ssrc"], sender.ssrc);
        EXPECT_EQ(json["delivered"], sender.delivered);
        EXPECT_EQ(json["lost"], sender.lost);
        ASSERT_EQ(json["runs"].size(), sender.runs.size());
        EXPECT_EQ(json["runs"][0]["start_sample"], sender.runs[0].start.time_since_epoch().count());
        EXPECT_TRUE(std::filesystem::exists(folder / "out" / "truth" / (sender.user.text() + ".wav")));
    }
}

TEST(WriteTable, AFolderThatCanNotBeMadeIsAnError) {
    const TempDir folder;
    std::ofstream(folder / "file") << "in the way";
    const Status status = write_table(simulate(script(), {}), folder / "file" / "out");
    ASSERT_FALSE(status.ok());
    EXPECT_NE(status.error().message.find((folder / "file").string()), std::string::npos) << status.error().message;
}

}  // namespace
}  // namespace lestapenna::sandbox
