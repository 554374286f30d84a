// Under whose name the frames of an encrypted call are heard: sources that nobody announced, that are announced
// falsely, or whose frames are sealed with another's key.
#include <gtest/gtest.h>

#include "voice_frames_rig.h"

namespace lestapenna::discord {
namespace {

TEST_F(VoiceFramesTest, WhatNobodyAnnouncedIsFoundByTryingAfterASecond) {
    epoch(1, {kAnna, kBruno});
    say(bruno, 20);
    frames->tick(now);
    EXPECT_EQ(heard.packets.size(), 0U) << "op 5 may still come";
    wait(seconds(1));
    EXPECT_EQ(opened(), 20U);
    say(bruno);
    EXPECT_EQ(opened(), 21U);
    EXPECT_FALSE(heard.packets.back().parked);
    hear(bruno.header(), {0xF8, 0xFF, 0xFE});
    EXPECT_EQ(heard.packets.size(), 22U);
    EXPECT_TRUE(bound(2).empty()) << "nobody's: any member has his key";
    frames->announce(2, kBruno);
    EXPECT_EQ(bound(2), std::vector{kBruno});
    say(bruno);
    EXPECT_FALSE(heard.packets.back().parked);
}

TEST_F(VoiceFramesTest, WhatNobodyAnnouncedAndNoKeyOpensAnyMoreIsTriedAgain) {
    epoch(1, {kAnna, kBruno});
    say(bruno, 5);
    wait(seconds(2));
    Speaker other(2, kAnna);
    say(other, 100);
    EXPECT_EQ(opened(), 5U);
    EXPECT_FALSE(frames->failing(now + seconds(5))) << "no reason to think that our keys are wrong";
    wait(seconds(2));
    EXPECT_EQ(opened(), 105U);
    Speaker garbage(2, kMallory);
    say(garbage);
    wait(seconds(11));
    EXPECT_EQ(closed(Closed::no_user), 1U);
    EXPECT_TRUE(bound(2).empty());
}

TEST_F(VoiceFramesTest, NoNumberOfUnannouncedSourcesKeepsOthersOut) {
    epoch(1, {kAnna, kMallory});
    for (std::uint32_t ssrc = 1'000; ssrc < 1'400; ++ssrc) {
        Speaker mallory(ssrc, kAnna);
        say(mallory);
        if (ssrc % 10 == 0) wait(seconds(2));
    }
    wait(seconds(2));
    EXPECT_EQ(opened(), 400U);
    frames->announce(1, kAnna);
    say(anna, 10);
    EXPECT_EQ(opened(), 410U);
    EXPECT_EQ(counts.replayed, 0U);
    Speaker late(1'399, kAnna);
    static_cast<void>(late.frame());
    say(late);
    EXPECT_EQ(opened(), 411U);
}

// Each member of a group can derive the keys of all others.
TEST_F(VoiceFramesTest, WhoSealsWithAnothersKeyIsNotHeardUnderItsName) {
    frames->announce(1, kAnna);
    frames->announce(3, kMallory);
    epoch(1, {kAnna, kMallory});
    wait(dave::kOverlap);
    say(anna, 10);
    Speaker as_anna(3, kAnna);
    say(as_anna, 100);
    wait(seconds(11));
    EXPECT_EQ(opened(), 10U);
    EXPECT_EQ(closed(Closed::forged), 100U);
    EXPECT_EQ(bound(3), std::vector{kMallory}) << "it is she who does not open";
}

TEST_F(VoiceFramesTest, WhoSealsWithAnothersKeyBeforeItIsAnnouncedIsNobody) {
    frames->announce(1, kAnna);
    epoch(1, {kAnna, kMallory});
    say(anna, 10);
    Speaker as_anna(3, kAnna);
    say(as_anna, 100);
    wait(seconds(2));
    EXPECT_EQ(opened(), 110U) << "it is audio of some member";
    EXPECT_TRUE(bound(3).empty());
    frames->announce(3, kMallory);
    EXPECT_TRUE(bound(3).empty()) << "her key has opened nothing yet";
    Speaker mallory(3, kMallory);
    say(mallory);
    EXPECT_EQ(bound(3), std::vector{kMallory});
    EXPECT_EQ(bound(1), std::vector{kAnna});
}

TEST_F(VoiceFramesTest, WhoSealsWithAnothersKeyDoesNotSilenceIt) {
    frames->announce(1, kAnna);
    epoch(1, {kAnna, kMallory});
    say(anna, 10);
    dave::Sender as_anna(dave::BaseSecret{kAnna, secret_of(kAnna, 1)});
    Bytes frame;
    for (int i = 0; i < 60'000; ++i) {
        frame.clear();
        as_anna.seal(Bytes{0x78, 1, 2}, frame);
    }
    Speaker mallory(3, kMallory);  // not announced
    hear(mallory.header(), frame);
    wait(seconds(2));
    ASSERT_EQ(opened(), 11U);
    say(anna, 1'000);
    EXPECT_EQ(opened(), 1'011U);
    EXPECT_EQ(counts.replayed, 0U);
}

TEST_F(VoiceFramesTest, TheNewestAnnouncementCounts) {
    frames->announce(1, kAnna);
    epoch(1, {kAnna, kBruno});
    say(anna, 10);
    Speaker bruno_on_1(1, kBruno);  // Anna has gone, op 13 was missed
    say(bruno_on_1, 5);
    EXPECT_EQ(opened(), 10U);
    frames->announce(1, kBruno);
    EXPECT_EQ(opened(), 15U);
    for (std::size_t i = 10; i < 15; ++i) EXPECT_TRUE(heard.packets[i].parked) << "so that a journal gives it to him";
    say(bruno_on_1, 5);
    EXPECT_EQ(opened(), 20U);
    EXPECT_EQ(bound(1), (std::vector{kAnna, kBruno}));
    say(anna, 5);
    EXPECT_EQ(opened(), 20U) << "no longer hers";
}

TEST_F(VoiceFramesTest, AnAnnouncementThatComesLateIsEnough) {
    epoch(1, {kAnna, kBruno});
    say(bruno, 20);
    frames->announce(2, kBruno);
    EXPECT_EQ(opened(), 20U);
}

TEST_F(VoiceFramesTest, ALieAboutASourceNamesNobody) {
    frames->announce(2, kAnna);  // it is Bruno's
    epoch(1, {kAnna, kBruno});
    say(bruno, 20);
    wait(seconds(2));
    EXPECT_TRUE(heard.packets.empty()) << "opened with her key or not at all";
    EXPECT_TRUE(heard.events.empty());
    frames->announce(2, kBruno);
    EXPECT_EQ(opened(), 20U) << "nothing is lost when the truth comes in time";
    EXPECT_EQ(bound(2), std::vector{kBruno});
}

TEST_F(VoiceFramesTest, ALieAboutASourceWithoutAKeyNamesNobodyEither) {
    frames->announce(2, kAnna);
    epoch(1, {kAnna});
    say(bruno, 20);
    wait(seconds(11));
    EXPECT_EQ(opened(), 0U);
    EXPECT_EQ(closed(Closed::no_key), 20U);
    // What was closed counts as hers, and is no audio; what his key opens is his, once he is named.
    epoch(2, {kAnna, kBruno});
    bruno.enter(2);
    say(bruno, 20);
    frames->announce(2, kBruno);
    EXPECT_EQ(opened(), 20U);
    EXPECT_EQ(bound(2), (std::vector{kAnna, kBruno}));
    for (const auto& packet : heard.packets) EXPECT_TRUE(packet.parked) << "so that a journal gives it to him";
}

TEST_F(VoiceFramesTest, AtTheEndWhatNobodyAnnouncedIsTriedHoweverShortItHasWaited) {
    epoch(1, {kAnna, kBruno});
    say(bruno, 5);
    EXPECT_EQ(opened(), 0U);
    frames->drain();
    EXPECT_EQ(opened(), 5U);
    EXPECT_TRUE(bound(2).empty());
}

TEST_F(VoiceFramesTest, WhatIsOnItsWayWhenItsUserLeavesIsTheUsers) {
    frames->announce(1, kAnna);
    epoch(1, {kAnna, kBruno});
    say(anna, 5);
    frames->forget(kAnna);
    say(anna, 3);
    EXPECT_EQ(opened(), 8U);
    EXPECT_EQ(counts.parked, 0U);
    wait(kParkedFor + seconds(1));
    say(anna);
    EXPECT_EQ(opened(), 8U) << "by now it is nobody's source";
    EXPECT_EQ(counts.parked, 1U);
}

}  // namespace
}  // namespace lestapenna::discord
