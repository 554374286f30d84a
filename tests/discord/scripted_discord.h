// The other end of gateway and REST tests: a real server on loopback that plays what the test scripts, and keeps what
// it was sent. Everything runs on the fixture's loop.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "discord/gateway.h"
#include "discord/json.h"
#include "discord/rest.h"
#include "net/server.h"

namespace lestapenna::discord {

using net::Task;

/// One websocket from Discord's side.
class Peer {
  public:
    Peer(std::string target, std::unique_ptr<net::WebSocket> socket)
        : target_(std::move(target)), socket_(std::move(socket)) {}

    [[nodiscard]] const std::string& target() const { return target_; }
    net::WebSocket& socket() { return *socket_; }

    void send(const Json& frame) { socket_->send(frame.dump()); }
    void hello(milliseconds interval = milliseconds(60'000)) {
        send({{"op", 10}, {"d", {{"heartbeat_interval", interval.count()}}}});
    }
    void dispatch(const std::string& name, const Json& data, std::int64_t sequence) {
        send({{"op", 0}, {"t", name}, {"s", sequence}, {"d", data}});
    }
    void ready(const std::string& session_id, const std::string& resume_url, std::int64_t sequence = 1) {
        dispatch("READY",
                 {{"v", 10},
                  {"user", {{"id", "900"}, {"username", "lestapenna"}, {"bot", true}}},
                  {"guilds", Json::array()},
                  {"session_id", session_id},
                  {"resume_gateway_url", resume_url},
                  {"application", {{"id", "901"}}}},
                 sequence);
    }

    /// "d" of the next frame with this op; heartbeats before it are acknowledged while `acknowledge` is set. A
    /// discarded value when the client closed instead.
    Task<Json> expect(int op) {
        for (;;) {
            auto incoming = co_await socket_->read();
            if (auto* over = std::get_if<net::Closed>(&incoming)) {
                closed = std::move(*over);
                co_return Json(Json::value_t::discarded);
            }
            const auto frame = parse_json(std::get<net::Message>(incoming).bytes);
            EXPECT_TRUE(frame) << std::get<net::Message>(incoming).bytes;
            if (!frame) continue;
            const int got = json::integer<int>(*frame, "op").value_or(-1);
            if (got == 1 && acknowledge) send({{"op", 11}, {"d", nullptr}});
            if (got == op) co_return frame->value("d", Json());
        }
    }
    /// Reads until the client closes, and says how.
    Task<net::Closed> until_closed() {
        co_await expect(-1);
        co_return *closed;
    }

    bool acknowledge = true;
    std::optional<net::Closed> closed;

  private:
    std::string target_;
    std::unique_ptr<net::WebSocket> socket_;
};

/// Server, Rest and Gateway on one loop. Connection n of the gateway plays script n; one more is a failure.
class ScriptedDiscord : public ::testing::Test {
  protected:
    using Script = std::function<Task<>(Peer&)>;
    using Answer = std::function<net::Reply(const net::HttpRequest&)>;
    using SlowAnswer = std::function<Task<net::Reply>(net::HttpRequest)>;

    void SetUp() override {
        net::Handlers handlers;
        handlers.request = [this](net::HttpRequest request) { return answer(this, std::move(request)); };
        handlers.websocket = [this](net::HttpRequest request, std::unique_ptr<net::WebSocket> socket) {
            return play(this, std::move(request), std::move(socket));
        };
        auto server = net::Server::listen(loop, {}, std::move(handlers));
        ASSERT_TRUE(server) << server.error().message;
        server_.emplace(std::move(*server));

        rest_options.token = kToken;
        rest_options.api_base = "http://" + host() + "/api/v10";
        rest_options.timing.request = seconds(5);
        rest_options.timing.give_up = seconds(15);
        rest_options.timing.backoff_first = milliseconds(2);
        rest_options.timing.margin = milliseconds(1);

        gateway_options.token = kToken;
        gateway_options.timing.invalid_session_least = milliseconds(1);
        gateway_options.timing.invalid_session_most = milliseconds(5);
        gateway_options.timing.backoff_first = milliseconds(1);
        gateway_options.timing.backoff_most = milliseconds(10);
        gateway_options.timing.identify_gap = milliseconds(1);
        gateway_options.timing.rate_limited = milliseconds(20);
    }

    [[nodiscard]] std::string host() const { return "127.0.0.1:" + std::to_string(server_->port()); }
    [[nodiscard]] std::string gateway_url() const { return "ws://" + host(); }
    [[nodiscard]] std::string resume_url() const { return gateway_url() + "/again"; }

    void make_rest() {
        auto made = Rest::make(loop, rest_options);
        ASSERT_TRUE(made) << made.error().message;
        rest.emplace(std::move(*made));
    }
    void make_gateway() {
        make_rest();
        gateway.emplace(loop, *rest, gateway_options, [this](const Event& event) {
            events.push_back(event);
            if (on_event) on_event(event);
        });
    }

    /// Runs the gateway until run() ends, which some script brings about.
    void run_gateway() {
        if (!gateway) make_gateway();
        net::spawn(loop, keep_status(this));
        run_loop();
        ASSERT_TRUE(status) << "run() did not end; scripts played: " << played;
        EXPECT_EQ(played, scripts.size()) << "the client did not connect as often as it should";
    }
    /// Runs one coroutine to its end.
    void run(std::function<Task<>()> scenario) {
        net::spawn(loop, finish(this, std::move(scenario)));
        run_loop();
        ASSERT_TRUE(finished) << "the scenario did not end";
    }

    static inline const std::string kToken = "MTA5.secret.token";

    net::Loop loop;
    RestOptions rest_options;
    GatewayOptions gateway_options;
    std::optional<Rest> rest;
    std::optional<Gateway> gateway;

    std::vector<Script> scripts;
    std::size_t played = 0;
    std::vector<std::string> targets;  ///< of the websockets
    std::vector<Event> events;
    std::function<void(const Event&)> on_event;
    std::optional<Status> status;

    std::deque<Answer> answers;  ///< one per REST request; when there are none GET /gateway/bot works
    SlowAnswer slow_answer;      ///< in place of all that
    std::vector<net::HttpRequest> requests;

    static net::Reply reply(int status, std::string body, net::Headers headers = {}) {
        net::Reply reply;
        reply.response.status = status;
        reply.response.headers = std::move(headers);
        reply.response.body = std::move(body);
        return reply;
    }
    [[nodiscard]] std::string gateway_info(int remaining = 1000, int reset_after_ms = 0) const {
        const Json limit = {{"total", 1000}, {"remaining", remaining}, {"reset_after", reset_after_ms}};
        return Json{{"url", gateway_url()}, {"shards", 1}, {"session_start_limit", limit}}.dump();
    }

  private:
    void run_loop() {
        loop.restart();
        loop.run_for(std::chrono::seconds(30));
    }
    static Task<> keep_status(ScriptedDiscord* self) {
        auto status = co_await self->gateway->run();
        self->status.emplace(std::move(status));
        self->loop.stop();
    }
    static Task<> finish(ScriptedDiscord* self, std::function<Task<>()> scenario) {
        co_await scenario();
        self->finished = true;
        self->loop.stop();
    }
    static Task<net::Reply> answer(ScriptedDiscord* self, net::HttpRequest request) {
        self->requests.push_back(request);
        if (self->slow_answer) co_return co_await self->slow_answer(std::move(request));
        if (self->answers.empty()) co_return reply(200, self->gateway_info());
        const Answer next = std::move(self->answers.front());
        self->answers.pop_front();
        co_return next(request);
    }
    static Task<> play(ScriptedDiscord* self, net::HttpRequest request, std::unique_ptr<net::WebSocket> socket) {
        self->targets.push_back(request.target);
        const std::size_t at = self->played++;
        if (at >= self->scripts.size()) {
            ADD_FAILURE() << "a connection that no script is for: " << request.target;
            self->loop.stop();
            co_return;
        }
        const Script script = self->scripts[at];
        Peer peer(std::move(request.target), std::move(socket));
        co_await script(peer);
    }

    bool finished = false;
    std::optional<net::Server> server_;
};

}  // namespace lestapenna::discord
