// A connection that nobody waits for once it is to stop.
#include "jobs/dial.h"

#include <condition_variable>
#include <future>
#include <mutex>
#include <vector>

#include <arpa/inet.h>
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "table.h"

namespace {

/// A name server that does not answer, for names that begin with "slow.", until it is told to.
struct Resolver {
    std::mutex mutex;
    std::condition_variable changed;
    int asked = 0;
    int left = 0;
    bool answers = false;
};
Resolver resolver;

}  // namespace

// Stands before the library's in this program.
extern "C" int getaddrinfo(const char* name, const char* service, const addrinfo* hints, addrinfo** found) {
    if (std::string_view(name).starts_with("slow.")) {
        std::unique_lock lock(resolver.mutex);
        ++resolver.asked;
        resolver.changed.notify_all();
        resolver.changed.wait(lock, [] { return resolver.answers; });
        ++resolver.left;
        resolver.changed.notify_all();
        return EAI_AGAIN;
    }
    static const auto real = reinterpret_cast<decltype(&getaddrinfo)>(::dlsym(RTLD_NEXT, "getaddrinfo"));
    return real(name, service, hints, found);
}

namespace lestapenna::jobs {
namespace {

using ::testing::HasSubstr;

/// Listens on 127.0.0.1.
struct Listener {
    explicit Listener(int backlog) {
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof address;
        EXPECT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        EXPECT_EQ(::listen(socket.get(), backlog), 0);
        EXPECT_EQ(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
    }
    [[nodiscard]] std::uint16_t port() const { return ntohs(address.sin_port); }

    Fd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in address{};
};

TEST(DialTest, TheNextAddressIsTriedWhereOneTakesNobody) {
    const Listener listener(4);
    const std::atomic<bool> no{false};
    const auto socket = dial("localhost", listener.port(), seconds(30), no);  // perhaps ::1 first
    ASSERT_TRUE(socket) << socket.error().message;
    const Fd client(::accept(listener.socket.get(), nullptr, nullptr));
    ASSERT_TRUE(client);
    EXPECT_FALSE(*ready(*socket, POLLIN, BootClock::now(), no));
    ASSERT_EQ(::send(client.get(), "x", 1, MSG_NOSIGNAL), 1);
    EXPECT_TRUE(*ready(*socket, POLLIN, BootClock::now() + seconds(30), no));
}

TEST(DialTest, WhoIsToStopDoesNotWaitForAConnection) {
    const Listener listener(0);
    std::vector<Fd> waiting;  // the place of those that nobody accepts: who comes after them gets no answer at all
    for (int i = 0; i < 4; ++i) {
        waiting.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        static_cast<void>(::connect(waiting.back().get(), reinterpret_cast<const sockaddr*>(&listener.address),
                                    sizeof listener.address));
    }
    std::atomic<bool> stop{false};
    const auto late = dial("127.0.0.1", listener.port(), milliseconds(300), stop);
    ASSERT_FALSE(late);
    EXPECT_THAT(late.error().message, HasSubstr("timed out"));

    auto dialled =
        std::async(std::launch::async, [&] { return dial("127.0.0.1", listener.port(), seconds(600), stop); });
    EXPECT_EQ(dialled.wait_for(milliseconds(300)), std::future_status::timeout);
    stop = true;
    ASSERT_EQ(dialled.wait_for(seconds(60)), std::future_status::ready);
    EXPECT_EQ(dialled.get().error().kind, ErrorKind::interrupted);
}

TEST(DialTest, WhoIsToStopDoesNotWaitForAName) {
    std::atomic<bool> stop{false};
    auto dialled = std::async(std::launch::async, [&] { return dial("slow.example", 6379, seconds(1), stop); });
    {
        std::unique_lock lock(resolver.mutex);
        ASSERT_TRUE(resolver.changed.wait_for(lock, seconds(60), [] { return resolver.asked == 1; }));
    }
    stop = true;
    EXPECT_EQ(dialled.wait_for(seconds(60)), std::future_status::ready);
    std::unique_lock lock(resolver.mutex);
    EXPECT_EQ(resolver.left, 0) << "nobody had to answer for it";
    resolver.answers = true;
    resolver.changed.notify_all();
    ASSERT_TRUE(resolver.changed.wait_for(lock, seconds(60), [] { return resolver.left == 1; }));
    lock.unlock();
    EXPECT_EQ(dialled.get().error().kind, ErrorKind::interrupted);

    stop = false;
    EXPECT_THAT(dial("slow.example", 6379, seconds(1), stop).error().message, HasSubstr("emporary failure"));
}

}  // namespace
}  // namespace lestapenna::jobs
