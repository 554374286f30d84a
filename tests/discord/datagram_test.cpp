#include "discord/datagram.h"

#include <random>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "vectors.h"

namespace lestapenna::discord {
namespace {

using test::Bytes;

/// A clear part and a plaintext, sealed.
Bytes sealed(Bytes clear, const Bytes& plain, TransportMode mode = TransportMode::aes256_gcm) {
    Transport transport(mode, test::key_of(1));
    EXPECT_TRUE(transport.seal(plain, clear));
    return clear;
}
Datagram kind_of(Bytes datagram, TransportMode mode = TransportMode::aes256_gcm) {
    Transport transport(mode, test::key_of(1));
    return open_datagram(datagram, &transport).kind;
}
/// Sequence 7, timestamp 960, SSRC 1001.
Bytes header(std::uint8_t flags = 0x80, std::uint8_t type = 120) {
    return {flags, type, 0, 7, 0, 0, 3, 0xC0, 0, 0, 3, 0xE9};
}
Bytes with(Bytes bytes, const Bytes& more) {
    bytes.insert(bytes.end(), more.begin(), more.end());
    return bytes;
}

TEST(Datagram, EveryVectorComesOutAsItsPayload) {
    for (const auto& v : test::transport_vectors()) {
        SCOPED_TRACE(v.name);
        Transport transport(v.mode, v.key);
        Bytes datagram = v.datagram;
        const OpenedDatagram opened = open_datagram(datagram, &transport);
        EXPECT_EQ(opened.kind, v.payload.empty() ? Datagram::empty : Datagram::voice);
        EXPECT_EQ(Bytes(opened.payload.begin(), opened.payload.end()), v.payload);
        EXPECT_EQ(opened.header.payload_type, 120);
        EXPECT_EQ(opened.header.seq, v.clear[2] << 8 | v.clear[3]);
        EXPECT_EQ(opened.header.ssrc & 0xFFFF, static_cast<unsigned>(v.clear[10] << 8 | v.clear[11]));
    }
}

TEST(Datagram, NamesWhatIsNoVoice) {
    EXPECT_EQ(kind_of({}), Datagram::too_short);
    EXPECT_EQ(kind_of({0x80, 120, 0, 1}), Datagram::too_short);
    EXPECT_EQ(kind_of({0x13, 0x37, 0xCA, 0xFE, 0, 0, 0, 1}), Datagram::keep_alive);
    EXPECT_EQ(kind_of({0x81, 200, 0, 1, 0, 0, 0, 1}), Datagram::keep_alive) << "8 bytes are dropped before anything";
    EXPECT_EQ(kind_of(Bytes(kMaxDatagramBytes + 1, 0x80)), Datagram::too_long);
    EXPECT_EQ(kind_of(Bytes(100, 0)), Datagram::not_rtp);
    EXPECT_EQ(kind_of(Bytes(100, 0xFF)), Datagram::not_rtp);
    EXPECT_EQ(kind_of(with(header(0x81, 200), Bytes(40, 1))), Datagram::rtcp);
    EXPECT_EQ(kind_of(sealed(header(0x80, 101), {1, 2, 3})), Datagram::other_payload_type) << "video";
    EXPECT_EQ(kind_of(sealed(header(0x80, 96), {1, 2, 3})), Datagram::other_payload_type) << "a probe";

    Bytes discovery(74);
    discovery[1] = 2;
    discovery[3] = 70;
    EXPECT_EQ(kind_of(discovery), Datagram::discovery);
    discovery.push_back(0);
    EXPECT_EQ(kind_of(discovery), Datagram::not_rtp);
    discovery.resize(74);
    discovery[1] = 1;
    EXPECT_EQ(kind_of(discovery), Datagram::not_rtp) << "a question";
}

TEST(Datagram, EveryLengthBelowTheLeastIsTooShort) {
    const Bytes whole = sealed(header(0x91), {});  // not a packet, but its front is asked for 12 + 4 + 4 bytes
    for (std::size_t size = 0; size < 20 + kTransportOverhead; ++size) {
        Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(std::min(size, whole.size())));
        cut.resize(size);
        const Datagram kind = kind_of(cut);
        EXPECT_TRUE(kind == Datagram::too_short || kind == Datagram::bad_extension ||
                    (size == 8 && kind == Datagram::keep_alive))
            << size << " bytes: " << to_string(kind);
    }
}

TEST(Datagram, AMarkerIsNoOtherPayloadType) {
    EXPECT_EQ(kind_of(sealed(header(0x80, 0x80 | 120), {0xF8, 0xFF, 0xFE})), Datagram::voice);
}

TEST(Datagram, ForgedIsForgedWhateverElseItSays) {
    // Absurd padding and extension, but the tag is wrong: nothing of it is looked at.
    for (const std::uint8_t flags : Bytes{0x80, 0x90, 0xA0, 0xB0, 0xBF}) {
        EXPECT_EQ(kind_of(with(header(flags), Bytes(120, 0xFF))), Datagram::forged) << static_cast<int>(flags);
    }
    Bytes voice = sealed(header(), {1, 2, 3});
    EXPECT_EQ(open_datagram(voice, nullptr).kind, Datagram::forged) << "no key yet";
    Transport other(TransportMode::aes256_gcm, test::key_of(2));
    EXPECT_EQ(open_datagram(voice, &other).kind, Datagram::forged);
}

TEST(Datagram, PaddingThenExtensionIsTakenOff) {
    for (const TransportMode mode : {TransportMode::aes256_gcm, TransportMode::xchacha20_poly1305}) {
        const Bytes front = with(header(0xB2), {1, 1, 1, 1, 2, 2, 2, 2, 0xBE, 0xDE, 0, 1});
        Bytes datagram = sealed(front, {0xAA, 0xAA, 0xAA, 0xAA, 9, 8, 7, 0, 0, 3}, mode);
        Transport transport(mode, test::key_of(1));
        const OpenedDatagram opened = open_datagram(datagram, &transport);
        ASSERT_EQ(opened.kind, Datagram::voice);
        EXPECT_EQ(Bytes(opened.payload.begin(), opened.payload.end()), (Bytes{9, 8, 7}));
        EXPECT_EQ(opened.header.seq, 7);
        EXPECT_EQ(opened.header.timestamp, 960U);
        EXPECT_EQ(opened.header.ssrc, 1001U);
    }
}

TEST(Datagram, AbsurdLengthsInsideAreNamed) {
    EXPECT_EQ(kind_of(sealed(header(0xA0), {1, 2, 0})), Datagram::bad_padding) << "padding of 0";
    EXPECT_EQ(kind_of(sealed(header(0xA0), {1, 2, 4})), Datagram::bad_padding) << "longer than all there is";
    EXPECT_EQ(kind_of(sealed(header(0xA0), {1, 2, 255})), Datagram::bad_padding);
    EXPECT_EQ(kind_of(sealed(header(0xA0), {})), Datagram::bad_padding) << "nothing to read the length from";
    EXPECT_EQ(kind_of(sealed(header(0xA0), {1, 2, 3})), Datagram::empty) << "padding alone";
    const auto extended = [](std::uint8_t high, std::uint8_t low) {
        return with(header(0x90), {0xBE, 0xDE, high, low});
    };
    EXPECT_EQ(kind_of(sealed(extended(0xFF, 0xFF), Bytes(900, 1))), Datagram::bad_extension);
    EXPECT_EQ(kind_of(sealed(extended(0, 2), Bytes(7, 1))), Datagram::bad_extension);
    EXPECT_EQ(kind_of(sealed(extended(0, 2), Bytes(8, 1))), Datagram::empty);
    EXPECT_EQ(kind_of(sealed(extended(0, 2), Bytes(9, 1))), Datagram::voice);
    EXPECT_EQ(kind_of(sealed(extended(0, 0), Bytes(1, 1))), Datagram::voice);
    EXPECT_EQ(kind_of(sealed(header(), {})), Datagram::empty);
}

TEST(Datagram, MostlyZeroIsBlank) {
    EXPECT_EQ(kind_of(sealed(header(), Bytes(40, 0))), Datagram::blank);
    EXPECT_EQ(kind_of(sealed(header(), {0})), Datagram::blank);
    EXPECT_EQ(kind_of(sealed(header(), {0, 0, 9, 0})), Datagram::blank);
    EXPECT_EQ(kind_of(sealed(header(), {0, 5, 9, 0})), Datagram::voice);
    EXPECT_EQ(kind_of(sealed(header(), {1, 0, 0, 0})), Datagram::voice);
}

TEST(Datagram, NoDatagramIsTooMuch) {
    constexpr unsigned kSeed = 11;
    std::mt19937 random(kSeed);
    Transport transport(TransportMode::aes256_gcm, test::key_of(1));
    DatagramCounts counts;
    for (int i = 0; i < 50'000; ++i) {
        Bytes bytes(random() % 200);
        for (auto& b : bytes) b = static_cast<std::uint8_t>(random());
        if (bytes.size() > 1 && i % 2 == 0)
            bytes[0] = static_cast<std::uint8_t>(0x80 | (bytes[0] & 0x3F)), bytes[1] = 120;
        const OpenedDatagram opened = open_datagram(bytes, &transport);
        ++counts.by_kind[static_cast<std::size_t>(opened.kind)];
        EXPECT_TRUE(opened.payload.empty()) << "seed " << kSeed;
    }
    EXPECT_EQ(counts.total(), 50'000U);
    EXPECT_EQ(counts.of(Datagram::voice), 0U);
    EXPECT_GT(counts.of(Datagram::forged), 0U);
}

TEST(Datagram, EveryKindHasAName) {
    std::set<std::string> names;
    for (std::size_t i = 0; i < kDatagramKinds; ++i) names.insert(to_string(static_cast<Datagram>(i)));
    EXPECT_EQ(names.size(), kDatagramKinds);
    EXPECT_FALSE(names.contains("unknown"));
}

}  // namespace
}  // namespace lestapenna::discord
