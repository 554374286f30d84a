// A real redis-server of the test's own, on a port of its own. Thread: one.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "background.h"
#include "base/files.h"
#include "jobs/redis.h"
#include "table.h"

namespace lestapenna::test {

/// One that nobody listens on now.
inline std::uint16_t free_port() {
    const Fd probe(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    EXPECT_EQ(::bind(probe.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::getsockname(probe.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
    return ntohs(address.sin_port);
}

class RedisServer {
  public:
    /// Nothing of it survives stop().
    void start(const std::vector<std::string>& more = {}) {
        std::vector<std::string> words{
            "/usr/bin/redis-server", "--port", std::to_string(port), "--bind", "127.0.0.1", "--save", "",
            "--appendonly",          "no"};
        words.insert(words.end(), more.begin(), more.end());
        process_ = std::make_unique<Background>(words, folder_.path(), folder_ / "out", folder_ / "err");
        ASSERT_TRUE(eventually([this] {
            const auto text = read_text_file(folder_ / "out", 1 << 20);
            return text && text->find("eady to accept connections") != std::string::npos;
        })) << read_text_file(folder_ / "out", 1 << 20).value();
    }
    void stop() { process_.reset(); }
    void signal(int number) { process_->signal(number); }

    /// As an operator with redis-cli.
    jobs::Reply run(const jobs::RedisCommand& command) {
        const std::atomic<bool> no{false};
        auto redis = jobs::Redis::connect({"127.0.0.1", port, "", password}, no);
        EXPECT_TRUE(redis) << redis.error().message;
        if (!redis) return {};
        auto reply = redis->run(command);
        EXPECT_TRUE(reply) << reply.error().message;
        return reply ? *reply : jobs::Reply{};
    }
    [[nodiscard]] Secret url() const { return Secret("redis://127.0.0.1:" + std::to_string(port)); }

    const std::uint16_t port = free_port();
    Secret password{};

  private:
    TempDir folder_;
    std::unique_ptr<Background> process_;
};

}  // namespace lestapenna::test
