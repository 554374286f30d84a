// Voice against a scripted server: joining, hearing, sending, and everything that goes wrong on the way. What each
// close code does is in voice_close_test.cpp.
#include "discord/voice.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "allocations.h"
#include "scripted_voice.h"

namespace lestapenna::discord {
namespace {

using test::Bytes;
using test::Json;
using test::kChannel;
using test::kGuild;
using test::kOtherChannel;
using test::kSelf;
using test::kSpeaker;
using test::Manners;
using test::VoiceTable;

Json speaking(std::uint32_t ssrc, UserId user, int seq, int flags = 1) {
    return {{"op", 5}, {"seq", seq}, {"d", {{"speaking", flags}, {"ssrc", ssrc}, {"user_id", user.text()}}}};
}

TEST(Voice, JoinsAsTheProtocolSays) {
    VoiceTable table;
    ASSERT_TRUE(table.join());
    EXPECT_EQ(table.asked, std::vector{std::optional(kChannel)});
    EXPECT_EQ(table.server.target(), "/?v=8");
    EXPECT_EQ(table.server.last(0), Json({{"server_id", kGuild.text()},
                                          {"user_id", kSelf.text()},
                                          {"session_id", "90326b"},
                                          {"token", "token-1"},
                                          {"max_dave_protocol_version", 0}}));
    const Json select = table.server.last(1);
    EXPECT_EQ(select.at("protocol"), "udp");
    EXPECT_EQ(select.at("data").at("mode"), "aead_aes256_gcm_rtpsize");
    EXPECT_EQ(select.at("data").at("address"), "127.0.0.1");
    const auto* connected = table.heard.last<Connected>();
    EXPECT_EQ(connected->generation, 1);
    EXPECT_EQ(connected->channel, kChannel);
    EXPECT_EQ(connected->own_ssrc, 1'001U);
    EXPECT_EQ(connected->mode, TransportMode::aes256_gcm);
    EXPECT_FALSE(connected->resumed);
    EXPECT_TRUE(table.voice->connected());
    EXPECT_EQ(table.voice->counts().rejoins, 0U);
}

TEST(Voice, TakesTheModeItLikesBestOfThoseOffered) {
    VoiceTable table;
    table.server.manners().modes = {"aead_of_tomorrow", "aead_xchacha20_poly1305_rtpsize"};
    ASSERT_TRUE(table.join());
    EXPECT_EQ(table.heard.last<Connected>()->mode, TransportMode::xchacha20_poly1305);
}

TEST(Voice, TheMainGatewayMayAnswerInEitherOrder) {
    VoiceTable table;
    table.answers = VoiceTable::Answers::server_first;
    EXPECT_TRUE(table.join());
    EXPECT_EQ(table.server.connections(), 1);
}

TEST(Voice, AsksAgainWhenNobodyAnswers) {
    VoiceTable table;
    table.answers = VoiceTable::Answers::none;
    table.voice->join(kChannel);
    ASSERT_TRUE(table.until([&] { return table.asked.size() == 3; }));
    table.answers = VoiceTable::Answers::both;
    EXPECT_TRUE(table.connected(1));
    EXPECT_GE(table.voice->counts().rejoins, 2U);
}

TEST(Voice, OtherGuildsAndUsersAreNotOurs) {
    VoiceTable table;
    table.answers = VoiceTable::Answers::none;
    table.voice->join(kChannel);
    VoiceState state;
    state.guild = kGuild;
    state.user = kSpeaker;
    state.channel = kChannel;
    state.session_id = "theirs";
    table.voice->on_voice_state(state);
    state.guild = GuildId{5};
    state.user = kSelf;
    table.voice->on_voice_state(state);
    table.voice->on_voice_server({GuildId{5}, "token", table.server.endpoint()});
    table.idle(milliseconds(50));
    EXPECT_EQ(table.server.connections(), 0);
}

TEST(Voice, HearsEveryPacketAndWhoseItIs) {
    VoiceTable table;
    ASSERT_TRUE(table.join());
    table.server.say({{"op", 11}, {"seq", 6}, {"d", {{"user_ids", {kSpeaker.text(), kSelf.text()}}}}});
    table.server.say(speaking(2'002, kSpeaker, 7));
    table.server.say(speaking(2'002, kSpeaker, 8));
    for (std::uint16_t i = 0; i < 100; ++i) {
        ASSERT_TRUE(table.server.voice(2'002, i, {1, 2, static_cast<std::uint8_t>(i)}));
    }
    ASSERT_TRUE(table.until([&] { return table.heard.packets.size() == 100; }));
    for (std::uint16_t i = 0; i < 100; ++i) {
        const auto& packet = table.heard.packets[i];
        EXPECT_EQ(packet.header.seq, i);
        EXPECT_EQ(packet.header.ssrc, 2'002U);
        EXPECT_EQ(packet.header.timestamp, i * 960U);
        EXPECT_EQ(packet.payload, (Bytes{1, 2, static_cast<std::uint8_t>(i)}));
        EXPECT_LE(packet.arrival, BootClock::now());
    }
    ASSERT_TRUE(table.until([&] { return table.heard.count<SsrcBound>() == 1; }));
    EXPECT_EQ(table.heard.last<SsrcBound>()->user, kSpeaker);
    EXPECT_EQ(table.heard.count<UserConnected>(), 1U) << "we do not count";
    EXPECT_EQ(table.voice->counts().datagrams.of(Datagram::voice), 100U);

    // A new SSRC of the same person, one by op 12, and it leaves.
    table.server.say({{"op", 12}, {"d", {{"audio_ssrc", 3'003}, {"video_ssrc", 0}, {"user_id", kSpeaker.text()}}}});
    table.server.say({{"op", 13}, {"d", {{"user_id", kSpeaker.text()}}}});
    table.server.say(speaking(3'003, kSpeaker, 9));
    ASSERT_TRUE(table.until([&] { return table.heard.count<SsrcBound>() == 3; }))
        << "what was bound before it left is not known any more";
    EXPECT_EQ(table.heard.last<UserDisconnected>()->user, kSpeaker);
}

TEST(Voice, WhatOutrunsItsKeyIsHeardAsSoonAsTheKeyIsThere) {
    VoiceTable table;
    table.server.manners().early_packets = 200;
    table.heard.then = [&] { EXPECT_EQ(table.heard.count<Connected>(), 1U) << "what was an outage ends with that"; };
    ASSERT_TRUE(table.join());
    ASSERT_TRUE(table.until([&] { return table.heard.packets.size() >= 200; }));
    for (std::uint16_t i = 0; i < 200; ++i) EXPECT_EQ(table.heard.packets[i].header.seq, i);
    EXPECT_EQ(table.voice->counts().datagrams.of(Datagram::forged), 0U);
}

TEST(Voice, OddDatagramsAreCountedAndHurtNobody) {
    VoiceTable table;
    ASSERT_TRUE(table.join());
    ASSERT_TRUE(table.server.voice(1, 1, {1}));
    for (const Bytes& odd : {Bytes{}, Bytes(8, 0x13), Bytes(500, 0xFF), Bytes(40, 0), Bytes(3'000, 0x80)}) {
        ASSERT_TRUE(table.server.datagram(odd));
    }
    Bytes forged(100, 0x41);
    forged[0] = 0x80;
    forged[1] = 120;
    ASSERT_TRUE(table.server.datagram(forged));
    ASSERT_TRUE(table.server.voice(1, 2, {2}));
    ASSERT_TRUE(table.server.voice(1, 2, {2})) << "a copy is the listener's business";
    ASSERT_TRUE(table.until([&] { return table.heard.packets.size() == 3; }));
    const DatagramCounts& counts = table.voice->counts().datagrams;
    EXPECT_EQ(counts.of(Datagram::forged), 1U);
    EXPECT_EQ(counts.of(Datagram::keep_alive), 1U);
    EXPECT_EQ(counts.of(Datagram::too_short), 1U);
    EXPECT_EQ(counts.of(Datagram::too_long), 1U);
    EXPECT_EQ(counts.of(Datagram::not_rtp), 2U);
    EXPECT_EQ(counts.of(Datagram::discovery), 1U);
    EXPECT_TRUE(table.voice->connected());
}

TEST(Voice, WhatTheKernelThrewAwayIsSaid) {
    VoiceOptions options = VoiceTable::options();
    options.receive_buffer_bytes = 4'096;
    VoiceTable table(options);
    ASSERT_TRUE(table.join());
    constexpr std::uint16_t kSent = 500;
    for (std::uint16_t i = 0; i < kSent; ++i) ASSERT_TRUE(table.server.voice(1, i, {1, 2, 3}));
    ASSERT_TRUE(table.until([&] { return !table.heard.packets.empty(); }));
    table.idle(milliseconds(20));
    ASSERT_TRUE(table.server.voice(1, kSent, {1, 2, 3}));  // with it the kernel tells
    ASSERT_TRUE(table.until([&] { return table.heard.packets.back().header.seq == kSent; }));
    std::uint64_t dropped = 0;
    for (const auto& event : table.heard.events) {
        if (const auto* drop = std::get_if<KernelDropped>(&event)) dropped += drop->datagrams;
    }
    EXPECT_GT(dropped, 0U);
    EXPECT_EQ(dropped + table.heard.packets.size(), kSent + 1U);
    EXPECT_EQ(table.voice->counts().kernel_drops, dropped);
}

TEST(Voice, GreetsOnceAfterTheKey) {
    VoiceOptions options = VoiceTable::options();
    options.greet = true;
    VoiceTable table(options);
    ASSERT_TRUE(table.join());
    ASSERT_TRUE(table.until([&] { return table.server.count(5) == 2 && table.server.packets().size() == 5; }));
    for (const Bytes& packet : table.server.packets()) EXPECT_EQ(packet, (Bytes{0xF8, 0xFF, 0xFE}));
    EXPECT_EQ(table.server.last(5), Json({{"speaking", 0}, {"delay", 0}, {"ssrc", 1'001}}));
}

TEST(Voice, WhoSpeaksAtOnceIsNotInterruptedByItsGreeting) {
    VoiceOptions options = VoiceTable::options();
    options.greet = true;
    VoiceTable table(options);
    ASSERT_TRUE(table.join());
    table.voice->set_speaking(true);
    EXPECT_TRUE(table.voice->send(48'000, Bytes{7, 7}));
    ASSERT_TRUE(table.until([&] { return table.server.packets().size() == 1; }));
    table.idle(milliseconds(150));
    EXPECT_EQ(table.server.packets(), std::vector<Bytes>{(Bytes{7, 7})});
    EXPECT_EQ(table.server.last(5).at("speaking"), 1);
}

TEST(Voice, SendsSealedPacketsInBothModes) {
    for (const char* mode : {"aead_aes256_gcm_rtpsize", "aead_xchacha20_poly1305_rtpsize"}) {
        VoiceTable table;
        EXPECT_FALSE(table.voice->send(0, Bytes{1})) << "not connected";
        table.server.manners().modes = {mode};
        ASSERT_TRUE(table.join());
        table.voice->set_speaking(true);
        for (std::uint8_t i = 0; i < 50; ++i) EXPECT_TRUE(table.voice->send(i * 960U, Bytes{i, 2, 3}));
        table.voice->set_speaking(false);
        ASSERT_TRUE(table.until([&] { return table.server.packets().size() == 50 && table.server.count(5) == 2; }));
        for (std::uint8_t i = 0; i < 50; ++i) EXPECT_EQ(table.server.packets()[i], (Bytes{i, 2, 3}));
        EXPECT_EQ(table.voice->counts().sent, 50U);
    }
}

TEST(Voice, KeepsTheWayOpen) {
    VoiceOptions options = VoiceTable::options();
    options.timing.keep_alive = milliseconds(20);
    VoiceTable table(options);
    ASSERT_TRUE(table.join());
    EXPECT_TRUE(table.until([&] { return table.server.keep_alives() >= 4; }));
}

TEST(Voice, AsksForItsAddressAgain) {
    VoiceTable table;
    table.server.manners().deaf_discoveries = 3;
    ASSERT_TRUE(table.join());
    EXPECT_EQ(table.server.discoveries(), 4);
}

TEST(Voice, WithoutDiscoveryTheSocketsOwnAddressMustDo) {
    VoiceTable table;
    table.server.manners().deaf_discoveries = 1'000;
    ASSERT_TRUE(table.join());
    EXPECT_EQ(table.server.discoveries(), 5);
    EXPECT_EQ(table.server.last(1).at("data").at("address"), "127.0.0.1");
    EXPECT_NE(table.server.last(1).at("data").at("port"), 0);
}

TEST(Voice, HeartbeatsSayWhatCameLast) {
    VoiceTable table;
    table.server.manners().heartbeat_interval_ms = 50;
    ASSERT_TRUE(table.join());
    table.server.say(speaking(1, kSpeaker, 65'535));
    ASSERT_TRUE(table.until([&] { return table.server.last(3).at("seq_ack") == 65'535; }));
    table.server.say(speaking(2, kSpeaker, 0));
    ASSERT_TRUE(table.until([&] { return table.server.last(3).at("seq_ack") == 0; })) << "16 bits wrap to 0";
    table.server.binary(std::string("\x00\x06\x19garbage", 10));
    ASSERT_TRUE(table.until([&] { return table.server.last(3).at("seq_ack") == 6; })) << "binary ones count too";
    EXPECT_EQ(table.server.heard().front().at("op"), 0) << "identify does not wait for hello";
    EXPECT_TRUE(table.server.last(3).at("t").is_number_integer());
}

TEST(Voice, AHeartbeatIsSentWhenAskedFor) {
    VoiceTable table;
    ASSERT_TRUE(table.join());
    const std::size_t before = table.server.count(3);
    table.server.say({{"op", 3}, {"d", {{"t", 1}}}});
    EXPECT_TRUE(table.until([&] { return table.server.count(3) == before + 1; }));
}

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

TEST(Voice, WithoutACommonModeItTriesAgain) {
    VoiceTable table;
    table.server.manners().modes = {"aead_of_tomorrow"};
    table.voice->join(kChannel);
    ASSERT_TRUE(table.until([&] { return table.server.count(0) >= 3; }));
    table.server.manners().modes = {"aead_aes256_gcm_rtpsize"};
    EXPECT_TRUE(table.connected(1));
}

TEST(Voice, OddMessagesAreCountedAndHurtNobody) {
    VoiceTable table;
    table.server.manners().bytes_after_ready = R"({"op":5,"d":{"ssrc":-1,"user_id":5}})";
    ASSERT_TRUE(table.join());
    const std::vector<std::string> odd{"",
                                       "null",
                                       "[]",
                                       "7",
                                       "{",
                                       R"({"op":"5"})",
                                       R"({"op":null})",
                                       R"({"op":5})",
                                       R"({"op":5,"d":[]})",
                                       R"({"op":2,"d":{"ssrc":1,"ip":"x","port":1}})",
                                       R"({"op":4,"d":{"mode":"x","secret_key":[]}})",
                                       R"({"op":4,"d":{"mode":"aead_aes256_gcm_rtpsize","secret_key":[1,2]}})",
                                       R"({"op":8,"d":{"heartbeat_interval":-5}})",
                                       R"({"op":8,"d":{"heartbeat_interval":1e300}})",
                                       R"({"op":11,"d":{"user_ids":[5]}})",
                                       R"({"op":11,"d":{"user_ids":"5"}})",
                                       R"({"op":13,"d":{}})",
                                       R"({"op":5,"d":{"ssrc":99999999999999999999,"user_id":"1"}})"};
    for (const std::string& text : odd) table.server.text(text);
    for (const char* known : {R"({"op":18,"d":{"flags":null}})", R"({"op":20,"d":{}})", R"({"op":9,"d":null})"}) {
        table.server.text(known);
    }
    table.server.text(R"({"op":99,"seq":77})");
    table.server.binary("x");
    ASSERT_TRUE(table.until([&] { return table.voice->counts().unknown_messages == 1; }));
    table.server.say(speaking(4, kSpeaker, 78));
    ASSERT_TRUE(table.until([&] { return table.heard.count<SsrcBound>() == 1; }));
    EXPECT_GE(table.voice->counts().malformed_messages, odd.size());
    EXPECT_TRUE(table.voice->connected());
    EXPECT_EQ(table.heard.story(), "Connected SsrcBound");
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

TEST(Voice, TheWatchdogGreetsResumesAndRejoinsOnce) {
    VoiceOptions options = VoiceTable::options();
    options.timing.deaf = milliseconds(30);
    VoiceTable table(options);
    ASSERT_TRUE(table.join());
    table.idle(milliseconds(40));
    int seq = 10;
    const auto somebody_speaks_until = [&](std::uint64_t steps) {
        return table.until([&] {
            table.server.say(speaking(9, kSpeaker, ++seq));
            table.idle(milliseconds(40));
            return table.voice->counts().deaf_steps == steps;
        });
    };
    ASSERT_TRUE(somebody_speaks_until(1));
    ASSERT_TRUE(somebody_speaks_until(2));
    ASSERT_TRUE(table.connected(2));
    EXPECT_TRUE(table.heard.last<Connected>()->resumed);
    ASSERT_TRUE(somebody_speaks_until(3));
    ASSERT_TRUE(table.connected(3));
    EXPECT_EQ(table.heard.last<Connected>()->generation, 2);
    for (int i = 0; i < 5; ++i) {
        table.server.say(speaking(9, kSpeaker, ++seq));
        table.idle(milliseconds(40));
    }
    EXPECT_EQ(table.voice->counts().deaf_steps, 3U) << "no more until a packet comes";
    EXPECT_EQ(table.heard.count<Connected>(), 3U);
}

TEST(Voice, TheWatchdogIsStillWhilePacketsComeOrNoneMayCome) {
    for (const bool deafened : {false, true}) {
        VoiceOptions options = VoiceTable::options();
        options.timing.deaf = milliseconds(50);
        VoiceTable table(options);
        ASSERT_TRUE(table.join());
        if (deafened) table.state_is(kChannel, true);
        table.idle(milliseconds(60));
        for (std::uint16_t i = 0; i < 5; ++i) {
            table.server.say(speaking(9, kSpeaker, 10 + i));
            if (!deafened) {
                ASSERT_TRUE(table.server.voice(9, i, {1}));
            }
            table.idle(milliseconds(60));
        }
        EXPECT_EQ(table.voice->counts().deaf_steps, 0U);
    }
}

TEST(Voice, NothingIsAllocatedPerPacket) {
    for (const char* mode : {"aead_aes256_gcm_rtpsize", "aead_xchacha20_poly1305_rtpsize"}) {
        VoiceTable table;
        table.server.manners().modes = {mode};
        ASSERT_TRUE(table.join());
        table.heard.keep = false;
        const Bytes opus(160, 3);
        // Sealed before, because the server's side does allocate.
        std::vector<Bytes> datagrams;
        Transport theirs(*parse_transport_mode(mode), test::key_of(1), 1'000);
        for (std::uint16_t i = 0; i < 2'000; ++i) {
            Bytes bytes;
            rtp::write({.marker = false, .payload_type = 120, .seq = i, .timestamp = i * 960U, .ssrc = 5}, {}, bytes);
            ASSERT_TRUE(theirs.seal(opus, bytes));
            datagrams.push_back(std::move(bytes));
        }
        const auto run = [&](std::size_t from, std::size_t to) {
            const std::uint64_t goal = table.heard.packet_count + to - from;
            const BootTime deadline = BootClock::now() + seconds(10);
            for (std::size_t i = from; i < to; ++i) {
                ASSERT_TRUE(table.server.datagram(datagrams[i]));
                if (i % 5 == 0) table.loop.poll();
            }
            while (table.heard.packet_count < goal && BootClock::now() < deadline) {
                table.loop.restart();
                table.loop.poll();
            }
            ASSERT_EQ(table.heard.packet_count, goal);
        };
        run(0, 500);
        const std::uint64_t before = test::allocations();
        run(500, 2'000);
        EXPECT_EQ(test::allocations(), before) << mode;
    }
}

}  // namespace
}  // namespace lestapenna::discord
