// The frames of an encrypted call: what is opened, what waits, what stays closed.
#include "discord/voice_frames.h"

#include <random>

#include <gtest/gtest.h>

#include "allocations.h"
#include "voice_frames_rig.h"

namespace lestapenna::discord {
namespace {

TEST_F(VoiceFramesTest, OpensWhatMembersSayAndBindsThemByIt) {
    frames->announce(1, kAnna);
    EXPECT_TRUE(bound(1).empty()) << "a word is no proof";
    epoch(1, {kAnna, kBruno});
    const Bytes said = anna.opus();
    say(anna);
    ASSERT_EQ(heard.packets.size(), 1U);
    EXPECT_EQ(heard.packets[0].payload, said);
    EXPECT_FALSE(heard.packets[0].parked);
    EXPECT_FALSE(heard.packets[0].closed);
    EXPECT_EQ(heard.story(), "SsrcBound");
    EXPECT_EQ(bound(1), std::vector{kAnna});
    frames->announce(1, kAnna);
    say(anna, 99);
    EXPECT_EQ(opened(), 100U);
    EXPECT_EQ(bound(1).size(), 1U);
    EXPECT_EQ(counts.parked, 0U);
}

TEST_F(VoiceFramesTest, WhatOutrunsItsKeyWaitsForItInOrder) {
    frames->announce(1, kAnna);
    const BootTime first = now;
    say(anna, 100);
    EXPECT_TRUE(heard.packets.empty());
    EXPECT_EQ(counts.parked, 100U);
    epoch(1, {kAnna});
    ASSERT_EQ(heard.packets.size(), 100U);
    for (std::uint16_t i = 0; i < 100; ++i) {
        EXPECT_EQ(heard.packets[i].header.seq, i);
        EXPECT_EQ(heard.packets[i].arrival, first + milliseconds(20 * i));
        EXPECT_TRUE(heard.packets[i].parked);
    }
    say(anna);
    EXPECT_FALSE(heard.packets.back().parked);
}

TEST_F(VoiceFramesTest, BetweenEpochsNothingIsLost) {
    frames->announce(1, kAnna);
    frames->announce(2, kBruno);
    epoch(1, {kAnna, kBruno});
    say(anna, 10);
    say(bruno, 10);
    bruno.enter(2);  // it was quicker than we
    say(anna, 5);
    say(bruno, 5);
    EXPECT_EQ(opened(), 25U);
    epoch(2, {kAnna, kBruno});
    EXPECT_EQ(opened(), 30U);
    say(anna, 5);  // it was slower
    EXPECT_EQ(opened(), 35U);
    anna.enter(2);
    say(anna, 5);
    EXPECT_EQ(opened(), 40U);
    EXPECT_EQ(heard.packets.size(), 40U);
}

TEST_F(VoiceFramesTest, AFrameOfTheEpochBeforeIsJudgedByItsArrivalHoweverLongItWaits) {
    epoch(1, {kAnna, kBruno});
    epoch(2, {kAnna, kBruno});
    wait(milliseconds(9'500));
    say(anna);  // of epoch 1
    for (const BootTime end = now + milliseconds(750); now < end; now += milliseconds(50)) frames->tick(now);
    frames->announce(1, kAnna);
    EXPECT_EQ(opened(), 1U);
}

TEST_F(VoiceFramesTest, WhatStaysClosedIsHandedOnWithItsReason) {
    struct Case {
        std::uint32_t ssrc;
        std::optional<UserId> announced;
        Closed why;
    };
    epoch(1, {kAnna});
    for (const Case& one :
         {Case{10, std::nullopt, Closed::no_user}, Case{11, kBruno, Closed::no_key}, Case{12, kAnna, Closed::forged}}) {
        heard.packets.clear();
        if (one.announced) frames->announce(one.ssrc, *one.announced);
        Speaker mallory(one.ssrc, kMallory);
        const BootTime arrival = now;
        const Bytes frame = mallory.frame();
        say(mallory);
        wait(milliseconds(9'750));
        EXPECT_TRUE(heard.packets.empty());
        wait(milliseconds(500));
        ASSERT_EQ(heard.packets.size(), 1U);
        const Heard::Packet& packet = heard.packets[0];
        EXPECT_EQ(packet.closed, one.why);
        EXPECT_TRUE(packet.parked);
        EXPECT_TRUE(packet.payload.empty());
        EXPECT_EQ(packet.sealed_bytes, frame.size());
        EXPECT_EQ(packet.header.ssrc, one.ssrc);
        EXPECT_EQ(packet.arrival, arrival);
        EXPECT_EQ(closed(one.why), 1U);
        EXPECT_EQ(bound(one.ssrc).size(), one.announced ? 1U : 0U) << "it is counted for whom it is said to be of";
    }
    EXPECT_EQ(counts.parked, 3U);
}

TEST_F(VoiceFramesTest, PlainFramesStayClosedButForSilence) {
    frames->announce(1, kAnna);
    epoch(1, {kAnna});
    const Bytes silence{0xF8, 0xFF, 0xFE};
    hear(anna.header(), silence);
    EXPECT_TRUE(heard.packets.empty()) << "proves nothing";
    say(anna);
    hear(anna.header(), silence);
    ASSERT_EQ(heard.packets.size(), 2U);
    EXPECT_EQ(heard.packets[1].payload, silence);
    hear(anna.header(), {0x78, 1, 2, 3});
    hear({.marker = false, .payload_type = 120, .seq = 1, .timestamp = 0, .ssrc = 99}, {0x78, 1, 2, 3});
    ASSERT_EQ(heard.packets.size(), 4U) << "at once";
    for (const std::size_t i : {2U, 3U}) {
        EXPECT_EQ(heard.packets[i].closed, Closed::plain);
        EXPECT_FALSE(heard.packets[i].parked);
        EXPECT_EQ(heard.packets[i].sealed_bytes, 4U);
        EXPECT_TRUE(heard.packets[i].payload.empty());
    }
    EXPECT_EQ(closed(Closed::plain), 2U);
}

TEST_F(VoiceFramesTest, ReplaysAreCountedAndDropped) {
    frames->announce(1, kAnna);
    const Bytes frame = anna.frame();
    const rtp::Header header = anna.header();
    hear(header, frame);
    hear(header, frame);
    epoch(1, {kAnna});
    EXPECT_EQ(opened(), 1U);
    EXPECT_EQ(counts.replayed, 1U);
    hear(header, frame);
    EXPECT_EQ(opened(), 1U);
    EXPECT_EQ(counts.replayed, 2U);
}

TEST_F(VoiceFramesTest, GarbageOfOneDoesNotHurtOthers) {
    frames->announce(1, kAnna);
    frames->announce(2, kBruno);
    frames->announce(3, kMallory);
    epoch(1, {kAnna, kMallory});
    Speaker garbage(3, kBruno);  // sealed with a key that is not hers
    for (int i = 0; i < 5'000; ++i) {
        const Bytes frame = garbage.frame();
        frames->on_packet(VoicePacket{garbage.header(), now, frame});
    }
    EXPECT_EQ(closed(Closed::overflow), 5'000U - kMostOfOneSource);
    say(anna, 50);
    say(bruno, 400);  // waits for its key
    EXPECT_EQ(opened(), 50U);
    epoch(2, {kAnna, kBruno, kMallory});
    EXPECT_EQ(opened(), 50U);
    bruno.enter(2);
    say(bruno, 50);
    EXPECT_EQ(opened(), 100U);
    EXPECT_EQ(closed(Closed::overflow), 5'000U - kMostOfOneSource) << "none of Bruno's";
}

TEST_F(VoiceFramesTest, WhoDoesNotOpenIsNamedOnceItLasts) {
    frames->announce(1, kAnna);
    frames->announce(2, kBruno);
    epoch(1, {kAnna, kBruno});
    say(anna, 10);
    say(bruno, 10);
    bruno.enter(2);
    const BootTime since = now;
    say(bruno, 36);
    EXPECT_FALSE(frames->failing(now));
    say(bruno);
    ASSERT_TRUE(frames->failing(now));
    EXPECT_EQ(frames->failing(now)->user, kBruno);
    EXPECT_EQ(frames->failing(now)->since, since);
    EXPECT_EQ(frames->failing(now)->users, 1U);
    EXPECT_LT(frames->failing(now)->opened, since);
    EXPECT_LT(frames->failing(now)->others_opened, frames->failing(now)->opened) << "Anna spoke before him";
    say(anna);
    EXPECT_GT(frames->failing(now)->others_opened, since);
    anna.enter(2);
    say(anna, 40);
    EXPECT_EQ(frames->failing(now)->users, 2U);
    EXPECT_EQ(frames->failing(now)->others_opened, BootTime::min());
    frames->forgive();
    EXPECT_FALSE(frames->failing(now));
    say(bruno, 36);
    epoch(2, {kAnna, kBruno});
    say(bruno, 36);
    EXPECT_FALSE(frames->failing(now));
}

TEST_F(VoiceFramesTest, OfWhomNothingOpensIsKnownWhateverIsForgiven) {
    frames->announce(1, kAnna);
    epoch(1, {kAnna});
    say(anna);
    const BootTime opened = now - milliseconds(20);
    anna.enter(2);
    for (int second = 0; second < 11; ++second) {
        EXPECT_TRUE(frames->unheard(now, seconds(10)).empty());
        say(anna, 50);
        frames->forgive();
    }
    ASSERT_EQ(frames->unheard(now, seconds(10)).size(), 1U);
    EXPECT_EQ(frames->unheard(now, seconds(10))[0].user, kAnna);
    EXPECT_EQ(frames->unheard(now, seconds(10))[0].opened, opened);
    epoch(2, {kAnna});
    EXPECT_TRUE(frames->unheard(now, seconds(10)).empty());
}

TEST_F(VoiceFramesTest, AtTheEndAllIsHandedOn) {
    frames->announce(1, kAnna);
    say(anna, 5);
    say(bruno, 5);
    frames->drain();
    EXPECT_EQ(heard.packets.size(), 10U);
    EXPECT_EQ(closed(Closed::no_key), 5U);
    EXPECT_EQ(closed(Closed::no_user), 5U);
    frames->drain();
    EXPECT_EQ(heard.packets.size(), 10U);
}

TEST_F(VoiceFramesTest, WhileAVersionChangesClearAndSealedFramesAreTaken) {
    frames->announce(1, kAnna);
    frames->announce(2, kBruno);
    epoch(1, {kAnna, kBruno});
    say(anna);
    frames->pass_clear_until(BootTime::max());  // op 21
    hear(anna.header(), {0x78, 1});
    say(anna);
    EXPECT_EQ(opened(), 3U);
    hear(bruno.header(), {0x78, 2});
    EXPECT_EQ(bound(2), std::vector{kBruno}) << "in the clear his word is all there is";
    frames->expect_clear(now);  // op 22
    say(anna);                  // still on its way
    EXPECT_EQ(opened(), 5U);
    wait(seconds(11));
    hear(anna.header(), {0x78, 1, 0xFA, 0xFA});
    hear({.marker = false, .payload_type = 120, .seq = 1, .timestamp = 0, .ssrc = 99}, {0x78});
    EXPECT_EQ(opened(), 7U);
    EXPECT_EQ(heard.packets.size(), 7U);
    frames->announce(77, kMallory);
    EXPECT_EQ(bound(77), std::vector{kMallory}) << "at once, as in every clear call";
}

TEST_F(VoiceFramesTest, WhoWasAnnouncedInAnEncryptedCallIsBoundWhenItBecomesClear) {
    frames->announce(1, kAnna);
    EXPECT_TRUE(heard.events.empty());
    frames->pass_clear_until(BootTime::max());
    frames->expect_clear(now);
    wait(seconds(11));
    EXPECT_EQ(bound(1), std::vector{kAnna});
}

TEST_F(VoiceFramesTest, MayBeClosedByItsListenerAtAnyTime) {
    for (std::size_t after = 1; after < 12; ++after) {
        Heard other;
        auto mine = std::make_shared<VoiceFrames>(kSelf, options, other, counts);
        mine->expect_sealed();
        std::size_t told = 0;
        other.then = [&] {
            if (++told != after) return;
            mine->drain();
            mine->close();
            mine.reset();
        };
        VoiceFrames* const frames_then = mine.get();
        frames_then->announce(1, kAnna);
        Speaker speaker(1, kAnna);
        for (int i = 0; i < 5; ++i) {
            const Bytes frame = speaker.frame();
            frames_then->on_packet(VoicePacket{speaker.header(), now, frame});
        }
        std::vector<dave::BaseSecret> keys;
        keys.push_back({kAnna, secret_of(kAnna, 1)});
        frames_then->begin_epoch(std::move(keys), now);
        EXPECT_EQ(other.packets.size(), after == 1 ? 4U : 5U) << "all of it, but for the one in hand";
        if (mine) mine->close();
    }
}

TEST_F(VoiceFramesTest, NothingIsAllocatedPerPacket) {
    frames->announce(1, kAnna);
    frames->announce(2, kBruno);
    epoch(1, {kAnna});
    heard.keep = false;
    std::vector<std::pair<rtp::Header, Bytes>> packets;
    for (int i = 0; i < 500; ++i) {
        packets.emplace_back(anna.header(), anna.frame());
        packets.emplace_back(bruno.header(), bruno.frame());  // is parked
    }
    const auto run = [&](std::size_t from, std::size_t to) {
        for (std::size_t i = from; i < to; ++i) {
            frames->on_packet(VoicePacket{packets[i].first, now, packets[i].second});
            now += milliseconds(10);
        }
    };
    run(0, 400);
    wait(seconds(11));  // those of Bruno are let go of
    const std::uint64_t before = test::allocations();
    run(400, 800);
    EXPECT_EQ(test::allocations(), before);
    EXPECT_EQ(counts.parked, 400U);
}

TEST_F(VoiceFramesTest, NoFrameIsTooMuch) {
    constexpr unsigned kSeed = 7;
    std::mt19937 random(kSeed);
    frames->announce(1, kAnna);
    epoch(1, {kAnna});
    for (int i = 0; i < 20'000; ++i) {
        Bytes frame = anna.frame();
        if (i % 3 == 0) frame.resize(random() % 40);
        for (int change = 0; change < 3 && !frame.empty(); ++change) {
            frame[random() % frame.size()] = static_cast<std::uint8_t>(random());
        }
        if (frame.empty()) continue;  // open_datagram rejects it
        hear({.marker = false,
              .payload_type = 120,
              .seq = 1,
              .timestamp = 0,
              .ssrc = static_cast<std::uint32_t>(random() % 4)},
             frame);
        if (i % 50 == 0) frames->tick(now);
    }
    frames->drain();
    EXPECT_EQ(counts.closed[0], 0U);
}

}  // namespace
}  // namespace lestapenna::discord
