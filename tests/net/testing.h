// A loop that runs one coroutine to its end, and raw TCP at either end of what is tested.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>

#include "net/await.h"
#include "net/loop.h"
#include "net/server.h"

namespace lestapenna::net::test {

using asio::ip::tcp;

/// Runs `scenario` and then whatever is left on the loop: a task that never ends is a failure too.
inline void on_loop(const std::function<Task<>(Loop&)>& scenario, nanoseconds limit = seconds(120)) {
    Loop loop;
    bool done = false;
    const auto run = [](Task<> body, bool& finished) -> Task<> {
        co_await std::move(body);
        finished = true;
    };
    spawn(loop, run(scenario(loop), done));
    loop.run_for(std::chrono::duration_cast<std::chrono::steady_clock::duration>(limit));
    EXPECT_TRUE(done) << "the scenario did not come to its end";
    EXPECT_TRUE(loop.stopped()) << "something is still under way on the loop";
}

/// True when `condition` came true within 20 s; looks again each millisecond.
inline Task<bool> eventually(std::function<bool()> condition) {
    for (int ms = 0; ms < 20'000; ++ms) {
        if (condition()) co_return true;
        co_await sleep_for(milliseconds(1));
    }
    co_return false;
}

inline Server listen(Loop& loop, Handlers handlers, ServerOptions options = {}) {
    auto server = Server::listen(loop, std::move(options), std::move(handlers));
    if (!server) ADD_FAILURE() << server.error().message;
    return std::move(*server);
}

inline Task<tcp::socket> dial(std::uint16_t port) {
    tcp::socket socket(co_await asio::this_coro::executor);
    const tcp::endpoint to(asio::ip::address_v4::loopback(), port);
    const auto [error] = co_await socket.async_connect(to, kAwait);
    EXPECT_FALSE(error) << error.message();
    co_return socket;
}

/// False: the other end is gone.
inline Task<bool> put(tcp::socket& socket, std::string bytes) {
    const auto [error, size] = co_await asio::async_write(socket, asio::buffer(bytes), kAwait);
    co_return !error;
}

/// What comes next; empty at the end.
inline Task<std::string> get_some(tcp::socket& socket) {
    std::array<char, 65536> buffer;
    const auto [error, size] = co_await socket.async_read_some(asio::buffer(buffer), kAwait);
    co_return std::string(buffer.data(), error ? 0 : size);
}

/// All that comes until `end` stands in it, or the connection ends.
inline Task<std::string> get_until(tcp::socket& socket, std::string end) {
    std::string all;
    while (all.find(end) == std::string::npos) {
        const std::string more = co_await get_some(socket);
        if (more.empty()) break;
        all += more;
    }
    co_return all;
}

/// All that comes until the other end closes.
inline Task<std::string> get_all(tcp::socket& socket) {
    std::string all;
    for (;;) {
        const std::string more = co_await get_some(socket);
        if (more.empty()) co_return all;
        all += more;
    }
}

/// Listens, and gives each connection to `talk`.
class RawServer {
  public:
    RawServer(Loop& loop, std::function<Task<>(tcp::socket)> talk)
        : acceptor_(std::make_shared<tcp::acceptor>(loop, tcp::endpoint(asio::ip::address_v4::loopback(), 0))) {
        spawn(loop, accept(acceptor_, std::move(talk)));
    }
    RawServer(const RawServer&) = delete;
    RawServer& operator=(const RawServer&) = delete;
    ~RawServer() { acceptor_->close(); }
    [[nodiscard]] std::uint16_t port() const { return acceptor_->local_endpoint().port(); }

  private:
    static Task<> accept(std::shared_ptr<tcp::acceptor> acceptor, std::function<Task<>(tcp::socket)> talk) {
        for (;;) {
            auto [error, socket] = co_await acceptor->async_accept(kAwait);
            if (error) co_return;
            spawn(acceptor->get_executor(), connection(talk, std::move(socket)));
        }
    }
    // Its own copy: the closure must live as long as the coroutine that it made.
    static Task<> connection(std::function<Task<>(tcp::socket)> talk, tcp::socket socket) {
        Task<> task = talk(std::move(socket));
        co_await std::move(task);
    }
    std::shared_ptr<tcp::acceptor> acceptor_;
};

/// Says nothing, reads until the other end closes.
inline Task<> silent(tcp::socket socket) {
    co_await get_all(socket);
}

}  // namespace lestapenna::net::test
