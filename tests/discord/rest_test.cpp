#include "discord/rest.h"

#include <gtest/gtest.h>

#include "discord/rest_answers.h"
#include "discord/rest_calls.h"
#include "net/http.h"
#include "scripted_discord.h"

namespace lestapenna::discord {
namespace {

constexpr ChannelId kChannel{127121515262115840};
constexpr ChannelId kOther{127121515262115841};
constexpr GuildId kGuild{41771983423143937};
constexpr MessageId kMessage{1090123456789012345};

// Pure parts -----------------------------------------------------------------------------------------------------

TEST(RestCalls, PathsAreEncoded) {
    const Call call = make_call("PATCH", "/channels/{channel}/messages/{message}", {"1", "a/b ?#%\xc3\xa8~"});
    EXPECT_EQ(call.path, "/channels/1/messages/a%2Fb%20%3F%23%25%C3%A8~");
    EXPECT_EQ(call.limited_by.route, "PATCH /channels/{channel}/messages/{message}");
    EXPECT_EQ(call.limited_by.major, "1");
    EXPECT_EQ(make_call("GET", "/gateway/bot", {}).path, "/gateway/bot");
}

TEST(RestCalls, MessagesPingNobody) {
    OutgoingMessage message;
    message.content = "ciao @everyone";
    EXPECT_EQ(message_json(message),
              (Json{{"content", "ciao @everyone"}, {"allowed_mentions", {{"parse", Json::array()}}}}));
    message.ephemeral = true;
    message.reply_to = kMessage;
    message.files = {{"a.ogg", "audio/ogg", "OggS"}};
    const Json json = message_json(message);
    EXPECT_EQ(json.at("flags"), 64);
    EXPECT_EQ(json.at("message_reference").at("message_id"), kMessage.text());
    EXPECT_EQ(json.at("attachments"), (Json{{{"id", 0}, {"filename", "a.ogg"}}}));
}

net::HttpResponse response(int status, net::Headers headers, std::string body) {
    net::HttpResponse response;
    response.status = status;
    response.headers = std::move(headers);
    response.body = std::move(body);
    return response;
}

TEST(RestAnswers, Limits) {
    const auto news = limits_of(response(
        200, {{"x-ratelimit-bucket", "abcd1234"}, {"x-ratelimit-remaining", "4"}, {"x-ratelimit-reset-after", "64.57"}},
        ""));
    EXPECT_EQ(news.bucket, "abcd1234");
    EXPECT_EQ(news.remaining, 1);
    EXPECT_EQ(news.reset_after, milliseconds(64'570));
    EXPECT_FALSE(news.blocked_for);
    const auto none =
        limits_of(response(200, {{"X-RateLimit-Remaining", "many"}, {"X-RateLimit-Reset-After", ""}}, ""));
    EXPECT_FALSE(none.remaining);
    EXPECT_FALSE(none.reset_after);
}

TEST(RestAnswers, HowLongA429Waits) {
    struct Row {
        net::Headers headers;
        const char* body;
        nanoseconds wait;
        bool global;
    };
    const std::vector<Row> rows = {
        {{{"Retry-After", "65"}}, R"({"retry_after":64.57,"global":false})", milliseconds(64'570), false},
        {{{"Retry-After", "65"}}, R"({"global":true})", seconds(65), true},
        {{{"X-RateLimit-Global", "true"}}, R"({"retry_after":1})", seconds(1), true},
        {{{"Retry-After", "3600"}}, "<html>banned</html>", seconds(3'600), true},
        {{}, "", seconds(60), true},
        {{}, R"({"message":"no"})", seconds(60), false},
        {{}, R"({"retry_after":1e300})", seconds(86'400), false},
        {{}, R"({"retry_after":-5})", seconds(0), false},
        {{{"Retry-After", "nan"}}, R"({"retry_after":"1"})", seconds(0), false},
        {{{"Retry-After", "inf"}}, R"([])", seconds(86'400), true},
    };
    for (const Row& row : rows) {
        const auto news = limits_of(response(429, row.headers, row.body));
        EXPECT_EQ(news.blocked_for, row.wait) << row.body;
        EXPECT_EQ(news.blocked_globally, row.global) << row.body;
    }
}

TEST(RestAnswers, ErrorsSayWhatHappened) {
    const auto missing = error_of("GET /x", response(403, {}, R"({"message":"Missing Permissions","code":50013})"));
    EXPECT_EQ(missing.status, 403);
    EXPECT_EQ(missing.code, 50013);
    EXPECT_NE(missing.message.find("GET /x with status 403, code 50013: Missing Permissions"), std::string::npos)
        << missing.message;
    const auto late = error_of("POST /x", response(401, {}, R"({"message":"Invalid Webhook Token","code":50027})"));
    EXPECT_NE(late.message.find("too long ago"), std::string::npos) << "not the bot's own token";
    const auto invalid = error_of("POST /y", response(400, {}, R"({"code":50035,"message":"Invalid Form Body",
        "errors":{"embeds":{"0":{"title":{"_errors":[{"code":"X","message":"Must be 256 or fewer."}]}}}}})"));
    EXPECT_NE(invalid.message.find("embeds.0.title: Must be 256 or fewer."), std::string::npos) << invalid.message;
    for (const char* body :
         {"", "<html>\r\n", "[]", "7", R"({"code":"x","message":5,"errors":[]})", R"({"code":1e18})"}) {
        const auto error = error_of("GET /x", response(502, {}, body));
        EXPECT_EQ(error.status, 502);
        EXPECT_EQ(error.code, 0) << body;
        EXPECT_EQ(error.message, "Discord refused GET /x with status 502 and no reason");
    }
}

TEST(Rest, MakeRefusesWhatIsUnsafe) {
    net::Loop loop;
    RestOptions options;
    options.token = "a.b.c";
    const auto message = [&] {
        const auto made = Rest::make(loop, options);
        return made ? std::string() : made.error().message;
    };
    EXPECT_EQ(message(), "");
    options.api_base = "http://discord.example.invalid/api/v10";
    EXPECT_NE(message().find("in the clear"), std::string::npos);
    options.api_base = "nonsense";
    EXPECT_NE(message().find("no URL"), std::string::npos);
    options.api_base = "wss://discord.com";
    EXPECT_NE(message().find("https"), std::string::npos);
    options.api_base = "https://discord.com/api/v10";
    options.token = "";
    EXPECT_NE(message().find("no bot token"), std::string::npos);
    options.token = "secret\r\nX: y";
    EXPECT_NE(message().find("characters"), std::string::npos);
    EXPECT_EQ(message().find("secret"), std::string::npos);
}

// Calls ----------------------------------------------------------------------------------------------------------

OutgoingMessage text(std::string content) {
    OutgoingMessage message;
    message.content = std::move(content);
    return message;
}

class RestTest : public ScriptedDiscord {
  protected:
    void SetUp() override {
        ScriptedDiscord::SetUp();
        make_rest();
    }
    /// Rest with other options.
    void remake() {
        rest.reset();
        make_rest();
    }
    void answer(int code, std::string body, net::Headers headers = {}) {
        answers.push_back([code, body = std::move(body), headers = std::move(headers)](const net::HttpRequest&) {
            return reply(code, body, headers);
        });
    }
    void answer(int code, std::string body, net::Delivery delivery) {
        answers.push_back([code, delivery, body = std::move(body)](const net::HttpRequest&) {
            net::Reply cut = reply(code, body);
            cut.delivery = delivery;
            return cut;
        });
    }
    /// Runs one call to its end.
    template <class T>
    RestResult<T> result_of(std::function<Task<RestResult<T>>()> call) {
        std::optional<RestResult<T>> result;
        run([&]() -> Task<> {
            auto got = co_await call();
            result.emplace(std::move(got));
        });
        return result ? std::move(*result) : RestResult<T>(RestError{-1, 0, "the call did not end"});
    }
    RestResult<MessageId> post(std::string content, ChannelId channel = kChannel) {
        return result_of<MessageId>([&] { return rest->create_message(channel, text(content)); });
    }
    [[nodiscard]] Json body(std::size_t request) const {
        return parse_json(requests.at(request).body).value_or(Json());
    }

    static Interaction command() {
        Interaction interaction;
        interaction.id = 5;
        interaction.application = ApplicationId{6};
        interaction.token = "interaction/secret";
        interaction.type = 2;
        return interaction;
    }
};

TEST_F(RestTest, GatewayBotAndOwnUser) {
    answer(200, R"({"url":"wss://gateway.discord.gg","shards":1,"session_start_limit":{"total":1000,"remaining":9,
        "reset_after":14400000,"max_concurrency":1}})");
    const auto info = result_of<GatewayInfo>([&] { return rest->gateway_bot(); });
    ASSERT_TRUE(info) << info.error().message;
    EXPECT_EQ(info->url, "wss://gateway.discord.gg");
    EXPECT_EQ(info->remaining_identifies, 9);
    EXPECT_EQ(info->reset_after, seconds(14'400));
    EXPECT_EQ(requests[0].method, "GET");
    EXPECT_EQ(requests[0].target, "/api/v10/gateway/bot");
    EXPECT_EQ(requests[0].headers.find("Authorization"), "Bot " + kToken);
    EXPECT_TRUE(requests[0].headers.find("User-Agent")->starts_with("DiscordBot ("));

    answer(200, R"({"id":"900","username":"lestapenna","bot":true})");
    const auto user = result_of<User>([&] { return rest->current_user(); });
    ASSERT_TRUE(user);
    EXPECT_EQ(user->id, UserId{900});
    EXPECT_EQ(requests[1].target, "/api/v10/users/@me");
}

TEST_F(RestTest, WhatTheBotIsAndWhereItIs) {
    answer(200, R"({"id":"901","name":"Lestapenna","flags":524288})");
    auto application = result_of<OwnApplication>([&] { return rest->own_application(); });
    ASSERT_TRUE(application) << application.error().message;
    EXPECT_EQ(application->id, ApplicationId{901});
    EXPECT_EQ(application->name, "Lestapenna");
    EXPECT_TRUE(application->reads_messages()) << "1 << 19: limited";
    EXPECT_EQ(requests[0].target, "/api/v10/applications/@me");
    for (const auto& [flags, reads] : {std::pair{"262144", true}, {"0", false}, {"1", false}, {"null", false}}) {
        answer(200, R"({"id":"901","flags":)" + std::string(flags) + "}");
        application = result_of<OwnApplication>([&] { return rest->own_application(); });
        EXPECT_TRUE(application && application->reads_messages() == reads) << flags;
    }
}

TEST_F(RestTest, GuildsComePageByPage) {
    Json page = Json::array();
    for (int id = 1; id <= 200; ++id) {
        page.push_back({{"id", std::to_string(id)}, {"name", "Tavolo"}, {"permissions", "9007199254740993"}});
    }
    answer(200, page.dump());
    answer(200, R"([{"id":"201","name":"Ultimo","permissions":"0"},{"no":"guild"}])");
    const auto guilds = result_of<std::vector<OwnGuild>>([&] { return rest->own_guilds(); });
    ASSERT_TRUE(guilds) << guilds.error().message;
    ASSERT_EQ(guilds->size(), 201U);
    EXPECT_EQ(guilds->front().permissions, 9'007'199'254'740'993U);
    EXPECT_EQ(guilds->back().name, "Ultimo");
    ASSERT_EQ(requests.size(), 2U);
    EXPECT_EQ(requests[0].target, "/api/v10/users/@me/guilds?limit=200&after=0");
    EXPECT_EQ(requests[1].target, "/api/v10/users/@me/guilds?limit=200&after=200");

    answer(200, page.dump());
    answer(200, page.dump());  // a server that does not know of pages: not asked for ever
    EXPECT_TRUE(result_of<std::vector<OwnGuild>>([&] { return rest->own_guilds(); }));
    answer(200, R"({"not":"a list"})");
    EXPECT_FALSE(result_of<std::vector<OwnGuild>>([&] { return rest->own_guilds(); }));
}

TEST_F(RestTest, Messages) {
    answer(200, R"({"id":"1090123456789012345"})");
    const auto sent = post("ciao");
    ASSERT_TRUE(sent) << sent.error().message;
    EXPECT_EQ(*sent, kMessage);
    EXPECT_EQ(requests[0].method, "POST");
    EXPECT_EQ(requests[0].target, "/api/v10/channels/127121515262115840/messages");
    EXPECT_EQ(requests[0].headers.find("Content-Type"), "application/json");
    EXPECT_EQ(body(0).at("content"), "ciao");
    EXPECT_EQ(body(0).at("enforce_nonce"), true);
    EXPECT_LE(body(0).at("nonce").get<std::string>().size(), 25U);
    EXPECT_FALSE(body(0).contains("flags"));

    answer(200, "{}");
    EXPECT_TRUE(result_of<Ok>([&] { return rest->edit_message(kChannel, kMessage, text("poi")); }));
    EXPECT_EQ(requests[1].method, "PATCH");
    EXPECT_EQ(requests[1].target, "/api/v10/channels/127121515262115840/messages/1090123456789012345");
    EXPECT_FALSE(body(1).contains("nonce"));

    answer(204, "");
    EXPECT_TRUE(result_of<Ok>([&] { return rest->delete_message(kChannel, kMessage); }));
    EXPECT_EQ(requests[2].method, "DELETE");

    answer(200, R"({"id":"77","type":1})");
    const auto direct = result_of<ChannelId>([&] { return rest->open_direct_channel(UserId{7}); });
    ASSERT_TRUE(direct);
    EXPECT_EQ(*direct, ChannelId{77});
    EXPECT_EQ(requests[3].target, "/api/v10/users/@me/channels");
    EXPECT_EQ(body(3), (Json{{"recipient_id", "7"}}));
}

TEST_F(RestTest, FilesGoAsAForm) {
    answer(200, R"({"id":"1"})");
    OutgoingMessage message = text("Fatto");
    message.files = {{"a.ogg", "audio/ogg", std::string("Ogg\0S", 5)}, {"b\".txt", "text/plain", "b"}};
    ASSERT_TRUE(result_of<MessageId>([&] { return rest->create_message(kChannel, message); }));
    const auto parts = net::decode_form(requests[0].headers.find("Content-Type").value_or(""), requests[0].body);
    ASSERT_TRUE(parts);
    ASSERT_EQ(parts->size(), 3U);
    EXPECT_EQ(parts->at(0).name, "payload_json");
    EXPECT_EQ(parts->at(0).content_type, "application/json");
    const Json json = parse_json(parts->at(0).body).value_or(Json());
    EXPECT_EQ(json.at("content"), "Fatto");
    EXPECT_EQ(json.at("attachments").at(1).at("id"), 1);
    EXPECT_EQ(parts->at(1).name, "files[0]");
    EXPECT_EQ(parts->at(1).filename, "a.ogg");
    EXPECT_EQ(parts->at(1).content_type, "audio/ogg");
    EXPECT_EQ(parts->at(1).body, std::string("Ogg\0S", 5));
    EXPECT_EQ(parts->at(2).name, "files[1]");
}

TEST_F(RestTest, NicknameCommandsAndInteractions) {
    for (int i = 0; i < 8; ++i) answer(200, "{}");
    const Json commands = Json::array({{{"name", "record"}}});
    OutgoingMessage hidden = text("solo per te");
    hidden.ephemeral = true;
    const std::vector<std::function<Task<RestResult<>>()>> calls = {
        [&] { return rest->set_own_nickname(kGuild, "[REC] Lestapenna"); },
        [&] { return rest->set_own_nickname(kGuild, std::nullopt); },
        [&] { return rest->put_commands(ApplicationId{6}, commands, std::nullopt); },
        [&] { return rest->put_commands(ApplicationId{6}, commands, kGuild); },
        [&] { return rest->reply(command(), hidden); },
        [&] { return rest->defer(command(), true); },
        [&] { return rest->edit_reply(command(), text("ecco")); },
        [&] { return rest->follow_up(command(), hidden); },
    };
    for (const auto& call : calls) EXPECT_TRUE(result_of<Ok>(call));
    std::vector<std::string> lines;
    for (const auto& request : requests) lines.push_back(request.method + ' ' + request.target);
    EXPECT_EQ(lines, (std::vector<std::string>{
                         "PATCH /api/v10/guilds/41771983423143937/members/@me",
                         "PATCH /api/v10/guilds/41771983423143937/members/@me",
                         "PUT /api/v10/applications/6/commands",
                         "PUT /api/v10/applications/6/guilds/41771983423143937/commands",
                         "POST /api/v10/interactions/5/interaction%2Fsecret/callback",
                         "POST /api/v10/interactions/5/interaction%2Fsecret/callback",
                         "PATCH /api/v10/webhooks/6/interaction%2Fsecret/messages/@original",
                         "POST /api/v10/webhooks/6/interaction%2Fsecret",
                     }));
    EXPECT_EQ(body(0), (Json{{"nick", "[REC] Lestapenna"}}));
    EXPECT_EQ(body(1), (Json{{"nick", nullptr}}));
    EXPECT_EQ(body(2), Json::array({{{"name", "record"}}}));
    EXPECT_EQ(body(4).at("type"), 4);
    EXPECT_EQ(body(4).at("data").at("flags"), 64);
    EXPECT_EQ(body(5), (Json{{"type", 5}, {"data", {{"flags", 64}}}}));
    EXPECT_FALSE(body(6).contains("flags"));
    EXPECT_EQ(body(7).at("flags"), 64);
    for (std::size_t i = 0; i < requests.size(); ++i) {
        EXPECT_EQ(requests[i].headers.find("Authorization").has_value(), i < 4) << lines[i];
    }
}

// Trouble --------------------------------------------------------------------------------------------------------

TEST_F(RestTest, ErrorsCarryStatusAndCode) {
    answer(403, R"({"message":"Missing Permissions","code":50013})");
    const auto refused = post("x");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().status, 403);
    EXPECT_EQ(refused.error().code, 50013);
    EXPECT_NE(refused.error().message.find("permission"), std::string::npos);
    EXPECT_EQ(requests.size(), 1U);
}

TEST_F(RestTest, AnswersThatAreNone) {
    for (const char* bad : {"<html>hello</html>", "", "[]", "{}", R"({"id":5})", R"({"id":"x"})", R"({"id":)"}) {
        answer(200, bad);
        const auto result = post("x");
        ASSERT_FALSE(result) << bad;
        EXPECT_EQ(result.error().status, 200);
    }
    EXPECT_EQ(rest->counts().malformed, 7U);
    answer(302, "", {{"Location", "https://elsewhere.example.invalid"}});
    EXPECT_EQ(post("x").error().status, 302);
    EXPECT_EQ(requests.size(), 8U);
}

TEST_F(RestTest, A5xxIsTriedAgainWithTheSameNonce) {
    answer(500, "<html>");
    answer(502, "");
    answer(503, "{}");
    answer(200, R"({"id":"9"})");
    const auto sent = post("x");
    ASSERT_TRUE(sent) << sent.error().message;
    EXPECT_EQ(requests.size(), 4U);
    for (std::size_t i = 1; i < 4; ++i) EXPECT_EQ(requests[i].body, requests[0].body);
    EXPECT_EQ(rest->counts().server_errors, 3U);

    for (int i = 0; i < 4; ++i) answer(500, "<html>");
    const auto failed = post("y");
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().status, 500);
    EXPECT_EQ(requests.size(), 8U);
    EXPECT_NE(body(4).at("nonce"), body(0).at("nonce"));
}

TEST_F(RestTest, HalfAnswersAndCutConnectionsAreTriedAgain) {
    answer(200, R"({"id":"9"})", net::Delivery::half);
    answer(200, R"({"id":"9"})", net::Delivery::reset);
    answer(200, R"({"id":"9"})");
    EXPECT_TRUE(post("x"));
    EXPECT_EQ(rest->counts().no_answer, 2U);

    for (int i = 0; i < 4; ++i) answer(200, "", net::Delivery::reset);
    const auto failed = post("y");
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().status, 0);
    EXPECT_NE(failed.error().message.find("no answer"), std::string::npos) << failed.error().message;
    EXPECT_EQ(requests.size(), 7U);
}

TEST_F(RestTest, WhatCountsTwiceIsNotRepeated) {
    answer(500, "");
    EXPECT_FALSE(result_of<Ok>([&] { return rest->follow_up(command(), text("x")); }));
    answer(500, "");
    EXPECT_FALSE(result_of<Ok>([&] { return rest->set_own_nickname(kGuild, "x"); }));
    answer(429, R"({"retry_after":0.001})");
    EXPECT_EQ(result_of<Ok>([&] { return rest->set_own_nickname(kGuild, "x"); }).error().status, 429);
    EXPECT_EQ(requests.size(), 3U);
}

TEST_F(RestTest, AlreadyDoneIsDoneAfterALostAnswer) {
    answer(200, "{}", net::Delivery::half);
    answer(404, R"({"message":"Unknown Message","code":10008})");
    EXPECT_TRUE(result_of<Ok>([&] { return rest->delete_message(kChannel, kMessage); }));
    answer(404, R"({"message":"Unknown Message","code":10008})");
    EXPECT_FALSE(result_of<Ok>([&] { return rest->delete_message(kChannel, kMessage); }));
    answer(200, "{}", net::Delivery::half);
    answer(400, R"({"message":"Interaction has already been acknowledged.","code":40060})");
    EXPECT_TRUE(result_of<Ok>([&] { return rest->reply(command(), text("x")); }));
    answer(400, R"({"message":"Interaction has already been acknowledged.","code":40060})");
    EXPECT_FALSE(result_of<Ok>([&] { return rest->reply(command(), text("x")); }));
}

TEST_F(RestTest, AnAnswerThatDoesNotComeIsGivenUp) {
    rest_options.timing.request = milliseconds(30);
    remake();
    slow_answer = [](net::HttpRequest) -> Task<net::Reply> {
        co_await net::sleep_for(milliseconds(500));
        co_return reply(200, R"({"id":"9"})");
    };
    const auto result = post("x");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().status, 0);
    EXPECT_EQ(rest->counts().no_answer, 4U);
}

TEST_F(RestTest, ACallEndsInItsTime) {
    rest_options.timing.give_up = milliseconds(200);
    remake();
    slow_answer = [](net::HttpRequest) -> Task<net::Reply> {
        co_await net::sleep_for(seconds(20));
        co_return reply(200, "");
    };
    const BootTime start = BootClock::now();
    EXPECT_FALSE(post("x"));
    EXPECT_LT(BootClock::now() - start, seconds(5));
}

TEST_F(RestTest, A429IsWaitedFor) {
    answer(429, R"({"message":"You are being rate limited.","retry_after":0.1,"global":false})",
           {{"Retry-After", "10"}, {"X-RateLimit-Scope", "user"}});
    answer(200, R"({"id":"9"})");
    const BootTime start = BootClock::now();
    EXPECT_TRUE(post("x"));
    EXPECT_GE(BootClock::now() - start, milliseconds(101));
    EXPECT_LT(BootClock::now() - start, seconds(8)) << "the body is exact, the header is rounded up";
    EXPECT_EQ(rest->counts().rate_limited, 1U);
}

TEST_F(RestTest, A429LongerThanTheCallMayTakeIsAnErrorAtOnce) {
    answer(429, "<html>banned</html>", {{"Retry-After", "3600"}});
    const BootTime start = BootClock::now();
    const auto result = post("x");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().status, 429);
    EXPECT_LT(BootClock::now() - start, seconds(5));
    // From a proxy: it holds for all calls, but for interactions, which have a way of their own.
    EXPECT_EQ(post("y", kOther).error().status, 429);
    EXPECT_EQ(requests.size(), 1U);
    answer(204, "");
    EXPECT_TRUE(result_of<Ok>([&] { return rest->defer(command(), false); }));
}

TEST_F(RestTest, A429WithoutEndDoesNotFlood) {
    rest_options.timing.give_up = milliseconds(400);
    rest_options.timing.backoff_first = milliseconds(40);
    remake();
    slow_answer = [](net::HttpRequest) -> Task<net::Reply> { co_return reply(429, R"({"retry_after":0})"); };
    EXPECT_EQ(post("x").error().status, 429);
    EXPECT_LE(requests.size(), 12U);
    EXPECT_GE(requests.size(), 6U);
}

TEST_F(RestTest, AfterA401NothingIsSentAnyMore) {
    answer(401, R"({"message":"401: Unauthorized","code":0})");
    std::vector<RestResult<MessageId>> results;
    run([&]() -> Task<> {
        // Two at once in one line, so that one waits while the other is refused.
        net::Signal done(loop);
        const auto second = [](Rest* to, std::vector<RestResult<MessageId>>* all, net::Signal* ended) -> Task<> {
            auto result = co_await to->create_message(kChannel, text("b"));
            all->push_back(std::move(result));
            ended->set();
        };
        auto first = rest->create_message(kChannel, text("a"));
        net::spawn(loop, second(&*rest, &results, &done));
        auto result = co_await std::move(first);
        results.push_back(std::move(result));
        co_await done.wait();
    });
    ASSERT_EQ(results.size(), 2U);
    for (const auto& result : results) {
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().status, 401);
        EXPECT_NE(result.error().message.find("discord.token"), std::string::npos) << result.error().message;
        EXPECT_EQ(result.error().message.find(kToken), std::string::npos);
    }
    EXPECT_EQ(post("c").error().status, 401);
    EXPECT_FALSE(result_of<Ok>([&] { return rest->reply(command(), text("x")); }));
    EXPECT_EQ(requests.size(), 1U);
}

TEST_F(RestTest, AnExpiredInteractionIsNoRefusedToken) {
    answer(401, R"({"message":"Invalid Webhook Token","code":50027})");
    const auto result = result_of<Ok>([&] { return rest->edit_reply(command(), text("x")); });
    EXPECT_EQ(result.error().code, 50027);
    answer(200, R"({"id":"9"})");
    EXPECT_TRUE(post("x"));
}

TEST_F(RestTest, CallsOfALineKeepTheirOrder) {
    std::vector<std::string> seen;
    int under_way = 0;
    slow_answer = [&](net::HttpRequest request) -> Task<net::Reply> {
        EXPECT_EQ(under_way++, 0) << "one at a time";
        co_await net::sleep_for(milliseconds(2));
        --under_way;
        const auto json = parse_json(request.body).value_or(Json());
        seen.push_back(json::text(json, "content"));
        const bool trouble = seen.size() == 3;
        co_return trouble ? reply(502, "") : reply(200, R"({"id":"9"})", {{"X-RateLimit-Bucket", "hash"}});
    };
    int left = 10;
    run([&]() -> Task<> {
        net::Signal done(loop);
        const auto send = [](Rest* to, int i, int* still, net::Signal* ended) -> Task<> {
            const auto result = co_await to->create_message(kChannel, text(std::to_string(i)));
            EXPECT_TRUE(result);
            if (--*still == 0) ended->set();
        };
        for (int i = 0; i < 10; ++i) net::spawn(loop, send(&*rest, i, &left, &done));
        co_await done.wait();
    });
    EXPECT_EQ(seen, (std::vector<std::string>{"0", "1", "2", "2", "3", "4", "5", "6", "7", "8", "9"}));
}

TEST_F(RestTest, ACallbackPassesAllThatWait) {
    net::Signal posted(loop);
    net::Signal acknowledged(loop);
    slow_answer = [&](net::HttpRequest request) -> Task<net::Reply> {
        if (request.target.find("/callback") != std::string::npos) co_return reply(204, "");
        posted.set();
        co_await acknowledged.wait();
        co_return reply(200, R"({"id":"9"})");
    };
    int left = 5;
    run([&]() -> Task<> {
        net::Signal done(loop);
        const auto send = [](Rest* to, int* still, net::Signal* ended) -> Task<> {
            const auto result = co_await to->create_message(kChannel, text("x"));
            EXPECT_TRUE(result);
            if (--*still == 0) ended->set();
        };
        for (int i = 0; i < 5; ++i) net::spawn(loop, send(&*rest, &left, &done));
        co_await posted.wait();
        const auto reply = co_await rest->defer(command(), false);
        EXPECT_TRUE(reply);
        acknowledged.set();
        co_await done.wait();
    });
}

TEST_F(RestTest, TheGlobalLimitIsKept) {
    rest_options.timing.global_per_second = 10;
    remake();
    std::vector<BootTime> times;
    slow_answer = [&](net::HttpRequest) -> Task<net::Reply> {
        times.push_back(BootClock::now());
        co_return reply(200, R"({"id":"9"})");
    };
    int left = 25;
    run([&]() -> Task<> {
        net::Signal done(loop);
        const auto send = [](Rest* to, std::uint64_t channel, int* still, net::Signal* ended) -> Task<> {
            const auto result = co_await to->create_message(ChannelId{channel}, text("x"));
            EXPECT_TRUE(result);
            if (--*still == 0) ended->set();
        };
        for (std::uint64_t i = 0; i < 25; ++i) net::spawn(loop, send(&*rest, i, &left, &done));
        co_await done.wait();
    });
    ASSERT_EQ(times.size(), 25U);
    EXPECT_GE(times[24] - times[0], milliseconds(1'500));
}

TEST_F(RestTest, ClosingEndsWhatIsUnderWay) {
    slow_answer = [](net::HttpRequest) -> Task<net::Reply> {
        co_await net::sleep_for(seconds(20));
        co_return reply(200, "");
    };
    std::vector<RestResult<MessageId>> results;
    run([&]() -> Task<> {
        net::Signal done(loop);
        const auto send = [](Rest* to, std::vector<RestResult<MessageId>>* all, net::Signal* ended) -> Task<> {
            auto result = co_await to->create_message(kChannel, text("x"));
            all->push_back(std::move(result));
            if (all->size() == 2) ended->set();
        };
        net::spawn(loop, send(&*rest, &results, &done));
        net::spawn(loop, send(&*rest, &results, &done));
        while (requests.empty()) co_await net::sleep_for(milliseconds(1));
        rest.reset();
        co_await done.wait();
    });
    for (const auto& result : results) {
        EXPECT_EQ(result.error().status, 0);
        EXPECT_NE(result.error().message.find("shutting down"), std::string::npos) << result.error().message;
    }
}

TEST_F(RestTest, SecretsAreInNoError) {
    // Nobody listens there.
    rest_options.api_base = "http://127.0.0.1:1/api/v10";
    remake();
    const auto lost = result_of<Ok>([&] { return rest->edit_reply(command(), text("x")); });
    const auto also = post("x");
    ASSERT_FALSE(lost);
    ASSERT_FALSE(also);
    for (const auto& message : {lost.error().message, also.error().message}) {
        EXPECT_EQ(message.find("secret"), std::string::npos) << message;
        EXPECT_NE(message.find("no answer"), std::string::npos) << message;
    }
}

}  // namespace
}  // namespace lestapenna::discord
