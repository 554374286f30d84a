// What a websocket does when the other end is not what it should be: by hand, byte for byte.
#include <random>
#include <string>

#include <gtest/gtest.h>
#include <poll.h>

#include "net/websocket.h"
#include "testing.h"

namespace lestapenna::net {
namespace {

using test::on_loop;
using test::RawServer;
using test::tcp;
using Socket = std::unique_ptr<WebSocket>;

ConnectOptions to(std::uint16_t port, const std::string& scheme = "ws", const std::string& host = "127.0.0.1") {
    ConnectOptions options;
    options.url = scheme + "://" + host + ":" + std::to_string(port) + "/";
    return options;
}

Task<std::string> why_not(ConnectOptions options) {
    const auto connected = co_await connect(std::move(options));
    EXPECT_FALSE(connected.ok());
    co_return connected.ok() ? "connected" : connected.error().message;
}

bool holds(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

TEST(Connect, SaysWhyItCouldNot) {
    on_loop([](Loop& loop) -> Task<> {
        std::string why = co_await why_not(to(1));
        EXPECT_TRUE(holds(why, "127.0.0.1") && holds(why, "refused")) << why;
        why = co_await why_not(to(80, "ws", "no-such-host.invalid"));
        EXPECT_TRUE(holds(why, "no-such-host.invalid") && holds(why, "looked up")) << why;
        why = co_await why_not(to(80, "http"));
        EXPECT_TRUE(holds(why, "ws://")) << why;
        ConnectOptions split = to(1);
        split.headers = {{"A", "b\r\nC: d"}};
        why = co_await why_not(std::move(split));
        EXPECT_TRUE(holds(why, "header")) << why;

        struct Case {
            std::string answer, part;
        };
        const std::vector<Case> cases = {
            {"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno", "401"},
            {"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>", "200"},
            {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
             "127.0.0.1"},
            {"SSH-2.0-OpenSSH_9.2\r\n", "127.0.0.1"},
            {std::string("\x15\x03\x01\x00\x02\x02\x46", 7), "127.0.0.1"},
            {std::string(100'000, 'A'), "127.0.0.1"},
            {"HTTP/1.1 101 Sw", "127.0.0.1"},
            {"", "127.0.0.1"}};
        for (const Case& c : cases) {
            for (const char* const scheme : {"ws", "wss"}) {
                RawServer server(loop, [&c](tcp::socket socket) -> Task<> {
                    co_await test::get_some(socket);
                    co_await test::put(socket, c.answer);
                    boost::system::error_code ignored;
                    socket.shutdown(tcp::socket::shutdown_send, ignored);
                    co_await test::get_all(socket);
                });
                why = co_await why_not(to(server.port(), scheme));
                EXPECT_TRUE(holds(why, std::string(scheme) == "ws" ? c.part : "TLS")) << why;
            }
        }
    });
}

TEST(Connect, EndsInTimeWhoeverIsSilent) {
    on_loop([](Loop& loop) -> Task<> {
        for (const char* const scheme : {"ws", "wss"}) {
            RawServer server(loop, test::silent);
            ConnectOptions options = to(server.port(), scheme);
            options.timeout = milliseconds(100);
            const auto began = std::chrono::steady_clock::now();
            const std::string why = co_await why_not(std::move(options));
            EXPECT_TRUE(holds(why, "no answer within 100 ms")) << why;
            EXPECT_LT(std::chrono::steady_clock::now() - began, seconds(10));
        }
    });
}

TEST(Connect, BelievesOnlyWhomItTrusts) {
    const auto ours = make_self_signed({"127.0.0.1", "localhost"});
    const auto other = make_self_signed({"127.0.0.1", "localhost"});
    const auto elsewhere = make_self_signed({"example.org", "10.0.0.1"});
    ASSERT_TRUE(ours.ok() && other.ok() && elsewhere.ok());
    struct Case {
        const Certificate& server;
        std::string trusted, host, refusal;
    };
    const std::vector<Case> cases = {
        {*ours, ours->certificate_pem, "127.0.0.1", ""},
        {*ours, ours->certificate_pem, "localhost", ""},
        {*ours, other->certificate_pem + ours->certificate_pem, "localhost", ""},
        {*ours, "", "127.0.0.1", "certificate is not accepted"},
        {*ours, other->certificate_pem, "127.0.0.1", "certificate is not accepted"},
        {*elsewhere, elsewhere->certificate_pem, "127.0.0.1", "certificate is not accepted"},
        {*elsewhere, elsewhere->certificate_pem, "localhost", "certificate is not accepted"},
        {*ours, "no certificate", "localhost", "holds no certificate"},
    };
    for (const Case& c : cases) {
        on_loop([&](Loop& loop) -> Task<> {
            ServerOptions options;
            options.tls = c.server;
            Handlers handlers;
            handlers.websocket = [](HttpRequest, Socket socket) -> Task<> { co_await socket->read(); };
            Server server = test::listen(loop, std::move(handlers), std::move(options));
            ConnectOptions wanted = to(server.port(), "wss", c.host);
            wanted.trust.extra_ca_pem = c.trusted;
            auto connected = co_await connect(std::move(wanted));
            EXPECT_EQ(connected.ok(), c.refusal.empty()) << c.host << " " << c.refusal;
            if (!connected) {
                EXPECT_TRUE(!c.refusal.empty() && holds(connected.error().message, c.refusal))
                    << connected.error().message;
            }
            const std::string clear = co_await why_not(to(server.port(), "ws"));
            EXPECT_TRUE(holds(clear, "127.0.0.1")) << clear;
        });
    }
}

// ---- frames by hand (RFC 6455 section 5.2)

std::string frame(unsigned opcode, std::string payload, bool last = true, bool masked = true) {
    std::string bytes(1, static_cast<char>((last ? 0x80u : 0u) | opcode));
    const unsigned mask_bit = masked ? 0x80u : 0u;
    if (payload.size() < 126) {
        bytes += static_cast<char>(mask_bit | payload.size());
    } else {
        bytes += static_cast<char>(mask_bit | 126u);
        bytes += static_cast<char>(payload.size() >> 8);
        bytes += static_cast<char>(payload.size() & 0xFF);
    }
    if (masked) {
        const std::string key = "\x12\x34\x56\x78";
        for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>(payload[i] ^ key[i % 4]);
        bytes += key;
    }
    return bytes + payload;
}

const std::string kUpgrade =
    "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";

Task<tcp::socket> upgraded(std::uint16_t port) {
    tcp::socket socket = co_await test::dial(port);
    co_await test::put(socket, kUpgrade);
    const std::string answer = co_await test::get_until(socket, "\r\n\r\n");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 101")) << answer;
    EXPECT_TRUE(holds(answer, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")) << answer;  // RFC 6455 section 1.3
    EXPECT_FALSE(holds(answer, "Extensions")) << "no compression was agreed\n" << answer;
    co_return socket;
}

struct Heard {
    std::vector<Message> messages;
    std::optional<Closed> end;
};
Server listener(Loop& loop, Heard& heard) {
    Handlers handlers;
    handlers.websocket = [&heard](HttpRequest, Socket socket) -> Task<> {
        for (;;) {
            Incoming next = co_await socket->read();
            if (auto* closed = std::get_if<Closed>(&next)) {
                heard.end = std::move(*closed);
                co_return;
            }
            heard.messages.push_back(std::get<Message>(std::move(next)));
        }
    };
    return test::listen(loop, std::move(handlers));
}

TEST(Frames, PiecesAreOneMessageAndAPingIsAnsweredBetweenThem) {
    on_loop([](Loop& loop) -> Task<> {
        Heard heard;
        Server server = listener(loop, heard);
        tcp::socket socket = co_await upgraded(server.port());
        // The character is cut in two: pieces are no texts of their own.
        const std::string all = frame(1, "caff\xc3", false) + frame(9, "ping") + frame(0, "\xa8", false) +
                                frame(10, "unasked") + frame(0, "", false) + frame(0, "!", true) + frame(2, "\xff");
        for (const char byte : all) co_await test::put(socket, std::string(1, byte));
        const std::string pong = co_await test::get_some(socket);
        EXPECT_EQ(pong, frame(10, "ping", true, false));
        const bool both = co_await test::eventually([&] { return heard.messages.size() == 2; });
        EXPECT_TRUE(both);
        if (!both) co_return;
        EXPECT_EQ(heard.messages[0].bytes, "caff\xc3\xa8!");
        EXPECT_FALSE(heard.messages[0].binary);
        EXPECT_EQ(heard.messages[1].bytes, "\xff");
        EXPECT_TRUE(heard.messages[1].binary);
        socket.close();
        const bool ended = co_await test::eventually([&] { return heard.end.has_value(); });
        EXPECT_TRUE(ended && heard.end->code == 0);
    });
}

TEST(Frames, WhatBreaksTheProtocolIsTold1002AndEnds) {
    const std::vector<std::string> cases = {
        frame(1, "not masked", true, false),
        frame(3, "reserved opcode"),
        frame(0, "a piece of nothing"),
        frame(1, "begun", false) + frame(1, "and begun again"),
        frame(9, std::string(126, 'p')),
        frame(9, "ping in pieces", false),
        "\xC1" + frame(1, "compressed").substr(1),
        frame(8, std::string("\x03\xEE", 2)),  // 1006
        frame(8, "\x01"),
    };
    for (const std::string& bytes : cases) {
        on_loop([&](Loop& loop) -> Task<> {
            Heard heard;
            Server server = listener(loop, heard);
            tcp::socket socket = co_await upgraded(server.port());
            co_await test::put(socket, bytes);
            const std::string answer = co_await test::get_all(socket);
            EXPECT_TRUE(holds(answer, std::string("\x88\x02\x03\xEA", 4)))
                << bytes << " " << ::testing::PrintToString(answer);
            const bool ended = co_await test::eventually([&] { return heard.end.has_value(); });
            EXPECT_TRUE(ended && heard.end->code == 0 && !heard.end->reason.empty());
        });
    }
}

TEST(Frames, WhoHungUpAndDoesNotReadHoldsNothingBack) {
    on_loop([](Loop& loop) -> Task<> {
        constexpr std::size_t kLong = 16u << 20;  // more than the kernel takes
        Signal ended(loop);
        Handlers handlers;
        handlers.websocket = [&ended](HttpRequest, Socket socket) -> Task<> {
            socket->send(std::string(kLong, 'x'));
            const Incoming end = co_await socket->read();
            EXPECT_TRUE(std::holds_alternative<Closed>(end));
            ended.set();
        };
        Server server = test::listen(loop, std::move(handlers));
        tcp::socket socket = co_await upgraded(server.port());
        boost::system::error_code ignored;
        socket.shutdown(tcp::socket::shutdown_send, ignored);
        co_await ended.wait();
        co_await sleep_for(milliseconds(1));  // what the handler held is gone now
        const bool cut = co_await test::eventually([&socket] {
            pollfd state{socket.native_handle(), 0, 0};
            return poll(&state, 1, 0) > 0 && (state.revents & (POLLERR | POLLHUP)) != 0;
        });
        EXPECT_TRUE(cut) << "somebody still wants to send";
    });
}

TEST(Frames, GarbageEndsOneConnectionAndNeverMore) {
    const unsigned seed = std::random_device()();
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    on_loop([&](Loop& loop) -> Task<> {
        Heard heard;
        Server server = listener(loop, heard);
        for (unsigned round = 0; round < 200; ++round) {
            std::string bytes(1 + random() % 600, '\0');
            for (char& c : bytes) c = static_cast<char>(random());
            if (round % 2) bytes = frame(1 + round / 2 % 2, "ok") + bytes;
            heard.end.reset();
            tcp::socket socket = co_await upgraded(server.port());
            co_await test::put(socket, bytes);
            boost::system::error_code ignored;
            socket.shutdown(tcp::socket::shutdown_send, ignored);
            const bool ended = co_await test::eventually([&] { return heard.end.has_value(); });
            EXPECT_TRUE(ended) << round;
            if (!ended) co_return;
        }
    });
}

}  // namespace
}  // namespace lestapenna::net
