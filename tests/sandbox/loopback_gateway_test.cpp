#include <algorithm>

#include "loopback_rig.h"

namespace lestapenna::sandbox::test_loopback {
namespace {

using LoopbackGateway = LoopbackTest;
constexpr std::uint64_t kExactInDoubles = 1ULL << 53;

std::size_t states_of(const ShardPtr& shard, UserId user) {
    const auto all = shard->dispatches("VOICE_STATE_UPDATE");
    return static_cast<std::size_t>(
        std::ranges::count_if(all, [&](const json& state) { return state["user_id"] == user.text(); }));
}

// ---- logging in

TEST_F(LoopbackGateway, LoginIsHelloReadyGuild) {
    const auto shard = identified(bot);
    ASSERT_GE(shard->frames.size(), 3U);
    EXPECT_EQ(shard->frames[0]["op"], 10);
    EXPECT_EQ(shard->frames[0]["d"]["heartbeat_interval"], 41'250);
    EXPECT_EQ(shard->frames[1]["t"], "READY");
    EXPECT_EQ(shard->frames[1]["s"], 1);
    EXPECT_EQ(shard->frames[2]["t"], "GUILD_CREATE");
    EXPECT_EQ(shard->frames[2]["s"], 2);

    const auto ready = shard->dispatches("READY").at(0);
    EXPECT_EQ(ready["v"], 10);
    EXPECT_EQ(ready["user"]["id"], bot.user.text());
    EXPECT_EQ(ready["user"]["bot"], true);
    EXPECT_EQ(ready["guilds"], json::array({{{"id", guild.text()}, {"unavailable", true}}}));
    EXPECT_EQ(ready["resume_gateway_url"], discord->addresses().gateway_url);
    EXPECT_EQ(ready["application"]["id"], bot.user.text());

    const auto created = shard->dispatches("GUILD_CREATE").at(0);
    EXPECT_EQ(created["id"], guild.text());
    EXPECT_EQ(created["channels"].size(), 3U);
    EXPECT_EQ(created["roles"][0]["id"], guild.text());
    ASSERT_EQ(created["members"].size(), 1U) << "only itself, as nobody is in voice";
    EXPECT_EQ(created["members"][0]["user"]["id"], bot.user.text());
    EXPECT_TRUE(created["members"][0].contains("joined_at"));
    for (const auto* const list : {"emojis", "stickers", "threads", "presences", "stage_instances", "voice_states",
                                   "guild_scheduled_events", "soundboard_sounds"}) {
        EXPECT_TRUE(created[list].is_array()) << list;
    }
}

TEST_F(LoopbackGateway, IdsAreBeyondDoublesAndOfTheSeed) {
    for (const auto id : {guild.value, text.value, bot.user.value, person.value}) EXPECT_GT(id, kExactInDoubles);
    const auto first = guild;
    const auto token = bot.token;
    begin({});
    EXPECT_EQ(guild, first);
    EXPECT_EQ(bot.token, token);
    LoopbackOptions other;
    other.seed = 2;
    begin(other);
    EXPECT_NE(guild, first);
    EXPECT_NE(bot.token, token);
}

TEST_F(LoopbackGateway, HeartbeatsAreAckedUnlessMuted) {
    const auto shard = identified(bot);
    shard->send({{"op", 1}, {"d", nullptr}});
    ASSERT_TRUE(run_until([&] { return shard->ops(11).size() == 1; }));
    discord->mute_heartbeat_acks(bot.user, true);
    shard->send({{"op", 1}, {"d", 2}});
    ASSERT_TRUE(run_until([&] { return discord->traffic(bot.user).heartbeats == 2; }));
    discord->mute_heartbeat_acks(bot.user, false);
    shard->send({{"op", 1}, {"d", 2}});
    ASSERT_TRUE(run_until([&] { return shard->ops(11).size() == 2; }));
    EXPECT_EQ(discord->traffic(bot.user).heartbeats, 3U);
}

TEST_F(LoopbackGateway, WhoMissesHeartbeatsIsClosed) {
    LoopbackOptions options;
    options.heartbeat_interval = milliseconds(40);
    begin(options);
    const auto shard = identified(bot);
    ASSERT_TRUE(run_until([&] { return shard->closed.has_value(); }));
    EXPECT_EQ(shard->closed->code, 4009);
    EXPECT_FALSE(resumed(bot, session_of(shard), shard->seq())->ops(9).empty()) << "the session is over, too";
}

// ---- close codes of client errors

struct Wrong {
    const char* frame;
    bool after_identify;
    std::uint16_t code;
};
class LoopbackGatewayWrong : public LoopbackTest, public testing::WithParamInterface<Wrong> {};

TEST_P(LoopbackGatewayWrong, IsClosedWithItsCode) {
    const auto& [frame, after_identify, code] = GetParam();
    const auto shard = after_identify ? identified(bot) : dial();
    EXPECT_EQ(close_code_after(shard, frame), code);
    EXPECT_FALSE(identified(other_bot)->closed) << "nobody else notices";
}

INSTANTIATE_TEST_SUITE_P(
    Frames, LoopbackGatewayWrong,
    testing::Values(Wrong{R"({"op":99})", true, 4001}, Wrong{"{", false, 4002}, Wrong{"[]", false, 4002},
                    Wrong{"7", true, 4002}, Wrong{R"({"op":"2"})", false, 4002}, Wrong{R"({"op":1e300})", false, 4002},
                    Wrong{R"({"op":4,"d":{}})", false, 4003}, Wrong{R"({"op":2,"d":7})", false, 4004},
                    Wrong{R"({"op":2})", false, 4004}, Wrong{R"({"op":2,"d":{"token":7,"intents":1}})", false, 4004},
                    Wrong{R"({"op":6,"d":{"token":"x","session_id":"y","seq":1}})", false, 4004},
                    Wrong{R"({"op":2,"d":{}})", true, 4005}, Wrong{R"({"op":6,"d":{}})", true, 4005}));

TEST_F(LoopbackGateway, OversizedFramesAreRefused) {
    EXPECT_EQ(close_code_after(dial(), json{{"op", 1}, {"d", std::string(4'096, 'x')}}.dump()), 4002);
}

TEST_F(LoopbackGateway, TooManyFramesAreRefused) {
    const auto shard = identified(bot);  // one frame
    for (int i = 0; i < 119; ++i) shard->send({{"op", 1}, {"d", nullptr}});
    ASSERT_TRUE(run_until([&] { return shard->ops(11).size() == 119; }));
    EXPECT_EQ(close_code_after(shard, R"({"op":1,"d":null})"), 4008);
}

TEST_F(LoopbackGateway, IntentsAreChecked) {
    EXPECT_EQ(identified(bot, 1U << 30)->closed.value().code, 4013);
    EXPECT_FALSE(identified(bot, kAll)->closed);
    LoopbackOptions options;
    options.message_content_allowed = false;
    begin(options);
    EXPECT_EQ(identified(bot, kAll)->closed.value().code, 4014);
    EXPECT_FALSE(identified(bot, kAll & ~discord::intents::message_content)->closed);
}

TEST_F(LoopbackGateway, OtherVersionsAndEncodingsAreRefused) {
    EXPECT_EQ(dial("/?v=6&encoding=json")->closed.value().code, 4012);
    EXPECT_EQ(dial("/?v=10&encoding=etf")->closed.value().code, 4000);
    EXPECT_EQ(dial("/?v=10&encoding=json&compress=zlib-stream")->closed.value().code, 4000);
    EXPECT_FALSE(dial("")->closed) << "neither is compulsory";
}

// ---- sessions

TEST_F(LoopbackGateway, AResumeReplaysWhatWasMissed) {
    const auto first = identified(bot);
    const auto session = session_of(first);
    const auto seen = first->seq();
    discord->drop_gateway(bot.user);
    ASSERT_TRUE(run_until([&] { return first->closed.has_value(); }));
    EXPECT_EQ(first->closed->code, 0);
    const auto one = discord->type(person, text, "eins");
    const auto two = discord->type(person, text, "zwei");

    const auto second = resumed(bot, session, seen);
    ASSERT_TRUE(second->has("RESUMED"));
    const auto messages = second->dispatches("MESSAGE_CREATE");
    ASSERT_EQ(messages.size(), 2U);
    EXPECT_EQ(messages[0]["id"], one.text());
    EXPECT_EQ(messages[1]["id"], two.text());
    EXPECT_FALSE(second->has("READY"));
    EXPECT_EQ(second->seq(), seen + 3) << "RESUMED is numbered, too";
    EXPECT_EQ(discord->traffic(bot.user).resumes, 1U);
}

TEST_F(LoopbackGateway, ASessionNobodyHasIsInvalid) {
    const auto shard = resumed(bot, "nonsense", 0);
    ASSERT_EQ(shard->ops(9).size(), 1U);
    EXPECT_EQ(shard->ops(9)[0], false);
    EXPECT_EQ(discord->traffic(bot.user).invalid_sessions, 1U);
    const auto mine = identified(bot);
    EXPECT_EQ(resumed(other_bot, session_of(mine), 1)->ops(9).size(), 1U) << "nor another bot's";
}

TEST_F(LoopbackGateway, ASequenceFromTheFutureIsClosed) {
    const auto shard = identified(bot);
    const auto session = session_of(shard);
    discord->drop_gateway(bot.user);
    EXPECT_EQ(resumed(bot, session, shard->seq() + 1)->closed.value().code, 4007);
}

TEST_F(LoopbackGateway, InvalidSessionsComeInTwoKinds) {
    const auto shard = identified(bot);
    const auto session = session_of(shard);
    discord->invalidate(bot.user, true);
    ASSERT_TRUE(run_until([&] { return shard->ops(9).size() == 1; }));
    EXPECT_EQ(shard->ops(9)[0], true);
    shard->send({{"op", 6}, {"d", {{"token", bot.token}, {"session_id", session}, {"seq", shard->seq()}}}});
    ASSERT_TRUE(run_until([&] { return shard->has("RESUMED"); })) << "on the same connection";
    discord->invalidate(bot.user, false);
    ASSERT_TRUE(run_until([&] { return shard->ops(9).size() == 2; }));
    EXPECT_EQ(shard->ops(9)[1], false);
    EXPECT_FALSE(resumed(bot, session, shard->seq())->ops(9).empty());
}

TEST_F(LoopbackGateway, AForgottenSessionGoesOnUntilItsSocketGoes) {
    const auto shard = identified(bot);
    discord->forget_session(bot.user);
    discord->type(person, text, "still there");
    ASSERT_TRUE(run_until([&] { return shard->has("MESSAGE_CREATE"); }));
    discord->drop_gateway(bot.user);
    EXPECT_EQ(resumed(bot, session_of(shard), shard->seq())->ops(9).size(), 1U);
}

TEST_F(LoopbackGateway, ScriptedTroubleArrives) {
    const auto shard = identified(bot);
    discord->ask_reconnect(bot.user);
    ASSERT_TRUE(run_until([&] { return shard->ops(7).size() == 1; }));
    discord->send_raw(bot.user, R"({"op":1,"d":null})");
    ASSERT_TRUE(run_until([&] { return shard->ops(1).size() == 1; }));
    discord->close_gateway(bot.user, 4000);
    ASSERT_TRUE(run_until([&] { return shard->closed.has_value(); }));
    EXPECT_EQ(shard->closed->code, 4000);
    EXPECT_TRUE(resumed(bot, session_of(shard), shard->seq())->has("RESUMED"));
    EXPECT_TRUE(discord->traffic(bot.user).client_closes.empty()) << "that was ours";
}

TEST_F(LoopbackGateway, ALostSessionEndsInTheEnd) {
    LoopbackOptions options;
    options.session_lifetime = milliseconds(50);
    begin(options);
    const auto watcher = identified(other_bot);
    const auto shard = identified(bot);
    ask_voice(shard, voice);
    ASSERT_TRUE(run_until([&] { return shard->has("VOICE_SERVER_UPDATE"); }));
    shard->socket->drop();
    ASSERT_TRUE(run_until([&] { return !discord->voice_state(guild, bot.user); }));
    ASSERT_TRUE(run_until([&] { return states_of(watcher, bot.user) == 2; }));
    EXPECT_EQ(discord->traffic(bot.user).client_closes, std::vector<std::uint16_t>{0});
}

// ---- who is told what

TEST_F(LoopbackGateway, IntentsDecideWhatIsTold) {
    const auto all = identified(bot);
    const auto few = identified(other_bot, discord::intents::guilds);
    discord->type(person, text, "ciao");
    discord->set_voice(guild, person, voice, {});
    discord->add_text_channel(guild, "nuovo");
    ASSERT_TRUE(run_until([&] { return all->has("CHANNEL_CREATE") && few->has("CHANNEL_CREATE"); }));
    EXPECT_TRUE(all->has("MESSAGE_CREATE"));
    EXPECT_TRUE(all->has("VOICE_STATE_UPDATE"));
    EXPECT_FALSE(few->has("MESSAGE_CREATE"));
    EXPECT_FALSE(few->has("VOICE_STATE_UPDATE"));

    const auto late = identified(other_bot, discord::intents::guilds);
    EXPECT_TRUE(late->dispatches("GUILD_CREATE").at(0)["voice_states"].empty());
    const auto knowing = identified(other_bot);
    const auto states = knowing->dispatches("GUILD_CREATE").at(0)["voice_states"];
    ASSERT_EQ(states.size(), 1U);
    EXPECT_EQ(states[0]["user_id"], person.text());
    EXPECT_FALSE(states[0].contains("guild_id"));
    EXPECT_EQ(knowing->dispatches("GUILD_CREATE").at(0)["members"].size(), 2U) << "who is in voice is a known member";
}

TEST_F(LoopbackGateway, WithoutMessageContentTextIsEmptyUnlessMentioned) {
    const auto blind = identified(bot, kAll & ~discord::intents::message_content);
    discord->type(person, text, "segreto");
    discord->type(person, text, "ehi <@" + bot.user.text() + ">");
    ASSERT_TRUE(run_until([&] { return blind->dispatches("MESSAGE_CREATE").size() == 2; }));
    const auto messages = blind->dispatches("MESSAGE_CREATE");
    EXPECT_EQ(messages[0]["content"], "");
    EXPECT_EQ(messages[1]["content"], "ehi <@" + bot.user.text() + ">");
    EXPECT_EQ(messages[1]["mentions"][0]["id"], bot.user.text());
    EXPECT_EQ(messages[1]["guild_id"], guild.text());
    EXPECT_FALSE(messages[1]["member"].contains("user"));
    ASSERT_EQ(ask("POST", "/channels/" + text.text() + "/messages", json{{"content", "mio"}}).status, 200);
    ASSERT_TRUE(run_until([&] { return blind->dispatches("MESSAGE_CREATE").size() == 3; }));
    EXPECT_EQ(blind->dispatches("MESSAGE_CREATE")[2]["content"], "mio") << "its own it reads";
}

TEST_F(LoopbackGateway, MembersAreListedOnRequest) {
    const auto shard = identified(bot);
    shard->send({{"op", 8}, {"d", {{"guild_id", guild.text()}, {"query", ""}, {"limit", 0}, {"nonce", "n"}}}});
    ASSERT_TRUE(run_until([&] { return shard->has("GUILD_MEMBERS_CHUNK"); }));
    const auto chunk = shard->dispatches("GUILD_MEMBERS_CHUNK").at(0);
    EXPECT_EQ(chunk["members"].size(), 4U) << "two bots, a person, the owner";
    EXPECT_EQ(chunk["nonce"], "n");
}

// ---- op 4

TEST_F(LoopbackGateway, JoiningTellsEverybodyTheStateAndTheMoverTheServer) {
    const auto mover = identified(bot);
    const auto other = identified(other_bot);
    ask_voice(mover, voice);
    ASSERT_TRUE(run_until([&] { return mover->has("VOICE_SERVER_UPDATE") && other->has("VOICE_STATE_UPDATE"); }));
    const auto state = mover->dispatches("VOICE_STATE_UPDATE").at(0);
    EXPECT_EQ(state["session_id"], session_of(mover)) << "dysnomia identifies at the voice server with the gateway's";
    EXPECT_EQ(state["channel_id"], voice.text());
    EXPECT_EQ(state["guild_id"], guild.text());
    EXPECT_EQ(state["member"]["user"]["id"], bot.user.text());
    EXPECT_TRUE(state["member"].contains("joined_at"));
    const auto server = mover->dispatches("VOICE_SERVER_UPDATE").at(0);
    EXPECT_EQ(server["guild_id"], guild.text());
    EXPECT_EQ(server["endpoint"], discord->voice_server(voice).endpoint());
    std::vector<std::string> order;
    for (const auto& frame : mover->frames) {
        if (frame["t"].is_string()) order.push_back(frame["t"]);
    }
    EXPECT_EQ(order.back(), "VOICE_SERVER_UPDATE") << "after the state";
    discord->type(person, text, "marker");
    ASSERT_TRUE(run_until([&] { return other->has("MESSAGE_CREATE"); }));
    EXPECT_FALSE(other->has("VOICE_SERVER_UPDATE"));
}

TEST_F(LoopbackGateway, RejoiningTheSameChannelGivesAFreshToken) {
    const auto shard = identified(bot);
    ask_voice(shard, voice);
    ask_voice(shard, voice);
    ASSERT_TRUE(run_until([&] { return shard->dispatches("VOICE_SERVER_UPDATE").size() == 2; }));
    EXPECT_EQ(shard->dispatches("VOICE_STATE_UPDATE").size(), 2U);
    const auto servers = shard->dispatches("VOICE_SERVER_UPDATE");
    EXPECT_NE(servers[0]["token"], servers[1]["token"]);
}

TEST_F(LoopbackGateway, OtherFlagsAreNoRejoin) {
    const auto shard = identified(bot);
    ask_voice(shard, voice, false);
    ask_voice(shard, voice, true);
    ask_voice(shard, std::nullopt);
    ASSERT_TRUE(run_until([&] { return shard->dispatches("VOICE_STATE_UPDATE").size() == 3; }));
    EXPECT_EQ(shard->dispatches("VOICE_SERVER_UPDATE").size(), 1U);
    EXPECT_EQ(shard->dispatches("VOICE_STATE_UPDATE")[1]["self_deaf"], true);
    EXPECT_EQ(shard->dispatches("VOICE_STATE_UPDATE")[2]["channel_id"], nullptr);
    EXPECT_FALSE(discord->voice_state(guild, bot.user));
}

TEST_F(LoopbackGateway, NonsenseAndFullChannelsGetNoAnswer) {
    const auto shard = identified(bot);
    const auto full = discord->add_voice_channel(guild, "pieno", 1);
    discord->set_voice(guild, person, full, {});
    ask_voice(shard, full);
    ask_voice(shard, text);
    ask_voice(shard, ChannelId{42});
    shard->send({{"op", 4}, {"d", {{"guild_id", "7"}, {"channel_id", voice.text()}}}});
    shard->send({{"op", 4}, {"d", {{"guild_id", guild.text()}, {"channel_id", 7}}}});
    shard->send({{"op", 4}, {"d", json::array()}});
    discord->hold_voice_answers(bot.user, true);
    ask_voice(shard, voice);
    shard->send({{"op", 1}, {"d", nullptr}});
    ASSERT_TRUE(run_until([&] { return !shard->ops(11).empty(); }));
    EXPECT_FALSE(shard->has("VOICE_SERVER_UPDATE"));
    EXPECT_EQ(states_of(shard, bot.user), 0U);
    EXPECT_FALSE(shard->closed);
    discord->hold_voice_answers(bot.user, false);
    ask_voice(shard, voice);
    ASSERT_TRUE(run_until([&] { return shard->has("VOICE_SERVER_UPDATE"); }));
}

TEST_F(LoopbackGateway, AClosedSessionLeavesNoGhost) {
    const auto watcher = identified(other_bot);
    for (const std::uint16_t code : std::vector<std::uint16_t>{1000, 1001}) {
        const auto shard = identified(bot);
        ask_voice(shard, voice);
        ASSERT_TRUE(run_until([&] { return discord->voice_state(guild, bot.user).has_value(); }));
        shard->socket->close(code, "bye");
        ASSERT_TRUE(run_until([&] { return !discord->voice_state(guild, bot.user); })) << code;
    }
    ASSERT_TRUE(run_until([&] { return states_of(watcher, bot.user) == 4; }));
    EXPECT_EQ(watcher->dispatches("VOICE_STATE_UPDATE").back()["channel_id"], nullptr);
    EXPECT_EQ(discord->traffic(bot.user).client_closes, (std::vector<std::uint16_t>{1000, 1001}));
}

TEST_F(LoopbackGateway, AFreshIdentifyEndsWhatWasLost) {
    const auto shard = identified(bot);
    ask_voice(shard, voice);
    ASSERT_TRUE(run_until([&] { return discord->voice_state(guild, bot.user).has_value(); }));
    discord->drop_gateway(bot.user);
    EXPECT_TRUE(discord->voice_state(guild, bot.user)) << "it may still resume";
    const auto fresh = identified(bot);
    EXPECT_FALSE(discord->voice_state(guild, bot.user));
    EXPECT_TRUE(fresh->dispatches("GUILD_CREATE").at(0)["voice_states"].empty());
}

// ---- moderators, servers

TEST_F(LoopbackGateway, MovesKicksAndDeafening) {
    const auto shard = identified(bot);
    ask_voice(shard, voice);
    ASSERT_TRUE(run_until([&] { return shard->dispatches("VOICE_SERVER_UPDATE").size() == 1; }));
    discord->move(guild, bot.user, other_voice);
    ASSERT_TRUE(run_until([&] { return shard->dispatches("VOICE_SERVER_UPDATE").size() == 2; }));
    const auto servers = shard->dispatches("VOICE_SERVER_UPDATE");
    EXPECT_NE(servers[0]["endpoint"], servers[1]["endpoint"]) << "neighbours are on different servers";
    EXPECT_EQ(discord->voice_state(guild, bot.user)->channel, other_voice);
    discord->deafen(guild, bot.user, true);
    ASSERT_TRUE(run_until([&] { return shard->dispatches("VOICE_STATE_UPDATE").size() == 3; }));
    EXPECT_EQ(shard->dispatches("VOICE_STATE_UPDATE")[2]["deaf"], true);
    discord->kick_from_voice(guild, bot.user);
    ASSERT_TRUE(run_until([&] { return shard->dispatches("VOICE_STATE_UPDATE").size() == 4; }));
    EXPECT_EQ(shard->dispatches("VOICE_STATE_UPDATE")[3]["channel_id"], nullptr);
    discord->kick_from_voice(guild, bot.user);
    discord->move(guild, bot.user, voice);
    EXPECT_FALSE(discord->voice_state(guild, bot.user)) << "who is in no channel can not be moved";
}

TEST_F(LoopbackGateway, ANewVoiceServerComesAfterTheNullOne) {
    const auto shard = identified(bot);
    ask_voice(shard, voice);
    ASSERT_TRUE(run_until([&] { return shard->dispatches("VOICE_SERVER_UPDATE").size() == 1; }));
    discord->change_voice_server(voice, true);
    ASSERT_TRUE(run_until([&] { return shard->dispatches("VOICE_SERVER_UPDATE").size() == 3; }));
    const auto servers = shard->dispatches("VOICE_SERVER_UPDATE");
    EXPECT_EQ(servers[1]["endpoint"], nullptr);
    EXPECT_NE(servers[2]["endpoint"], servers[0]["endpoint"]);
    discord->change_voice_server(voice, false);
    ASSERT_TRUE(run_until([&] { return shard->dispatches("VOICE_SERVER_UPDATE").size() == 4; }));
    EXPECT_EQ(shard->dispatches("VOICE_SERVER_UPDATE")[3]["endpoint"], servers[0]["endpoint"]);
}

TEST_F(LoopbackGateway, ADeletedChannelIsEmptyFirst) {
    const auto shard = identified(bot);
    ask_voice(shard, voice);
    ASSERT_TRUE(run_until([&] { return discord->voice_state(guild, bot.user).has_value(); }));
    discord->remove_channel(voice);
    ASSERT_TRUE(run_until([&] { return shard->has("CHANNEL_DELETE"); }));
    EXPECT_EQ(shard->dispatches("CHANNEL_DELETE").at(0)["id"], voice.text());
    EXPECT_EQ(shard->dispatches("VOICE_STATE_UPDATE").back()["channel_id"], nullptr);
}

// ---- people

TEST_F(LoopbackGateway, PeopleAreAnsweredInALaterTurn) {
    std::vector<discord::Event> events;
    const auto note = [&](const discord::Event& event) { events.push_back(event); };
    discord->set_voice(guild, person, voice, note, true);
    EXPECT_TRUE(events.empty()) << "not from within the asking";
    ASSERT_TRUE(run_until([&] { return events.size() == 2; }));
    const auto& state = std::get<discord::VoiceState>(events[0]);
    EXPECT_EQ(state.channel, voice);
    EXPECT_TRUE(state.self_deaf);
    EXPECT_EQ(std::get<discord::VoiceServer>(events[1]).endpoint, discord->voice_server(voice).endpoint());
    discord->move(guild, person, other_voice);
    ASSERT_TRUE(run_until([&] { return events.size() == 4; }));
    discord->set_voice(guild, person, std::nullopt, note);
    ASSERT_TRUE(run_until([&] { return events.size() == 5; }));
    EXPECT_FALSE(std::get<discord::VoiceState>(events[4]).channel);
    discord->set_voice(guild, person, voice, note);
    discord.reset();
    run_until([] { return false; }, milliseconds(20));
    EXPECT_EQ(events.size(), 5U) << "nothing after the end";
}

}  // namespace
}  // namespace lestapenna::sandbox::test_loopback
