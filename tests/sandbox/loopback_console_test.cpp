#include "loopback_rig.h"
#include "sandbox/console.h"

namespace lestapenna::sandbox::test_loopback {
namespace {

class LoopbackConsole : public LoopbackTest {
  protected:
    json obey(const json& order) { return json::parse(console().obey(order.dump())); }
    [[nodiscard]] Console console() { return Console(*discord, {guild, voice, text}); }
};

TEST_F(LoopbackConsole, AnyTextHasAnAnswer) {
    const std::string deep = std::string(100'000, '[');
    for (const std::string& line :
         {std::string(), std::string("x"), std::string("[]"), std::string("{}"), deep, std::string("{\"do\":7}"),
          std::string("\xFF\xFE"), std::string("{\"do\":\"mov\"}")}) {
        const auto answer = json::parse(console().obey(line));
        EXPECT_TRUE(answer["error"].is_string()) << line.substr(0, 20);
        EXPECT_FALSE(answer.contains("ok"));
    }
    EXPECT_NE(obey({{"do", "mov"}})["error"].get<std::string>().find("move"), std::string::npos);
}

TEST_F(LoopbackConsole, OrdersWithoutWhatTheyNeedDoNothing) {
    for (const auto* const name : {"type", "use_command", "move", "kick", "deafen", "close_gateway", "drop_gateway",
                                   "close_voice", "drop_voice", "mute_udp", "speaking_news", "where", "traffic"}) {
        EXPECT_TRUE(obey({{"do", name}}).contains("error")) << name;
        EXPECT_TRUE(obey({{"do", name}, {"user", 7}, {"channel", {}}, {"bot", true}}).contains("error")) << name;
    }
    EXPECT_TRUE(obey({{"do", "add_fault"}, {"status", 7}}).contains("error"));
    EXPECT_TRUE(obey({{"do", "add_fault"}, {"cut", "third"}}).contains("error"));
    EXPECT_TRUE(obey({{"do", "add_fault"}, {"headers", {{"a", 1}}}}).contains("error"));
    EXPECT_TRUE(obey({{"do", "move"}, {"user", person.text()}, {"channel", voice.text()}}).contains("error"))
        << "who is in no channel can not be moved";
}

TEST_F(LoopbackConsole, EveryOrderIsInTheHelp) {
    const auto help = Console::help();
    for (const auto* const name :
         {"type", "move", "kick", "close_gateway", "drop_gateway", "ask_reconnect", "invalidate", "close_voice",
          "drop_voice", "change_voice_server", "add_fault", "forwarding", "posted"}) {
        EXPECT_NE(help.find(std::string("  ") + name + " {"), std::string::npos) << name;
    }
}

TEST_F(LoopbackConsole, OrdersDoWhatTheySay) {
    const auto shard = identified(bot);
    const auto typed = obey({{"do", "type"}, {"user", person.text()}, {"text", "ciao"}});
    EXPECT_EQ(typed["ok"], true);
    ASSERT_TRUE(run_until([&] { return shard->has("MESSAGE_CREATE"); }));
    EXPECT_EQ(shard->dispatches("MESSAGE_CREATE")[0]["id"], typed["message_id"]);

    ask_voice(shard, voice);
    ASSERT_TRUE(run_until([&] { return discord->voice_state(guild, bot.user).has_value(); }));
    EXPECT_EQ(obey({{"do", "where"}, {"user", bot.user.text()}})["channel_id"], voice.text());
    EXPECT_EQ(obey({{"do", "move"}, {"user", bot.user.text()}, {"channel", other_voice.text()}}), (json{{"ok", true}}));
    EXPECT_EQ(discord->voice_state(guild, bot.user)->channel, other_voice);
    EXPECT_EQ(obey({{"do", "deafen"}, {"user", bot.user.text()}})["ok"], true);
    EXPECT_TRUE(discord->voice_state(guild, bot.user)->deaf);
    EXPECT_EQ(obey({{"do", "forwarding"}, {"loss", 0.1}, {"delay_ms", 20}})["ok"], true);
    EXPECT_EQ(obey({{"do", "speaking_news"}, {"user", bot.user.text()}, {"when", "never"}})["ok"], true);
    EXPECT_EQ(obey({{"do", "change_voice_server"}, {"channel", other_voice.text()}})["ok"], true);
    EXPECT_EQ(obey({{"do", "kick"}, {"user", bot.user.text()}})["ok"], true);
    EXPECT_EQ(obey({{"do", "where"}, {"user", bot.user.text()}})["channel_id"], nullptr);

    EXPECT_EQ(obey({{"do", "add_fault"}, {"path", "/users"}, {"status", 500}, {"body", "no"}})["ok"], true);
    EXPECT_EQ(ask("GET", "/users/@me").status, 500);
    EXPECT_EQ(obey({{"do", "rate_limit"}, {"path", "/users"}, {"retry_after_s", 2}})["ok"], true);
    EXPECT_EQ(ask("GET", "/users/@me").body["retry_after"], 2.0);
    EXPECT_EQ(obey({{"do", "requests"}})["requests"].size(), 2U);
    ASSERT_EQ(ask("POST", "/channels/" + text.text() + "/messages", json{{"content", "x"}}).status, 200);
    EXPECT_EQ(obey({{"do", "posted"}})["posted"][0]["content"], "x");

    const auto added = obey({{"do", "add_bot"}, {"name", "tre"}});
    const auto new_bot = Loopback::Bot{*UserId::parse(added["user_id"].get<std::string>()), added["token"]};
    EXPECT_TRUE(identified(new_bot)->has("READY"));
    EXPECT_EQ(obey({{"do", "drop_gateway"}, {"bot", bot.user.text()}})["ok"], true);
    ASSERT_TRUE(run_until([&] { return shard->closed.has_value(); }));
    EXPECT_EQ(obey({{"do", "traffic"}, {"bot", bot.user.text()}})["identifies"], 1);
}

}  // namespace
}  // namespace lestapenna::sandbox::test_loopback
