#include "base/ids.h"

#include <limits>
#include <set>

#include <gtest/gtest.h>

#include "base/time.h"

namespace lestapenna {
namespace {

TEST(UserId, TakesWhatFitsSixtyFourBits) {
    EXPECT_EQ(UserId::parse("0")->value, 0U);
    EXPECT_EQ(UserId::parse("80351110224678912")->value, 80351110224678912U);
    EXPECT_EQ(UserId::parse("18446744073709551615")->value, std::numeric_limits<std::uint64_t>::max());
    EXPECT_EQ(UserId::parse("18446744073709551615")->text(), "18446744073709551615");
}

TEST(UserId, RefusesAllElse) {
    for (const auto* text : {"", "18446744073709551616", "99999999999999999999", "000000000000000000001", "-1", "+1",
                             " 1", "1 ", "1a", "0x10", "../1"}) {
        EXPECT_FALSE(UserId::parse(text)) << text;
    }
    EXPECT_FALSE(UserId::parse(std::string_view("1\0", 2)));
}

TEST(SessionId, TakesLettersDigitsUnderscoreAndDash) {
    EXPECT_EQ(SessionId::parse("a_B-9")->text(), "a_B-9");
    EXPECT_TRUE(SessionId::parse(std::string(64, 'x')));
}

TEST(SessionId, RefusesWhatCouldLeaveItsFolder) {
    for (const auto* text : {"", ".", "..", "../x", "a/b", "a b", "a%2fb", "a\nb", "é"}) {
        EXPECT_FALSE(SessionId::parse(text)) << text;
    }
    EXPECT_FALSE(SessionId::parse(std::string(65, 'x')));
}

/// The first ten characters of a ULID are its time, base 32.
std::int64_t ulid_ms(const std::string& ulid) {
    constexpr std::string_view kDigits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    std::int64_t ms = 0;
    for (const char c : ulid.substr(0, 10)) ms = ms * 32 + static_cast<std::int64_t>(kDigits.find(c));
    return ms;
}

TEST(SessionId, MakesUlidsThatCarryTheTime) {
    const auto before = unix_now().time_since_epoch().count();
    const auto id = SessionId::make();
    const auto after = unix_now().time_since_epoch().count();
    ASSERT_EQ(id.text().size(), 26U);
    EXPECT_EQ(id.text().find_first_not_of("0123456789ABCDEFGHJKMNPQRSTVWXYZ"), std::string::npos) << id.text();
    EXPECT_GE(ulid_ms(id.text()), before);
    EXPECT_LE(ulid_ms(id.text()), after);
    EXPECT_EQ(SessionId::parse(id.text()), id);
}

TEST(SessionId, MakesNoTwoAlikeAndUsesAllEightyBits) {
    std::set<std::string> endings;
    std::vector<std::set<char>> seen(16);
    for (int i = 0; i < 2000; ++i) {
        const auto random = SessionId::make().text().substr(10);
        endings.insert(random);
        for (std::size_t at = 0; at < seen.size(); ++at) seen[at].insert(random[at]);
    }
    EXPECT_EQ(endings.size(), 2000U);
    // 2000 draws of 32: that one of them is missing anywhere has a probability of 16 * 32 * (31/32)^2000 < 2e-25.
    for (const auto& characters : seen) EXPECT_EQ(characters.size(), 32U);
}

}  // namespace
}  // namespace lestapenna
