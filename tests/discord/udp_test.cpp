#include "discord/udp.h"

#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "allocations.h"

namespace lestapenna::discord {
namespace {

using Bytes = std::vector<std::uint8_t>;

UdpAddress loopback(std::uint16_t port = 0) {
    return *UdpAddress::parse("127.0.0.1", port);
}

/// Runs the loop until `done` or for 10 s; a failure to get there is a failed test.
template <class Done>
void run_until(net::Loop& loop, Done done) {
    const auto deadline = BootClock::now() + seconds(10);
    while (!done() && BootClock::now() < deadline) {
        loop.restart();
        loop.run_one_for(milliseconds(50));
    }
    ASSERT_TRUE(done());
}

struct Pair {
    net::Loop loop;
    UdpSocket server = UdpSocket::bind(loop, loopback(), 1 << 20).value();
    UdpSocket client = UdpSocket::connect(loop, server.local(), 1 << 20).value();
};

TEST(UdpAddress, ReadsBothFamiliesAndNothingElse) {
    EXPECT_EQ(UdpAddress::parse("127.0.0.1", 5)->ip_text(), "127.0.0.1");
    EXPECT_EQ(UdpAddress::parse("2001:db8::1", 5)->ip_text(), "2001:db8::1");
    EXPECT_TRUE(UdpAddress::parse("::1", 5)->v6);
    EXPECT_EQ(UdpAddress::parse("1.2.3.4", 50'004)->port, 50'004);
    for (const char* wrong : {"", "localhost", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.4:5", ":::"}) {
        EXPECT_FALSE(UdpAddress::parse(wrong, 1)) << wrong;
    }
}

TEST(UdpSocket, WhatIsSentArrivesInOrder) {
    Pair pair;
    std::vector<Bytes> got;
    std::vector<BootTime> arrivals;
    UdpAddress from;
    const BootTime before = BootClock::now();
    for (std::uint8_t i = 0; i < 200; ++i) ASSERT_TRUE(pair.client.send(Bytes{i, 1, 2}));
    pair.server.read_loop(
        [&](const Received& r) {
            got.emplace_back(r.bytes.begin(), r.bytes.end());
            arrivals.push_back(r.arrival);
            from = r.from;
        },
        [](std::uint32_t) { ADD_FAILURE() << "nothing was dropped"; });
    run_until(pair.loop, [&] { return got.size() == 200; });
    for (std::uint8_t i = 0; i < 200; ++i) EXPECT_EQ(got[i], (Bytes{i, 1, 2}));
    EXPECT_EQ(from, pair.client.local());
    const BootTime now = BootClock::now();
    for (const BootTime arrival : arrivals) {
        EXPECT_GE(arrival, before);
        EXPECT_LE(arrival, now);
    }
}

TEST(UdpSocket, AStallOfOursDoesNotMoveArrivals) {
    Pair pair;
    std::vector<BootTime> arrivals;
    int trusted = 0;
    pair.server.read_loop(
        [&](const Received& r) {
            arrivals.push_back(r.arrival);
            trusted += r.stamp_trusted ? 1 : 0;
        },
        [](std::uint32_t) {});
    ASSERT_TRUE(pair.client.send(Bytes{1}));
    run_until(pair.loop, [&] { return arrivals.size() == 1; });

    const BootTime before = BootClock::now();
    ASSERT_TRUE(pair.client.send(Bytes{2}));
    const BootTime after = BootClock::now();
    while (BootClock::now() < after + milliseconds(30)) {
    }  // the stall: the loop does not run
    run_until(pair.loop, [&] { return arrivals.size() == 2; });
    EXPECT_EQ(trusted, 2);
    EXPECT_GE(arrivals[1], before - milliseconds(1));
    EXPECT_LE(arrivals[1], after + milliseconds(5)) << "30 ms later it was read";
}

TEST(UdpSocket, AnswersGoToWhereADatagramCameFrom) {
    Pair pair;
    pair.server.read_loop([&](const Received& r) { EXPECT_TRUE(pair.server.send_to(r.bytes, r.from)); },
                          [](std::uint32_t) {});
    std::optional<Bytes> answer;
    pair.client.read_loop([&](const Received& r) { answer.emplace(r.bytes.begin(), r.bytes.end()); },
                          [](std::uint32_t) {});
    ASSERT_TRUE(pair.client.send(Bytes{4, 5, 6}));
    run_until(pair.loop, [&] { return answer.has_value(); });
    EXPECT_EQ(*answer, (Bytes{4, 5, 6}));
}

TEST(UdpSocket, TooLongIsCutAndSaysSo) {
    Pair pair;
    std::vector<std::pair<std::size_t, bool>> got;
    pair.server.read_loop([&](const Received& r) { got.emplace_back(r.bytes.size(), r.cut); }, [](std::uint32_t) {});
    ASSERT_TRUE(pair.client.send(Bytes(kMaxDatagramBytes, 1)));
    ASSERT_TRUE(pair.client.send(Bytes(kMaxDatagramBytes + 1, 1)));
    ASSERT_TRUE(pair.client.send(Bytes(60'000, 1)));
    ASSERT_TRUE(pair.client.send(Bytes{}));
    run_until(pair.loop, [&] { return got.size() == 4; });
    EXPECT_EQ(got[0], std::pair(kMaxDatagramBytes, false));
    EXPECT_EQ(got[1], std::pair(kMaxDatagramBytes + 1, true));
    EXPECT_EQ(got[2], std::pair(kMaxDatagramBytes + 1, true));
    EXPECT_EQ(got[3], std::pair(std::size_t{0}, false));
}

TEST(UdpSocket, WhatTheKernelDropsIsCounted) {
    net::Loop loop;
    UdpSocket server = UdpSocket::bind(loop, loopback(), 4'096).value();
    UdpSocket client = UdpSocket::connect(loop, server.local(), 1 << 20).value();
    constexpr std::uint64_t kSent = 1'000;
    for (std::uint64_t i = 0; i < kSent; ++i) ASSERT_TRUE(client.send(Bytes(200, 1)));
    std::uint64_t got = 0;
    std::uint64_t dropped = 0;
    server.read_loop([&](const Received&) { ++got; }, [&](std::uint32_t n) { dropped += n; });
    run_until(loop, [&] { return got > 0; });
    while (loop.poll() > 0) loop.restart();
    const std::uint64_t before_the_last = got;
    EXPECT_LT(before_the_last, kSent);
    // The kernel says so with the next datagram that it lets in.
    ASSERT_TRUE(client.send(Bytes{1}));
    run_until(loop, [&] { return got + dropped == kSent + 1; });
}

TEST(UdpSocket, ALastReadingMissesNothing) {
    net::Loop loop;
    UdpSocket server = UdpSocket::bind(loop, loopback(), 4'096).value();
    UdpSocket client = UdpSocket::connect(loop, server.local(), 1 << 20).value();
    std::uint64_t got = 0;
    std::uint64_t dropped = 0;
    server.read_loop(
        [&](const Received&) {
            ++got;
            server.drain();  // of no use here
        },
        [&](std::uint32_t n) { dropped += n; });
    constexpr std::uint64_t kSent = 1'000;
    for (std::uint64_t i = 0; i < kSent; ++i) ASSERT_TRUE(client.send(Bytes(200, 1)));
    server.drain();
    EXPECT_GT(got, 0U);
    EXPECT_GT(dropped, 0U);
    EXPECT_EQ(got + dropped, kSent);
    server.drain();
    EXPECT_EQ(got + dropped, kSent) << "each once";
}

TEST(UdpSocket, ARefusalIsSurvived) {
    net::Loop loop;
    std::optional<UdpSocket> nobody = UdpSocket::bind(loop, loopback(), 1 << 16).value();
    const UdpAddress address = nobody->local();
    UdpSocket client = UdpSocket::connect(loop, address, 1 << 16).value();
    int got = 0;
    client.read_loop([&](const Received&) { ++got; }, [](std::uint32_t) {});
    nobody.reset();
    ASSERT_TRUE(client.send(Bytes{1}));
    run_until(loop, [&] { return client.errors() > 0; });
    ASSERT_TRUE(client.send(Bytes{1}));
    EXPECT_TRUE(client.send(Bytes{1})) << "the refusal of the one before does not keep this one";

    UdpSocket somebody = UdpSocket::bind(loop, address, 1 << 16).value();
    ASSERT_TRUE(somebody.send_to(Bytes{7}, client.local()));
    run_until(loop, [&] { return got == 1; });
}

TEST(UdpSocket, MayBeDestroyedByItsOwnCallBack) {
    Pair pair;
    std::optional<UdpSocket> server = std::move(pair.server);
    int got = 0;
    server->read_loop(
        [&](const Received&) {
            ++got;
            server.reset();
        },
        [](std::uint32_t) {});
    for (int i = 0; i < 5; ++i) static_cast<void>(pair.client.send(Bytes{1}));
    run_until(pair.loop, [&] { return got > 0; });
    while (pair.loop.poll() > 0) pair.loop.restart();
    EXPECT_EQ(got, 1);
}

TEST(UdpSocket, ATakenPortIsAnError) {
    Pair pair;
    const auto again = UdpSocket::bind(pair.loop, pair.server.local(), 1 << 16);
    ASSERT_FALSE(again);
    EXPECT_NE(again.error().message.find("can not be had"), std::string::npos);
}

TEST(UdpSocket, SpeaksIpv6WhereThereIsOne) {
    net::Loop loop;
    auto server = UdpSocket::bind(loop, *UdpAddress::parse("::1", 0), 1 << 16);
    if (!server) GTEST_SKIP() << "no IPv6 here: " << server.error().message;
    UdpSocket client = UdpSocket::connect(loop, server->local(), 1 << 16).value();
    int got = 0;
    server->read_loop([&](const Received& r) { got += r.from == client.local() ? 1 : 0; }, [](std::uint32_t) {});
    ASSERT_TRUE(client.send(Bytes{1}));
    run_until(loop, [&] { return got == 1; });
}

TEST(UdpSocket, TheReceiveBufferIsWhatWasAskedFor) {
    net::Loop loop;
    const UdpSocket socket = UdpSocket::bind(loop, loopback(), 150'000).value();
    EXPECT_EQ(socket.receive_buffer_bytes(), 150'000);
}

TEST(UdpSocket, NothingIsAllocatedPerDatagram) {
    Pair pair;
    std::uint64_t got = 0;
    pair.server.read_loop([&](const Received&) { ++got; }, [](std::uint32_t) {});
    const Bytes bytes(160, 1);
    const auto exchange = [&](std::uint64_t count) {
        const std::uint64_t goal = got + count;
        for (std::uint64_t i = 0; i < count; ++i) {
            ASSERT_TRUE(pair.client.send(bytes));
            if (i % 7 == 0) pair.loop.poll();
        }
        run_until(pair.loop, [&] { return got == goal; });
    };
    exchange(500);  // the thread's buffers, Asio's handlers
    const std::uint64_t before = test::allocations();
    exchange(2'000);
    EXPECT_EQ(test::allocations(), before);
}

}  // namespace
}  // namespace lestapenna::discord
