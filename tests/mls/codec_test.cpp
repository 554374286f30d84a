#include "mls/codec.h"

#include <cstdio>
#include <random>

#include <gtest/gtest.h>

#include "vectors.h"

namespace lestapenna::mls {
namespace {

using test::unhex;

TEST(Codec, HeadersOfVectors) {
    const auto cases = test::official("deserialization.json");
    if (!cases) GTEST_SKIP() << test::kNoVectors;
    for (const auto& one : *cases) {
        const Bytes header = unhex(one.at("vlbytes_header"));
        Reader reader(header);
        EXPECT_EQ(reader.length(), one.at("length").get<std::uint32_t>());
        EXPECT_TRUE(reader.done());
    }
    std::printf("deserialization.json: %zu cases\n", cases->size());
}

TEST(Codec, HeadersAreTheShortestPossible) {
    for (const char* header : {"4000", "403f", "80000000", "8000003f", "80003fff", "c0", "ff", "c000000000000001"}) {
        const Bytes bytes = unhex(header);
        Reader reader(bytes);
        EXPECT_EQ(reader.length(), 0U) << header;
        EXPECT_FALSE(reader.ok()) << header;
    }
    for (const std::size_t size : {0U, 63U, 64U, 16'383U, 16'384U, 1U << 20}) {
        const Bytes contents(size, 7);
        Writer writer;
        writer.vec(contents);
        EXPECT_EQ(writer.bytes().size() - size, size < 64 ? 1U : size < 16'384 ? 2U : 4U);
        Reader reader(writer.bytes());
        EXPECT_EQ(to_bytes(reader.vec()), contents);
        EXPECT_TRUE(reader.done());
    }
}

TEST(Codec, LengthsThatLie) {
    for (const char* vector : {"01", "40", "4040", "2000", "800040", "bfffffff00"}) {
        const Bytes bytes = unhex(vector);
        Reader reader(bytes);
        EXPECT_TRUE(reader.vec().empty());
        EXPECT_FALSE(reader.ok()) << vector;
    }
    // There are that many bytes, but nobody may say so much.
    Bytes large(kMaxVectorBytes + 1 + 4);
    large[0] = 0x80;
    large[1] = 0x10;
    large[3] = 0x01;
    Reader reader(large);
    EXPECT_TRUE(reader.vec().empty());
    EXPECT_FALSE(reader.ok());
}

TEST(Codec, NumbersAreBigEndian) {
    Writer writer;
    writer.u8(0x01);
    writer.u16(0x0203);
    writer.u32(0x04050607);
    writer.u64(0x08090a0b0c0d0e0f);
    EXPECT_EQ(to_bytes(writer.bytes()), unhex("0102030405060708090a0b0c0d0e0f"));
    Reader reader(writer.bytes());
    EXPECT_EQ(reader.u8(), 0x01);
    EXPECT_EQ(reader.u16(), 0x0203);
    EXPECT_EQ(reader.u32(), 0x04050607U);
    EXPECT_EQ(reader.u64(), 0x08090a0b0c0d0e0fU);
    EXPECT_TRUE(reader.done());
}

TEST(Codec, AFailedReaderStaysFailed) {
    const Bytes bytes = unhex("010203");
    Reader reader(bytes);
    EXPECT_EQ(reader.u32(), 0U);
    EXPECT_EQ(reader.u8(), 0U);
    EXPECT_TRUE(reader.vec().empty());
    EXPECT_FALSE(reader.present());
    reader.list([](Reader& /*element*/) { ADD_FAILURE() << "there is none"; });
    EXPECT_TRUE(reader.at_end());
    EXPECT_FALSE(reader.ok());
    EXPECT_FALSE(reader.done());
}

TEST(Codec, OptionalsAreZeroOrOne) {
    for (unsigned flag = 0; flag < 256; ++flag) {
        const auto byte = static_cast<std::uint8_t>(flag);
        Reader reader({&byte, 1});
        EXPECT_EQ(reader.present(), flag == 1);
        EXPECT_EQ(reader.ok(), flag <= 1);
    }
}

TEST(Codec, ListsEndWithTheirVector) {
    const auto read = [](const char* digits) {
        const Bytes bytes = unhex(digits);
        Reader reader(bytes);
        std::vector<std::uint16_t> numbers;
        reader.list([&](Reader& inner) { numbers.push_back(inner.u16()); });
        return std::pair(reader.done(), numbers);
    };
    EXPECT_EQ(read("00"), std::pair(true, std::vector<std::uint16_t>{}));
    EXPECT_EQ(read("0400010002"), std::pair(true, std::vector<std::uint16_t>{1, 2}));
    EXPECT_FALSE(read("0300010002").first);
    EXPECT_FALSE(read("04000100").first);
    EXPECT_FALSE(read("040001000200").first);  // trailing
}

TEST(Codec, ListsAreBounded) {
    for (const std::size_t count : {kMaxElements, kMaxElements + 1}) {
        Writer writer;
        writer.vec(Bytes(count));
        Reader reader(writer.bytes());
        std::size_t met = 0;
        reader.list([&](Reader& inner) { met += 1U + inner.u8(); });
        EXPECT_EQ(met, kMaxElements);
        EXPECT_EQ(reader.done(), count == kMaxElements);
    }
}

TEST(Codec, ReadsWhatItWrote) {
    const auto seed = std::random_device{}();
    std::printf("seed %u\n", seed);
    std::mt19937_64 random(seed);
    for (int round = 0; round < 300; ++round) {
        std::vector<std::pair<int, std::uint64_t>> said;
        Writer writer;
        for (int i = 0; i < 20; ++i) {
            const auto [kind, value] = said.emplace_back(static_cast<int>(random() % 5), random());
            switch (kind) {
                case 0:
                    writer.u8(static_cast<std::uint8_t>(value));
                    break;
                case 1:
                    writer.u16(static_cast<std::uint16_t>(value));
                    break;
                case 2:
                    writer.u32(static_cast<std::uint32_t>(value));
                    break;
                case 3:
                    writer.u64(value);
                    break;
                default:
                    writer.vec_of([v = value](Writer& inner) { inner.raw(Bytes(v % 20'000, 3)); });
            }
        }
        Reader reader(writer.bytes());
        for (const auto& [kind, value] : said) {
            switch (kind) {
                case 0:
                    EXPECT_EQ(reader.u8(), static_cast<std::uint8_t>(value));
                    break;
                case 1:
                    EXPECT_EQ(reader.u16(), static_cast<std::uint16_t>(value));
                    break;
                case 2:
                    EXPECT_EQ(reader.u32(), static_cast<std::uint32_t>(value));
                    break;
                case 3:
                    EXPECT_EQ(reader.u64(), value);
                    break;
                default:
                    EXPECT_EQ(reader.vec().size(), value % 20'000);
            }
        }
        EXPECT_TRUE(reader.done());
    }
}

}  // namespace
}  // namespace lestapenna::mls
