#include "net/websocket.h"

#include <algorithm>
#include <memory>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "testing.h"

namespace lestapenna::net {
namespace {

using test::eventually;
using test::on_loop;
using Socket = std::unique_ptr<WebSocket>;
using OnSocket = std::function<Task<>(HttpRequest, Socket)>;

/// Says everything again.
Task<> echo(HttpRequest, Socket socket) {
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

Server serve(Loop& loop, OnSocket handler, std::optional<Certificate> tls = std::nullopt) {
    ServerOptions options;
    options.tls = std::move(tls);
    Handlers handlers;
    handlers.websocket = std::move(handler);
    return test::listen(loop, std::move(handlers), std::move(options));
}

ConnectOptions to(std::uint16_t port, const std::string& scheme = "ws", const std::string& host = "127.0.0.1") {
    ConnectOptions options;
    options.url = scheme + "://" + host + ":" + std::to_string(port) + "/?v=10";
    return options;
}

/// Null, and the test failed, when there is no connection.
Task<Socket> dial(std::uint16_t port) {
    auto connected = co_await connect(to(port));
    if (!connected) ADD_FAILURE() << connected.error().message;
    co_return connected ? std::move(*connected) : nullptr;
}

Closed closed_of(const Incoming& incoming) {
    const auto* closed = std::get_if<Closed>(&incoming);
    EXPECT_TRUE(closed) << "a message where the end should be";
    return closed ? *closed : Closed{9999, "no end"};
}

Task<> read_into(Task<Incoming> read, std::optional<Incoming>& into) {
    into = co_await std::move(read);
}

/// The server's end and the client's of one connection, for scenarios that need both in hand.
struct Pair {
    explicit Pair(Loop& loop) : arrived(loop) {}
    Signal arrived;
    std::optional<Server> server;
    HttpRequest request;
    Socket there;
    Socket here;
};
Task<std::shared_ptr<Pair>> pair(Loop& loop) {
    auto made = std::make_shared<Pair>(loop);
    std::weak_ptr<Pair> weak = made;
    const auto keep = [](std::weak_ptr<Pair> into, HttpRequest request, Socket socket) -> Task<> {
        if (const auto both = into.lock()) {
            both->request = std::move(request);
            both->there = std::move(socket);
            both->arrived.set();
        }
        co_return;
    };
    made->server = serve(loop, [weak, keep](HttpRequest request, Socket socket) {
        return keep(weak, std::move(request), std::move(socket));
    });
    made->here = co_await dial(made->server->port());
    co_await made->arrived.wait();
    co_return made;
}

TEST(WebSocket, SaysTheSameAgainInTheClearAndUnderTls) {
    const auto certificate = make_self_signed({"127.0.0.1", "localhost"});
    ASSERT_TRUE(certificate.ok());
    for (const std::string scheme : {"ws", "wss"}) {
        on_loop([&](Loop& loop) -> Task<> {
            Server server = serve(loop, echo, scheme == "wss" ? std::optional(*certificate) : std::nullopt);
            ConnectOptions options = to(server.port(), scheme);
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
            EXPECT_EQ(closed_of(end).code, 1000);
        });
    }
}

constexpr int kCount = 2'000;

/// `seen` is how many the other end has read: at most 50 are under way, 3.5 MB.
Task<> send_many(WebSocket& socket, unsigned seed, const int& seen) {
    std::mt19937 random(seed);
    for (int i = 0; i < kCount; ++i) {
        const std::size_t size = random() % 5 ? random() % 300 : random() % 70'000;
        std::string message = std::to_string(i) + " " + std::string(size, 'x');
        if (i % 2) {
            socket.send_binary(std::move(message));
        } else {
            socket.send(std::move(message));
        }
        const bool room = co_await eventually([&] { return i - seen < 50; });
        if (!room) co_return;
    }
}

Task<> expect_many(WebSocket& socket, int& seen) {
    for (; seen < kCount; ++seen) {
        const Incoming got = co_await socket.read();
        const auto* message = std::get_if<Message>(&got);
        const std::string number = std::to_string(seen) + " ";
        EXPECT_TRUE(message && message->binary == (seen % 2 == 1) && message->bytes.starts_with(number)) << seen;
        if (!message) co_return;
    }
}

TEST(WebSocket, MessagesArriveOnceAndInOrderBothWaysAtOnce) {
    const unsigned seed = std::random_device()();
    SCOPED_TRACE(seed);
    on_loop([&](Loop& loop) -> Task<> {
        const auto both = co_await pair(loop);
        int here = 0;
        int there = 0;
        spawn(loop, send_many(*both->here, seed, there));
        spawn(loop, send_many(*both->there, seed + 1, here));
        spawn(loop, expect_many(*both->here, here));
        spawn(loop, expect_many(*both->there, there));
        const bool all = co_await eventually([&] { return here == kCount && there == kCount; });
        EXPECT_TRUE(all) << here << " " << there;
    });
}

TEST(WebSocket, CloseCodesAndReasonsBothWays) {
    struct Case {
        std::uint16_t sent;
        std::string reason;
        std::uint16_t got;
        std::string words;
        std::uint16_t answer = 0;  ///< 0: the same again
    };
    const std::string long_reason = std::string(122, 'r') + "ä and more";
    const std::vector<Case> cases = {{1000, "", 1000, ""},
                                     {1001, "going away", 1001, "going away"},
                                     {1012, "", 1012, ""},
                                     {3000, "x", 3000, "x"},
                                     {4000, "unknown error", 4000, "unknown error"},
                                     {4004, "Authentication failed.", 4004, "Authentication failed."},
                                     {4014, "Disallowed intent(s).", 4014, "Disallowed intent(s)."},
                                     {4999, long_reason, 4999, std::string(122, 'r')},
                                     {1005, "", 1005, "", 1000}};
    for (const Case& c : cases) {
        for (const bool client_closes : {false, true}) {
            on_loop([&](Loop& loop) -> Task<> {
                const auto both = co_await pair(loop);
                auto& closer = client_closes ? *both->here : *both->there;
                auto& other = client_closes ? *both->there : *both->here;
                closer.send("last words");
                closer.close(c.sent, c.reason);
                closer.send("too late");
                const Incoming message = co_await other.read();
                EXPECT_TRUE(std::holds_alternative<Message>(message));
                for (int again = 0; again < 3; ++again) {
                    const Incoming end = co_await other.read();
                    EXPECT_EQ(closed_of(end).code, c.got);
                    EXPECT_EQ(closed_of(end).reason, c.words);
                }
                const Incoming answer = co_await closer.read();
                EXPECT_EQ(closed_of(answer).code, c.answer ? c.answer : c.got);
            });
        }
    }
}

TEST(WebSocket, WhoReadsWhileClosingHearsTheAnswer) {
    for (const bool both_close : {false, true}) {
        on_loop([&](Loop& loop) -> Task<> {
            const auto both = co_await pair(loop);
            std::optional<Incoming> here;
            std::optional<Incoming> there;
            spawn(loop, read_into(both->here->read(), here));
            spawn(loop, read_into(both->there->read(), there));
            co_await sleep_for(milliseconds(1));  // both read now
            both->here->close(4001, "one");
            if (both_close) both->there->close(4002, "two");
            const bool ended = co_await eventually([&] { return here && there; });
            EXPECT_TRUE(ended);
            if (!ended) co_return;
            EXPECT_EQ(closed_of(*there).code, 4001);
            EXPECT_EQ(closed_of(*here).code, both_close ? 4002 : 4001);
        });
    }
}

TEST(WebSocket, ClosingGoesOnWhenItsHolderIsGone) {
    on_loop([](Loop& loop) -> Task<> {
        const auto both = co_await pair(loop);
        both->here->send(std::string(1 << 20, 'm'));
        both->here->close(4001, "bye");
        both->here.reset();
        const Incoming message = co_await both->there->read();
        EXPECT_TRUE(std::holds_alternative<Message>(message));
        const Incoming end = co_await both->there->read();
        EXPECT_EQ(closed_of(end).code, 4001);
        EXPECT_EQ(closed_of(end).reason, "bye");
    });
}

TEST(WebSocket, DropIsACutCable) {
    for (const bool destroy : {false, true}) {
        on_loop([&](Loop& loop) -> Task<> {
            const auto both = co_await pair(loop);
            if (destroy) {
                both->there.reset();
            } else {
                both->there->drop();
                both->there->send("into the void");
                const Incoming own = co_await both->there->read();
                EXPECT_EQ(closed_of(own).code, 0);
            }
            for (int again = 0; again < 2; ++again) {
                const Incoming end = co_await both->here->read();
                EXPECT_EQ(closed_of(end).code, 0);
                EXPECT_FALSE(closed_of(end).reason.empty());
            }
        });
    }
}

TEST(WebSocket, MayBeDestroyedWhileBeingRead) {
    on_loop([](Loop& loop) -> Task<> {
        const auto both = co_await pair(loop);
        std::optional<Incoming> under_way;
        spawn(loop, read_into(both->here->read(), under_way));
        co_await sleep_for(milliseconds(1));  // it reads now
        Task<Incoming> not_begun = both->here->read();
        both->here.reset();
        const bool ended = co_await eventually([&] { return under_way.has_value(); });
        EXPECT_TRUE(ended);
        if (under_way) {
            EXPECT_EQ(closed_of(*under_way).code, 0);
        }
        const Incoming late = co_await std::move(not_begun);
        EXPECT_EQ(closed_of(late).code, 0);
    });
}

TEST(WebSocket, ALoopMayGoWhileItIsBeingRead) {
    auto loop = std::make_unique<Loop>();
    std::shared_ptr<Pair> both;
    std::optional<Incoming> under_way;
    const auto scenario = [](Loop& on, std::shared_ptr<Pair>& into, std::optional<Incoming>& read) -> Task<> {
        into = co_await pair(on);
        into->here->send("hello");
        spawn(on, read_into(into->here->read(), read));
    };
    spawn(*loop, scenario(*loop, both, under_way));
    while (!both) loop->run_one_for(std::chrono::seconds(10));
    loop->poll();
    both.reset();
    loop.reset();
    EXPECT_FALSE(under_way.has_value());
}

TEST(WebSocket, CloseIsBoundedWhenNobodyAnswers) {
    on_loop([](Loop& loop) -> Task<> {
        const auto both = co_await pair(loop);
        std::optional<Incoming> end;
        spawn(loop, read_into(both->here->read(), end));
        const auto began = std::chrono::steady_clock::now();
        both->here->close(1000, "");  // the other end lives and does not read
        const bool ended = co_await eventually([&] { return end.has_value(); });
        EXPECT_TRUE(ended);
        const auto took = std::chrono::steady_clock::now() - began;
        EXPECT_GE(took, milliseconds(1'900));
        EXPECT_LT(took, seconds(10));
        if (end) {
            EXPECT_EQ(closed_of(*end).code, 0);
        }
        const Incoming again = co_await both->there->read();
        EXPECT_TRUE(std::holds_alternative<Closed>(again));
    });
}

TEST(WebSocket, FourMegabytesQueuedEndIt) {
    on_loop([](Loop& loop) -> Task<> {
        const auto both = co_await pair(loop);
        // Nobody reads there. What the kernel takes (here up to 6 MB) is not queued.
        const std::string piece(256u << 10, 'q');
        for (int i = 0; i < 200; ++i) {
            both->here->send(piece);
            co_await sleep_for(nanoseconds(0));
        }
        const Incoming end = co_await both->here->read();
        EXPECT_EQ(closed_of(end).code, 0);
        EXPECT_NE(closed_of(end).reason.find("4 MB"), std::string::npos) << closed_of(end).reason;
    });
}

TEST(WebSocket, TextThatIsNoUtf8EndsWith1007) {
    for (const std::string bad : {"\xff", "caf\xe9", "\xed\xa0\x80", "\xf4\x90\x80\x80", "abc\xc3"}) {
        on_loop([&](Loop& loop) -> Task<> {
            const auto both = co_await pair(loop);
            both->here->send_binary(bad);
            both->here->send(bad);
            const Incoming fine = co_await both->there->read();
            EXPECT_TRUE(std::holds_alternative<Message>(fine)) << "bytes may be anything";
            const Incoming end = co_await both->there->read();
            EXPECT_EQ(closed_of(end).code, 0);
            const Incoming told = co_await both->here->read();
            EXPECT_EQ(closed_of(told).code, 1007);
        });
    }
}

TEST(WebSocket, AMessageAboveTheLimitEndsWith1009) {
    on_loop([](Loop& loop) -> Task<> {
        std::optional<Closed> told;
        const auto talk = [&told](HttpRequest, Socket socket) -> Task<> {
            socket->send(std::string(1000, 'a'));
            socket->send(std::string(1001, 'b'));
            const Incoming end = co_await socket->read();
            told = closed_of(end);
        };
        Server server = serve(loop, talk);
        ConnectOptions options = to(server.port());
        options.max_message_bytes = 1000;
        auto socket = co_await connect(std::move(options));
        EXPECT_TRUE(socket.ok());
        if (!socket) co_return;
        const Incoming fits = co_await (*socket)->read();
        EXPECT_TRUE(std::holds_alternative<Message>(fits));
        const Incoming end = co_await (*socket)->read();
        EXPECT_EQ(closed_of(end).code, 0);
        const bool heard = co_await eventually([&] { return told.has_value(); });
        EXPECT_TRUE(heard && told->code == 1009);
    });
}

TEST(WebSocket, TheServerSeesWhatWasAskedFor) {
    on_loop([](Loop& loop) -> Task<> {
        std::optional<HttpRequest> seen;
        Server server = serve(loop, [&seen](HttpRequest request, Socket) -> Task<> {
            seen = std::move(request);
            co_return;
        });
        ConnectOptions options = to(server.port());
        options.headers = {{"User-Agent", "Lestapenna"}, {"Authorization", "x"}};
        auto socket = co_await connect(std::move(options));
        EXPECT_TRUE(socket.ok());
        const bool asked = co_await eventually([&] { return seen.has_value(); });
        EXPECT_TRUE(asked);
        if (!seen) co_return;
        EXPECT_EQ(seen->method, "GET");
        EXPECT_EQ(seen->target, "/?v=10");
        EXPECT_EQ(seen->headers.find("user-agent"), "Lestapenna");
        EXPECT_EQ(seen->headers.find("authorization"), "x");
        EXPECT_EQ(seen->headers.find("host"), "127.0.0.1:" + std::to_string(server.port()));
        EXPECT_EQ(seen->headers.find("sec-websocket-extensions"), std::nullopt);
    });
}

TEST(WebSocket, ManyAtOnce) {
    on_loop([](Loop& loop) -> Task<> {
        constexpr int kMany = 300;
        Server server = serve(loop, echo);
        int done = 0;
        const auto visit = [](std::uint16_t port, int number, int& finished) -> Task<> {
            const Socket socket = co_await dial(port);
            if (!socket) co_return;
            for (int i = 0; i < 10; ++i) {
                const std::string sent = std::to_string(number) + "." + std::to_string(i);
                socket->send(sent);
                const Incoming got = co_await socket->read();
                const auto* message = std::get_if<Message>(&got);
                EXPECT_TRUE(message && message->bytes == sent);
            }
            ++finished;
        };
        for (int i = 0; i < kMany; ++i) spawn(loop, visit(server.port(), i, done));
        const bool all = co_await eventually([&] { return done == kMany; });
        EXPECT_TRUE(all) << done;
    });
}

TEST(WebSocket, OutlivesItsServer) {
    on_loop([](Loop& loop) -> Task<> {
        const auto both = co_await pair(loop);
        both->server.reset();
        both->there->send("still here");
        const Incoming got = co_await both->here->read();
        EXPECT_TRUE(std::holds_alternative<Message>(got));
        const auto refused = co_await connect(to(1));
        EXPECT_FALSE(refused.ok());
    });
}

}  // namespace
}  // namespace lestapenna::net
