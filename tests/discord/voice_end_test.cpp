// Voice against a scripted server: moved, removed, left, and whatever its listener does in the middle of it.
#include <string>

#include <gtest/gtest.h>

#include "discord/voice.h"
#include "scripted_voice.h"

namespace lestapenna::discord {
namespace {

using test::kChannel;
using test::kOtherChannel;
using test::VoiceTable;

TEST(Voice, AModeratorMovesUs) {
    // The close may come before or after the gateway's word, or never.
    for (const int closed : {0, 1, 2}) {
        for (const std::uint16_t code : {std::uint16_t{4014}, std::uint16_t{4022}}) {
            SCOPED_TRACE(std::to_string(closed) + ", " + std::to_string(code));
            VoiceTable table;
            test::ScriptedVoice other(table.loop);
            ASSERT_TRUE(table.join());
            if (closed == 1) {
                table.server.close(code);
                ASSERT_TRUE(table.until([&] { return table.heard.count<Disconnected>() == 1; }));
                EXPECT_EQ(table.heard.last<Disconnected>()->code, code);
            }
            table.state_is(kOtherChannel);
            if (closed == 2) table.server.close(code);
            table.idle(milliseconds(20));
            table.name_server(other.endpoint());
            ASSERT_TRUE(table.connected(2));
            EXPECT_EQ(table.heard.story(), "Connected Disconnected Moved Connected");
            EXPECT_EQ(table.heard.last<Moved>()->to, kOtherChannel);
            EXPECT_EQ(table.heard.last<Connected>()->channel, kOtherChannel);
            EXPECT_EQ(table.asked.size(), 1U) << "nobody was asked";
            EXPECT_EQ(other.count(0), 1U);
        }
    }
}

TEST(Voice, OfAMoveTheServerMayBeNamedFirst) {
    VoiceTable table;
    test::ScriptedVoice other(table.loop);
    ASSERT_TRUE(table.join());
    table.name_server(other.endpoint());
    table.state_is(kOtherChannel);
    ASSERT_TRUE(table.connected(2));
    EXPECT_EQ(table.heard.story(), "Connected Disconnected Moved Connected");
    EXPECT_EQ(table.heard.last<Connected>()->channel, kOtherChannel);
    EXPECT_EQ(table.asked.size(), 1U);
    EXPECT_EQ(other.connections(), 1);
}

TEST(Voice, AMoveWithoutAServerIsAskedFor) {
    VoiceTable table;
    ASSERT_TRUE(table.join());
    table.state_is(kOtherChannel);
    ASSERT_TRUE(table.connected(2));
    EXPECT_EQ(table.asked.back(), kOtherChannel);
}

TEST(Voice, WeMoveOurselves) {
    VoiceTable table;
    ASSERT_TRUE(table.join());
    table.voice->join(kOtherChannel);
    ASSERT_TRUE(table.connected(2));
    EXPECT_EQ(table.heard.story(), "Connected Disconnected Moved Connected");
    EXPECT_EQ(table.heard.last<Connected>()->channel, kOtherChannel);
    table.voice->join(kOtherChannel);
    EXPECT_EQ(table.asked.size(), 2U) << "there already";
}

TEST(Voice, RemovedBeforeOrAfterTheClose) {
    for (const bool close_first : {false, true}) {
        VoiceTable table;
        ASSERT_TRUE(table.join());
        if (close_first) {
            table.server.close(4014);
            ASSERT_TRUE(table.until([&] { return table.heard.count<Disconnected>() == 1; }));
        }
        table.state_is(std::nullopt);
        const auto* ended = table.heard.last<Ended>();
        ASSERT_NE(ended, nullptr);
        EXPECT_EQ(ended->reason, EndReason::removed);
        EXPECT_EQ(ended->code, close_first ? 4014 : 0);
        EXPECT_EQ(table.asked.size(), 1U) << "nothing is asked for any more";
        const std::string story = table.heard.story();
        table.name_server(table.server.endpoint());
        table.idle(milliseconds(300));
        EXPECT_EQ(table.heard.story(), story);
        EXPECT_EQ(table.server.connections(), 1);
        // And it may come back.
        table.voice->join(kChannel);
        EXPECT_TRUE(table.connected(2));
        EXPECT_EQ(table.heard.last<Connected>()->generation, 2);
    }
}

TEST(Voice, RemovedWhileItAsksToComeBackItTakesThatBack) {
    VoiceTable table;
    ASSERT_TRUE(table.join());
    table.answers = VoiceTable::Answers::none;
    table.server.close(4006);
    ASSERT_TRUE(table.until([&] { return table.asked.size() == 2; }));
    table.state_is(std::nullopt);
    EXPECT_EQ(table.heard.last<Ended>()->reason, EndReason::removed);
    EXPECT_EQ(table.asked.size(), 3U);
    EXPECT_EQ(table.asked.back(), std::nullopt);
}

TEST(Voice, NothingSaidAfterTheCloseIsARejoin) {
    VoiceTable table;
    ASSERT_TRUE(table.join());
    table.server.close(4014);
    ASSERT_TRUE(table.connected(2));
    EXPECT_EQ(table.asked.size(), 2U);
}

TEST(Voice, LeavesAtOnce) {
    VoiceTable table;
    ASSERT_TRUE(table.join());
    table.voice->leave();
    EXPECT_EQ(table.heard.story(), "Connected Ended");
    EXPECT_EQ(table.heard.last<Ended>()->reason, EndReason::left);
    EXPECT_EQ(table.asked.back(), std::nullopt);
    EXPECT_FALSE(table.voice->connected());
    EXPECT_TRUE(table.until([&] { return table.server.closes().size() == 1; }));
    EXPECT_EQ(table.server.closes()[0], 1'000);
    table.voice->leave();
    EXPECT_EQ(table.heard.events.size(), 2U) << "once";
}

TEST(Voice, EndedByItsListenerWhileWhatOutranTheKeyIsHeard) {
    for (const bool destroyed : {false, true}) {
        for (const std::uint64_t packets : {0U, 3U}) {
            VoiceTable table;
            table.server.manners().early_packets = 5;
            table.heard.then = [&] {
                if (table.heard.packet_count != packets || !table.voice || table.heard.count<Ended>() > 0) return;
                if (destroyed) {
                    table.voice.reset();
                } else {
                    table.voice->leave();
                }
            };
            table.voice->join(kChannel);
            ASSERT_TRUE(table.until([&] { return destroyed ? !table.voice : table.heard.count<Ended>() == 1; }));
            table.idle(milliseconds(20));
            EXPECT_EQ(table.heard.story(), destroyed ? "Connected" : "Connected Ended");
            EXPECT_EQ(table.heard.packet_count, packets);
        }
    }
}

TEST(Voice, WhatOutranAKeyThatNeverCameIsCounted) {
    auto options = VoiceTable::options();
    options.timing.open = milliseconds(300);
    VoiceTable table(options);
    table.server.manners().early_packets = 5;
    table.server.manners().description = false;
    table.voice->join(kChannel);
    ASSERT_TRUE(table.until([&] { return table.voice->counts().datagrams.of(Datagram::forged) == 5; }));
}

TEST(Voice, WhatHasComeIsHeardBeforeASessionEnds) {
    for (const bool left : {false, true}) {
        VoiceTable table;
        ASSERT_TRUE(table.join());
        std::uint64_t heard_before = 0;
        table.heard.then = [&] {
            if (table.heard.events.size() == 1) heard_before = table.heard.packet_count;
        };
        for (std::uint16_t i = 0; i < 100; ++i) ASSERT_TRUE(table.server.voice(1, i, {1}));
        if (left) {
            table.voice->leave();
        } else {
            table.name_server("");
        }
        EXPECT_EQ(table.heard.story(), left ? "Connected Ended" : "Connected Disconnected");
        EXPECT_EQ(heard_before, 100U);
        table.idle(milliseconds(20));
        EXPECT_EQ(table.heard.packet_count, 100U);
    }
}

TEST(Voice, EndedByItsListenerWhileTheRestIsHeard) {
    for (const bool destroyed : {false, true}) {
        VoiceTable table;
        ASSERT_TRUE(table.join());
        table.heard.then = [&] {
            if (table.heard.packet_count != 3 || !table.voice || table.heard.count<Ended>() > 0) return;
            if (destroyed) {
                table.voice.reset();
            } else {
                table.voice->leave();
            }
        };
        for (std::uint16_t i = 0; i < 5; ++i) ASSERT_TRUE(table.server.voice(1, i, {1}));
        table.name_server("");
        EXPECT_EQ(table.heard.story(), destroyed ? "Connected" : "Connected Ended");
        EXPECT_EQ(table.heard.packet_count, 3U);
    }
}

TEST(Voice, JoinsAgainAfterLeavingWhateverEchoesCome) {
    VoiceTable table;
    ASSERT_TRUE(table.join());
    table.voice->leave();
    table.answers = VoiceTable::Answers::none;
    table.voice->join(kOtherChannel);
    table.state_is(std::nullopt);  // of the leave
    EXPECT_EQ(table.heard.count<Ended>(), 1U);
    table.state_is(kOtherChannel);
    table.name_server(table.server.endpoint());
    ASSERT_TRUE(table.connected(2));
    EXPECT_EQ(table.heard.last<Connected>()->channel, kOtherChannel);
}

TEST(Voice, LeavingInTheMiddleOfJoiningConnectsNobody) {
    VoiceTable table;
    table.voice->join(kChannel);
    ASSERT_TRUE(table.until([&] { return table.server.connections() == 1; }));
    table.voice->leave();
    table.idle(milliseconds(100));
    EXPECT_EQ(table.heard.story(), "Ended");
}

TEST(Voice, MayBeLeftOrDestroyedByItsListener) {
    for (const bool destroyed : {false, true}) {
        for (const bool by_packet : {false, true}) {
            VoiceTable table;
            table.heard.then = [&] {
                if (by_packet && table.heard.packet_count == 0) return;
                if (table.heard.count<Ended>() > 0 || !table.voice) return;
                if (destroyed) {
                    table.voice.reset();
                } else {
                    table.voice->leave();
                }
            };
            ASSERT_TRUE(table.join());
            if (by_packet) {
                for (std::uint16_t i = 0; i < 5; ++i) ASSERT_TRUE(table.server.voice(1, i, {1}));
            }
            EXPECT_TRUE(table.until([&] { return destroyed ? !table.voice : table.heard.count<Ended>() == 1; }));
            table.idle(milliseconds(50));
            EXPECT_LE(table.heard.packet_count, 1U);
            EXPECT_EQ(table.heard.count<Connected>(), 1U);
        }
    }
}

}  // namespace
}  // namespace lestapenna::discord
