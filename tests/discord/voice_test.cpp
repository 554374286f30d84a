// Voice against a scripted server: joining, hearing, sending, and what is odd about it. What ends a connection is in
// voice_return_test.cpp (it comes back), voice_end_test.cpp and voice_close_test.cpp.
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
using test::kSelf;
using test::kSpeaker;
using test::speaking;
using test::VoiceTable;

TEST(Voice, JoinsAsTheProtocolSays) {
    VoiceTable table;
    ASSERT_TRUE(table.join());
    EXPECT_EQ(table.asked, std::vector{std::optional(kChannel)});
    EXPECT_EQ(table.server.target(), "/?v=8");
    EXPECT_EQ(table.server.last(0), Json({{"server_id", kGuild.text()},
                                          {"user_id", kSelf.text()},
                                          {"session_id", "90326b"},
                                          {"token", "token-1"},
                                          {"max_dave_protocol_version", 1}}));
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
