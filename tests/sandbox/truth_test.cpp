#include "sandbox/truth.h"

#include <chrono>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "audio/files.h"
#include "sandbox/line.h"
#include "sandbox/live_ledger.h"
#include "sandbox/packer.h"
#include "sandbox/speech.h"
#include "support.h"

namespace lestapenna::sandbox {
namespace {

using nlohmann::json;
using test::TempDir;
using testing::ElementsAre;

constexpr UserId kAda{1'090'000'000'000'000'100}, kMute{1'090'000'000'000'000'101};
constexpr UnixTime kStart{milliseconds(1'760'000'000'123)};
constexpr std::uint32_t kSsrc = 0xA1B2;

/// Two talk runs, the second at 3 s.
const Packed& packed() {
    static const Packed made = [] {
        Player player{.user = kAda, .join = SamplePos(milliseconds(250)), .leave = SamplePos(seconds(9)), .talks = {}};
        const auto lines = table_lines();
        player.talks.push_back({SamplePos(milliseconds(400)), buzz(voice_of(0), lines[0])});
        player.talks.back().pcm.resize(72'000);
        player.talks.push_back({SamplePos(seconds(3)), buzz(voice_of(0), lines[1])});
        player.talks.back().pcm.resize(96'000);
        return pack(player, {});
    }();
    return made;
}

std::int64_t due_us(const SentPacket& packet) {
    return std::chrono::duration_cast<std::chrono::microseconds>(kStart.time_since_epoch() + packet.sent_at).count();
}

/// As a player would tell it, each frame sent 1.5 ms late; from packet `second_from` on, in another voice session.
void tell(Truth& truth, std::uint16_t first_seq, std::size_t second_from = 100'000) {
    for (std::size_t i = 0; i < packed().packets.size(); ++i) {
        const SentPacket& packet = packed().packets[i];
        TrueFrame frame;
        frame.ssrc = i < second_from ? kSsrc : kSsrc + 1;
        frame.seq = static_cast<std::uint16_t>(first_seq + i);
        frame.timestamp = static_cast<std::uint32_t>(packet.timestamp);
        frame.due_us = due_us(packet);
        frame.sent_us = frame.due_us + 1'500;
        frame.silence = packet.silence;
        frame.opus = packet.opus;
        truth.frame(kAda, frame);
    }
}

/// What the server's account says when everything but these (counted from the first) went on.
Forwarded all_but(std::uint16_t first_seq, const std::vector<std::int64_t>& lost) {
    Forwarded account;
    account.arrived = packed().packets.size();
    account.dropped = lost.size();
    account.sent = account.arrived - lost.size();
    account.base_seq = account.first_seq.emplace(first_seq);
    account.last_seq = first_seq + static_cast<std::int64_t>(account.arrived) - 1;
    for (const std::int64_t one : lost) account.lost_seqs.push_back(first_seq + one);
    return account;
}

json ledger_in(const TempDir& folder) {
    std::ifstream file(folder / "ledger.json");
    return json::parse(file, nullptr, false);
}

std::vector<float> track_in(const TempDir& folder, UserId user = kAda) {
    auto file = audio::read_audio_file(folder / (user.text() + ".wav"));
    if (!file) return {};
    EXPECT_EQ(file->sample_rate, 48'000);
    EXPECT_EQ(file->channels, 1);
    return file->pcm;
}

TEST(LiveTruth, IsWhatASimulatedLineWouldCallTheTruth) {
    const TempDir live, simulated;
    SimulatedTable table;
    table.length = Samples(seconds(9));
    table.sent.push_back(packed().packets);
    table.senders.resize(1);
    ASSERT_TRUE(write_truth(table, 0, simulated / "ada.wav").ok());

    auto truth = Truth::start(live.path(), kStart, std::array{kMute});
    ASSERT_TRUE(truth.ok()) << truth.error().message;
    tell(**truth, 65'500);
    const Status finished = (*truth)->finish(table.length, 42, {{kSsrc, all_but(65'500, {})}});
    ASSERT_TRUE(finished.ok()) << finished.error().message;
    EXPECT_EQ(track_in(live), audio::read_audio_file(simulated / "ada.wav")->pcm);
    EXPECT_EQ(track_in(live, kMute), std::vector<float>(432'000, 0.0F)) << "who says nothing has a track of silence";
}

TEST(LiveTruth, HasALinePerFrame) {
    const TempDir folder;
    auto truth = Truth::start(folder.path(), kStart);
    ASSERT_TRUE(truth.ok());
    tell(**truth, 65'500);
    ASSERT_TRUE((*truth)->finish(Samples(seconds(9)), 42, {}).ok());
    std::ifstream file(folder / (kAda.text() + ".frames.jsonl"));
    std::size_t count = 0;
    for (std::string line; std::getline(file, line); ++count) {
        const SentPacket& packet = packed().packets[count];
        const json expected{{"ssrc", kSsrc},
                            {"seq", (65'500 + count) % 65'536},
                            {"timestamp", packet.timestamp},
                            {"due_us", due_us(packet)},
                            {"sent_us", due_us(packet) + 1'500},
                            {"bytes", packet.opus.size()}};
        ASSERT_EQ(json::parse(line), expected);
    }
    EXPECT_EQ(count, packed().packets.size());
}

TEST(LiveTruth, IsWholeAtEveryMoment) {
    const TempDir folder;
    {
        auto truth = Truth::start(folder.path(), kStart, std::array{kAda});
        ASSERT_TRUE(truth.ok());
        EXPECT_EQ(track_in(folder).size(), 0U) << "a header from the start";
        EXPECT_TRUE(audio::read_audio_file(folder / (kAda.text() + ".wav")).ok());
        tell(**truth, 1);
        const auto deadline = std::chrono::steady_clock::now() + seconds(20);
        while (track_in(folder).empty() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
        const std::size_t there = track_in(folder).size();
        EXPECT_NEAR(static_cast<double>(there), 48'000 * 5.0, 960 * 2) << "all but a sample, without finish()";
    }
    EXPECT_GT(track_in(folder).size(), 200'000U);
}

TEST(LiveTruth, KeepsTheLedgerByRun) {
    const TempDir folder;
    auto truth = Truth::start(folder.path(), kStart);
    ASSERT_TRUE(truth.ok());
    tell(**truth, 65'500);
    const std::size_t first_run = 75 + 5;  // 1.5 s and the silence frames
    ASSERT_TRUE((*truth)->finish(Samples(seconds(9)), 42, {{kSsrc, all_but(65'500, {3, 40, 90})}}).ok());
    const json ledger = ledger_in(folder);
    EXPECT_EQ(ledger["seed"], 42);
    EXPECT_EQ(ledger["start_time"], kStart.time_since_epoch().count());
    EXPECT_EQ(ledger["length_samples"], 432'000);
    ASSERT_EQ(ledger["senders"].size(), 1U);
    const json& sender = ledger["senders"][0];
    EXPECT_EQ(sender["user_id"], kAda.text());
    EXPECT_EQ(sender["ssrc"], kSsrc);
    EXPECT_EQ(sender["sent"], packed().packets.size());
    EXPECT_EQ(sender["dropped"], 3);
    EXPECT_EQ(sender["delivered"], packed().packets.size() - 3);
    EXPECT_EQ(sender["lost"], json::array({65'503, 65'540, 65'590}));
    ASSERT_EQ(sender["runs"].size(), 2U);
    EXPECT_EQ(sender["runs"][0]["start_sample"], packed().runs[0].start.time_since_epoch().count());
    EXPECT_EQ(sender["runs"][0]["end_sample"], packed().runs[0].end.time_since_epoch().count());
    EXPECT_EQ(sender["runs"][0]["packets"], first_run);
    EXPECT_EQ(sender["runs"][0]["delivered"], first_run - 2);
    EXPECT_EQ(sender["runs"][1]["delivered"], packed().packets.size() - first_run - 1);
    EXPECT_EQ(sender["runs"][1]["end_sample"], packed().runs[1].end.time_since_epoch().count());
    EXPECT_EQ(sender["runs"][1]["least_delay_ms"], 1.5);
}

TEST(LiveTruth, ANewVoiceSessionHasADecoderAndALedgerOfItsOwn) {
    const TempDir folder;
    auto truth = Truth::start(folder.path(), kStart);
    ASSERT_TRUE(truth.ok());
    tell(**truth, 7, 40);
    ASSERT_TRUE((*truth)->finish(Samples(seconds(9)), 1, {}).ok());
    const json ledger = ledger_in(folder);
    ASSERT_EQ(ledger["senders"].size(), 2U);
    EXPECT_EQ(ledger["senders"][0]["sent"], 40);
    EXPECT_EQ(ledger["senders"][1]["ssrc"], kSsrc + 1);
    EXPECT_EQ(ledger["senders"][1]["runs"].size(), 2U) << "the rest of the first run, and the second";
    EXPECT_EQ(ledger["senders"][1]["dropped"], packed().packets.size() - 40) << "nothing came to the receiver";

    audio::OpusDecoder fresh;
    std::vector<float> pcm(5'760);
    ASSERT_EQ(fresh.decode(packed().packets[40].opus, pcm).count(), 960);
    const auto track = track_in(folder);
    const auto at = nearest_sample(packed().packets[40].sent_at).time_since_epoch().count();
    EXPECT_TRUE(std::equal(pcm.begin(), pcm.begin() + 960, track.begin() + at));
}

TEST(LiveTruth, WhatWasNotSentIsNotHeard) {
    const TempDir folder;
    auto truth = Truth::start(folder.path(), kStart);
    ASSERT_TRUE(truth.ok());
    for (const SentPacket& packet : packed().packets) {
        TrueFrame frame;
        frame.due_us = due_us(packet);
        frame.silence = packet.silence;
        frame.opus = packet.opus;
        (*truth)->frame(kAda, frame);
    }
    ASSERT_TRUE((*truth)->finish(Samples(seconds(9)), 1, {}).ok());
    EXPECT_EQ(track_in(folder), std::vector<float>(432'000, 0.0F));
    const json sender = ledger_in(folder)["senders"][0];
    EXPECT_EQ(sender["ssrc"], 0);
    EXPECT_EQ(sender["sent"], 0);
    EXPECT_EQ(sender["runs"][0]["packets"].get<std::size_t>() + sender["runs"][1]["packets"].get<std::size_t>(),
              packed().packets.size());
}

TEST(LiveTruth, SaysWhatItCanNotWrite) {
    const TempDir folder;
    std::ofstream(folder / "file") << "in the way";
    const auto truth = Truth::start(folder / "file", kStart);
    ASSERT_FALSE(truth.ok());
    EXPECT_THAT(truth.error().message, testing::HasSubstr((folder / "file").string()));

    std::filesystem::create_directory(folder / (kAda.text() + ".wav"));
    auto blocked = Truth::start(folder.path(), kStart);
    ASSERT_TRUE(blocked.ok());
    tell(**blocked, 1);
    EXPECT_FALSE((*blocked)->finish(Samples(seconds(9)), 1, {}).ok());
}

TEST(LiveLedger, TheServersNumbersAreMovedToTheSenders) {
    // The sender begins just before its numbers wrap; the server never had the first three packets, so its own count
    // begins after the wrap.
    LiveLedger ledger(kAda, kSsrc);
    for (int i = 0; i < 10; ++i) {
        ledger.add({static_cast<std::uint16_t>(65'533 + i), SamplePos(Samples(960 * i)), Samples(960), nanoseconds(0),
                    i >= 8});
    }
    Forwarded account;
    account.arrived = 7;
    account.dropped = 1;
    account.sent = 6;
    account.duplicated = 2;
    account.base_seq = 0;
    account.first_seq = 0;
    account.last_seq = 6;
    account.lost_seqs = {4};
    const SenderLedger result = ledger.result(&account);
    EXPECT_EQ(result.sent, 10U);
    EXPECT_EQ(result.delivered, 6U);
    EXPECT_EQ(result.dropped, 4U);
    EXPECT_EQ(result.duplicated, 2U);
    EXPECT_EQ(result.first_seq, 65'536);
    EXPECT_EQ(result.last_seq, 65'542);
    EXPECT_THAT(result.lost, ElementsAre(65'540));
    ASSERT_EQ(result.runs.size(), 1U);
    EXPECT_EQ(result.runs[0].packets, 10U);
    EXPECT_EQ(result.runs[0].delivered, 6U);
    EXPECT_EQ(result.runs[0].end, SamplePos(Samples(960 * 8)));
}

}  // namespace
}  // namespace lestapenna::sandbox
