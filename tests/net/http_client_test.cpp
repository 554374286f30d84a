#include "net/http_client.h"

#include <memory>
#include <string>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>

#include "net/await.h"
#include "net/server.h"
#include "testing.h"

namespace lestapenna::net {
namespace {

using test::on_loop;

using Answer = std::function<Reply(const HttpRequest&)>;

Server serve(Loop& loop, Answer answer, ServerOptions options = {}) {
    Handlers handlers;
    handlers.request = [answer = std::move(answer)](HttpRequest request) -> Task<Reply> {
        // The closure is the server's; the request is ours.
        Reply reply = answer(request);
        co_return reply;
    };
    auto server = Server::listen(loop, std::move(options), std::move(handlers));
    EXPECT_TRUE(server.ok()) << server.error().message;
    return std::move(*server);
}

HttpRequest request(std::uint16_t port, const std::string& method = "GET", const std::string& target = "/",
                    std::string body = "", const std::string& scheme = "http", const std::string& host = "127.0.0.1") {
    HttpRequest made;
    made.method = method;
    made.target = scheme + "://" + host + ":" + std::to_string(port) + target;
    made.body = std::move(body);
    return made;
}

/// What the server saw, as the body.
Reply mirror(const HttpRequest& request) {
    Reply reply;
    reply.response.status = request.method == "DELETE" ? 204 : 200;
    reply.response.headers = {{"X-Type", std::string(request.headers.find("content-type").value_or("none"))},
                              {"X-Expect", std::string(request.headers.find("expect").value_or("none"))},
                              {"X-Secret", std::string(request.headers.find("authorization").value_or("none"))}};
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
                EXPECT_EQ(got->headers.find("x-type"), "none");
                EXPECT_EQ(got->headers.find("X-EXPECT"), "none");
                EXPECT_EQ(got->headers.find("x-secret"), "Bot x");
            }
        }
        HttpRequest head = request(server.port(), "HEAD");
        auto got = co_await client.send(std::move(head), seconds(20));
        EXPECT_TRUE(got.ok() && got->status == 200 && got->body.empty());
    });
}

}  // namespace
}  // namespace lestapenna::net
