// The pure parts of REST: what a call looks like, and what an answer says.
#include "discord/rest_answers.h"

#include <gtest/gtest.h>

#include "discord/json.h"
#include "discord/rest_calls.h"
#include "net/http.h"

namespace lestapenna::discord {
namespace {

constexpr MessageId kMessage{1090123456789012345};

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

}  // namespace
}  // namespace lestapenna::discord
