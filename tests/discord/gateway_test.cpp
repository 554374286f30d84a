#include "discord/gateway.h"

#include <gtest/gtest.h>

#include "discord/gateway_messages.h"
#include "scripted_gateway.h"

namespace lestapenna::discord {
namespace {

constexpr GuildId kGuild{41771983423143937};
constexpr ChannelId kTable{127121515262115840};

// Pure parts -----------------------------------------------------------------------------------------------------

TEST(GatewayMessages, Frames) {
    const auto frame = parse_gateway_frame(R"({"op":0,"s":7,"t":"X","d":{"a":1}})");
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->op, 0);
    EXPECT_EQ(frame->sequence, 7);
    EXPECT_EQ(frame->name, "X");
    EXPECT_EQ(json::integer<int>(frame->data, "a"), 1);
    EXPECT_FALSE(parse_gateway_frame(R"({"s":7})"));
    EXPECT_FALSE(parse_gateway_frame(R"({"op":"0"})"));
    EXPECT_FALSE(parse_gateway_frame("[]"));
    EXPECT_FALSE(parse_gateway_frame("7"));

    EXPECT_EQ(heartbeat_interval(Json{{"heartbeat_interval", 41250}}), milliseconds(41'250));
    for (const Json& bad : {Json(0), Json(-1), Json(1e300), Json("41250"), Json(nullptr), Json(3'600'001)}) {
        EXPECT_FALSE(heartbeat_interval(Json{{"heartbeat_interval", bad}})) << bad;
    }
    EXPECT_EQ(heartbeat_frame(std::nullopt), R"({"d":null,"op":1})");
    EXPECT_EQ(heartbeat_frame(251), R"({"d":251,"op":1})");
    EXPECT_EQ(voice_state_frame(GuildId{1}, std::nullopt, true, false),
              R"({"d":{"channel_id":null,"guild_id":"1","self_deaf":false,"self_mute":true},"op":4})");
}

TEST(GatewayMessages, Address) {
    EXPECT_EQ(gateway_address("wss://gateway.discord.gg"), "wss://gateway.discord.gg/?v=10&encoding=json");
    EXPECT_EQ(gateway_address("wss://gateway.discord.gg/"), "wss://gateway.discord.gg/?v=10&encoding=json");
    EXPECT_EQ(gateway_address("ws://127.0.0.1:1/a/b"), "ws://127.0.0.1:1/a/b/?v=10&encoding=json");
    EXPECT_EQ(gateway_address("wss://h/?v=9&compress=zlib-stream"), "wss://h/?v=10&encoding=json");
}

// Connections ----------------------------------------------------------------------------------------------------

TEST_F(GatewayTest, Identifies) {
    scripts = {[this](Peer& peer) -> Task<> {
        EXPECT_EQ(peer.target(), "/?v=10&encoding=json");
        peer.hello();
        const Json identify = co_await peer.expect(2);
        EXPECT_EQ(json::text(identify, "token"), kToken);
        EXPECT_EQ(json::integer<int>(identify, "intents"), 33409);
        EXPECT_EQ(json::text(json::object(identify, "properties"), "os"), "linux");
        EXPECT_EQ(json::text(json::object(identify, "properties"), "browser"), "lestapenna");
        EXPECT_FALSE(gateway->ready());
        on_event = [this](const Event&) { EXPECT_TRUE(gateway->ready()); };
        peer.ready("a", resume_url());
        peer.dispatch("GUILD_CREATE", {{"id", "41771983423143937"}, {"name", "Tavern"}}, 2);
        peer.send({{"op", 1}});
        const Json beat = co_await peer.expect(1);
        EXPECT_EQ(beat, 2) << "a heartbeat that is asked for carries the last sequence";
        co_await end(peer);
    }};
    run_gateway();
    EXPECT_TRUE(*status);
    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(std::get<Ready>(events[0]).self.id, UserId{900});
    EXPECT_EQ(std::get<GuildCreate>(events[1]).name, "Tavern");
    EXPECT_EQ(gateway->counts().identifies, 1U);
    EXPECT_EQ(gateway->counts().events, 2U);
    EXPECT_EQ(gateway->counts().malformed, 0U);
    EXPECT_FALSE(gateway->ready());
    EXPECT_EQ(requests.at(0).headers.find("Authorization"), "Bot " + kToken);
}

TEST_F(GatewayTest, BeatsAndIsNoZombieWhileAcknowledged) {
    scripts = {[this](Peer& peer) -> Task<> {
        peer.hello(milliseconds(100));  // long enough for an answer on a loaded machine
        co_await peer.expect(2);
        const Json early = co_await peer.expect(1);
        EXPECT_TRUE(early.is_null()) << early;
        peer.ready("a", resume_url(), 251);
        for (int i = 0; i < 5; ++i) {
            const Json beat = co_await peer.expect(1);
            EXPECT_TRUE(beat == 251 || i == 0) << beat;
        }
        co_await end(peer);
    }};
    run_gateway();
    EXPECT_EQ(gateway->counts().zombies, 0U);
}

TEST_F(GatewayTest, AZombieIsLeftAndResumed) {
    scripts = {[this](Peer& peer) -> Task<> {
                   peer.hello(milliseconds(30));
                   co_await peer.expect(2);
                   peer.ready("a", resume_url(), 5);
                   peer.acknowledge = false;
                   const auto closed = co_await peer.until_closed();
                   EXPECT_EQ(closed.code, 4200);
               },
               resume_and_end("a", 5)};
    run_gateway();
    EXPECT_EQ(gateway->counts().zombies, 1U);
    EXPECT_EQ(gateway->counts().resumes, 1U);
    EXPECT_EQ(gateway->counts().identifies, 1U);
    EXPECT_EQ(count<Resumed>(), 1U);
}

TEST_F(GatewayTest, NoHelloIsGivenUp) {
    gateway_options.timing.hello = milliseconds(300);
    scripts = {[](Peer& peer) -> Task<> {
                   const auto closed = co_await peer.until_closed();
                   EXPECT_EQ(closed.code, 4200);
               },
               [](Peer& peer) -> Task<> {
                   // An interval that is none is no Hello.
                   peer.send({{"op", 10}, {"d", {{"heartbeat_interval", -5}}}});
                   co_await peer.until_closed();
               },
               identify_and_end()};
    run_gateway();
    EXPECT_EQ(gateway->counts().malformed, 1U);
}

TEST_F(GatewayTest, NoReadyIsGivenUp) {
    gateway_options.timing.ready = milliseconds(300);
    scripts = {[](Peer& peer) -> Task<> {
                   peer.hello();
                   co_await peer.expect(2);
                   peer.dispatch("READY", {{"session_id", "a"}}, 1);
                   peer.dispatch("READY", {{"user", {{"id", "1"}}}}, 2);
                   const auto closed = co_await peer.until_closed();
                   EXPECT_EQ(closed.code, 4200);
               },
               identify_and_end()};
    run_gateway();
    EXPECT_EQ(gateway->counts().malformed, 2U);
}

TEST_F(GatewayTest, GarbageIsCountedAndSurvived) {
    scripts = {[this](Peer& peer) -> Task<> {
        co_await stand(peer, "a");
        for (const char* text : {"", "<html>", "{", "[]", "7", "null", R"({"op":null})", R"({"op":1e300,"d":1e999})"}) {
            peer.socket().send(text);
        }
        peer.socket().send_binary(R"({"op":1})");
        peer.dispatch("MESSAGE_CREATE", {{"id", 1e300}}, 2);
        peer.dispatch("VOICE_STATE_UPDATE", "text", 3);
        peer.dispatch("PRESENCE_UPDATE", {{"user", {{"id", "1"}}}}, 4);
        peer.send({{"op", 99}, {"d", {{"x", 1}}}});
        peer.send({{"op", 0}, {"t", 5}, {"s", "6"}, {"d", {{}}}});
        peer.hello();  // a second one
        peer.send({{"op", 1}});
        const Json beat = co_await peer.expect(1);
        EXPECT_EQ(beat, 4);
        co_await end(peer);
    }};
    run_gateway();
    EXPECT_TRUE(*status);
    EXPECT_EQ(gateway->counts().malformed, 12U);
    EXPECT_EQ(gateway->counts().unknown_events, 3U);
    EXPECT_EQ(events.size(), 1U);
}

// Where the gateway is -------------------------------------------------------------------------------------------

TEST_F(GatewayTest, AsksForItsAddressUntilItIsTold) {
    rest_options.timing.backoff_first = milliseconds(1);
    for (int i = 0; i < 5; ++i) answers.push_back([](const auto&) { return reply(503, "<html>"); });
    answers.push_back([](const auto&) { return reply(200, "<html>"); });
    answers.push_back([](const auto&) { return reply(200, R"({"url":"no address"})"); });
    answers.push_back([](const auto&) { return reply(200, R"({"url":"https://127.0.0.1/"})"); });
    scripts = {identify_and_end()};
    run_gateway();
    EXPECT_EQ(requests.size(), 9U);
    EXPECT_EQ(gateway->counts().malformed, 2U);
}

TEST_F(GatewayTest, ARefusedTokenEndsIt) {
    answers.push_back([](const auto&) { return reply(401, R"({"message":"401: Unauthorized","code":0})"); });
    run_gateway();
    ASSERT_FALSE(*status);
    EXPECT_NE(status->error().message.find("discord.token"), std::string::npos) << status->error().message;
    EXPECT_EQ(requests.size(), 1U);
}

TEST_F(GatewayTest, TheTokenDoesNotGoToAGatewayInTheClear) {
    answers.push_back([](const auto&) { return reply(200, R"({"url":"ws://gateway.example.invalid"})"); });
    run_gateway();
    ASSERT_FALSE(*status);
    EXPECT_NE(status->error().message.find("not encrypted"), std::string::npos) << status->error().message;
}

TEST_F(GatewayTest, WaitsWhenTheDaysSessionsAreUsedUp) {
    const BootTime start = BootClock::now();
    answers.push_back([this](const auto&) { return reply(200, gateway_info(0, 150)); });
    const Script last = identify_and_end();
    scripts = {[&](Peer& peer) -> Task<> {
        EXPECT_GE(BootClock::now() - start, milliseconds(150));
        co_await last(peer);
    }};
    run_gateway();
    EXPECT_EQ(requests.size(), 2U);
}

// stop() ---------------------------------------------------------------------------------------------------------

TEST_F(GatewayTest, StopsWhileItWaitsForItsAddress) {
    slow_answer = [this](net::HttpRequest) -> Task<net::Reply> {
        gateway->stop();
        co_await net::sleep_for(seconds(60));
        co_return reply(200, "");
    };
    run_gateway();
    EXPECT_TRUE(*status);
}

TEST_F(GatewayTest, StopsWhileItBacksOff) {
    gateway_options.timing.backoff_first = gateway_options.timing.backoff_most = seconds(60);
    make_gateway();
    scripts = {[this](Peer& peer) -> Task<> {
        peer.socket().drop();
        net::spawn(loop, [](ScriptedDiscord*, Gateway* stops) -> Task<> {
            while (!stops->counts().closes.contains(0)) co_await net::sleep_for(milliseconds(1));
            stops->stop();
        }(this, &*gateway));
        co_return;
    }};
    run_gateway();
    EXPECT_TRUE(*status);
}

TEST_F(GatewayTest, StoppedBeforeItBeganItConnectsNever) {
    make_gateway();
    gateway->stop();
    run_gateway();
    EXPECT_TRUE(*status);
    EXPECT_TRUE(requests.empty());
}

// Op 4 -----------------------------------------------------------------------------------------------------------

TEST_F(GatewayTest, VoiceStatesAreAskedForInEachNewSession) {
    make_gateway();
    gateway->update_voice_state(kGuild, ChannelId{1}, false, false);
    gateway->update_voice_state(kGuild, kTable, true, false);  // the last one counts
    scripts = {[this](Peer& peer) -> Task<> {
                   co_await stand(peer, "a", 1);
                   const Json wish = co_await peer.expect(4);
                   EXPECT_EQ(json::id<GuildId>(wish, "guild_id"), kGuild);
                   EXPECT_EQ(json::id<ChannelId>(wish, "channel_id"), kTable);
                   EXPECT_TRUE(json::flag(wish, "self_mute"));
                   EXPECT_FALSE(json::flag(wish, "self_deaf"));
                   peer.socket().drop();
               },
               [this](Peer& peer) -> Task<> {  // resumed: the old wish stands, a new one comes
                   peer.hello();
                   co_await peer.expect(6);
                   EXPECT_FALSE(gateway->ready());
                   gateway->update_voice_state(GuildId{2}, ChannelId{20}, false, false);
                   peer.dispatch("RESUMED", nullptr, 2);
                   const Json wish = co_await peer.expect(4);
                   EXPECT_EQ(json::id<GuildId>(wish, "guild_id"), GuildId{2}) << "only what was not sent yet";
                   gateway->update_voice_state(GuildId{3}, std::nullopt, false, false);
                   const Json leave = co_await peer.expect(4);
                   EXPECT_EQ(json::id<GuildId>(leave, "guild_id"), GuildId{3});
                   EXPECT_TRUE(leave.at("channel_id").is_null());
                   peer.send({{"op", 9}, {"d", false}});
                   co_await peer.until_closed();
               },
               [this](Peer& peer) -> Task<> {  // a new session: all who are to be somewhere
                   co_await stand(peer, "b", 1);
                   const Json second = co_await peer.expect(4);
                   EXPECT_EQ(json::id<GuildId>(second, "guild_id"), GuildId{2});
                   const Json first = co_await peer.expect(4);
                   EXPECT_EQ(json::id<ChannelId>(first, "channel_id"), kTable);
                   // Thrown out of one, moved in the other: no going back.
                   const Json out = {{"guild_id", "2"}, {"channel_id", nullptr}, {"user_id", "900"}};
                   const Json moved = {{"guild_id", kGuild.text()}, {"channel_id", "77"}, {"user_id", "900"}};
                   const Json other = {{"guild_id", kGuild.text()}, {"channel_id", "78"}, {"user_id", "5"}};
                   peer.dispatch("VOICE_STATE_UPDATE", out, 2);
                   peer.dispatch("VOICE_STATE_UPDATE", moved, 3);
                   peer.dispatch("VOICE_STATE_UPDATE", other, 4);
                   peer.send({{"op", 9}, {"d", false}});
                   co_await peer.until_closed();
               },
               [this](Peer& peer) -> Task<> {
                   co_await stand(peer, "c", 1);
                   const Json wish = co_await peer.expect(4);
                   EXPECT_EQ(json::id<ChannelId>(wish, "channel_id"), ChannelId{77});
                   EXPECT_EQ(json::id<GuildId>(wish, "guild_id"), kGuild);
                   co_await end(peer);
               }};
    run_gateway();
}

TEST_F(GatewayTest, SendsNoMoreThanDiscordTakes) {
    gateway_options.timing.send_window = milliseconds(300);
    scripts = {[this](Peer& peer) -> Task<> {
        peer.hello();
        co_await peer.expect(2);
        const BootTime first = BootClock::now();
        peer.ready("a", resume_url());
        for (std::uint64_t i = 0; i < 150; ++i) gateway->update_voice_state(GuildId{i + 1}, kTable, false, false);
        // The identify counts too: 114 more go at once, the others when the window is over.
        for (int i = 0; i < 114; ++i) co_await peer.expect(4);
        peer.send({{"op", 1}});
        co_await peer.expect(1);
        const Json wish = co_await peer.expect(4);
        EXPECT_GE(BootClock::now() - first, milliseconds(150));
        for (int i = 115; i < 150; ++i) co_await peer.expect(4);
        co_await end(peer);
    }};
    run_gateway();
}

}  // namespace
}  // namespace lestapenna::discord
