#include "discord/parking.h"

#include <set>

#include <gtest/gtest.h>

#include "allocations.h"

namespace lestapenna::discord {
namespace {

using Bytes = std::vector<std::uint8_t>;

rtp::Header header(std::uint32_t ssrc, std::uint16_t seq) {
    return {.marker = false, .payload_type = 120, .seq = seq, .timestamp = seq * 960U, .ssrc = ssrc};
}
bool park(Parking& parking, std::uint32_t ssrc, std::uint16_t seq) {
    return parking.park(header(ssrc, seq), BootTime{milliseconds(20 * seq)}, Bytes(100, 7), Closed::no_key);
}
/// Takes all of a source; their sequence numbers.
std::vector<std::uint16_t> empty(Parking& parking, std::uint32_t ssrc) {
    std::vector<std::uint16_t> seqs;
    while (const auto place = parking.take(ssrc)) {
        seqs.push_back(parking.at(*place).header.seq);
        parking.free(*place);
    }
    return seqs;
}

TEST(Parking, KeepsWhatItWasGivenInOrder) {
    Parking parking(100);
    EXPECT_TRUE(parking.park(header(5, 1), BootTime{seconds(3)}, Bytes{1, 2, 3}, Closed::no_user));
    EXPECT_TRUE(park(parking, 6, 1));
    EXPECT_TRUE(park(parking, 5, 2));
    EXPECT_TRUE(park(parking, 5, 3));
    EXPECT_EQ(parking.size(), 4U);
    EXPECT_EQ(parking.size(5), 3U);
    EXPECT_EQ(parking.size(7), 0U);
    EXPECT_EQ(parking.oldest(7), nullptr);
    EXPECT_EQ(parking.newest(7), nullptr);
    EXPECT_EQ(parking.take(7), std::nullopt);
    EXPECT_EQ(parking.newest(5)->header.seq, 3);
    const ParkedFrame& first = *parking.oldest(5);
    EXPECT_EQ(first.header.timestamp, 960U);
    EXPECT_EQ(first.arrival, BootTime{seconds(3)});
    EXPECT_EQ(first.why, Closed::no_user);
    EXPECT_EQ(first.bytes, (Bytes{1, 2, 3}));
    EXPECT_EQ(empty(parking, 5), (std::vector<std::uint16_t>{1, 2, 3}));
    EXPECT_EQ(parking.size(), 1U);
}

TEST(Parking, WhatIsPutBackByTurnsIsInOrderAgain) {
    Parking parking(1'000);
    for (std::uint16_t i = 0; i < 100; ++i) ASSERT_TRUE(park(parking, 5, i));
    // Every third one opens.
    for (std::size_t left = parking.size(5); left > 0; --left) {
        const auto place = parking.take(5);
        ASSERT_TRUE(place);
        if (parking.at(*place).header.seq % 3 == 0) {
            parking.free(*place);
        } else {
            parking.put_back(*place);
        }
    }
    std::vector<std::uint16_t> rest;
    for (std::uint16_t i = 0; i < 100; ++i) {
        if (i % 3 != 0) rest.push_back(i);
    }
    EXPECT_EQ(empty(parking, 5), rest);
    EXPECT_EQ(parking.size(), 0U);
}

TEST(Parking, OneTakenOutStaysWhereItIs) {
    Parking parking(10'000);
    ASSERT_TRUE(parking.park(header(5, 1), BootTime{}, Bytes{9, 9}, Closed::forged));
    const auto place = parking.take(5);
    ASSERT_TRUE(place);
    const ParkedFrame& frame = parking.at(*place);
    for (std::uint16_t i = 0; i < 900; ++i) ASSERT_TRUE(park(parking, 6, i));
    EXPECT_EQ(frame.bytes, (Bytes{9, 9}));
    EXPECT_EQ(parking.size(), 901U) << "it still takes room";
    parking.put_back(*place);
    EXPECT_EQ(parking.oldest(5)->why, Closed::forged);
}

TEST(Parking, NobodyCrowdsOutOthers) {
    Parking parking(1'000);
    std::uint16_t hogged = 0;
    while (park(parking, 1, hogged)) ++hogged;
    EXPECT_EQ(hogged, 500U) << "one may have half of it";
    std::uint16_t second = 0;
    while (park(parking, 2, second)) ++second;
    EXPECT_EQ(second, 250U);
    EXPECT_FALSE(park(parking, 1, 0));
    EXPECT_TRUE(park(parking, 3, 0)) << "there is room for a newcomer";
    EXPECT_EQ(empty(parking, 1).size(), 500U) << "nothing of it was pushed out";
    EXPECT_TRUE(park(parking, 2, 0)) << "more room for the others then";
}

TEST(Parking, IsBoundedForOneSourceAndInTheirNumber) {
    Parking parking(8'192);
    std::size_t parked = 0;
    while (park(parking, 1, static_cast<std::uint16_t>(parked))) ++parked;
    EXPECT_EQ(parked, kMostOfOneSource);
    std::uint32_t sources = 1;
    while (park(parking, sources + 1, 0)) ++sources;
    EXPECT_EQ(sources, kMostSources);
    EXPECT_FALSE(park(parking, 1'000'000, 0));
    EXPECT_EQ(empty(parking, 7).size(), 1U);
    EXPECT_TRUE(park(parking, 1'000'000, 0)) << "an empty place is the next newcomer's";
}

TEST(Parking, WithoutRoomNothingIsParked) {
    Parking none(0);
    EXPECT_FALSE(park(none, 1, 1));
    Parking one(1);
    EXPECT_TRUE(park(one, 1, 1));
    EXPECT_FALSE(park(one, 1, 2));
    EXPECT_FALSE(park(one, 2, 2));
}

TEST(Parking, SourcesAreThereByNumber) {
    Parking parking(1'000);
    for (const std::uint32_t ssrc : {7U, 8U, 9U}) ASSERT_TRUE(park(parking, ssrc, 1));
    std::set<std::uint32_t> seen;
    for (std::size_t n = 0; n < parking.sources(); ++n) {
        const auto ssrc = parking.source(n);
        ASSERT_TRUE(ssrc);
        seen.insert(*ssrc);
        if (*ssrc == 8) empty(parking, 8);
    }
    EXPECT_EQ(seen, (std::set<std::uint32_t>{7, 8, 9}));
    EXPECT_EQ(parking.source(1), std::nullopt);
}

TEST(Parking, NothingIsAllocatedOnceItWasThatFull) {
    Parking parking(8'192);
    const Bytes frame(200, 3);
    const auto round = [&] {
        for (std::uint32_t ssrc = 1; ssrc <= 5; ++ssrc) {
            for (std::uint16_t i = 0; i < 300; ++i) {
                ASSERT_TRUE(parking.park(header(ssrc, i), BootTime{}, frame, Closed::no_key));
            }
        }
        for (std::uint32_t ssrc = 1; ssrc <= 5; ++ssrc) {
            while (const auto place = parking.take(ssrc)) parking.free(*place);
        }
    };
    round();
    const std::uint64_t before = test::allocations();
    round();
    EXPECT_EQ(test::allocations(), before);
}

}  // namespace
}  // namespace lestapenna::discord
