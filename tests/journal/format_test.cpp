#include "journal/format.h"

#include <gtest/gtest.h>

#include "testing.h"

namespace lestapenna::journal {
namespace {

std::vector<Record> one_of_each() {
    static const std::vector<std::uint8_t> opus = {0xFC, 0xFF, 0xFE};
    return {Packet{7, 65'535, 4'294'967'295, kAnchor, false, false, 3, opus},
            Packet{7, 1, 2, kAnchor, false, true, 0, {}},
            Packet{7, 1, 2, kAnchor, true, true, 8'192, {}},
            Packet{7, 1, 2, kAnchor, true, true, 172, {}, ClosedReason::overflow},
            Join{kAnchor, UserId{~0ull}},
            Leave{kAnchor, UserId{1}},
            Binding{kAnchor, 9, UserId{2}},
            Pause{kAnchor},
            Resume{kAnchor},
            Gap{kAnchor, kAnchor + seconds{1}, GapReason::restart, 12},
            Clock{kAnchor, UnixTime{milliseconds{1'753'000'000'000}}},
            Marker{kAnchor, UserId{3}, "così"},
            Marker{kAnchor, UserId{3}, ""},
            End{kAnchor}};
}

TEST(Format, EveryRecordComesBackAsItWas) {
    for (const Record& record : one_of_each()) {
        const auto bytes = bytes_of(record);
        ASSERT_GE(bytes.size(), kRecordHeaderBytes + 8) << record.index();
        const RecordHead head = read_head(bytes);
        EXPECT_EQ(head.bytes(), bytes.size());
        EXPECT_EQ(encoded_time(bytes), time_of(record));
        const auto back = decode(head.type, head.flags, std::span(bytes).subspan(kRecordHeaderBytes));
        ASSERT_TRUE(back) << record.index();
        EXPECT_EQ(back->index(), record.index());
        EXPECT_EQ(bytes_of(*back), bytes);
    }
}

TEST(Format, ARecordCutOrGrownByAByteIsRefused) {
    for (const Record& record : one_of_each()) {
        const auto bytes = bytes_of(record);
        const RecordHead head = read_head(bytes);
        const bool open_ended = std::holds_alternative<Marker>(record) ||
                                (std::holds_alternative<Packet>(record) && !std::get<Packet>(record).undecryptable);
        std::vector<std::uint8_t> payload(bytes.begin() + kRecordHeaderBytes, bytes.end());
        payload.push_back(0);
        EXPECT_EQ(decode(head.type, head.flags, payload).has_value(), open_ended) << record.index();
        for (std::size_t size = 0; size < (open_ended ? 16u : payload.size() - 1); ++size) {
            EXPECT_FALSE(decode(head.type, head.flags, std::span(payload).first(size)))
                << record.index() << " " << size;
        }
    }
}

TEST(Format, WhatBreaksALimitHasNoEncoding) {
    const std::vector<std::uint8_t> large(kMaxPayloadBytes + 1);
    const std::string text(kMaxMarkerBytes + 1, 'x');
    EXPECT_EQ(encoded_bytes(Packet{1, 1, 1, kAnchor, false, false, 8'193, large}), 0u);
    EXPECT_EQ(encoded_bytes(Packet{1, 1, 1, kAnchor, false, false, 5, std::span(large).first(4)}), 0u);
    EXPECT_EQ(encoded_bytes(Packet{1, 1, 1, kAnchor, true, false, 4, std::span(large).first(4)}), 0u);
    EXPECT_EQ(encoded_bytes(Packet{1, 1, 1, kAnchor, false, false, 4, std::span(large).first(4), ClosedReason::plain}),
              0u)
        << "a reason why it stayed closed, and it did not";
    EXPECT_EQ(encoded_bytes(Marker{kAnchor, UserId{1}, text}), 0u);
    EXPECT_EQ(encoded_bytes(Pause{BootTime::max()}), 0u);
    EXPECT_EQ(encoded_bytes(Gap{BootTime::min(), kAnchor, GapReason::outage, 0}), 0u);
    EXPECT_EQ(encoded_bytes(Clock{kAnchor, UnixTime::max()}), 0u);
    EXPECT_EQ(encoded_bytes(Packet{1, 1, 1, kAnchor, false, false, 8'192, std::span(large).first(8'192)}),
              kMaxRecordBytes);
}

TEST(Format, UnknownTypesFlagsAndReasonsAreRefused) {
    std::vector<std::uint8_t> payload(21);
    EXPECT_FALSE(decode(0, 0, payload));
    EXPECT_FALSE(decode(kSealType, 0, payload));
    EXPECT_FALSE(decode(200, 0, payload));
    EXPECT_FALSE(decode(1, 4, payload)) << "a reason without undecryptable";
    EXPECT_FALSE(decode(7, 0, payload)) << "a gap of reason 0";
    payload[20] = 6;
    EXPECT_FALSE(decode(7, 0, payload)) << "a gap of reason 6";
    payload[20] = 5;
    EXPECT_TRUE(decode(7, 0, payload));
    EXPECT_FALSE(decode(7, 1, payload)) << "only packets have flags";
}

TEST(Format, APacketKeepsWhyItStayedClosed) {
    for (std::size_t reason = 0; reason < 64; ++reason) {
        const auto bytes = bytes_of(Packet{7, 1, 2, kAnchor, true, false, 172, {}});
        const auto flags = static_cast<std::uint8_t>(1 | reason << 2);
        const auto back = decode(1, flags, std::span(bytes).subspan(kRecordHeaderBytes));
        ASSERT_EQ(back.has_value(), reason < kClosedReasons) << reason;
        if (!back) continue;
        EXPECT_EQ(static_cast<std::size_t>(std::get<Packet>(*back).closed), reason);
        EXPECT_EQ(bytes_of(*back)[7], flags);
    }
}

SegmentHeader header_of_second() {
    SegmentHeader header;
    header.session_id = "01TEST";
    header.number = 2;
    header.previous_number = 1;
    header.previous_length = 5'000;
    header.previous_hash.fill(9);
    header.first_record = 12;
    header.session_start = UnixTime{milliseconds{1'753'000'000'000}};
    header.anchor = kAnchor;
    header.boot = BootId{{4, 5, 6}};
    return header;
}

TEST(Format, AHeaderComesBackAlsoFromItsCopy) {
    const SegmentHeader header = header_of_second();
    auto area = encode_header(header);
    for (const bool broken : {false, true}) {
        if (broken) std::fill_n(area.begin(), 512, std::uint8_t{0});
        const auto back = decode_header(area);
        ASSERT_TRUE(back) << back.error().message;
        EXPECT_EQ(back->session_id, header.session_id);
        EXPECT_EQ(back->number, 2u);
        EXPECT_EQ(back->previous_number, 1u);
        EXPECT_EQ(back->previous_length, 5'000u);
        EXPECT_EQ(back->previous_hash, header.previous_hash);
        EXPECT_EQ(back->first_record, 12u);
        EXPECT_EQ(back->session_start, header.session_start);
        EXPECT_EQ(back->anchor, header.anchor);
        EXPECT_EQ(back->boot, header.boot);
    }
}

TEST(Format, ABadHeaderSaysWhatIsWrong) {
    const auto area = encode_header(header_of_second());
    const auto reason = [](std::span<const std::uint8_t> bytes) {
        const auto header = decode_header(bytes);
        return header ? std::string("fine") : header.error().message;
    };
    EXPECT_EQ(reason({}), "is empty");
    EXPECT_EQ(reason(std::span(area).first(100)), "is cut off inside its header");
    const std::vector<std::uint8_t> text(kHeaderArea, 'x');
    EXPECT_NE(reason(text).find("is not a journal segment"), std::string::npos);
    EXPECT_NE(reason(std::span(text).first(100)).find("is not a journal segment"), std::string::npos);
    auto newer = area;
    newer[8] = newer[kHeaderCopyAt + 8] = 2;
    EXPECT_NE(reason(newer).find("written by a newer version (format 2); this program reads format 1"),
              std::string::npos);
    auto flipped = area;
    flipped[40] ^= 1;
    flipped[kHeaderCopyAt + 60] ^= 1;
    EXPECT_NE(reason(flipped).find("checksum"), std::string::npos);
}

TEST(Format, TheChecksumBindsARecordToItsPlace) {
    const auto record = bytes_of(Pause{kAnchor});
    const std::uint32_t here = RecordCrc("01TEST", 1).of(4'096, record);
    EXPECT_NE(here, RecordCrc("01TESU", 1).of(4'096, record));
    EXPECT_NE(here, RecordCrc("01TEST", 2).of(4'096, record));
    EXPECT_NE(here, RecordCrc("01TEST", 1).of(4'104, record));
}

TEST(Format, TheChecksumIsCrc32c) {
    boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
    crc.process_bytes("123456789", 9);
    EXPECT_EQ(crc.checksum(), 0xE3069283u);  // the check value of RFC 3720 appendix B.4's polynomial
}

TEST(Format, PlaceNeverSplitsARecord) {
    const RecordCrc crc("01TEST", 1);
    std::vector<std::uint8_t> bytes;
    const auto record = bytes_of(Join{kAnchor, UserId{1}});
    const std::uint64_t base = kHeaderArea + kBlockBytes - record.size() - 3;
    place(bytes, base, crc, record);
    EXPECT_EQ(bytes.size(), record.size());
    place(bytes, base, crc, record);
    EXPECT_EQ(bytes.size(), record.size() + 3 + record.size());
    EXPECT_TRUE(
        std::equal(record.begin() + 4, record.end(), bytes.end() - static_cast<std::ptrdiff_t>(record.size()) + 4));
}

}  // namespace
}  // namespace lestapenna::journal
