#include "net/websocket.h"

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "net/server.h"
#include "testing.h"

namespace lestapenna::net {
namespace {

using test::on_loop;

/// Says everything again.
Task<> echo(HttpRequest, std::unique_ptr<WebSocket> socket) {
    for (;;) {
        Incoming next = co_await socket->read();
        auto* message = std::get_if<Message>(&next);
        if (!message) co_return;
        if (message->binary) {
            socket->send_binary(std::move(message->bytes));
        } else {
            socket->send(std::move(message->bytes));
        }
    }
}

Server serve(Loop& loop, std::function<Task<>(HttpRequest, std::unique_ptr<WebSocket>)> handler,
             std::optional<Certificate> tls = std::nullopt) {
    ServerOptions options;
    options.tls = std::move(tls);
    Handlers handlers;
    handlers.websocket = std::move(handler);
    auto server = Server::listen(loop, std::move(options), std::move(handlers));
    EXPECT_TRUE(server.ok()) << server.error().message;
    return std::move(*server);
}

ConnectOptions to(const Server& server, const std::string& scheme = "ws") {
    ConnectOptions options;
    options.url = scheme + "://127.0.0.1:" + std::to_string(server.port()) + "/?v=10";
    return options;
}

TEST(WebSocket, SaysTheSameAgainInTheClearAndUnderTls) {
    auto certificate = make_self_signed({"127.0.0.1", "localhost"});
    ASSERT_TRUE(certificate.ok());
    for (const bool tls : {false, true}) {
        on_loop([&](Loop& loop) -> Task<> {
            Server server = serve(loop, echo, tls ? std::optional(*certificate) : std::nullopt);
            ConnectOptions options = to(server, tls ? "wss" : "ws");
            options.trust.extra_ca_pem = certificate->certificate_pem;
            auto connected = co_await connect(std::move(options));
            EXPECT_TRUE(connected.ok()) << connected.error().message;
            if (!connected) co_return;
            auto& socket = **connected;
            for (const std::size_t size : {0u, 1u, 125u, 126u, 65'535u, 65'536u, 1u << 20}) {
                for (const bool binary : {false, true}) {
                    const std::string sent(size, 'x');
                    if (binary) {
                        socket.send_binary(sent);
                    } else {
                        socket.send(sent);
                    }
                    const Incoming got = co_await socket.read();
                    const auto* message = std::get_if<Message>(&got);
                    EXPECT_TRUE(message && message->binary == binary && message->bytes == sent) << size;
                    if (!message) co_return;
                }
            }
            socket.close(1000, "done");
            const Incoming end = co_await socket.read();
            EXPECT_TRUE(std::holds_alternative<Closed>(end) && std::get<Closed>(end).code == 1000);
        });
    }
}

}  // namespace
}  // namespace lestapenna::net
