#include "net/http_client.h"

#include <cstdlib>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "testing.h"

namespace lestapenna::net {
namespace {

using test::on_loop;
using test::RawServer;
using test::tcp;

Server serve(Loop& loop, std::function<Reply(const HttpRequest&)> answer, ServerOptions options = {}) {
    Handlers handlers;
    handlers.request = [answer = std::move(answer)](HttpRequest request) -> Task<Reply> {
        Reply reply = answer(request);
        co_return reply;
    };
    return test::listen(loop, std::move(handlers), std::move(options));
}

HttpRequest request(std::uint16_t port, const std::string& method = "GET", const std::string& target = "/",
                    std::string body = "", const std::string& scheme = "http", const std::string& host = "127.0.0.1") {
    HttpRequest made;
    made.method = method;
    made.target = scheme + "://" + host + ":" + std::to_string(port) + target;
    made.body = std::move(body);
    return made;
}

bool holds(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

Task<std::string> why_not(HttpClient& client, HttpRequest wanted, nanoseconds timeout = seconds(20)) {
    const auto got = co_await client.send(std::move(wanted), timeout);
    EXPECT_FALSE(got.ok());
    co_return got.ok() ? "answered " + std::to_string(got->status) : got.error().message;
}

/// What the server saw.
Reply mirror(const HttpRequest& request) {
    Reply reply;
    reply.response.status = request.method == "DELETE" ? 204 : 200;
    for (const char* const name : {"Content-Type", "Expect", "Authorization", "X-Empty", "Accept-Encoding"}) {
        reply.response.headers.emplace_back("Seen-" + std::string(name), request.headers.find(name).value_or("none"));
    }
    reply.response.body = request.method + " " + request.target + "\n" + request.body;
    return reply;
}

TEST(HttpClient, EveryMethodArrivesAsItWasMeant) {
    on_loop([](Loop& loop) -> Task<> {
        Server server = serve(loop, mirror);
        HttpClient client(loop, {});
        for (const char* const verb : {"GET", "POST", "PUT", "PATCH", "DELETE"}) {
            const std::string method = verb;
            for (const std::string& body : {std::string(), std::string("a\0b", 3), std::string(3'000'000, 'z')}) {
                HttpRequest sent = request(server.port(), method, "/a/../b?x=%20", body);
                sent.headers = {{"Authorization", "Bot x"}, {"X-Empty", ""}};
                auto got = co_await client.send(std::move(sent), seconds(20));
                EXPECT_TRUE(got.ok()) << got.error().message;
                if (!got) co_return;
                EXPECT_EQ(got->status, method == "DELETE" ? 204 : 200);
                EXPECT_EQ(got->body, method == "DELETE" ? "" : method + " /a/../b?x=%20\n" + body);
                EXPECT_EQ(got->headers.find("seen-content-type"), "none");
                EXPECT_EQ(got->headers.find("SEEN-EXPECT"), "none");
                EXPECT_EQ(got->headers.find("seen-authorization"), "Bot x");
                EXPECT_EQ(got->headers.find("seen-x-empty"), "");
            }
        }
        HttpRequest head = request(server.port(), "HEAD");
        auto got = co_await client.send(std::move(head), seconds(20));
        EXPECT_TRUE(got.ok() && got->status == 200 && got->body.empty());
    });
}

TEST(HttpClient, AnyStatusIsAnAnswerAndRedirectsAreNotFollowed) {
    on_loop([](Loop& loop) -> Task<> {
        Server server = serve(loop, [](const HttpRequest& asked) {
            Reply reply;
            reply.response.status = std::stoi(asked.target.substr(1));
            reply.response.headers = {{"Location", "/200"}, {"Retry-After", "1.5"}, {"X", "a:b"}, {"X", "second"}};
            reply.response.body = "body";
            return reply;
        });
        HttpClient client(loop, {});
        for (const int status : {200, 201, 204, 301, 302, 304, 307, 400, 401, 403, 404, 405, 429, 500, 502, 503, 599}) {
            HttpRequest wanted = request(server.port(), "GET", "/" + std::to_string(status));
            const auto got = co_await client.send(std::move(wanted), seconds(20));
            EXPECT_TRUE(got.ok()) << got.error().message;
            if (!got) continue;
            EXPECT_EQ(got->status, status);
            EXPECT_EQ(got->body, status == 204 || status == 304 ? "" : "body");
            EXPECT_EQ(got->headers.find("retry-after"), "1.5");
            EXPECT_EQ(got->headers.find("x"), "a:b");
        }
    });
}

TEST(HttpClient, WhatIsNoWholeAnswerIsAnError) {
    on_loop([](Loop& loop) -> Task<> {
        Server server = serve(loop, [](const HttpRequest& asked) {
            Reply reply;
            reply.response.body = std::string(100'000, 'x');
            reply.delivery = asked.target == "/half" ? Delivery::half : Delivery::reset;
            return reply;
        });
        HttpClient client(loop, {});
        for (const char* const target : {"/half", "/reset", "/half"}) {
            const std::string why = co_await why_not(client, request(server.port(), "GET", target));
            EXPECT_TRUE(holds(why, "no answer from 127.0.0.1")) << why;
        }
        const std::vector<std::string> answers = {
            "",
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "SSH-2.0-OpenSSH_9.2\r\n",
            std::string("\0\x01\x02\xff", 4),
            "HTTP/1.1 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\n" + std::string(1'000'000, 'h'),
        };
        for (const std::string& answer : answers) {
            RawServer raw(loop, [&answer](tcp::socket socket) -> Task<> {
                co_await test::get_until(socket, "\r\n\r\n");
                co_await test::put(socket, answer);
            });
            const std::string why = co_await why_not(client, request(raw.port()));
            EXPECT_TRUE(holds(why, "127.0.0.1")) << why;
        }
        std::string headers = "HTTP/1.1 200 OK\r\n";
        for (int i = 0; i < 10'000; ++i) headers += "X-Header: " + std::string(90, 'h') + "\r\n";
        RawServer raw(loop, [&headers](tcp::socket socket) -> Task<> {
            co_await test::get_until(socket, "\r\n\r\n");
            co_await test::put(socket, headers);
        });
        const std::string why = co_await why_not(client, request(raw.port()));
        EXPECT_TRUE(holds(why, "127.0.0.1")) << why;
    });
}

TEST(HttpClient, ARequestIsNeverSentTwice) {
    on_loop([](Loop& loop) -> Task<> {
        int seen = 0;
        Server server = serve(loop, [&seen](const HttpRequest& asked) {
            ++seen;
            Reply reply;
            if (asked.target == "/reset") reply.delivery = Delivery::reset;
            return reply;
        });
        HttpClient client(loop, {});
        for (const char* const method : {"GET", "POST"}) {
            HttpRequest first = request(server.port(), method);  // its connection is used again
            const auto got = co_await client.send(std::move(first), seconds(20));
            EXPECT_TRUE(got.ok());
            seen = 0;
            const std::string why = co_await why_not(client, request(server.port(), method, "/reset"));
            EXPECT_TRUE(holds(why, "ended before an answer")) << why;
            EXPECT_EQ(seen, 1);
        }
    });
}

TEST(HttpClient, ABodyOfTheLimitFitsAndOneByteMoreDoesNot) {
    on_loop([](Loop& loop) -> Task<> {
        Server server = serve(loop, [](const HttpRequest& asked) {
            Reply reply;
            reply.response.body = std::string(std::stoul(asked.target.substr(1)), 'x');
            return reply;
        });
        HttpClientOptions options;
        options.max_body_bytes = 100'000;
        HttpClient client(loop, std::move(options));
        HttpRequest fits = request(server.port(), "GET", "/100000");
        const auto got = co_await client.send(std::move(fits), seconds(20));
        EXPECT_TRUE(got.ok() && got->body.size() == 100'000);
        const std::string why = co_await why_not(client, request(server.port(), "GET", "/100001"));
        EXPECT_TRUE(holds(why, "100000 bytes")) << why;
    });
}

TEST(HttpClient, EndsInTimeWhateverTheOtherEndDoes) {
    on_loop([](Loop& loop) -> Task<> {
        RawServer silent(loop, test::silent);
        RawServer slow(loop, [](tcp::socket socket) -> Task<> {
            co_await test::put(socket, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
            for (bool there = true; there;) {
                there = co_await test::put(socket, "x");
                co_await sleep_for(milliseconds(5));
            }
        });
        HttpClientOptions options;
        options.max_connections_per_host = 1;
        HttpClient client(loop, std::move(options));
        for (const auto port : {silent.port(), slow.port()}) {
            for (const char* const scheme : {"http", "https"}) {
                const auto began = std::chrono::steady_clock::now();
                HttpRequest wanted = request(port, "GET", "/", "", scheme);
                const std::string why = co_await why_not(client, std::move(wanted), milliseconds(100));
                EXPECT_TRUE(holds(why, "127.0.0.1")) << why;
                EXPECT_LT(std::chrono::steady_clock::now() - began, seconds(10));
            }
        }
        // Waiting for a free connection counts too.
        int ended = 0;
        const auto wait = [](HttpClient& with, std::uint16_t port, int& count) -> Task<> {
            co_await why_not(with, request(port), milliseconds(100));
            ++count;
        };
        const auto began = std::chrono::steady_clock::now();
        for (int i = 0; i < 50; ++i) spawn(loop, wait(client, silent.port(), ended));
        const bool all = co_await test::eventually([&] { return ended == 50; });
        EXPECT_TRUE(all) << ended;
        EXPECT_LT(std::chrono::steady_clock::now() - began, milliseconds(2'500))
            << "50 times 100 ms one after the other";
    });
}

TEST(HttpClient, BelievesOnlyWhomItTrusts) {
    const auto ours = make_self_signed({"127.0.0.1", "localhost"});
    const auto other = make_self_signed({"127.0.0.1", "localhost"});
    const auto elsewhere = make_self_signed({"example.org"});
    ASSERT_TRUE(ours.ok() && other.ok() && elsewhere.ok());
    struct Case {
        const Certificate& server;
        std::string trusted, host;
        bool believed;
    };
    const std::vector<Case> cases = {
        {*ours, ours->certificate_pem, "127.0.0.1", true},
        {*ours, other->certificate_pem + ours->certificate_pem, "localhost", true},
        {*ours, "", "127.0.0.1", false},
        {*ours, other->certificate_pem, "localhost", false},
        {*elsewhere, elsewhere->certificate_pem, "localhost", false},
        {*ours, "no certificate", "localhost", false},
    };
    for (const Case& c : cases) {
        on_loop([&](Loop& loop) -> Task<> {
            ServerOptions options;
            options.tls = c.server;
            Server server = serve(loop, mirror, std::move(options));
            HttpClientOptions trusting;
            trusting.trust.extra_ca_pem = c.trusted;
            HttpClient client(loop, std::move(trusting));
            HttpRequest wanted = request(server.port(), "GET", "/", "", "https", c.host);
            const auto got = co_await client.send(std::move(wanted), seconds(20));
            EXPECT_EQ(got.ok(), c.believed) << (got.ok() ? "" : got.error().message);
            if (!got) {
                EXPECT_TRUE(holds(got.error().message, "certificate")) << got.error().message;
            }
            HttpRequest clear = request(server.port());
            const auto none = co_await client.send(std::move(clear), seconds(20));
            EXPECT_FALSE(none.ok());
        });
    }
}

TEST(HttpClient, WhatItCanNotSendIsAnErrorAtOnce) {
    on_loop([](Loop& loop) -> Task<> {
        HttpClient client(loop, {});
        HttpRequest split = request(1);
        split.headers = {{"Authorization", "Bot secret\r\nEvil: 1"}};
        const std::string header = co_await why_not(client, std::move(split));
        EXPECT_TRUE(holds(header, "header") && !holds(header, "secret")) << header;
        HttpRequest verb = request(1, "GET / HTTP/1.1\r\nEvil: 1\r\n");
        co_await why_not(client, std::move(verb));
        for (const char* const target : {"", "/relative", "file:///etc/passwd", "ws://127.0.0.1/", "http://a b/"}) {
            HttpRequest wanted;
            wanted.method = "GET";
            wanted.target = target;
            co_await why_not(client, std::move(wanted));
        }
        const std::string refused = co_await why_not(client, request(1));
        EXPECT_TRUE(holds(refused, "127.0.0.1")) << refused;
        const std::string unknown =
            co_await why_not(client, request(80, "GET", "/token", "", "http", "no-such-host.invalid"));
        EXPECT_TRUE(holds(unknown, "no-such-host.invalid") && !holds(unknown, "token")) << unknown;
    });
}

TEST(HttpClient, ManyAtOnceEachItsOwnAnswer) {
    on_loop([](Loop& loop) -> Task<> {
        constexpr int kMany = 500;
        Server server = serve(loop, mirror);
        HttpClient client(loop, {});
        int done = 0;
        const auto ask = [](HttpClient& with, std::uint16_t port, int number, int& count) -> Task<> {
            const std::string body = "number " + std::to_string(number);
            HttpRequest wanted = request(port, "POST", "/", body);
            const auto got = co_await with.send(std::move(wanted), seconds(30));
            EXPECT_TRUE(got.ok() && got->body == "POST /\n" + body);
            ++count;
        };
        for (int i = 0; i < kMany; ++i) spawn(loop, ask(client, server.port(), i, done));
        const bool all = co_await test::eventually([&] { return done == kMany; });
        EXPECT_TRUE(all) << done;
    });
}

TEST(HttpClient, ItsEndIsAnAnswerForWhoWaits) {
    on_loop([](Loop& loop) -> Task<> {
        RawServer silent(loop, test::silent);
        auto client = std::make_unique<HttpClient>(loop, HttpClientOptions{});
        int ended = 0;
        const auto wait = [](HttpClient& with, HttpRequest wanted, int& count) -> Task<> {
            const std::string why = co_await why_not(with, std::move(wanted), seconds(60));
            EXPECT_TRUE(holds(why, "closed")) << why;
            ++count;
        };
        for (int i = 0; i < 20; ++i) spawn(loop, wait(*client, request(silent.port()), ended));
        HttpRequest late = request(silent.port());
        auto not_begun = client->send(std::move(late), seconds(60));
        co_await sleep_for(milliseconds(20));
        client.reset();
        const bool all = co_await test::eventually([&] { return ended == 20; });
        EXPECT_TRUE(all) << ended;
        const auto none = co_await std::move(not_begun);
        EXPECT_FALSE(none.ok());
    });
}

TEST(HttpClient, AProxyOfTheEnvironmentIsNotAskedForLoopback) {
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    on_loop([](Loop& loop) -> Task<> {
        Server server = serve(loop, mirror);
        HttpClient client(loop, {});
        HttpRequest wanted = request(server.port());
        const auto got = co_await client.send(std::move(wanted), seconds(20));
        EXPECT_TRUE(got.ok()) << got.error().message;
        const std::string other = co_await why_not(client, request(80, "GET", "/", "", "http", "no-such-host.invalid"));
        EXPECT_TRUE(holds(other, "127.0.0.1 port 1")) << other;
    });
    unsetenv("http_proxy");
}

}  // namespace
}  // namespace lestapenna::net
