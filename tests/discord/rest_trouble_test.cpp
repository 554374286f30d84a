// What REST does when Discord refuses, limits, breaks off or does not answer.
#include <gtest/gtest.h>

#include "discord/rest.h"
#include "scripted_rest.h"

namespace lestapenna::discord {
namespace {

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
