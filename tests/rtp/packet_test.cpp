#include "rtp/packet.h"

#include <algorithm>
#include <random>
#include <string>

#include <gtest/gtest.h>

namespace lestapenna::rtp {
namespace {

using Bytes = std::vector<std::uint8_t>;

/// A plain packet: 12 bytes of header, payload 1, 2, 3.
Bytes plain() {
    return {0x80, 120, 0x12, 0x34, 0xDE, 0xAD, 0xBE, 0xEF, 0x00, 0x00, 0x03, 0xE9, 1, 2, 3};
}

Bytes payload_of(const Parsed& parsed) {
    return {parsed.payload.begin(), parsed.payload.end()};
}

TEST(RtpParse, ReadsEveryFieldOfAPlainPacket) {
    Bytes bytes = plain();
    bytes[1] |= 0x80;
    const Parsed parsed = parse(bytes);
    ASSERT_EQ(parsed.reject, Reject::none);
    EXPECT_TRUE(parsed.header.marker);
    EXPECT_EQ(parsed.header.payload_type, 120);
    EXPECT_EQ(parsed.header.seq, 0x1234);
    EXPECT_EQ(parsed.header.timestamp, 0xDEADBEEFU);
    EXPECT_EQ(parsed.header.ssrc, 1001U);
    EXPECT_EQ(payload_of(parsed), (Bytes{1, 2, 3}));
    EXPECT_EQ(parsed.payload.data(), bytes.data() + 12) << "the payload points into the datagram";
}

TEST(RtpParse, TakesCsrcsExtensionAndPaddingOff) {
    Bytes bytes = plain();
    bytes.resize(12);
    bytes[0] = 0x80 | 0x20 | 0x10 | 2;                                // padding, extension, two CSRCs
    bytes.insert(bytes.end(), {9, 9, 9, 9, 8, 8, 8, 8});              // CSRCs
    bytes.insert(bytes.end(), {0xBE, 0xDE, 0, 1, 0x10, 0xFF, 0, 0});  // extension of one word
    bytes.insert(bytes.end(), {0xAA, 0xBB, /* padding */ 0, 0, 3});
    const Parsed parsed = parse(bytes);
    ASSERT_EQ(parsed.reject, Reject::none);
    EXPECT_EQ(payload_of(parsed), (Bytes{0xAA, 0xBB}));
}

TEST(RtpParse, NamesEachReject) {
    const auto with = [](auto change) {
        Bytes bytes = plain();
        change(bytes);
        return parse(bytes).reject;
    };
    EXPECT_EQ(parse({}).reject, Reject::too_short);
    EXPECT_EQ(with([](Bytes& b) { b.resize(11); }), Reject::too_short);
    EXPECT_EQ(with([](Bytes& b) {
                  b.resize(8);
                  b[0] = 0;
              }),
              Reject::too_short)
        << "an 8-byte keepalive";
    EXPECT_EQ(with([](Bytes& b) { b[0] = 0x81; }), Reject::too_short) << "a CSRC needs 4 bytes, there are 3";
    EXPECT_EQ(with([](Bytes& b) { b[0] = 0x40; }), Reject::wrong_version);
    EXPECT_EQ(with([](Bytes& b) {
                  b[1] = 200;
                  b.resize(8);
              }),
              Reject::rtcp)
        << "the shortest receiver report";
    EXPECT_EQ(with([](Bytes& b) { b[1] = 192; }), Reject::rtcp);
    EXPECT_EQ(with([](Bytes& b) { b[1] = 223; }), Reject::rtcp);
    EXPECT_EQ(with([](Bytes& b) { b[1] = 224; }), Reject::other_payload_type);
    EXPECT_EQ(with([](Bytes& b) { b[1] = 101; }), Reject::other_payload_type) << "video";
    EXPECT_EQ(with([](Bytes& b) { b[0] = 0x90; }), Reject::bad_extension) << "no room for its preamble";
    EXPECT_EQ(with([](Bytes& b) {
                  b[0] = 0x90;
                  b.insert(b.end(), {0, 0, 0});
              }),
              Reject::bad_extension);
    EXPECT_EQ(with([](Bytes& b) {
                  b[0] = 0xA0;
                  b.back() = 0;
              }),
              Reject::bad_padding);
    EXPECT_EQ(with([](Bytes& b) {
                  b[0] = 0xA0;
                  b.back() = 4;
              }),
              Reject::bad_padding);
    EXPECT_EQ(with([](Bytes& b) {
                  b[0] = 0xA0;
                  b.resize(12);
              }),
              Reject::bad_padding);
    EXPECT_EQ(with([](Bytes& b) {
                  b[0] = 0xA0;
                  b.back() = 3;
              }),
              Reject::empty)
        << "nothing but padding";
    EXPECT_EQ(with([](Bytes& b) { b.resize(12); }), Reject::empty);
}

TEST(RtpParse, EveryNameIsItsOwn) {
    std::vector<std::string> names;
    for (int i = 0; i <= static_cast<int>(Reject::empty); ++i) names.emplace_back(to_string(static_cast<Reject>(i)));
    std::sort(names.begin(), names.end());
    EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
    EXPECT_EQ(std::count(names.begin(), names.end(), "unknown"), 0);
}

TEST(RtpWrite, WhatIsWrittenIsRead) {
    constexpr unsigned kSeed = 20'260'101;
    std::mt19937 random(kSeed);
    for (int i = 0; i < 2'000; ++i) {
        const Header header{.marker = random() % 2 == 0,
                            .payload_type = kOpusPayloadType,
                            .seq = static_cast<std::uint16_t>(random()),
                            .timestamp = static_cast<std::uint32_t>(random()),
                            .ssrc = static_cast<std::uint32_t>(random())};
        Bytes payload(1 + random() % 300);
        for (auto& byte : payload) byte = static_cast<std::uint8_t>(random());
        Bytes bytes{0x55};  // what is there already stays
        write(header, payload, bytes);
        ASSERT_EQ(bytes.size(), 1 + 12 + payload.size());
        const Parsed parsed = parse(std::span<const std::uint8_t>(bytes).subspan(1));
        ASSERT_EQ(parsed.reject, Reject::none) << "seed " << kSeed << " packet " << i;
        EXPECT_EQ(parsed.header.marker, header.marker);
        EXPECT_EQ(parsed.header.seq, header.seq);
        EXPECT_EQ(parsed.header.timestamp, header.timestamp);
        EXPECT_EQ(parsed.header.ssrc, header.ssrc);
        EXPECT_EQ(payload_of(parsed), payload);
    }
}

TEST(RtpParse, AnyBytesAreAPacketOrANamedReject) {
    constexpr unsigned kSeed = 7;
    std::mt19937 random(kSeed);
    for (int i = 0; i < 200'000; ++i) {
        Bytes bytes(random() % 48);
        for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
        if (bytes.size() > 1 && random() % 4 != 0) {
            bytes[0] = static_cast<std::uint8_t>(0x80 | (bytes[0] & 0x3F));
            bytes[1] = 120;
        }
        const Parsed parsed = parse(bytes);
        ASSERT_EQ(parsed.payload.empty(), parsed.reject != Reject::none) << "seed " << kSeed << " packet " << i;
        if (parsed.reject != Reject::none) continue;
        ASSERT_GE(parsed.payload.data(), bytes.data() + 12);
        ASSERT_LE(parsed.payload.data() + parsed.payload.size(), bytes.data() + bytes.size());
    }
}

}  // namespace
}  // namespace lestapenna::rtp
