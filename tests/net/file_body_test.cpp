// Files as answers: in pieces, to whoever is slow, and cut when what was promised is not there.
#include <random>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "net/server.h"
#include "support.h"
#include "testing.h"

namespace lestapenna::net {
namespace {

using lestapenna::test::TempDir;
using test::on_loop;
using test::tcp;

std::string noise(std::size_t bytes) {
    std::mt19937 random(4);
    std::string text(bytes, '\0');
    for (char& byte : text) byte = static_cast<char>(random());
    return text;
}

/// Answers with `length` bytes of `file` from `offset` on.
Server serve(Loop& loop, std::filesystem::path file, std::uint64_t offset, std::uint64_t length,
             ServerOptions options = {}, Delivery delivery = Delivery::whole) {
    Handlers handlers;
    handlers.request = [file = std::move(file), offset, length, delivery](HttpRequest) -> Task<Reply> {
        Reply reply;
        reply.file.emplace();
        reply.file->file = Fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
        reply.file->offset = offset;
        reply.file->length = length;
        reply.delivery = delivery;
        co_return reply;
    };
    return test::listen(loop, std::move(handlers), std::move(options));
}

/// With little room for what comes: the server feels when nobody reads.
Task<tcp::socket> dial_narrow(std::uint16_t port) {
    tcp::socket socket(co_await asio::this_coro::executor);
    socket.open(tcp::v4());
    socket.set_option(asio::socket_base::receive_buffer_size(8192));
    const tcp::endpoint to(asio::ip::address_v4::loopback(), port);
    const auto [error] = co_await socket.async_connect(to, kAwait);
    EXPECT_FALSE(error) << error.message();
    co_return socket;
}

std::string request(const std::string& method, bool last) {
    return method + " /f HTTP/1.1\r\nHost: x\r\n" + (last ? "Connection: close\r\n\r\n" : "\r\n");
}

std::string length_header(std::uint64_t bytes) {
    return "Content-Length: " + std::to_string(bytes) + "\r\n";
}

std::string body_of(const std::string& answer) {
    const std::size_t end = answer.find("\r\n\r\n");
    return end == std::string::npos ? "no head" : answer.substr(end + 4);
}

TEST(FileBody, IsThatPartOfTheFile) {
    const TempDir folder;
    const std::string text = noise(3'000'001);
    ASSERT_TRUE(write_file(folder / "f", text));
    struct Part {
        std::uint64_t offset, length;
    };
    for (const Part part : {Part{0, text.size()}, Part{0, 1}, Part{65'535, 65'538}, Part{3'000'000, 1}, Part{7, 0}}) {
        on_loop([&](Loop& loop) -> Task<> {
            Server server = serve(loop, folder / "f", part.offset, part.length);
            tcp::socket socket = co_await test::dial(server.port());
            // The same connection: what comes next is not confused with the body.
            co_await test::put(socket, request("HEAD", false) + request("GET", false) + request("GET", true));
            const std::string all = co_await test::get_all(socket);
            const std::string head_only = all.substr(0, all.find("\r\n\r\n") + 4);
            EXPECT_NE(head_only.find(length_header(part.length)), std::string::npos) << head_only;
            const std::string wanted = text.substr(part.offset, part.length);
            const std::string second = all.substr(head_only.size(), head_only.size() + wanted.size());
            EXPECT_TRUE(body_of(second) == wanted);
            const std::string third = all.substr(std::min(all.size(), head_only.size() + second.size()));
            EXPECT_TRUE(third.starts_with("HTTP/1.1 200"));
            EXPECT_TRUE(body_of(third) == wanted);
        });
    }
}

TEST(FileBody, OneThatBecomesShorterCutsTheConnection) {
    const TempDir folder;
    for (const std::uint64_t left : {std::uint64_t{0}, std::uint64_t{9'000'000}}) {
        ASSERT_TRUE(write_file(folder / "f", noise(16'000'000)));
        on_loop([&](Loop& loop) -> Task<> {
            Server server = serve(loop, folder / "f", 0, 16'000'000);
            tcp::socket socket = co_await dial_narrow(server.port());
            co_await test::put(socket, request("GET", false));
            const std::string begun = co_await test::get_some(socket);
            EXPECT_NE(begun.find(length_header(16'000'000)), std::string::npos);
            std::filesystem::resize_file(folder / "f", left);
            const std::string rest = co_await test::get_all(socket);  // ends although nobody asked it to
            EXPECT_LT(begun.size() + rest.size(), 16'000'000U);
            tcp::socket another = co_await test::dial(server.port());
            co_await test::put(another, request("HEAD", true));
            const std::string alive = co_await test::get_all(another);
            EXPECT_TRUE(alive.starts_with("HTTP/1.1 200")) << alive;
        });
    }
}

TEST(FileBody, OneThatVanishesIsSentToItsEnd) {
    const TempDir folder;
    const std::string text = noise(8'000'000);
    ASSERT_TRUE(write_file(folder / "f", text));
    on_loop([&](Loop& loop) -> Task<> {
        Server server = serve(loop, folder / "f", 0, text.size());
        tcp::socket socket = co_await dial_narrow(server.port());
        co_await test::put(socket, request("GET", true));
        std::string all = co_await test::get_some(socket);
        std::filesystem::remove(folder / "f");
        all += co_await test::get_all(socket);
        EXPECT_TRUE(body_of(all) == text);
    });
}

TEST(FileBody, WhatCanNotBeReadCutsTheConnection) {
    const TempDir folder;
    on_loop([&](Loop& loop) -> Task<> {
        Server server = serve(loop, folder / "none", 0, 5);
        tcp::socket socket = co_await test::dial(server.port());
        co_await test::put(socket, request("GET", false));
        const std::string got = co_await test::get_all(socket);
        EXPECT_TRUE(got.empty() || body_of(got).empty()) << got;
    });
}

TEST(FileBody, HalfOfItIsHalf) {
    const TempDir folder;
    ASSERT_TRUE(write_file(folder / "f", noise(1000)));
    on_loop([&](Loop& loop) -> Task<> {
        Server server = serve(loop, folder / "f", 0, 1000, {}, Delivery::half);
        tcp::socket socket = co_await test::dial(server.port());
        co_await test::put(socket, request("GET", false));
        const std::string got = co_await test::get_all(socket);
        EXPECT_NE(got.find(length_header(1000)), std::string::npos);
        EXPECT_EQ(body_of(got).size(), 500U);
    });
}

TEST(FileBody, WhoStopsReadingIsCutOff) {
    const TempDir folder;
    ASSERT_TRUE(write_file(folder / "f", noise(16'000'000)));
    on_loop([&](Loop& loop) -> Task<> {
        ServerOptions options;
        options.idle_timeout = seconds(1);
        options.max_connections = 1;  // the second is served when the first is gone
        Server server = serve(loop, folder / "f", 0, 16'000'000, std::move(options));
        tcp::socket stuck = co_await dial_narrow(server.port());
        co_await test::put(stuck, request("GET", false));
        tcp::socket next = co_await test::dial(server.port());
        co_await test::put(next, request("HEAD", true));
        const std::string got = co_await test::get_all(next);
        EXPECT_TRUE(got.starts_with("HTTP/1.1 200")) << got;
    });
}

// 2 MB at 600 KB/s or less are 3.3 s or more; a client has 3 s for each 64 KB, not for all.
TEST(FileBody, WhoIsSlowGetsAll) {
    const TempDir folder;
    const std::string text = noise(2'000'000);
    ASSERT_TRUE(write_file(folder / "f", text));
    on_loop([&](Loop& loop) -> Task<> {
        ServerOptions options;
        options.idle_timeout = seconds(3);
        Server server = serve(loop, folder / "f", 0, text.size(), std::move(options));
        tcp::socket socket = co_await dial_narrow(server.port());
        co_await test::put(socket, request("GET", true));
        std::string all;
        std::array<char, 6000> buffer{};
        const auto began = std::chrono::steady_clock::now();
        for (;;) {
            const auto [error, size] = co_await socket.async_read_some(asio::buffer(buffer), kAwait);
            if (error) break;
            all.append(buffer.data(), size);
            co_await sleep_for(milliseconds(10));
        }
        EXPECT_TRUE(body_of(all) == text) << all.size();
        EXPECT_GT(std::chrono::steady_clock::now() - began, seconds(3)) << "it was not slow at all";
    });
}

}  // namespace
}  // namespace lestapenna::net
