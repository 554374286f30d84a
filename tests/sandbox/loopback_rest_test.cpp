#include <gmock/gmock.h>

#include "loopback_rig.h"
#include "net/http.h"

namespace lestapenna::sandbox::test_loopback {
namespace {

class LoopbackRest : public LoopbackTest {
  protected:
    [[nodiscard]] std::string messages() const { return "/channels/" + text.text() + "/messages"; }
    [[nodiscard]] std::string own_member() const { return "/guilds/" + guild.text() + "/members/@me"; }
    [[nodiscard]] std::string commands() const { return "/applications/" + bot.user.text() + "/commands"; }
    Answer write(const std::string& content) { return ask("POST", messages(), json{{"content", content}}); }

    /// A slash command was used; the interaction as the bot got it.
    json asked(const ShardPtr& shard, const std::string& name = "eco", json options = json::array()) {
        const auto before = shard->dispatches("INTERACTION_CREATE").size();
        discord->use_command(person, text, bot.user, name, std::move(options));
        EXPECT_TRUE(run_until([&] { return shard->dispatches("INTERACTION_CREATE").size() > before; }));
        return shard->dispatches("INTERACTION_CREATE").back();
    }
    static std::string callback(const json& interaction) {
        return "/interactions/" + interaction["id"].get<std::string>() + "/" + interaction["token"].get<std::string>() +
               "/callback";
    }
    [[nodiscard]] std::string webhook(const json& interaction) const {
        return "/webhooks/" + bot.user.text() + "/" + interaction["token"].get<std::string>();
    }
};

// ---- what is not there, or not allowed

TEST_F(LoopbackRest, WrongRequestsGetDiscordsErrors) {
    EXPECT_EQ(ask("GET", "/gateway/bot", "", "nonsense").status, 401);
    EXPECT_EQ(ask("GET", "/gateway/bot", "", "").status, 401);
    EXPECT_EQ(ask("GET", "/nonsense").status, 404);
    EXPECT_EQ(ask("DELETE", "/gateway/bot").status, 405);
    const std::vector<std::tuple<std::string, std::string, int, int>> wrong{
        {"GET", "/channels/7", 404, 10003},
        {"GET", "/channels/x", 404, 10003},
        {"GET", "/guilds/7", 404, 10004},
        {"GET", messages() + "/7", 404, 10008},
        {"GET", "/users/7", 404, 10013},
        {"GET", "/guilds/" + guild.text() + "/members/7", 404, 10007},
        {"GET", "/guilds/" + guild.text() + "/voice-states/@me", 404, 10065},
        {"PATCH", "/guilds/" + guild.text() + "/voice-states/@me", 404, 10065},
        {"POST", "/interactions/1/x/callback", 404, 10062},
        {"PATCH", "/webhooks/1/x/messages/@original", 404, 10015},
        {"POST", "/webhooks/1/x", 404, 10015},
        {"GET", "/applications/1/commands", 403, 20012},
    };
    for (const auto& [method, path, status, code] : wrong) {
        const auto answer = ask(method, path, method == "GET" ? "" : "{}");
        EXPECT_EQ(answer.status, status) << path;
        EXPECT_EQ(answer.body["code"], code) << path;
        EXPECT_TRUE(answer.body["message"].is_string()) << path;
    }
}

TEST_F(LoopbackRest, BodiesOfTheWrongShapeAreRefused) {
    for (const auto* const body : {"{", "[]", "7", "{}", R"({"content":7})", R"({"content":null})", R"({"embeds":{}})",
                                   R"({"content":""})", "\xFF", "\"", "[[[[[["}) {
        begin({});  // the limit is five
        EXPECT_EQ(ask("POST", messages(), body).status, 400) << body;
    }
    begin({});
    EXPECT_EQ(ask("POST", messages(), json{{"content", std::string(2'001, 'x')}}).body["code"], 50035);
    std::string umlauts;
    for (int i = 0; i < 2'000; ++i) umlauts += "\u00fc";
    EXPECT_EQ(ask("POST", messages(), json{{"content", umlauts}}).status, 200) << "characters count, not bytes";
    EXPECT_EQ(ask("POST", messages(), "--x", "-", "multipart/form-data; boundary=y").status, 400);
    EXPECT_EQ(ask("PUT", commands(), json{{"name", "x"}}).status, 400);
    EXPECT_EQ(ask("PUT", commands(), json::array({7})).status, 400);
    EXPECT_EQ(ask("POST", "/users/@me/channels", json{{"recipient_id", "7"}}).body["code"], 50033);
}

TEST_F(LoopbackRest, WhoAndWhere) {
    EXPECT_EQ(ask("GET", "/gateway/bot").body["url"], discord->addresses().gateway_url);
    EXPECT_EQ(ask("GET", "/gateway/bot").body["session_start_limit"]["remaining"], 999);
    EXPECT_EQ(ask("GET", "/gateway", "", "").status, 200);
    EXPECT_EQ(ask("GET", "/users/@me").body["id"], bot.user.text());
    EXPECT_EQ(ask("GET", "/users/%40me").body["id"], bot.user.text()) << "discord.js escapes it";
    EXPECT_EQ(ask("GET", "/users/" + person.text()).body["username"], "Bice");
    EXPECT_EQ(ask("GET", "/channels/" + text.text()).body["name"], "taverna");
    EXPECT_EQ(ask("GET", "/channels/" + voice.text()).body["type"], 2);
    EXPECT_EQ(ask("GET", "/guilds/" + guild.text()).body["name"], "Gilda");
    EXPECT_EQ(ask("GET", "/guilds/" + guild.text() + "/channels").body.size(), 3U);
    discord->set_voice(guild, person, voice, {});
    EXPECT_EQ(ask("GET", "/guilds/" + guild.text() + "/voice-states/" + person.text()).body["channel_id"],
              voice.text());
}

// ---- messages

TEST_F(LoopbackRest, AMessageLives) {
    const auto shard = identified(bot);
    const auto written = write("ciao");
    ASSERT_EQ(written.status, 200);
    const std::string id = written.body["id"];
    EXPECT_EQ(written.body["author"]["id"], bot.user.text());
    EXPECT_EQ(ask("PATCH", messages() + "/" + id, json{{"content", "addio"}}).body["content"], "addio");
    EXPECT_EQ(ask("GET", messages() + "/" + id).body["content"], "addio");
    EXPECT_EQ(ask("GET", messages()).body.size(), 1U);
    ASSERT_EQ(discord->posted().size(), 1U);
    EXPECT_EQ(discord->posted()[0].content, "addio");
    EXPECT_EQ(discord->posted()[0].channel, text);
    EXPECT_EQ(ask("DELETE", messages() + "/" + id).status, 204);
    EXPECT_EQ(ask("GET", messages() + "/" + id).status, 404);
    ASSERT_TRUE(run_until([&] { return shard->has("MESSAGE_DELETE"); }));
    EXPECT_TRUE(shard->has("MESSAGE_CREATE"));
    EXPECT_TRUE(shard->has("MESSAGE_UPDATE"));
    const auto foreign = discord->type(person, text, "mine").text();
    EXPECT_EQ(ask("PATCH", messages() + "/" + foreign, json{{"content", "x"}}).body["code"], 50005);
    EXPECT_EQ(ask("DELETE", messages() + "/" + foreign).body["code"], 50013);
}

TEST_F(LoopbackRest, FilesComeAsAForm) {
    const json payload{{"content", "ecco"}, {"attachments", json::array({{{"id", 0}, {"filename", "a.ogg"}}})}};
    const auto [body, type] = net::encode_form({{"payload_json", "", "application/json", payload.dump()},
                                                {"files[0]", "a.ogg", "audio/ogg", std::string("\0\1\2", 3)}});
    const auto answer = ask("POST", messages(), body, "-", type);
    ASSERT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body["attachments"][0]["filename"], "a.ogg");
    EXPECT_EQ(answer.body["attachments"][0]["size"], 3);
    EXPECT_EQ(discord->posted().at(0).file_names, std::vector<std::string>{"a.ogg"});
    const auto kept =
        ask("PATCH", messages() + "/" + answer.body["id"].get<std::string>(), json{{"attachments", json::array()}});
    EXPECT_EQ(kept.body["attachments"].size(), 0U) << "what is not listed goes";
}

TEST_F(LoopbackRest, ANonceIsWrittenOnce) {
    const json message{{"content", "una volta"}, {"nonce", "n1"}, {"enforce_nonce", true}};
    const auto first = ask("POST", messages(), message);
    const auto again = ask("POST", messages(), message);
    EXPECT_EQ(first.body["id"], again.body["id"]);
    EXPECT_EQ(discord->posted().size(), 1U);
}

TEST_F(LoopbackRest, DirectMessagesReachOnlyTheTwo) {
    const auto shard = identified(bot);
    const auto other = identified(other_bot);
    const auto opened = ask("POST", "/users/@me/channels", json{{"recipient_id", person.text()}});
    ASSERT_EQ(opened.status, 200);
    EXPECT_EQ(opened.body["type"], 1);
    EXPECT_EQ(opened.body["recipients"][0]["id"], person.text());
    const std::string channel = opened.body["id"];
    EXPECT_EQ(ask("POST", "/users/@me/channels", json{{"recipient_id", person.text()}}).body["id"], channel);
    ASSERT_EQ(ask("POST", "/channels/" + channel + "/messages", json{{"content", "psst"}}).status, 200);
    ASSERT_TRUE(run_until([&] { return shard->has("MESSAGE_CREATE"); }));
    EXPECT_FALSE(shard->dispatches("MESSAGE_CREATE")[0].contains("guild_id"));
    EXPECT_EQ(ask("GET", "/channels/" + channel, "", other_bot.token).status, 403);
    discord->type(person, text, "marker");
    ASSERT_TRUE(run_until([&] { return other->has("MESSAGE_CREATE"); }));
    EXPECT_EQ(other->dispatches("MESSAGE_CREATE").size(), 1U);
}

// ---- members

TEST_F(LoopbackRest, TheOwnNickname) {
    const auto named = ask("PATCH", own_member(), json{{"nick", "[REC] uno"}});
    ASSERT_EQ(named.status, 200);
    EXPECT_EQ(named.body["nick"], "[REC] uno");
    EXPECT_EQ(discord->nickname(guild, bot.user), "[REC] uno");
    EXPECT_EQ(ask("PATCH", own_member(), json{{"nick", std::string(33, 'x')}}).status, 400);
    EXPECT_EQ(ask("PATCH", own_member(), json{{"nick", nullptr}}).body["nick"], nullptr);
    EXPECT_EQ(discord->nickname(guild, bot.user), "");
}

TEST_F(LoopbackRest, ModeratingBotsMovePeople) {
    const auto path = "/guilds/" + guild.text() + "/members/" + person.text();
    EXPECT_EQ(ask("PATCH", path, json{{"channel_id", voice.text()}}).body["code"], 40032);
    discord->set_voice(guild, person, voice, {});
    EXPECT_EQ(ask("PATCH", path, json{{"channel_id", other_voice.text()}, {"deaf", true}}).status, 200);
    EXPECT_EQ(discord->voice_state(guild, person)->channel, other_voice);
    EXPECT_TRUE(discord->voice_state(guild, person)->deaf);
    EXPECT_EQ(ask("PATCH", path, json{{"channel_id", nullptr}}).status, 200);
    EXPECT_FALSE(discord->voice_state(guild, person));
}

// ---- commands and interactions

TEST_F(LoopbackRest, CommandsKeepTheirIds) {
    EXPECT_TRUE(discord->commands(bot.user).is_null());
    EXPECT_EQ(ask("GET", commands()).body, json::array());
    const auto made = ask("PUT", commands(), json::array({{{"name", "eco"}, {"description", "d"}}, {{"name", "due"}}}));
    ASSERT_EQ(made.status, 200);
    EXPECT_EQ(made.body[0]["application_id"], bot.user.text());
    EXPECT_TRUE(made.body[0]["version"].is_string());
    const auto again = ask("PUT", commands(), json::array({{{"name", "eco"}, {"description", "other"}}}));
    EXPECT_EQ(again.body[0]["id"], made.body[0]["id"]);
    EXPECT_EQ(discord->commands(bot.user).size(), 1U);
    const auto of_guild = "/applications/" + bot.user.text() + "/guilds/" + guild.text() + "/commands";
    const auto one = ask("POST", of_guild, json{{"name", "tre"}});
    EXPECT_EQ(one.body["guild_id"], guild.text());
    EXPECT_EQ(discord->commands(bot.user).size(), 2U);
    EXPECT_EQ(ask("DELETE", of_guild + "/" + one.body["id"].get<std::string>()).status, 204);
    EXPECT_EQ(ask("DELETE", of_guild + "/7").status, 404);
    EXPECT_EQ(ask("PUT", "/applications/" + bot.user.text() + "/guilds/7/commands", json::array()).status, 403);
    EXPECT_EQ(ask("PUT", commands(), json::array()).body, json::array());
}

TEST_F(LoopbackRest, AnInteractionIsAnsweredOnce) {
    const auto shard = identified(bot);
    ASSERT_EQ(ask("PUT", commands(), json::array({{{"name", "eco"}}})).status, 200);
    const auto interaction = asked(shard, "eco", json::array({{{"name", "text"}, {"type", 3}, {"value", "x"}}}));
    EXPECT_EQ(interaction["type"], 2);
    EXPECT_EQ(interaction["data"]["name"], "eco");
    EXPECT_EQ(interaction["data"]["id"], discord->commands(bot.user)[0]["id"]);
    EXPECT_EQ(interaction["data"]["options"][0]["value"], "x");
    EXPECT_EQ(interaction["member"]["user"]["id"], person.text());
    EXPECT_TRUE(interaction["member"]["permissions"].is_string());
    EXPECT_EQ(interaction["channel"]["id"], text.text()) << "where discord.js looks for the channel's id";

    EXPECT_EQ(ask("GET", webhook(interaction) + "/messages/@original").status, 404) << "not answered yet";
    EXPECT_EQ(ask("POST", callback(interaction), json{{"type", 99}}).status, 400);
    const json answer{{"type", 4}, {"data", {{"content", "eco"}, {"flags", 64}}}};
    EXPECT_EQ(ask("POST", callback(interaction), answer.dump(), "").status, 204) << "needs no token but the path's";
    EXPECT_EQ(ask("POST", callback(interaction), answer).body["code"], 40060);
    const auto original = ask("GET", webhook(interaction) + "/messages/@original", "", "");
    EXPECT_EQ(original.body["content"], "eco");
    EXPECT_EQ(original.body["flags"], 64);
    ASSERT_EQ(discord->posted().size(), 1U);
    EXPECT_TRUE(discord->posted()[0].ephemeral);
    EXPECT_EQ(ask("PATCH", webhook(interaction) + "/messages/@original", json{{"content", "eco eco"}}).status, 200);
    EXPECT_EQ(discord->posted()[0].content, "eco eco");
    const auto more = ask("POST", webhook(interaction), json{{"content", "more"}});
    ASSERT_EQ(more.status, 200);
    EXPECT_EQ(discord->posted().size(), 2U);
    EXPECT_EQ(ask("DELETE", webhook(interaction) + "/messages/@original").status, 204);
    EXPECT_EQ(ask("DELETE", webhook(interaction) + "/messages/@original").status, 404);
    discord->type(person, text, "marker");
    ASSERT_TRUE(run_until([&] { return !shard->dispatches("MESSAGE_CREATE").empty(); }));
    EXPECT_EQ(shard->dispatches("MESSAGE_CREATE")[0]["content"], "more") << "ephemeral ones nobody is told of";
}

TEST_F(LoopbackRest, ADeferredAnswerIsFilled) {
    const auto shard = identified(bot);
    const auto first = asked(shard);
    ASSERT_EQ(ask("POST", callback(first), json{{"type", 5}, {"data", {{"flags", 64}}}}).status, 204);
    EXPECT_TRUE(discord->posted().empty()) << "thinking is no message";
    ASSERT_EQ(ask("PATCH", webhook(first) + "/messages/@original", json{{"content", "pronto"}}).status, 200);
    ASSERT_EQ(discord->posted().size(), 1U);
    EXPECT_TRUE(discord->posted()[0].ephemeral);
    const auto second = asked(shard);
    const auto with_response = ask("POST", callback(second) + "?with_response=true", json{{"type", 5}});
    EXPECT_EQ(with_response.status, 200);
    EXPECT_EQ(with_response.body["interaction"]["id"], second["id"]);
    ASSERT_EQ(ask("POST", webhook(second), json{{"content", "fatto"}}).status, 200) << "the first takes its place";
    EXPECT_EQ(ask("GET", webhook(second) + "/messages/@original").body["content"], "fatto");
    EXPECT_EQ(discord->posted().size(), 2U);
    EXPECT_FALSE(discord->posted()[1].ephemeral);
}

// ---- limits and faults

TEST_F(LoopbackRest, MessagesAreLimited) {
    for (int i = 0; i < 5; ++i) {
        const auto answer = write("x");
        ASSERT_EQ(answer.status, 200);
        EXPECT_EQ(answer.headers.find("X-RateLimit-Limit"), "5");
        EXPECT_EQ(answer.headers.find("X-RateLimit-Remaining"), std::to_string(4 - i));
        EXPECT_TRUE(answer.headers.find("X-RateLimit-Bucket"));
        EXPECT_LE(std::stod(std::string(answer.headers.find("X-RateLimit-Reset-After").value_or("9"))), 5.0);
    }
    const auto refused = write("x");
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(refused.body["global"], false);
    EXPECT_GT(refused.body["retry_after"].get<double>(), 0.0);
    EXPECT_TRUE(refused.headers.find("Retry-After"));
    EXPECT_EQ(discord->posted().size(), 5U);
    EXPECT_EQ(ask("POST", messages(), R"({"content":"x"})", other_bot.token).status, 200) << "each bot its own";
}

TEST_F(LoopbackRest, FiftyASecondIsTheGlobalLimit) {
    int refused = 0;
    bool global = false;
    const auto begun = std::chrono::steady_clock::now();
    int asked = 0;
    for (; asked < 60; ++asked) {
        const auto answer = ask("GET", "/users/@me");
        if (answer.status != 429) continue;
        ++refused;
        global = answer.body["global"];
    }
    if (std::chrono::steady_clock::now() - begun > seconds(1)) GTEST_SKIP() << "too slow to reach the limit";
    EXPECT_EQ(refused, asked - 50);
    EXPECT_TRUE(global);
}

TEST_F(LoopbackRest, FaultsComeAsOftenAsAsked) {
    RestFault html;
    html.method = "POST";
    html.path = "/messages";
    html.times = 2;
    html.status = 502;
    html.body = "<html>Bad Gateway</html>";
    html.headers = {{"Content-Type", "text/html"}};
    discord->add_fault(html);
    EXPECT_EQ(ask("GET", messages()).status, 200) << "another method";
    EXPECT_EQ(ask("GET", "/users/@me").status, 200) << "another path";
    EXPECT_EQ(write("x").text, "<html>Bad Gateway</html>");
    EXPECT_EQ(write("x").status, 502);
    EXPECT_EQ(write("x").status, 200);
    EXPECT_EQ(discord->posted().size(), 1U) << "instead of the answer, not after it";

    discord->add_fault(RestFault::rate_limit("/users", seconds(3), true));
    const auto limited = ask("GET", "/users/@me");
    EXPECT_EQ(limited.status, 429);
    EXPECT_EQ(limited.body["retry_after"], 3.0);
    EXPECT_EQ(limited.headers.find("X-RateLimit-Global"), "true");
}

TEST_F(LoopbackRest, AnswersAreCutOrLate) {
    for (const auto cut : {RestFault::Cut::half, RestFault::Cut::reset}) {
        RestFault fault;
        fault.path = "/users/@me";
        fault.cut = cut;
        discord->add_fault(fault);
        EXPECT_EQ(ask("GET", "/users/@me").status, 0);
        EXPECT_EQ(ask("GET", "/users/@me").status, 200);
    }
    RestFault late;
    late.path = "/users/@me";
    late.delay = milliseconds(80);
    discord->add_fault(late);
    const auto begun = std::chrono::steady_clock::now();
    EXPECT_EQ(ask("GET", "/users/@me").body["id"], bot.user.text());
    EXPECT_GE(std::chrono::steady_clock::now() - begun, milliseconds(80));
}

TEST_F(LoopbackRest, ALateAnswerAndTheEndOfTheWorld) {
    RestFault late;
    late.delay = seconds(3'000);
    discord->add_fault(late);
    auto status = std::make_shared<std::optional<int>>();
    net::HttpRequest request{"GET", discord->addresses().api_base + "/users/@me", {}, ""};
    const auto get = [](net::HttpClient* with, net::HttpRequest wanted,
                        std::shared_ptr<std::optional<int>> into) -> net::Task<> {
        const nanoseconds patience = seconds(20);
        const auto response = co_await with->send(std::move(wanted), patience);
        *into = response ? response->status : 0;
    };
    net::spawn(loop, get(client.get(), std::move(request), status));
    run_until([] { return false; }, milliseconds(100));
    discord.reset();
    ASSERT_TRUE(run_until([&] { return status->has_value(); }));
    EXPECT_EQ(**status, 0);
}

TEST_F(LoopbackRest, WhatWasAskedIsRemembered) {
    write("ciao");
    ask("GET", "/nonsense?x=1");
    const auto& log = discord->requests();
    ASSERT_EQ(log.size(), 2U);
    EXPECT_EQ(log[0].method, "POST");
    EXPECT_EQ(log[0].path, "/api/v10" + messages());
    EXPECT_EQ(log[0].body, R"({"content":"ciao"})");
    EXPECT_EQ(log[0].status, 200);
    EXPECT_EQ(log[1].path, "/api/v10/nonsense");
    EXPECT_EQ(log[1].status, 404);
}

}  // namespace
}  // namespace lestapenna::sandbox::test_loopback
