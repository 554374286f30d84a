#include "discord/transport.h"

#include <random>
#include <span>

#include <gtest/gtest.h>

#include "vectors.h"

namespace lestapenna::discord {
namespace {

using test::Bytes;

constexpr TransportMode kModes[] = {TransportMode::aes256_gcm, TransportMode::xchacha20_poly1305};

TEST(Transport, OpensEveryVector) {
    const auto vectors = test::transport_vectors();
    ASSERT_GE(vectors.size(), 10U);
    for (const auto& v : vectors) {
        SCOPED_TRACE(v.name);
        Transport transport(v.mode, v.key);
        Bytes sealed(v.datagram.begin() + static_cast<std::ptrdiff_t>(v.clear.size()), v.datagram.end());
        const auto plain = transport.open(v.clear, sealed);
        ASSERT_TRUE(plain);
        EXPECT_EQ(Bytes(plain->begin(), plain->end()), v.plaintext);
        EXPECT_EQ(plain->data(), sealed.data()) << "in place";
    }
}

TEST(Transport, SealsTheVectorsBytes) {
    for (const auto& v : test::transport_vectors()) {
        SCOPED_TRACE(v.name);
        Transport transport(v.mode, v.key, v.suffix);
        Bytes datagram = v.clear;
        ASSERT_TRUE(transport.seal(v.plaintext, datagram));
        EXPECT_EQ(datagram, v.datagram);
    }
}

TEST(Transport, EveryBitIsAuthenticated) {
    for (const auto& v : test::transport_vectors()) {
        SCOPED_TRACE(v.name);
        Transport transport(v.mode, v.key);
        for (std::size_t bit = 0; bit < v.datagram.size() * 8; ++bit) {
            Bytes changed = v.datagram;
            changed[bit / 8] = static_cast<std::uint8_t>(changed[bit / 8] ^ (1U << (bit % 8)));
            const std::span<std::uint8_t> all(changed);
            EXPECT_FALSE(transport.open(all.first(v.clear.size()), all.subspan(v.clear.size()))) << "bit " << bit;
        }
        Bytes unchanged = v.datagram;
        const std::span<std::uint8_t> all(unchanged);
        EXPECT_TRUE(transport.open(all.first(v.clear.size()), all.subspan(v.clear.size())))
            << "after all the forgeries";
    }
}

TEST(Transport, TooShortIsNoPacket) {
    for (const TransportMode mode : kModes) {
        Transport transport(mode, test::key_of(1));
        for (std::size_t size = 0; size < kTransportOverhead; ++size) {
            Bytes bytes(size, 7);
            EXPECT_FALSE(transport.open({}, bytes)) << size;
        }
    }
}

TEST(Transport, AnotherKeyOpensNothing) {
    for (const TransportMode mode : kModes) {
        Transport ours(mode, test::key_of(1));
        Transport theirs(mode, test::key_of(2));
        const Bytes clear(12, 1);
        Bytes datagram = clear;
        ASSERT_TRUE(theirs.seal(Bytes{1, 2, 3}, datagram));
        EXPECT_FALSE(ours.open(clear, std::span(datagram).subspan(12)));
    }
}

TEST(Transport, SuffixesCountFromOneAndNeverRepeat) {
    for (const TransportMode mode : kModes) {
        Transport transport(mode, test::key_of(3));
        for (std::uint32_t i = 1; i <= 300; ++i) {
            Bytes datagram;
            ASSERT_TRUE(transport.seal(Bytes{1}, datagram));
            const Bytes suffix(datagram.end() - 4, datagram.end());
            EXPECT_EQ(suffix, (Bytes{0, 0, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)}));
        }
        Transport worn(mode, test::key_of(3), 0xFFFF'FFFF);
        Bytes last;
        EXPECT_TRUE(worn.seal(Bytes{1}, last));
        Bytes beyond{9};
        EXPECT_FALSE(worn.seal(Bytes{1}, beyond)) << "the nonce would repeat";
        EXPECT_EQ(beyond, Bytes{9});
    }
}

TEST(Transport, WhatOneSealsTheOtherOpens) {
    constexpr unsigned kSeed = 3;
    std::mt19937 random(kSeed);
    for (const TransportMode mode : kModes) {
        Transport one(mode, test::key_of(4));
        Transport other(mode, test::key_of(4));
        for (int i = 0; i < 500; ++i) {
            Bytes clear(12 + 4 * (random() % 16));
            Bytes plain(random() % 1'400);
            for (auto& b : clear) b = static_cast<std::uint8_t>(random());
            for (auto& b : plain) b = static_cast<std::uint8_t>(random());
            Bytes datagram = clear;
            ASSERT_TRUE(one.seal(plain, datagram));
            ASSERT_EQ(datagram.size(), clear.size() + plain.size() + kTransportOverhead);
            const auto opened = other.open(clear, std::span(datagram).subspan(clear.size()));
            ASSERT_TRUE(opened) << "seed " << kSeed;
            EXPECT_EQ(Bytes(opened->begin(), opened->end()), plain);
        }
    }
}

TEST(Transport, ModesHaveNames) {
    for (const TransportMode mode : kModes) EXPECT_EQ(parse_transport_mode(to_string(mode)), mode);
    EXPECT_FALSE(parse_transport_mode("xsalsa20_poly1305"));
    EXPECT_FALSE(parse_transport_mode(""));
}

}  // namespace
}  // namespace lestapenna::discord
