#include "net/server.h"

#include <random>
#include <string>

#include <gtest/gtest.h>

#include "testing.h"

namespace lestapenna::net {
namespace {

using test::on_loop;
using test::tcp;

Task<Reply> mirror(HttpRequest request) {
    Reply reply;
    reply.response.headers = {{"X-Test", "yes"}};
    reply.response.body = request.method + " " + request.target + " [" + request.body + "]";
    co_return reply;
}

Server serve(Loop& loop, ServerOptions options = {}) {
    Handlers handlers;
    handlers.request = mirror;
    return test::listen(loop, std::move(handlers), std::move(options));
}

/// All that the server says to `bytes` until it closes; asks it to close when `bytes` does not.
Task<std::string> say(std::uint16_t port, std::string bytes) {
    tcp::socket socket = co_await test::dial(port);
    co_await test::put(socket, std::move(bytes));
    co_return co_await test::get_all(socket);
}

std::string status_of(const std::string& answer) {
    return answer.starts_with("HTTP/1.1 ") ? answer.substr(9, 3) : "none";
}

std::string body_of(const std::string& answer) {
    const std::size_t end = answer.find("\r\n\r\n");
    return end == std::string::npos ? "no head" : answer.substr(end + 4);
}

TEST(Server, AnswersWhatIsAsked) {
    on_loop([](Loop& loop) -> Task<> {
        Server server = serve(loop);
        const std::string end = "Host: x\r\nConnection: close\r\n";
        std::string got = co_await say(server.port(), "GET /a?b HTTP/1.1\r\n" + end + "\r\n");
        EXPECT_EQ(status_of(got), "200");
        EXPECT_EQ(body_of(got), "GET /a?b []");
        EXPECT_NE(got.find("X-Test: yes\r\n"), std::string::npos);
        const std::size_t date = got.find("\r\nDate: ");
        EXPECT_NE(date, std::string::npos) << got;
        EXPECT_TRUE(parse_http_date(got.substr(date + 8, 29))) << got;
        got = co_await say(server.port(), "POST / HTTP/1.1\r\n" + end + "Content-Length: 3\r\n\r\nabc");
        EXPECT_EQ(body_of(got), "POST / [abc]");
        got = co_await say(server.port(),
                           "PUT / HTTP/1.1\r\n" + end +
                               "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\nT: x\r\n\r\n");
        EXPECT_EQ(body_of(got), "PUT / [abc]");
        got = co_await say(server.port(), "HEAD / HTTP/1.1\r\n" + end + "\r\n");
        EXPECT_EQ(status_of(got), "200");
        EXPECT_EQ(body_of(got), "");
        EXPECT_NE(got.find("Content-Length: 9\r\n"), std::string::npos) << got;
        got = co_await say(server.port(), "GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        EXPECT_EQ(body_of(got), "GET /old []") << "and closed, or this would never end";
    });
}

TEST(Server, KeepsAConnectionForManyRequestsInPiecesOrTogether) {
    on_loop([](Loop& loop) -> Task<> {
        Server server = serve(loop);
        tcp::socket socket = co_await test::dial(server.port());
        const std::string one = "POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab";
        for (const char byte : one) co_await test::put(socket, std::string(1, byte));
        std::string got = co_await test::get_until(socket, "[ab]");
        EXPECT_EQ(body_of(got), "POST /1 [ab]");
        co_await test::put(socket, one + "GET /2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        got = co_await test::get_all(socket);
        EXPECT_NE(got.find("POST /1 [ab]HTTP/1.1 200"), std::string::npos) << got;
        EXPECT_TRUE(got.ends_with("GET /2 []")) << got;
    });
}

TEST(Server, SaysContinueToWhoWaitsForIt) {
    on_loop([](Loop& loop) -> Task<> {
        Server server = serve(loop);
        tcp::socket socket = co_await test::dial(server.port());
        co_await test::put(socket,
                           "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\n"
                           "Content-Length: 2\r\n\r\n");
        const std::string go_on = co_await test::get_some(socket);
        EXPECT_EQ(go_on, "HTTP/1.1 100 Continue\r\n\r\n");
        co_await test::put(socket, "ab");
        const std::string got = co_await test::get_all(socket);
        EXPECT_EQ(body_of(got), "POST / [ab]");
    });
}

TEST(Server, WhatIsNoRequestIsRefusedAndTheConnectionEnds) {
    struct Case {
        std::string bytes, status;
    };
    const std::string host = " HTTP/1.1\r\nHost: x\r\n";
    const std::vector<Case> cases = {
        {"garbage\r\n\r\n", "400"},
        {"GET / HTTP/9.9\r\n\r\n", "400"},
        {std::string("\0\0\0\0\r\n\r\n", 8), "400"},
        {"GET /" + host + "no colon\r\n\r\n", "400"},
        {"GET /" + host + "A: b\r\nContent-Length: x\r\n\r\n", "400"},
        {"POST /" + host + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", "400"},
        {"POST /" + host + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", "400"},
        {"POST /" + host + "Content-Length: 99999999999999999999\r\n\r\n", "400"},
        {"POST /" + host + "Content-Length: 1001\r\n\r\n", "413"},
        {"POST /" + host + "Content-Length: 1001\r\n\r\n" + std::string(1'000'000, 'x'), "413"},
        {"POST /" + host + "Transfer-Encoding: chunked\r\n\r\n3e9\r\n" + std::string(1001, 'x') + "\r\n0\r\n\r\n",
         "413"},
        {"GET /" + std::string(17 << 10, 'a') + host + "\r\n", "431"},
        {"GET /" + host + "A: " + std::string(17 << 10, 'a'), "431"},
        {"GET /" + host + "Upgrade: websocket\r\nConnection: upgrade\r\n\r\n", "426"},
    };
    for (const Case& c : cases) {
        on_loop([&](Loop& loop) -> Task<> {
            ServerOptions options;
            options.max_body_bytes = 1000;
            Server server = serve(loop, std::move(options));
            const std::string got = co_await say(server.port(), c.bytes);
            EXPECT_EQ(status_of(got), c.status) << c.bytes.substr(0, 100);
            const std::string still = co_await say(server.port(), "GET /" + host + "Connection: close\r\n\r\n");
            EXPECT_EQ(status_of(still), "200");
        });
    }
}

TEST(Server, WebsocketHandshakesThatAreNone) {
    on_loop([](Loop& loop) -> Task<> {
        Handlers handlers;
        handlers.websocket = [](HttpRequest, std::unique_ptr<WebSocket>) -> Task<> {
            ADD_FAILURE() << "that was no handshake";
            co_return;
        };
        Server server = test::listen(loop, std::move(handlers));
        const std::string head = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n";
        const std::string key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        std::string got = co_await say(server.port(), head + "\r\n");
        EXPECT_EQ(status_of(got), "400") << got;
        got = co_await say(server.port(), head + key + "Sec-WebSocket-Version: 8\r\n\r\n");
        EXPECT_TRUE(status_of(got) == "400" || status_of(got) == "426") << got;
        got = co_await say(server.port(), head + key + "Sec-WebSocket-Version: 13\r\n\r\n\x81\x85too early");
        EXPECT_EQ(status_of(got), "400") << got;
        got = co_await say(server.port(), "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        EXPECT_EQ(status_of(got), "404") << got;
    });
}

TEST(Server, GarbageNeverEndsIt) {
    const unsigned seed = std::random_device()();
    SCOPED_TRACE(seed);
    const auto certificate = make_self_signed({"localhost"});
    ASSERT_TRUE(certificate.ok());
    for (const bool tls : {false, true}) {
        on_loop([&](Loop& loop) -> Task<> {
            ServerOptions options;
            if (tls) options.tls = *certificate;
            Server server = serve(loop, std::move(options));
            std::mt19937 random(seed);
            const std::string good =
                "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
            for (int round = 0; round < 300; ++round) {
                std::string bytes = good;
                for (auto changes = 1 + random() % 20; changes > 0; --changes) {
                    bytes[random() % bytes.size()] = static_cast<char>(random());
                }
                tcp::socket socket = co_await test::dial(server.port());
                co_await test::put(socket, bytes);
                boost::system::error_code ignored;
                socket.shutdown(tcp::socket::shutdown_send, ignored);
                co_await test::get_all(socket);
            }
            tcp::socket alive = co_await test::dial(server.port());
            EXPECT_TRUE(alive.is_open());
        });
    }
}

TEST(Server, WhoSaysNothingOrStopsIsCutOff) {
    const auto certificate = make_self_signed({"localhost"});
    ASSERT_TRUE(certificate.ok());
    on_loop([&](Loop& loop) -> Task<> {
        for (const bool tls : {false, true}) {
            ServerOptions options;
            options.idle_timeout = milliseconds(50);
            if (tls) options.tls = *certificate;
            Server server = serve(loop, std::move(options));
            for (const char* const begun : {"", "GET / HT", "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab"}) {
                const auto began = std::chrono::steady_clock::now();
                const std::string got = co_await say(server.port(), begun);
                EXPECT_TRUE(got.empty() || tls) << got;
                EXPECT_LT(std::chrono::steady_clock::now() - began, seconds(5));
            }
        }
    });
}

TEST(Server, MoreThanTheLimitHaveToWait) {
    on_loop([](Loop& loop) -> Task<> {
        ServerOptions options;
        options.max_connections = 2;
        Server server = serve(loop, std::move(options));
        const std::string ask = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        tcp::socket first = co_await test::dial(server.port());
        tcp::socket second = co_await test::dial(server.port());
        for (auto* socket : {&first, &second}) {
            co_await test::put(*socket, ask);
            const std::string got = co_await test::get_until(*socket, "[]");
            EXPECT_EQ(status_of(got), "200");
        }
        tcp::socket third = co_await test::dial(server.port());  // the kernel's queue takes it
        co_await test::put(third, ask);
        std::optional<std::string> answer;
        const auto wait = [](tcp::socket& socket, std::optional<std::string>& into) -> Task<> {
            into = co_await test::get_until(socket, "[]");
        };
        spawn(loop, wait(third, answer));
        co_await test::put(second, ask);
        const std::string served = co_await test::get_until(second, "[]");
        EXPECT_EQ(status_of(served), "200");
        EXPECT_FALSE(answer.has_value());
        first.close();
        const bool came = co_await test::eventually([&] { return answer.has_value(); });
        EXPECT_TRUE(came && status_of(*answer) == "200");
    });
}

TEST(Server, ATakenPortIsAnError) {
    Loop loop;
    Server server = serve(loop);
    ServerOptions same;
    same.port = server.port();
    const auto second = Server::listen(loop, same, {});
    ASSERT_FALSE(second.ok());
    EXPECT_NE(second.error().message.find(std::to_string(server.port())), std::string::npos) << second.error().message;
    ServerOptions nowhere;
    nowhere.address = "not an address";
    EXPECT_FALSE(Server::listen(loop, nowhere, {}).ok());
    ServerOptions bad;
    bad.tls = Certificate{"not", "pem"};
    EXPECT_FALSE(Server::listen(loop, bad, {}).ok());
    const auto one = make_self_signed({"localhost"});
    const auto other = make_self_signed({"localhost"});
    ASSERT_TRUE(one.ok() && other.ok());
    bad.tls = Certificate{one->certificate_pem, other->key_pem};
    EXPECT_FALSE(Server::listen(loop, bad, {}).ok());
}

TEST(Server, ItsEndDropsItsConnectionsAndAnswersNobody) {
    on_loop([](Loop& loop) -> Task<> {
        Signal asked(loop);
        Signal answer(loop);
        Handlers handlers;
        handlers.request = [&](HttpRequest) -> Task<Reply> {
            asked.set();
            co_await answer.wait();
            Reply reply;
            co_return reply;
        };
        std::optional<Server> server = test::listen(loop, std::move(handlers));
        tcp::socket idle = co_await test::dial(server->port());
        tcp::socket busy = co_await test::dial(server->port());
        co_await test::put(busy, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        co_await asked.wait();
        server.reset();
        const std::string nothing = co_await test::get_all(idle);
        EXPECT_EQ(nothing, "");
        answer.set();
        const std::string nobody = co_await test::get_all(busy);
        EXPECT_EQ(nobody, "");
    });
}

TEST(Server, AnAnswerCanNotAddHeadersOfItsOwn) {
    on_loop([](Loop& loop) -> Task<> {
        Handlers handlers;
        handlers.request = [](HttpRequest request) -> Task<Reply> {
            Reply reply;
            reply.response.headers = {{"Content-Length", "99"},
                                      {"X", request.target == "/split" ? "a\r\nEvil: 1" : "a"}};
            co_return reply;
        };
        Server server = test::listen(loop, std::move(handlers));
        for (const char* const target : {"/split", "/"}) {
            const std::string got = co_await say(
                server.port(), std::string("GET ") + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            EXPECT_EQ(status_of(got), "200");
            EXPECT_EQ(got.find("Evil"), std::string::npos) << got;
            EXPECT_EQ(got.find("99"), std::string::npos) << got;
            EXPECT_NE(got.find("Content-Length: 0\r\n"), std::string::npos) << got;
        }
    });
}

}  // namespace
}  // namespace lestapenna::net
