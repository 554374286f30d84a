// A Loopback on a loop of the test's own, and a bare client of its main gateway: every frame as it came, nothing by
// itself.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "discord/gateway.h"
#include "net/http_client.h"
#include "net/loop.h"
#include "net/websocket.h"
#include "sandbox/loopback.h"

namespace lestapenna::sandbox::test_loopback {

using nlohmann::json;

/// One connection to the main gateway.
struct Shard {
    std::vector<json> frames{};
    std::optional<net::Closed> closed{};
    std::unique_ptr<net::WebSocket> socket{};

    [[nodiscard]] std::vector<json> dispatches(const std::string& event) const {
        std::vector<json> found;
        for (const auto& frame : frames) {
            if (frame["op"] == 0 && frame["t"] == event) found.push_back(frame["d"]);
        }
        return found;
    }
    [[nodiscard]] std::vector<json> ops(int op) const {
        std::vector<json> found;
        for (const auto& frame : frames) {
            if (frame["op"] == op) found.push_back(frame["d"]);
        }
        return found;
    }
    [[nodiscard]] bool has(const std::string& event) const { return !dispatches(event).empty(); }
    [[nodiscard]] std::uint64_t seq() const {
        std::uint64_t last = 0;
        for (const auto& frame : frames) {
            if (frame["op"] == 0) last = frame["s"];
        }
        return last;
    }
    void send(const json& frame) const { socket->send(frame.dump()); }
};
using ShardPtr = std::shared_ptr<Shard>;

class LoopbackTest : public testing::Test {
  protected:
    static constexpr std::uint32_t kAll = discord::intents::guilds | discord::intents::guild_voice_states |
                                          discord::intents::guild_messages | discord::intents::direct_messages |
                                          discord::intents::message_content;

    void SetUp() override { begin({}); }
    void TearDown() override {
        client.reset();
        shards.clear();
        discord.reset();
        run_until([] { return false; }, milliseconds(1));
    }

    void begin(LoopbackOptions options) {
        client.reset();
        discord.reset();
        auto started = Loopback::start(loop, std::move(options));
        ASSERT_TRUE(started) << started.error().message;
        discord = std::move(*started);
        guild = discord->add_guild("Gilda");
        text = discord->add_text_channel(guild, "taverna");
        voice = discord->add_voice_channel(guild, "Tavolo");
        other_voice = discord->add_voice_channel(guild, "Cantina");
        bot = discord->add_bot("uno");
        other_bot = discord->add_bot("due");
        person = discord->add_person("Bice");
        client = std::make_unique<net::HttpClient>(loop, net::HttpClientOptions{});
    }

    /// Runs the loop until `holds`; false when it does not within `most`.
    template <class Holds>
    bool run_until(const Holds& holds, milliseconds most = milliseconds(20'000)) {
        const auto deadline = std::chrono::steady_clock::now() + most;
        while (!holds() && std::chrono::steady_clock::now() < deadline) {
            loop.restart();
            loop.run_one_for(milliseconds(20));
        }
        return holds();
    }

    // ---- the main gateway
    ShardPtr dial(const std::string& query = "/?v=10&encoding=json") {
        auto shard = std::make_shared<Shard>();
        shards.push_back(shard);
        net::spawn(loop, listen(shard, discord->addresses().gateway_url + query));
        EXPECT_TRUE(run_until([&] { return !shard->frames.empty() || shard->closed; }));
        return shard;
    }
    ShardPtr identified(const Loopback::Bot& who, std::uint32_t intents = kAll) {
        auto shard = dial();
        shard->send({{"op", 2}, {"d", {{"token", who.token}, {"intents", intents}, {"properties", json::object()}}}});
        EXPECT_TRUE(run_until([&] { return shard->closed || shard->has("READY"); }));
        if ((intents & discord::intents::guilds) != 0) {
            EXPECT_TRUE(run_until([&] { return shard->closed || shard->has("GUILD_CREATE"); }));
        }
        return shard;
    }
    ShardPtr resumed(const Loopback::Bot& who, const std::string& session, std::uint64_t seq) {
        auto shard = dial();
        shard->send({{"op", 6}, {"d", {{"token", who.token}, {"session_id", session}, {"seq", seq}}}});
        EXPECT_TRUE(run_until([&] { return shard->closed || shard->has("RESUMED") || !shard->ops(9).empty(); }));
        return shard;
    }
    static std::string session_of(const ShardPtr& shard) { return shard->dispatches("READY").at(0)["session_id"]; }
    void ask_voice(const ShardPtr& shard, std::optional<ChannelId> channel, bool deaf = false) const {
        const json where = channel ? json(channel->text()) : json(nullptr);
        shard->send(
            {{"op", 4},
             {"d", {{"guild_id", guild.text()}, {"channel_id", where}, {"self_mute", false}, {"self_deaf", deaf}}}});
    }
    /// The code the server closes with after this text.
    std::uint16_t close_code_after(const ShardPtr& shard, const std::string& text_frame) {
        shard->socket->send(text_frame);
        EXPECT_TRUE(run_until([&] { return shard->closed.has_value(); })) << text_frame;
        return shard->closed ? shard->closed->code : std::uint16_t{0};
    }

    // ---- REST
    struct Answer {
        int status = 0;  ///< 0: none
        json body;
        net::Headers headers;
        std::string text;
    };
    Answer ask(const std::string& method, const std::string& path, const std::string& body = "",
               const std::string& token = "-", const std::string& type = "application/json") {
        net::HttpRequest request{method, discord->addresses().api_base + path, {}, body};
        const std::string& used = token == "-" ? bot.token : token;
        if (!used.empty()) request.headers.emplace_back("Authorization", "Bot " + used);
        if (!body.empty()) request.headers.emplace_back("Content-Type", type);
        auto answer = std::make_shared<std::optional<Answer>>();
        net::spawn(loop, fetch(client.get(), std::move(request), answer));
        EXPECT_TRUE(run_until([&] { return answer->has_value(); }));
        return answer->value_or(Answer{});
    }
    Answer ask(const std::string& method, const std::string& path, const char* body) {
        return ask(method, path, std::string(body));
    }
    Answer ask(const std::string& method, const std::string& path, const json& body) {
        return ask(method, path, body.dump());
    }

    net::Loop loop{1};
    std::unique_ptr<Loopback> discord;
    GuildId guild;
    ChannelId text, voice, other_voice;
    Loopback::Bot bot, other_bot;
    UserId person;
    std::unique_ptr<net::HttpClient> client;
    std::vector<ShardPtr> shards;

  private:
    static net::Task<> listen(ShardPtr shard, std::string url) {
        net::ConnectOptions options;
        options.url = std::move(url);
        auto connected = co_await net::connect(std::move(options));
        if (!connected) {
            shard->closed = net::Closed{0, connected.error().message};
            co_return;
        }
        shard->socket = std::move(*connected);
        while (true) {
            net::Incoming incoming = co_await shard->socket->read();
            if (auto* const closed = std::get_if<net::Closed>(&incoming)) {
                shard->closed = *closed;
                co_return;
            }
            shard->frames.push_back(json::parse(std::get<net::Message>(incoming).bytes, nullptr, false));
        }
    }
    static net::Task<> fetch(net::HttpClient* with, net::HttpRequest request,
                             std::shared_ptr<std::optional<Answer>> into) {
        const nanoseconds patience = seconds(20);
        auto response = co_await with->send(std::move(request), patience);
        Answer answer;
        if (response) {
            answer.status = response->status;
            answer.headers = response->headers;
            answer.text = response->body;
            answer.body = json::parse(response->body, nullptr, false);
        }
        *into = std::move(answer);
    }
};

}  // namespace lestapenna::sandbox::test_loopback
