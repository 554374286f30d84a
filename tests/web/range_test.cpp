#include "web/range.h"

#include <gtest/gtest.h>

namespace lestapenna::web {
namespace {

std::string told(std::string_view header, std::uint64_t size) {
    const Part part = part_of(header, size);
    if (part.kind == Part::whole) return "whole";
    if (part.kind == Part::none) return "none";
    return std::to_string(part.offset) + "+" + std::to_string(part.length);
}

TEST(Range, OneRangeIsWhatTheRfcSays) {
    const std::vector<std::pair<std::string, std::string>> cases{
        // RFC 9110 section 14.1.2, of 10,000 bytes
        {"bytes=0-499", "0+500"},
        {"bytes=500-999", "500+500"},
        {"bytes=-500", "9500+500"},
        {"bytes=9500-", "9500+500"},
        {"bytes=0-0", "0+1"},
        {"bytes=-1", "9999+1"},
        // To the end and beyond
        {"bytes=0-", "0+10000"},
        {"bytes=0-9999", "0+10000"},
        {"bytes=0-10000", "0+10000"},
        {"bytes=9999-", "9999+1"},
        {"bytes=9999-99999999999999999999999", "9999+1"},
        {"bytes=-99999999999999999999999", "0+10000"},
        {"bytes=10000-", "none"},
        {"bytes=10000-20000", "none"},
        {"bytes=99999999999999999999999-", "none"},
        {"bytes=-0", "none"},
        // As it may be written
        {"BYTES=1-2", "1+2"},
        {"bytes= 1-2 ", "1+2"},
        {"bytes=,1-2,,", "1+2"},
        {"bytes=001-002", "1+2"},
        // Nothing we understand: as if it were not there
        {"", "whole"},
        {"bytes", "whole"},
        {"bytes=", "whole"},
        {"bytes=-", "whole"},
        {"bytes=1", "whole"},
        {"bytes=2-1", "whole"},
        {"bytes=a-b", "whole"},
        {"bytes=1-b", "whole"},
        {"bytes=1--2", "whole"},
        {"bytes=--1", "whole"},
        {"bytes=+1-2", "whole"},
        {"bytes=1 - 2", "whole"},
        {"bytes=0x1-2", "whole"},
        {"bytes =1-2", "whole"},
        {"bytes:1-2", "whole"},
        {"lines=1-2", "whole"},
    };
    for (const auto& [header, wanted] : cases) EXPECT_EQ(told(header, 10'000), wanted) << header;
}

TEST(Range, SeveralAreSentAsAWholeOrNotAtAll) {
    EXPECT_EQ(told("bytes=0-1,4-5", 10), "whole");
    EXPECT_EQ(told("bytes=0-1, 20-30", 10), "whole");
    EXPECT_EQ(told("bytes=20-30, -0,40-", 10), "none");
    EXPECT_EQ(told("bytes=20-30, 2-1", 10), "whole") << "one is none: none counts";
    std::string many = "bytes=0-0";
    for (int i = 0; i < 5000; ++i) many += ",0-0";
    EXPECT_EQ(told(many, 10), "whole");
}

TEST(Range, OfAnEmptyFileThereIsNone) {
    EXPECT_EQ(told("bytes=0-", 0), "none");
    EXPECT_EQ(told("bytes=-5", 0), "none");
    EXPECT_EQ(told("", 0), "whole");
}

TEST(Range, EntityTagsAreComparedStronglyOrWeakly) {
    EXPECT_TRUE(names("\"a\"", "\"a\"", false));
    EXPECT_TRUE(names("\"b\" , \"a\"", "\"a\"", false));
    EXPECT_TRUE(names(" * ", "\"a\"", false));
    EXPECT_FALSE(names("\"b\"", "\"a\"", true));
    EXPECT_FALSE(names("", "\"a\"", true));
    EXPECT_FALSE(names("a", "\"a\"", true));
    EXPECT_FALSE(names("W/\"a\"", "\"a\"", false));
    EXPECT_TRUE(names("W/\"b\",W/\"a\"", "\"a\"", true));
}

}  // namespace
}  // namespace lestapenna::web
