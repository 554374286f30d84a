#include "discord/voice_messages.h"

#include <random>
#include <string>

#include <gtest/gtest.h>

#include "discord/json.h"
#include "vectors.h"

namespace lestapenna::discord::voice {
namespace {

template <class T>
T body(std::string_view text) {
    const Message message = parse_text(text);
    const T* found = std::get_if<T>(&message.body);
    EXPECT_NE(found, nullptr) << text;
    return found != nullptr ? *found : T{};
}
bool is(Other other, std::string_view text) {
    const Message message = parse_text(text);
    const auto* found = std::get_if<Other>(&message.body);
    return found != nullptr && *found == other;
}

template <class T>
T group(const Message& message) {
    const Dave* const dave = std::get_if<Dave>(&message.body);
    const T* const found = dave != nullptr ? std::get_if<T>(dave) : nullptr;
    EXPECT_NE(found, nullptr);
    return found != nullptr ? *found : T{};
}
/// From the server, with sequence number 7.
std::string binary(int op, const std::string& body) {
    return std::string("\0\7", 2) + static_cast<char>(op) + body;
}
std::string text(std::span<const std::uint8_t> bytes) {
    return {bytes.begin(), bytes.end()};
}

// discord-voice.md section 12.
TEST(VoiceMessages, ReadsTheExamples) {
    EXPECT_EQ(body<Hello>(R"({"op":8,"d":{"v":8,"heartbeat_interval":13750}})").heartbeat_interval,
              milliseconds(13'750));
    EXPECT_EQ(body<Hello>(R"({"op":8,"d":{"heartbeat_interval":41250.5}})").heartbeat_interval,
              std::chrono::microseconds(41'250'500));
    const auto ready = body<Ready>(
        R"({"op":2,"seq":1,"d":{"ssrc":1001,"ip":"203.0.113.5","port":50004,"modes":["aead_aes256_gcm_rtpsize","x",7,"aead_xchacha20_poly1305_rtpsize"],"experiments":[],"heartbeat_interval":1}})");
    EXPECT_EQ(ready.ssrc, 1001U);
    EXPECT_EQ(ready.server, *UdpAddress::parse("203.0.113.5", 50'004));
    EXPECT_EQ(ready.modes, (std::vector{TransportMode::aes256_gcm, TransportMode::xchacha20_poly1305}));
    const auto speaking =
        body<Speaking>(R"({"op":5,"seq":9,"d":{"speaking":1,"ssrc":1002,"user_id":"104694319306248192"}})");
    EXPECT_EQ(speaking.ssrc, 1002U);
    EXPECT_EQ(speaking.user, UserId{104'694'319'306'248'192});
    EXPECT_TRUE(speaking.speaking);
    EXPECT_FALSE(body<Speaking>(R"({"op":5,"d":{"speaking":0,"ssrc":1,"user_id":"1"}})").speaking);
    EXPECT_EQ(body<ClientsConnect>(R"({"op":11,"d":{"user_ids":["1","2"]}})").users,
              (std::vector{UserId{1}, UserId{2}}));
    EXPECT_TRUE(body<ClientsConnect>(R"({"op":11,"d":{"user_ids":[]}})").users.empty());
    EXPECT_EQ(body<ClientDisconnect>(R"({"op":13,"seq":40,"d":{"user_id":"3"}})").user, UserId{3});
    EXPECT_EQ(body<Speaking>(R"({"op":12,"d":{"audio_ssrc":5,"video_ssrc":0,"user_id":"3"}})").ssrc, 5U);
    body<HeartbeatAck>(R"({"op":6,"d":{"t":1501184119561}})");
    body<HeartbeatRequest>(R"({"op":3,"d":null})");
    body<Resumed>(R"({"op":9,"d":null})");
}

TEST(VoiceMessages, ReadsTheKey) {
    std::string text = R"({"op":4,"seq":5,"d":{"mode":"aead_xchacha20_poly1305_rtpsize","secret_key":[)";
    for (int i = 0; i < 32; ++i) text += (i == 0 ? "" : ",") + std::to_string(i * 8);
    text += R"(],"dave_protocol_version":1,"audio_codec":"opus","media_session_id":"x"}})";
    const auto description = body<SessionDescription>(text);
    EXPECT_EQ(description.mode, TransportMode::xchacha20_poly1305);
    EXPECT_EQ(description.dave_version, 1);
    for (std::size_t i = 0; i < 32; ++i) EXPECT_EQ(description.key[i], i * 8);
    for (const char* wrong : {"256", "-1", "1.5", "\"1\"", "null"}) {
        std::string changed = text;
        changed.replace(changed.find("248"), 3, wrong);
        EXPECT_TRUE(is(Other::malformed, changed)) << wrong;
    }
}

// dave.md section 3.
TEST(VoiceMessages, ReadsWhatEndToEndEncryptionSays) {
    const auto prepare =
        group<PrepareTransition>(parse_text(R"({"op":21,"seq":6,"d":{"protocol_version":0,"transition_id":10}})"));
    EXPECT_EQ(prepare.version, 0);
    EXPECT_EQ(prepare.transition, 10);
    EXPECT_EQ(group<ExecuteTransition>(parse_text(R"({"op":22,"d":{"transition_id":65535}})")).transition, 65'535);
    const auto epoch =
        group<PrepareEpoch>(parse_text(R"({"op":24,"d":{"protocol_version":1,"epoch":1,"transition_id":4}})"));
    EXPECT_EQ(epoch.version, 1);
    EXPECT_EQ(epoch.epoch, 1U);

    const std::string sender = binary(25, "\x01\x02\x03");
    EXPECT_EQ(parse_binary(sender).seq, 7);
    EXPECT_EQ(text(group<ExternalSender>(parse_binary(sender)).bytes), "\x01\x02\x03");
    const std::string proposals = binary(27, "\x01x");
    EXPECT_EQ(text(group<Proposals>(parse_binary(proposals)).bytes), "\x01x");
    const std::string commit = binary(29,
                                      "\x12\x34"
                                      "commit");
    EXPECT_EQ(group<Commit>(parse_binary(commit)).transition, 0x1234);
    EXPECT_EQ(text(group<Commit>(parse_binary(commit)).message), "commit");
    const std::string welcome = binary(30, std::string("\0\0", 2) + "welcome");
    EXPECT_EQ(group<Welcome>(parse_binary(welcome)).transition, 0);
    EXPECT_EQ(text(group<Welcome>(parse_binary(welcome)).message), "welcome");
}

TEST(VoiceMessages, BinaryOnesWithoutABodyAreMalformedAndOthersUnknown) {
    for (const int op : {25, 27, 29, 30}) {
        EXPECT_EQ(std::get<Other>(parse_binary(binary(op, "")).body), Other::malformed) << op;
    }
    for (const int op : {29, 30}) {
        EXPECT_EQ(std::get<Other>(parse_binary(binary(op, "xx")).body), Other::malformed) << op;
    }
    for (const int op : {0, 4, 21, 22, 23, 24, 26, 28, 31, 32, 255}) {
        EXPECT_EQ(std::get<Other>(parse_binary(binary(op, "body")).body), Other::unknown) << op;
    }
}

TEST(VoiceMessages, SequenceNumbersAreOptionalAndSixteenBits) {
    EXPECT_EQ(parse_text(R"({"op":6,"seq":0})").seq, 0);
    EXPECT_EQ(parse_text(R"({"op":6,"seq":65535})").seq, 65'535);
    EXPECT_EQ(parse_text(R"({"op":99,"seq":7})").seq, 7) << "of unknown ones too";
    EXPECT_EQ(parse_text(R"({"op":5,"seq":7})").seq, 7) << "and of malformed ones";
    for (const char* none : {R"({"op":6})", R"({"op":6,"seq":65536})", R"({"op":6,"seq":-1})", R"({"op":6,"seq":"1"})",
                             R"({"op":6,"seq":null})"}) {
        EXPECT_EQ(parse_text(none).seq, std::nullopt) << none;
    }
    EXPECT_EQ(parse_binary(std::string_view("\x00\x06\x19", 3)).seq, 6) << "of malformed ones, too";
    EXPECT_EQ(parse_binary("\xFF\xFE\x19rest").seq, 65'534);
    EXPECT_EQ(parse_binary("\xFF\xFE").seq, std::nullopt);
    EXPECT_EQ(parse_binary("").seq, std::nullopt);
}

TEST(VoiceMessages, NamesWhatItDoesNotUse) {
    for (const int op : {12, 14, 15, 16, 17, 18, 19, 20}) {
        EXPECT_TRUE(is(Other::ignored, R"({"op":)" + std::to_string(op) + R"(,"d":{}})")) << op;
    }
    for (const int op : {0, 1, 7, 10, 23, 26, 28, 31, 32, 99, -1, 2'000'000'000}) {
        EXPECT_TRUE(is(Other::unknown, R"({"op":)" + std::to_string(op) + R"(,"d":{}})")) << op;
    }
    for (const char* wrong : {"",
                              "{",
                              "7",
                              "[]",
                              "null",
                              R"({"op":"2"})",
                              R"({"op":{}})",
                              R"({"op":99999999999999999999})",
                              R"({"op":2})",
                              R"({"op":2,"d":7})",
                              R"({"op":2,"d":{"ssrc":1,"port":1,"ip":7}})",
                              R"({"op":2,"d":{"ssrc":1,"port":65536,"ip":"1.2.3.4"}})",
                              R"({"op":2,"d":{"ssrc":1,"port":0,"ip":"1.2.3.4"}})",
                              R"({"op":2,"d":{"ssrc":4294967296,"port":1,"ip":"1.2.3.4"}})",
                              R"({"op":4,"d":{}})",
                              R"({"op":5,"d":{"ssrc":1}})",
                              R"({"op":5,"d":{"ssrc":1,"user_id":1}})",
                              R"({"op":8,"d":{}})",
                              R"({"op":8,"d":{"heartbeat_interval":0}})",
                              R"({"op":11,"d":{"user_ids":[{}]}})",
                              R"({"op":13,"d":{"user_id":""}})",
                              R"({"op":21,"d":{}})",
                              R"({"op":21,"d":{"protocol_version":1}})",
                              R"({"op":21,"d":{"protocol_version":-1,"transition_id":1}})",
                              R"({"op":21,"d":{"protocol_version":1,"transition_id":65536}})",
                              R"({"op":22,"d":{"transition_id":"1"}})",
                              R"({"op":22,"d":[7]})",
                              R"({"op":24,"d":{"protocol_version":1}})",
                              R"({"op":24,"d":{"protocol_version":1,"epoch":-1}})",
                              R"({"op":25,"d":{}})",
                              R"({"op":27,"d":{}})",
                              R"({"op":29,"d":{"transition_id":1}})",
                              R"({"op":30,"d":null})"}) {
        EXPECT_TRUE(is(Other::malformed, wrong)) << wrong;
    }
}

TEST(VoiceMessages, AHeartbeatIntervalIsKeptWithinReason) {
    EXPECT_EQ(body<Hello>(R"({"op":8,"d":{"heartbeat_interval":0.001}})").heartbeat_interval, milliseconds(50));
    EXPECT_EQ(body<Hello>(R"({"op":8,"d":{"heartbeat_interval":1e18}})").heartbeat_interval, seconds(300));
}

TEST(VoiceMessages, WritesWhatTheServerExpects) {
    const Credentials who{GuildId{41}, UserId{1090}, "90326b", "my_token"};
    const auto same = [](const std::string& text, const char* expected) {
        EXPECT_EQ(Json::parse(text), Json::parse(expected)) << text;
    };
    same(
        identify(who, 1),
        R"({"op":0,"d":{"server_id":"41","user_id":"1090","session_id":"90326b","token":"my_token","max_dave_protocol_version":1}})");
    same(resume(who, 40), R"({"op":7,"d":{"server_id":"41","session_id":"90326b","token":"my_token","seq_ack":40}})");
    same(
        select_protocol(*UdpAddress::parse("198.51.100.7", 47'057), TransportMode::aes256_gcm),
        R"({"op":1,"d":{"protocol":"udp","data":{"address":"198.51.100.7","port":47057,"mode":"aead_aes256_gcm_rtpsize"}}})");
    same(heartbeat(1'501'184'119'561, -1), R"({"op":3,"d":{"t":1501184119561,"seq_ack":-1}})");
    same(speaking(true, 1001), R"({"op":5,"d":{"speaking":1,"delay":0,"ssrc":1001}})");
    same(ready_for_transition(10), R"({"op":23,"d":{"transition_id":10}})");
    same(invalid_commit_welcome(32), R"({"op":31,"d":{"transition_id":32}})");
    const test::Bytes body{0, 1, 0, 2};
    EXPECT_EQ(key_package(body), std::string("\x1A\0\1\0\2", 5));
    EXPECT_EQ(commit_welcome(body), std::string("\x1C\0\1\0\2", 5));
}

// discord-voice.md section 5.
TEST(VoiceMessages, DiscoveryIsTheExamples) {
    const auto request = discovery_request(41'394);
    test::Bytes expected = test::from_hex("000100460000a1b2");
    expected.resize(74);
    EXPECT_EQ(test::Bytes(request.begin(), request.end()), expected);

    test::Bytes answer = test::from_hex("000200460000a1b23132372e302e302e31");
    answer.resize(74);
    answer[72] = 0xC3;
    answer[73] = 0x54;
    EXPECT_EQ(parse_discovery(answer), UdpAddress::parse("127.0.0.1", 50'004));

    const auto with = [&](auto change) {
        test::Bytes bytes = answer;
        change(bytes);
        return parse_discovery(bytes);
    };
    EXPECT_FALSE(with([](auto& b) { b[1] = 1; })) << "a request";
    EXPECT_FALSE(with([](auto& b) { b[3] = 71; }));
    EXPECT_FALSE(with([](auto& b) { b.pop_back(); }));
    EXPECT_FALSE(with([](auto& b) { b.push_back(0); }));
    EXPECT_FALSE(with([](auto& b) { b[72] = b[73] = 0; })) << "port 0";
    EXPECT_FALSE(with([](auto& b) { std::fill(b.begin() + 8, b.begin() + 72, std::uint8_t{'1'}); })) << "no end";
    EXPECT_FALSE(with([](auto& b) { b[8] = 'x'; })) << "no address";
    EXPECT_FALSE(with([](auto& b) { b[8] = 0; })) << "an empty one";
}

TEST(VoiceMessages, NoTextIsTooMuch) {
    constexpr unsigned kSeed = 5;
    std::mt19937 random(kSeed);
    const std::string start = R"({"op":4,"seq":5,"d":{"mode":"aead_aes256_gcm_rtpsize","secret_key":[1,2,3]}})";
    for (int i = 0; i < 20'000; ++i) {
        std::string text = start;
        for (int change = 0; change < 3; ++change) text[random() % text.size()] = static_cast<char>(random());
        static_cast<void>(parse_text(text));
    }
    static_cast<void>(parse_text(std::string(100'000, '[')));
}

}  // namespace
}  // namespace lestapenna::discord::voice
