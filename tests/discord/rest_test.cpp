#include "discord/rest.h"

#include <gtest/gtest.h>

#include "net/http.h"
#include "scripted_rest.h"

namespace lestapenna::discord {
namespace {

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

}  // namespace
}  // namespace lestapenna::discord
