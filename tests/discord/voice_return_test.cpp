// Voice against a scripted server: connections that are lost and come back, as resumes, rejoins and other servers.
#include <string>

#include <gtest/gtest.h>

#include "discord/voice.h"
#include "scripted_voice.h"

namespace lestapenna::discord {
namespace {

using test::Json;
using test::kChannel;
using test::kGuild;
using test::kSpeaker;
using test::Manners;
using test::speaking;
using test::VoiceTable;

TEST(Voice, WithoutAcksItResumes) {
    VoiceTable table;
    table.server.manners().heartbeat_interval_ms = 50;
    table.server.manners().acks = false;
    ASSERT_TRUE(table.join());
    ASSERT_TRUE(table.connected(2));
    EXPECT_TRUE(table.heard.last<Connected>()->resumed);
    EXPECT_GE(table.server.count(3), 3U);
    EXPECT_EQ(table.heard.last<Disconnected>()->code, 0);
}

TEST(Voice, AResumeKeepsMediaSsrcAndKey) {
    VoiceTable table;
    ASSERT_TRUE(table.join());
    table.server.say(speaking(9, kSpeaker, 40));
    ASSERT_TRUE(table.until([&] { return table.heard.count<SsrcBound>() == 1; }));
    table.server.manners().before_resumed = {speaking(10, kSpeaker, 41).dump()};
    table.server.drop();
    ASSERT_TRUE(table.server.voice(9, 1, {1})) << "while there is no websocket";
    ASSERT_TRUE(table.connected(2));
    EXPECT_EQ(table.server.last(7),
              Json({{"server_id", kGuild.text()}, {"session_id", "90326b"}, {"token", "token-1"}, {"seq_ack", 40}}));
    const auto* connected = table.heard.last<Connected>();
    EXPECT_TRUE(connected->resumed);
    EXPECT_EQ(connected->generation, 1);
    EXPECT_EQ(connected->own_ssrc, 1'001U);
    EXPECT_TRUE(table.heard.last<Disconnected>()->media_goes_on);
    table.server.say(speaking(9, kSpeaker, 42));
    ASSERT_TRUE(table.server.voice(9, 2, {2}));
    ASSERT_TRUE(table.until([&] { return table.heard.packets.size() == 2; }));
    EXPECT_EQ(table.heard.count<SsrcBound>(), 2U) << "bindings stay; what was re-sent before op 9 is heard";
    EXPECT_EQ(table.server.count(0), 1U);
    EXPECT_EQ(table.voice->counts().resumes, 1U);
}

TEST(Voice, WhatWasSaidToSpeakIsSaidAgainAfterAResume) {
    VoiceTable table;
    ASSERT_TRUE(table.join());
    table.voice->set_speaking(true);
    ASSERT_TRUE(table.until([&] { return table.server.count(5) == 1; }));
    table.server.drop();
    ASSERT_TRUE(table.until([&] { return table.server.count(5) == 2; }));
    EXPECT_EQ(table.server.last(5).at("speaking"), 1);
}

TEST(Voice, AResumeThatNobodyAnswersBecomesARejoin) {
    VoiceTable table;
    ASSERT_TRUE(table.join());
    table.server.manners().resume = Manners::Resume::silent;
    table.server.drop();
    ASSERT_TRUE(table.connected(2));
    const auto* connected = table.heard.last<Connected>();
    EXPECT_FALSE(connected->resumed);
    EXPECT_EQ(connected->generation, 2);
    EXPECT_EQ(connected->own_ssrc, 1'002U);
    EXPECT_EQ(table.heard.story(), "Connected Disconnected Disconnected Connected");
    EXPECT_FALSE(table.heard.last<Disconnected>()->media_goes_on);
    EXPECT_EQ(table.asked.size(), 2U);
}

TEST(Voice, AResumeThatIsRefusedBecomesARejoin) {
    VoiceTable table;
    ASSERT_TRUE(table.join());
    table.server.manners().resume = Manners::Resume::refuse;
    table.server.close(4015);
    ASSERT_TRUE(table.connected(2));
    EXPECT_EQ(table.heard.last<Connected>()->generation, 2);
    EXPECT_EQ(table.heard.last<Disconnected>()->code, 4006);
}

TEST(Voice, ResumesThatDoNotLastBecomeARejoin) {
    VoiceTable table;
    ASSERT_TRUE(table.join());
    for (std::size_t i = 2; table.heard.last<Connected>()->generation == 1; ++i) {
        ASSERT_LE(i, 6U) << "resumed for ever";
        table.server.drop();
        ASSERT_TRUE(table.connected(i));
    }
    EXPECT_EQ(table.voice->counts().resumes, 3U);
}

TEST(Voice, ANewSessionStartsFromNothing) {
    VoiceTable table;
    ASSERT_TRUE(table.join());
    table.server.say(speaking(9, kSpeaker, 40));
    ASSERT_TRUE(table.until([&] { return table.heard.count<SsrcBound>() == 1; }));
    table.server.manners().heartbeat_interval_ms = 60'000;
    table.server.close(4006);
    ASSERT_TRUE(table.connected(2));
    ASSERT_TRUE(table.until([&] { return table.server.count(3) == 2; }));
    EXPECT_EQ(table.server.last(0).at("token"), "token-2");
    table.server.say(speaking(9, kSpeaker, 6));
    EXPECT_TRUE(table.until([&] { return table.heard.count<SsrcBound>() == 2; })) << "bindings were forgotten";
    // Its first heartbeat was sent before or after op 4 with its seq 5, never with the old 40.
    const Json ack = table.server.last(3).at("seq_ack");
    EXPECT_TRUE(ack == -1 || ack == 5) << ack;
}

TEST(Voice, ARejoinMayBeAnsweredByTheServerAlone) {
    VoiceTable table;
    ASSERT_TRUE(table.join());
    table.answers = VoiceTable::Answers::server_only;
    table.server.close(4006);
    ASSERT_TRUE(table.connected(2));
    EXPECT_EQ(table.server.last(0).at("session_id"), "90326b");
}

TEST(Voice, ANewSessionIdOfTheGatewayCountsAtOnce) {
    VoiceTable table;
    table.answers = VoiceTable::Answers::none;
    table.voice->join(kChannel);
    table.server.manners().ready = false;
    table.state_is(kChannel);
    table.name_server(table.server.endpoint());
    ASSERT_TRUE(table.until([&] { return table.server.count(0) == 1; }));
    table.server.manners().ready = true;
    table.session_id = "another";
    table.state_is(kChannel);
    ASSERT_TRUE(table.connected(1));
    EXPECT_EQ(table.server.last(0).at("session_id"), "another");
    EXPECT_EQ(table.server.last(0).at("token"), "token-1");
}

TEST(Voice, TheServerIsAwayForAWhile) {
    VoiceTable table;
    ASSERT_TRUE(table.join());
    table.server.manners().close_identify = 4011;
    table.server.manners().resume = Manners::Resume::refuse;
    table.server.drop();
    ASSERT_TRUE(table.until([&] { return table.server.count(0) >= 8; })) << "it goes on as long as it takes";
    table.server.manners().close_identify.reset();
    ASSERT_TRUE(table.connected(2));
    EXPECT_EQ(table.heard.count<Ended>(), 0U);
    EXPECT_EQ(table.heard.last<Connected>()->generation, 2) << "sessions that never stood do not count";
}

TEST(Voice, NobodyAtTheEndpoint) {
    VoiceTable table;
    table.answers = VoiceTable::Answers::none;
    table.voice->join(kChannel);
    table.state_is(kChannel);
    table.name_server("127.0.0.1:1");
    ASSERT_TRUE(table.until([&] { return table.asked.size() >= 2; }));
    table.answers = VoiceTable::Answers::both;
    EXPECT_TRUE(table.connected(1));
}

TEST(Voice, AnEndpointThatIsNoneIsSurvived) {
    VoiceTable table;
    table.answers = VoiceTable::Answers::none;
    table.voice->join(kChannel);
    for (const char* odd : {"no port at all/%%%", "127.0.0.1:99999999", "\n\r", "@@@:::", "[::1"}) {
        table.state_is(kChannel);
        table.name_server(odd);
        table.idle(milliseconds(20));
    }
    table.answers = VoiceTable::Answers::both;
    EXPECT_TRUE(table.connected(1));
}

TEST(Voice, AServerThatSaysNothingIsGivenUp) {
    for (const int stage : {0, 1}) {
        VoiceOptions options = VoiceTable::options();
        options.timing.open = milliseconds(200);
        VoiceTable table(options);
        (stage == 0 ? table.server.manners().ready : table.server.manners().description) = false;
        table.voice->join(kChannel);
        ASSERT_TRUE(table.until([&] { return table.server.count(0) >= 2; })) << "it tries again";
        table.server.manners().ready = table.server.manners().description = true;
        EXPECT_TRUE(table.connected(1)) << stage;
    }
}

TEST(Voice, AnotherServerIsTakenInEveryState) {
    // 0: identifying, 1: discovering, 2: waiting for the key, 3: connected, 4: resuming
    for (int state = 0; state < 5; ++state) {
        SCOPED_TRACE(state);
        VoiceTable table;
        test::ScriptedVoice other(table.loop);
        Manners& manners = table.server.manners();
        manners.ready = state != 0;
        manners.deaf_discoveries = state == 1 ? 1'000 : 0;
        manners.description = state != 2;
        manners.resume = Manners::Resume::silent;
        table.voice->join(kChannel);
        ASSERT_TRUE(table.until([&] {
            switch (state) {
                case 0:
                    return table.server.count(0) == 1;
                case 1:
                    return table.server.discoveries() >= 1;
                case 2:
                    return table.server.count(1) == 1;
                default:
                    return table.voice->connected();
            }
        }));
        if (state == 4) {
            table.server.drop();
            ASSERT_TRUE(table.until([&] { return table.server.count(7) == 1; }));
        }
        const std::size_t before = table.heard.count<Connected>();
        table.name_server(other.endpoint());
        ASSERT_TRUE(table.connected(before + 1));
        EXPECT_EQ(other.last(0).at("session_id"), "90326b") << "the session id stays";
        EXPECT_EQ(other.last(0).at("token"), "token-2");
        EXPECT_EQ(table.heard.last<Connected>()->generation, state < 3 ? 1 : 2);
        EXPECT_EQ(table.asked.size(), 1U) << "nobody was asked";
        ASSERT_TRUE(other.voice(1, 1, {5}));
        EXPECT_TRUE(table.until([&] { return table.heard.packets.size() == 1; }));
    }
}

TEST(Voice, TheSameEndpointWithANewTokenIsANewSession) {
    VoiceTable table;
    ASSERT_TRUE(table.join());
    table.name_server(table.server.endpoint());
    ASSERT_TRUE(table.connected(2));
    EXPECT_EQ(table.server.count(0), 2U);
    EXPECT_EQ(table.heard.last<Connected>()->generation, 2);
    EXPECT_TRUE(table.until([&] { return !table.server.closes().empty(); }));
    EXPECT_EQ(table.server.closes().front(), 1'000);
}

TEST(Voice, WithoutAnEndpointItWaitsForTheNext) {
    VoiceTable table;
    ASSERT_TRUE(table.join());
    table.name_server("");
    EXPECT_EQ(table.heard.story(), "Connected Disconnected");
    table.idle(milliseconds(100));
    EXPECT_EQ(table.server.count(0), 1U);
    EXPECT_EQ(table.asked.size(), 1U);
    table.name_server(table.server.endpoint());
    ASSERT_TRUE(table.connected(2));
    EXPECT_EQ(table.server.last(0).at("session_id"), "90326b");
}

TEST(Voice, AnEndpointThatNeverComesIsAskedFor) {
    VoiceTable table;
    ASSERT_TRUE(table.join());
    table.name_server("");
    EXPECT_TRUE(table.connected(2));
    EXPECT_EQ(table.asked.size(), 2U);
}

TEST(Voice, NothingLateOfAnOldSessionIsHeard) {
    VoiceTable table;
    test::ScriptedVoice other(table.loop);
    ASSERT_TRUE(table.join());
    table.name_server(other.endpoint());
    table.server.say(speaking(66, kSpeaker, 50));
    ASSERT_TRUE(table.server.voice(66, 1, {6}));
    table.server.text(R"({"op":4,"d":{"mode":"aead_aes256_gcm_rtpsize","secret_key":[]}})");
    ASSERT_TRUE(table.connected(2));
    ASSERT_TRUE(other.voice(77, 1, {7}));
    ASSERT_TRUE(table.until([&] { return table.heard.packets.size() == 1; }));
    EXPECT_EQ(table.heard.packets[0].header.ssrc, 77U);
    EXPECT_EQ(table.heard.story(), "Connected Disconnected Connected");
    EXPECT_EQ(table.voice->counts().datagrams.total(), 3U) << "two answers of discovery and a packet";
}

}  // namespace
}  // namespace lestapenna::discord
