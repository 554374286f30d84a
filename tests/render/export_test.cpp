// Exports, heard and read back: everything said is there, at its place, in files of one length.
#include "render/export.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "judge.h"
#include "recorded.h"
#include "sandbox/random.h"

namespace lestapenna::render {
namespace {

using namespace testing;

constexpr std::uint64_t kSeed = 20261122;

/// A table of real voices (or of buzzing ones that all sound alike, where that is enough).
sandbox::SimulatedTable real_table(const std::vector<std::string>& names, Samples length, sandbox::LineOptions line) {
    std::vector<std::vector<float>> voices;
    for (const auto& name : names) voices.push_back(voice(name));
    sandbox::CutTable cut;
    cut.length = length;
    cut.seed = kSeed;
    cut.join_spread = seconds(20);
    line.seed = kSeed;
    return sandbox::simulate(sandbox::cut_table(voices, cut), line);
}

std::vector<float> truth_of(const sandbox::SimulatedTable& table, std::size_t sender) {
    const test::TempDir folder;
    EXPECT_TRUE(sandbox::write_truth(table, sender, folder / "truth.wav").ok());
    return *audio::read_mono_48k(folder / "truth.wav");
}

std::vector<test::Interval> runs_of(const sandbox::SenderLedger& sender, const Range& range) {
    std::vector<test::Interval> runs;
    for (const auto& run : sender.runs) {
        const bool whole = run.start >= range.from && run.end <= range.to;
        if (run.delivered > run.packets / 2 && whole) runs.push_back({run.start, run.end});
    }
    return runs;
}

Range all_of(const Recorded& session) {
    return {SamplePos{}, session.timeline().end()};
}

std::vector<const ConnectionPcm*> connections_of(const std::vector<DecodedConnection>& decoded, UserId user) {
    std::vector<const ConnectionPcm*> found;
    for (const auto& one : decoded) {
        if (one.connection().user == user) found.push_back(&one.pcm);
    }
    return found;
}

std::vector<float> exported(const Recorded& session, const std::vector<DecodedConnection>& decoded, UserId user,
                            Range range, audio::SampleFormat format) {
    const auto path = session.folder() / (format == audio::SampleFormat::flac_16 ? "track.flac" : "track.wav");
    const Status status = export_pcm(connections_of(decoded, user), range, format, path, {});
    EXPECT_TRUE(status.ok()) << status.error().message;
    const auto file = audio::read_audio_file(path);
    EXPECT_TRUE(file.ok());
    EXPECT_EQ(file->channels, 1);
    EXPECT_EQ(file->sample_rate, kSampleRate);
    return file->pcm;
}

TEST(ExportPcm, NothingSaidIsMissingOrMoved) {
    if (!test::test_data()) GTEST_SKIP() << test::kNoTestData;
    const auto table =
        real_table({kHumanVoices[0], kHumanVoices[1], kHumanVoices[3], "it-customspeech-f.opus"}, seconds(180), {});
    const Recorded session(table);
    const auto decoded = session.decoded();
    const Range all = all_of(session);
    for (std::size_t s = 0; s < table.senders.size(); ++s) {
        const UserId user = table.senders[s].user;
        const auto wav = exported(session, decoded, user, all, audio::SampleFormat::wav_16);
        ASSERT_EQ(std::ssize(wav), all.length().count());
        ASSERT_EQ(exported(session, decoded, user, all, audio::SampleFormat::flac_16), wav);
        const auto truth = truth_of(table, s);
        EXPECT_NEAR(energy(wav) / energy(truth), 1, 0.01);
        const auto heard = test::Judge(wav).listen(truth, runs_of(table.senders[s], all));
        std::printf("  track %zu: %zu runs, median %.4f ms, max %.4f ms, energy %.4f\n", s, heard.runs.size(),
                    heard.median_ms, heard.max_ms, heard.energy_ratio);
        EXPECT_GT(heard.runs.size(), 5U);
        EXPECT_EQ(heard.missing, 0U);
        EXPECT_LE(heard.max_ms, 1.0 / static_cast<double>(kSamplesPerMs) + 0.01);  // a sample, and what the judge errs
        EXPECT_NEAR(heard.energy_ratio, 1, 0.01);
    }
}

TEST(ExportPcm, ARangeIsAStretchOfTheWhole) {
    const auto script = one_player(
        {{SamplePos{seconds(2)}, buzz(seconds(40))}, {SamplePos{seconds(50)}, buzz(seconds(9))}}, seconds(60));
    sandbox::LineOptions line;
    line.loss = 0.05;
    line.seed = 3;
    const auto table = sandbox::simulate(script, line);
    const Recorded session(table);
    const auto decoded = session.decoded();
    const Range all = all_of(session);
    const UserId user = table.senders[0].user;
    const auto whole = exported(session, decoded, user, all, audio::SampleFormat::wav_16);
    sandbox::Random random(kSeed, 0);
    for (int i = 0; i < 8; ++i) {
        const auto from = static_cast<std::int64_t>(random.below(whole.size() - 1));
        const auto length = 1 + static_cast<std::int64_t>(random.below(whole.size() - static_cast<std::size_t>(from)));
        const Range range{SamplePos{Samples{from}}, SamplePos{Samples{from + length}}};
        const auto part = exported(session, decoded, user, range,
                                   i % 2 == 0 ? audio::SampleFormat::wav_16 : audio::SampleFormat::flac_16);
        ASSERT_EQ(std::ssize(part), length);
        ASSERT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + from))
            << "seed " << kSeed << ", from " << from;
    }
}

// ---- Opus

/// The packets of an Ogg file with one stream (RFC 3533), headers included. Shares nothing with the writer.
std::vector<Bytes> ogg_packets(const std::filesystem::path& path) {
    constexpr std::size_t kPageHeader = 27;
    const Bytes file = bytes_of(path);
    std::vector<Bytes> packets;
    Bytes packet;
    for (std::size_t at = 0; at < file.size();) {
        EXPECT_EQ(std::memcmp(&file[at], "OggS", 4), 0);
        const std::size_t segments = file[at + kPageHeader - 1];
        std::size_t body = at + kPageHeader + segments;
        for (std::size_t i = 0; i < segments; ++i) {
            const std::size_t size = file[at + kPageHeader + i];
            packet.insert(packet.end(), file.begin() + static_cast<std::ptrdiff_t>(body),
                          file.begin() + static_cast<std::ptrdiff_t>(body + size));
            body += size;
            if (size < 255) packets.push_back(std::exchange(packet, {}));
        }
        at = body;
    }
    return packets;
}

struct Laid {
    SamplePos at;  ///< where it plays
    Bytes packet;
};

/// What was said, and where it plays. Silence in between and empty packets for lost ones are the writer's.
std::vector<Laid> laid(const std::filesystem::path& path, SamplePos from) {
    const auto packets = ogg_packets(path);
    EXPECT_GE(packets.size(), 2U);
    SamplePos at = from - Samples{packets[0].at(10) + 256 * packets[0].at(11)};  // OpusHead's pre-skip
    std::vector<Laid> found;
    for (std::size_t i = 2; i < packets.size(); ++i) {
        const Bytes& packet = packets[i];
        const bool filler = packet.size() == 1 || (packet.size() == 3 && packet[1] == 0xFF && packet[2] == 0xFE);
        if (!filler) found.push_back({at, packet});
        at += *audio::opus_duration(packet);
    }
    return found;
}

std::vector<Bytes> said(const std::filesystem::path& path) {
    std::vector<Bytes> packets;
    for (auto& one : laid(path, SamplePos{})) packets.push_back(std::move(one.packet));
    return packets;
}

/// What the sender sent of it and the line delivered.
std::vector<Bytes> delivered(const sandbox::SimulatedTable& table, std::size_t sender) {
    const auto& ledger = table.senders[sender];
    std::vector<Bytes> packets;
    for (const auto& sent : table.sent[sender]) {
        const bool lost = std::binary_search(ledger.lost.begin(), ledger.lost.end(), sent.seq);
        if (!sent.silence && !lost && sent.seq >= ledger.first_seq && sent.seq <= ledger.last_seq)
            packets.push_back(sent.opus);
    }
    return packets;
}

std::filesystem::path export_to_opus(const Recorded& session, UserId user, Range range) {
    auto path = session.folder() / "track.opus";
    const Status status = export_opus(session.timeline(), user, range, path);
    EXPECT_TRUE(status.ok()) << status.error().message;
    return path;
}

std::vector<float> heard_in(const std::filesystem::path& path, Samples length) {
    auto pcm = audio::read_mono_48k(path);
    EXPECT_TRUE(pcm.ok());
    EXPECT_EQ(std::ssize(*pcm), length.count());
    return std::move(*pcm);
}

/// Mono samples that a program makes of the file.
std::size_t played_by(const std::vector<std::string>& argv, const std::filesystem::path& out,
                      std::size_t bytes_per_sample) {
    const auto result = test::run_process(argv);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return std::filesystem::file_size(out) / bytes_per_sample;
}

void expect_same_length_elsewhere(const std::filesystem::path& path, Samples length) {
    const auto raw = path.parent_path() / "played.raw";
    if (test::has_program("ffmpeg")) {
        EXPECT_EQ(played_by({"ffmpeg", "-v", "error", "-y", "-i", path, "-ac", "1", "-f", "s16le", raw}, raw, 2),
                  length.count());
    }
    if (test::has_program("opusdec")) {
        EXPECT_EQ(played_by({"opusdec", "--quiet", "--force-stereo", "--rate", "48000", path, raw}, raw, 4),
                  length.count());
    }
}

/// Every run begins within half of 2.5 ms of its place, and no packet of it is a packet's length off. How far at most.
double worst_offset_ms(const Recorded& session, UserId user, const std::filesystem::path& path, const Range& range) {
    const auto found = laid(path, range.from);
    std::size_t next = 0;
    std::int64_t worst_begin = 0;
    std::optional<SamplePos> last_end;  // of sound within the range
    for (const auto& connection : session.timeline().connections) {
        if (connection.user != user) continue;
        for (const auto& packet : connection.streams.at(0).packets) {
            if (packet.silence || packet.at < range.from - Samples{3'840} || packet.at >= range.to) continue;
            const bool begins = !last_end || packet.at - *last_end >= timeline::kPause;
            last_end = packet.end();
            EXPECT_LT(next, found.size());
            if (next == found.size()) return 0;
            const std::int64_t off = std::llabs((found[next++].at - packet.at).count());
            EXPECT_LE(off, begins ? 60 : 960);
            if (begins) worst_begin = std::max(worst_begin, off);
        }
    }
    EXPECT_EQ(next, found.size());
    return static_cast<double>(worst_begin) / static_cast<double>(kSamplesPerMs);
}

/// Against what was really said; the placement's own error is in it.
void expect_heard(const sandbox::SenderLedger& sender, const std::vector<float>& truth, const std::vector<float>& heard,
                  const Range& range) {
    const auto measure = test::Judge(heard, range.from).listen(truth, runs_of(sender, range));
    std::printf("  %zu runs, median %.3f ms, max %.3f ms off the truth, energy %.4f\n", measure.runs.size(),
                measure.median_ms, measure.max_ms, measure.energy_ratio);
    EXPECT_GT(measure.runs.size(), 3U);
    EXPECT_EQ(measure.missing, 0U);
    EXPECT_LE(measure.max_ms, 5);
}

TEST(ExportOpus, TenMinutesWithClocksThatDiffer) {
    if (!test::test_data()) GTEST_SKIP() << test::kNoTestData;
    sandbox::LineOptions line;
    line.jitter = milliseconds(0);
    line.senders.resize(2);
    line.senders[0].skew_ppm = 50;
    line.senders[1].skew_ppm = -50;
    const auto table = real_table({kHumanVoices[0], kHumanVoices[9]}, seconds(600), line);
    const Recorded session(table);
    const Range all = all_of(session);
    const Range middle{SamplePos{milliseconds(200'503)}, SamplePos{milliseconds(411'007)}};
    for (std::size_t s = 0; s < 2; ++s) {
        const UserId user = table.senders[s].user;
        const auto truth = truth_of(table, s);
        const auto path = export_to_opus(session, user, all);
        EXPECT_TRUE(said(path) == delivered(table, s));
        const double whole_ms = worst_offset_ms(session, user, path, all);
        expect_same_length_elsewhere(path, all.length());
        expect_heard(table.senders[s], truth, heard_in(path, all.length()), all);

        const auto part = export_to_opus(session, user, middle);
        const double part_ms = worst_offset_ms(session, user, part, middle);
        expect_same_length_elsewhere(part, middle.length());
        expect_heard(table.senders[s], truth, heard_in(part, middle.length()), middle);
        std::printf("  %+.0f ppm: runs begin within %.3f ms of their place, from 200.503 s on within %.3f ms\n",
                    line.senders[s].skew_ppm, whole_ms, part_ms);
    }
}

TEST(ExportOpus, OnALossyLine) {
    if (!test::test_data()) GTEST_SKIP() << test::kNoTestData;
    sandbox::LineOptions line;
    line.jitter = milliseconds(0);
    line.loss = 0.05;
    line.duplicate = 0.02;
    line.sender.encoder.expected_loss_percent = 10;
    const auto table = real_table({kHumanVoices[2], kHumanVoices[8]}, seconds(120), line);
    const Recorded session(table);
    const Range all = all_of(session);
    for (std::size_t s = 0; s < 2; ++s) {
        const auto path = export_to_opus(session, table.senders[s].user, all);
        const auto truth = truth_of(table, s);
        EXPECT_TRUE(said(path) == delivered(table, s));
        worst_offset_ms(session, table.senders[s].user, path, all);
        expect_heard(table.senders[s], truth, heard_in(path, all.length()), all);
    }
}

// One who never pauses and whose clock is off: packets are added or left out, the place holds.
TEST(ExportOpus, OpenMicrophoneDoesNotDrift) {
    if (!test::test_data()) GTEST_SKIP() << test::kNoTestData;
    for (const double ppm : {200.0, -200.0}) {
        sandbox::LineOptions line;
        line.jitter = milliseconds(0);
        line.sender.skew_ppm = ppm;
        constexpr seconds kLength{150};  // 30 ms of drift
        const auto speech = endless_speech({kHumanVoices[0], kHumanVoices[9]}, kLength);
        const auto table = sandbox::simulate(one_player({{SamplePos{}, speech}}, kLength), line);
        const Recorded session(table);
        const Range all = all_of(session);
        const auto placed =
            exported(session, session.decoded(), table.senders[0].user, all, audio::SampleFormat::wav_16);
        const auto path = export_to_opus(session, table.senders[0].user, all);
        const auto heard = heard_in(path, all.length());
        std::vector<test::Interval> pieces;
        for (int at = 2; at < 146; at += 6) pieces.push_back({SamplePos{seconds(at)}, SamplePos{seconds(at + 5)}});
        const auto measure = test::Judge(heard).listen(placed, pieces);
        std::printf("  %+.0f ppm: median %.2f ms, max %.2f ms, %zu of %zu packets\n", ppm, measure.median_ms,
                    measure.max_ms, said(path).size(), table.sent[0].size() - 5);
        EXPECT_EQ(measure.missing, 0U);
        EXPECT_LE(measure.max_ms, 20.5);  // the length of a packet
        EXPECT_GE(said(path).size() + 5, table.sent[0].size() - 2);
    }
}

// The first packet is half cut off by the beginning, wherever that is; the rest is at its place.
TEST(ExportOpus, FromTheMiddleOfARun) {
    sandbox::LineOptions line;
    line.jitter = milliseconds(0);
    const auto table = sandbox::simulate(one_player({{SamplePos{}, buzz(seconds(8))}}, seconds(9)), line);
    const Recorded session(table);
    for (int ms = 3'000; ms < 3'020; ++ms) {
        const Range range{SamplePos{milliseconds(ms)}, SamplePos{milliseconds(6'000 + 3 * ms % 1'000)}};
        const auto path = export_to_opus(session, table.senders[0].user, range);
        worst_offset_ms(session, table.senders[0].user, path, range);
        heard_in(path, range.length());
    }
}

TEST(ExportOpus, APacketOfFalseLengthPushesNothingAway) {
    sandbox::LineOptions line;
    line.jitter = milliseconds(0);
    const auto script = one_player({{SamplePos{}, buzz(seconds(5))}}, seconds(6));
    auto table = sandbox::simulate(script, line);
    const auto all_said = delivered(table, 0);
    Bytes& datagram = table.arrivals.at(100).datagram;
    // Code 3: six frames of 20 ms, constant size.
    datagram.at(12) = static_cast<std::uint8_t>(datagram[12] | 3);
    datagram.at(13) = 6;
    datagram.resize(14 + 6 * 10);
    ASSERT_EQ(audio::opus_duration(std::span(datagram).subspan(12)), audio::kMaxOpusPacket);
    const Recorded session(table);
    const auto path = export_to_opus(session, table.senders[0].user, all_of(session));
    auto expected = all_said;
    expected.erase(expected.begin() + 100);
    EXPECT_TRUE(said(path) == expected);
    EXPECT_EQ(std::ssize(heard_in(path, all_of(session).length())), all_of(session).length().count());
}

// A user who was there twice has one file with both.
TEST(Export, BothConnectionsOfAUser) {
    sandbox::Script script;
    script.length = seconds(30);
    for (std::size_t i = 0; i < 2; ++i) {
        sandbox::Player player;
        player.user = sandbox::player_id(i);
        player.leave = SamplePos{script.length};
        player.talks = {{SamplePos{seconds(20 * i + 2)}, buzz(seconds(3))}};
        script.players.push_back(player);
    }
    auto table = sandbox::simulate(script, {});
    const UserId user = table.senders[1].user = table.senders[0].user;
    const Recorded session(table);
    ASSERT_EQ(session.timeline().connections.size(), 2U);
    const Range all = all_of(session);
    const auto wav = exported(session, session.decoded(), user, all, audio::SampleFormat::wav_16);
    const auto opus = heard_in(export_to_opus(session, user, all), all.length());
    for (const auto& pcm : {wav, opus}) {
        for (const int second : {3, 4, 23, 24}) {
            EXPECT_GT(energy(std::span(pcm).subspan(static_cast<std::size_t>(second) * kSampleRate, kSampleRate / 2)),
                      50)
                << second;
        }
        EXPECT_LT(energy(std::span(pcm).subspan(10 * kSampleRate, 5 * kSampleRate)), 1e-9);
    }
}

TEST(Export, LabelsAreAudacitys) {
    const auto script = one_player({{SamplePos{}, buzz(seconds(30))}}, seconds(30));
    const UserId user = script.players[0].user;
    const auto at = [](int ms) { return BootTime{milliseconds(ms)}; };
    const Recorded session(
        sandbox::simulate(script, {}), seconds(300),
        {journal::Marker{at(1'500), user, "un drago"}, journal::Marker{at(12'345), user, "tab\tand\nline"},
         journal::Marker{at(29'000), user, "fine"}});
    EXPECT_EQ(audacity_labels(session.timeline(), {SamplePos{}, SamplePos{seconds(30)}}),
              "1.500\t1.500\tun drago\n12.345\t12.345\ttab and line\n29.000\t29.000\tfine\n");
    EXPECT_EQ(audacity_labels(session.timeline(), {SamplePos{seconds(10)}, SamplePos{seconds(29)}}),
              "2.345\t2.345\ttab and line\n");
    EXPECT_EQ(audacity_labels(session.timeline(), {SamplePos{seconds(13)}, SamplePos{seconds(29)}}), "");
}

}  // namespace
}  // namespace lestapenna::render
