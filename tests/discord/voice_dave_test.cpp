// What Voice answers to the messages of end-to-end encryption, and to their misuse; a group of people is in tests/live.
#include "discord/voice_dave.h"

#include <gtest/gtest.h>

#include "discord/voice.h"
#include "scripted_voice.h"

namespace lestapenna::discord {
namespace {

using test::Bytes;
using test::Json;
using test::kSpeaker;
using test::VoiceTable;

/// A call that is encrypted from op 4 on.
struct EncryptedTable : VoiceTable {
    EncryptedTable() { server.manners().dave_version = 1; }
    [[nodiscard]] testing::AssertionResult packages(std::size_t count) {
        return until([&] { return server.binaries().size() >= count; });
    }
    void say_binary(int op, const std::string& body) {
        server.binary(std::string("\0\7", 2) + static_cast<char>(op) + body);
    }
    /// Op 25 with a key that is one.
    void name_external_sender() {
        const std::string key = server.binaries().at(0).substr(6, 65);  // of our own key package
        say_binary(25, "\x40\x41" + key + std::string("\0\1\1\7", 4));
    }
};

TEST(VoiceDave, InAnEncryptedCallItSendsItsKeyPackage) {
    EncryptedTable table;
    ASSERT_TRUE(table.join());
    ASSERT_TRUE(table.packages(1));
    EXPECT_EQ(table.server.binaries()[0].substr(0, 7), std::string("\x1A\0\1\0\2\x40\x41", 7)) << "op 26, bare";
    EXPECT_FALSE(table.voice->may_speak());
    EXPECT_FALSE(table.voice->send(0, Bytes{7, 7}));
    EXPECT_TRUE(table.voice->send(0, Bytes{0xF8, 0xFF, 0xFE}));
    ASSERT_TRUE(table.until([&] { return table.server.packets().size() == 1; }));
    EXPECT_EQ(table.heard.story(), "Connected") << "not encrypted before there is a group";
}

TEST(VoiceDave, InAClearCallItSendsNone) {
    for (const bool said : {false, true}) {
        VoiceTable table;
        if (said) table.server.manners().dave_version = 0;
        ASSERT_TRUE(table.join());
        EXPECT_TRUE(table.voice->may_speak());
        table.idle(milliseconds(50));
        EXPECT_TRUE(table.server.binaries().empty());
        EXPECT_EQ(table.voice->counts().transitions, 0U);
    }
}

TEST(VoiceDave, WhoDoesNotOfferItSaysSo) {
    VoiceOptions options = VoiceTable::options();
    options.dave_version = 0;
    VoiceTable table(options);
    ASSERT_TRUE(table.join());
    EXPECT_EQ(table.server.last(0).at("max_dave_protocol_version"), 0);
}

TEST(VoiceDave, NothingSpeaksPlainEvenWithinConnected) {
    EncryptedTable table;
    bool sent = false;
    table.heard.then = [&] { sent = sent || table.voice->send(0, Bytes{7, 7}); };
    ASSERT_TRUE(table.join());
    EXPECT_FALSE(sent);
}

TEST(VoiceDave, ADowngradeIsAnsweredAndExecuted) {
    EncryptedTable table;
    ASSERT_TRUE(table.join());
    table.server.say({{"op", 21}, {"seq", 8}, {"d", {{"protocol_version", 0}, {"transition_id", 10}}}});
    ASSERT_TRUE(table.until([&] { return table.server.count(23) == 1; }));
    EXPECT_EQ(table.server.last(23), Json({{"transition_id", 10}}));
    EXPECT_FALSE(table.voice->may_speak());
    table.server.say({{"op", 22}, {"seq", 9}, {"d", {{"transition_id", 11}}}});
    table.server.say({{"op", 22}, {"seq", 10}, {"d", {{"transition_id", 10}}}});
    ASSERT_TRUE(table.until([&] { return table.voice->may_speak(); }));
    EXPECT_TRUE(table.voice->send(0, Bytes{7, 7}));
    ASSERT_TRUE(table.server.voice(9, 1, {1, 2, 3}));
    ASSERT_TRUE(table.until([&] { return table.heard.packets.size() == 1; }));
    EXPECT_FALSE(table.heard.packets[0].closed);
    // And up again: a new key package.
    table.server.say({{"op", 24}, {"seq", 11}, {"d", {{"protocol_version", 1}, {"epoch", 1}}}});
    EXPECT_TRUE(table.packages(2));
}

TEST(VoiceDave, PlainFramesStayClosedInAnEncryptedCall) {
    EncryptedTable table;
    ASSERT_TRUE(table.join());
    ASSERT_TRUE(table.server.voice(9, 1, {1, 2, 3}));
    ASSERT_TRUE(table.until([&] { return table.heard.packets.size() == 1; }));
    EXPECT_EQ(table.heard.packets[0].closed, Closed::plain);
    EXPECT_EQ(table.voice->counts().closed[static_cast<std::size_t>(Closed::plain)], 1U);
}

TEST(VoiceDave, WhatIsParkedIsHandedOnWhenTheSessionEnds) {
    EncryptedTable table;
    ASSERT_TRUE(table.join());
    ASSERT_TRUE(table.server.voice(9, 1, {9, 9, 1, 2, 3, 4, 5, 6, 7, 8, 1, 12, 0xFA, 0xFA}));
    ASSERT_TRUE(table.until([&] { return table.voice->counts().parked == 1; }));
    EXPECT_TRUE(table.heard.packets.empty());
    table.voice->leave();
    ASSERT_EQ(table.heard.packets.size(), 1U);
    EXPECT_EQ(table.heard.packets[0].closed, Closed::no_user);
    EXPECT_TRUE(table.heard.packets[0].parked);
    EXPECT_EQ(table.heard.packets[0].sealed_bytes, 14U);
}

TEST(VoiceDave, WhatIsNotOfTheGroupIsCountedAndHurtsNobody) {
    EncryptedTable table;
    ASSERT_TRUE(table.join());
    ASSERT_TRUE(table.packages(1));
    table.say_binary(25, "garbage");
    table.name_external_sender();
    table.say_binary(27, "garbage");
    table.say_binary(29, std::string("\0\5", 2) + "garbage");
    ASSERT_TRUE(table.until([&] { return table.voice->counts().refused_messages >= 2; }));
    table.say_binary(30, std::string("\0\5", 2) + "garbage");
    ASSERT_TRUE(table.until([&] { return table.server.count(31) >= 1; })) << "a welcome is answered";
    EXPECT_EQ(table.server.last(31), Json({{"transition_id", 5}}));
    EXPECT_TRUE(table.packages(2)) << "and a new key package follows";
    EXPECT_EQ(table.voice->counts().recoveries, 1U);
    EXPECT_TRUE(table.voice->connected());
    EXPECT_EQ(table.voice->counts().malformed_messages, 0U);
    for (const int op : {25, 27, 29, 30}) table.say_binary(op, "");
    for (const int op : {26, 28, 99}) table.say_binary(op, "theirs?");
    ASSERT_TRUE(table.until(
        [&] { return table.voice->counts().malformed_messages == 4 && table.voice->counts().unknown_messages == 3; }));
}

TEST(VoiceDave, ADowngradeThatIsNeverExecutedEnds) {
    const BootTime now = BootClock::now();
    EXPECT_EQ(clear_until({.allowed = true}, 1, now), now + kDowngradeWithin);
    EXPECT_EQ(clear_until({.allowed = true}, 0, now), BootTime::max());
    EXPECT_EQ(clear_until({.allowed = true, .winding_down = true}, 1, now), now + dave::kOverlap);
    EXPECT_EQ(clear_until({.allowed = false}, 1, now), now);
}

TEST(VoiceDave, ThreeRecoveriesInTenMinutesAndThenReportsOnceAMinute) {
    Recoveries recoveries;
    BootTime now{seconds(100)};
    for (int n = 0; n < 3; ++n) {
        EXPECT_TRUE(recoveries.may_try(now));
        EXPECT_TRUE(recoveries.may_report(now));
        recoveries.note(now);
    }
    EXPECT_FALSE(recoveries.may_report(now + seconds(59)));
    EXPECT_TRUE(recoveries.may_report(now + seconds(60)));
    EXPECT_FALSE(recoveries.may_try(now + seconds(60)));
    recoveries.note(now + seconds(60));
    EXPECT_FALSE(recoveries.may_report(now + seconds(119)));
    EXPECT_FALSE(recoveries.may_try(now + seconds(599)));
    EXPECT_TRUE(recoveries.may_try(now + seconds(600)));
}

/// Somebody speaks in a group that we never got into, and every attempt to let us in is a bad one.
TEST(VoiceDave, EndlessBadWelcomesAreReportedThriceAndTheTableIsTold) {
    EncryptedTable table;
    ASSERT_TRUE(table.join());
    ASSERT_TRUE(table.packages(1));
    table.name_external_sender();
    table.server.say(test::speaking(9, kSpeaker, 8));
    const Bytes frame{9, 9, 1, 2, 3, 4, 5, 6, 7, 8, 1, 12, 0xFA, 0xFA};
    std::uint16_t seq = 0;
    char transition = 0;
    const auto told = [&] {
        if (seq % 50 == 0) table.say_binary(30, std::string{'\0', ++transition} + "garbage");
        table.server.voice(9, ++seq, frame);
        table.idle(milliseconds(20));
        return table.heard.count<CannotOpen>() > 0;
    };
    ASSERT_TRUE(table.until(told, seconds(60)));
    EXPECT_GT(static_cast<std::size_t>(transition), kMostRecoveries);
    EXPECT_EQ(table.voice->counts().recoveries, kMostRecoveries);
    EXPECT_EQ(table.heard.count<CannotOpen>(), 1U);
}

TEST(VoiceDave, AResumeKeepsTheGroupAndARejoinMakesANewOne) {
    EncryptedTable table;
    ASSERT_TRUE(table.join());
    ASSERT_TRUE(table.packages(1));
    table.server.drop();
    ASSERT_TRUE(table.connected(2));
    table.idle(milliseconds(50));
    EXPECT_EQ(table.server.binaries().size(), 1U);
    table.server.close(4006);
    ASSERT_TRUE(table.connected(3));
    ASSERT_TRUE(table.packages(2));
    EXPECT_NE(table.server.binaries()[0], table.server.binaries()[1]);
}

}  // namespace
}  // namespace lestapenna::discord
