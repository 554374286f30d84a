#include "notify/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lestapenna::notify {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(Address, AsPeopleHaveThem) {
    for (const auto* const address :
         {"anna@example.org", "a.b+tag@mail.example.co.uk", "x@localhost", "o'neil_{1}@a-b.it", "1@2"}) {
        EXPECT_TRUE(check_address("mail.to", address)) << address;
    }
}

TEST(Address, NothingThatEndsALineOrAnAddress) {
    for (const std::string address : {"",
                                      "anna",
                                      "@example.org",
                                      "anna@",
                                      "an na@example.org",
                                      "Anna <anna@example.org>",
                                      "<anna@example.org>",
                                      "anna@example.org,bob@example.org",
                                      "a@b@c",
                                      ".a@b",
                                      "a.@b",
                                      "a..b@c",
                                      "a@.b",
                                      "a@b.",
                                      "a@b..c",
                                      "a@b_c",
                                      "\"a b\"@example.org",
                                      "a;b@example.org",
                                      "perché@example.org",
                                      "a@exämple.org"}) {
        const auto checked = check_address("mail.to", address);
        ASSERT_FALSE(checked) << address;
        EXPECT_EQ(checked.error().kind, ErrorKind::usage);
        EXPECT_THAT(checked.error().message, HasSubstr("mail.to: \""));
        EXPECT_THAT(checked.error().message, HasSubstr("no mail address"));
    }
    EXPECT_FALSE(check_address("mail.to", std::string(65, 'a') + "@example.org"));
    EXPECT_TRUE(check_address("mail.to", std::string(64, 'a') + "@example.org"));
    EXPECT_FALSE(check_address("mail.to", "a@" + std::string(256, 'b')));
}

TEST(Address, ALineBreakIsNamedAsOne) {
    for (const std::string& address :
         {std::string("a@example.org\r\nBcc: eve@example.org"), std::string("a@example.org\n"),
          std::string("a\r@example.org"), std::string("a@example.org\0", 14), std::string("\ta@example.org"),
          std::string("a@b\x7F")}) {
        const auto checked = check_address("mail.to", address);
        ASSERT_FALSE(checked);
        EXPECT_THAT(checked.error().message, HasSubstr("holds a line break or another control character"));
        EXPECT_THAT(checked.error().message, Not(HasSubstr("\n"))) << "one line itself";
    }
}

class Recipients : public ::testing::Test {
  protected:
    Recipients() {
        config.mail.smtp_url = Secret("smtps://mail.example.org");
        config.mail.guilds = {{"1", {"anna@one.org", "bob@one.org"}}, {"2", {"carla@two.org"}}};
        config.mail.to = {"ops@example.org"};
    }
    Config config;
};

TEST_F(Recipients, ATableGetsItsOwnLinksAndTheOperatorACopyWithout) {
    EXPECT_THAT(recipients(config, GuildId{1}),
                ElementsAre(Recipient{"anna@one.org", true}, Recipient{"bob@one.org", true},
                            Recipient{"ops@example.org", false}));
    EXPECT_THAT(recipients(config, GuildId{2}),
                ElementsAre(Recipient{"carla@two.org", true}, Recipient{"ops@example.org", false}));
    EXPECT_THAT(recipients(config, GuildId{3}), ElementsAre(Recipient{"ops@example.org", false}))
        << "never another guild's";
    EXPECT_THAT(recipients(config, GuildId{12}), ElementsAre(Recipient{"ops@example.org", false}));
}

TEST_F(Recipients, TheOperatorGetsLinksOnlyWhenTheyAreWanted) {
    config.mail.links = true;
    EXPECT_THAT(recipients(config, GuildId{3}), ElementsAre(Recipient{"ops@example.org", true}));
}

TEST_F(Recipients, NobodyGetsTwo) {
    config.mail.to = {"anna@one.org", "ops@example.org", "ops@example.org"};
    EXPECT_THAT(recipients(config, GuildId{1}),
                ElementsAre(Recipient{"anna@one.org", true}, Recipient{"bob@one.org", true},
                            Recipient{"ops@example.org", false}));
}

TEST_F(Recipients, WithoutAServerNobodyGetsAny) {
    config.mail.smtp_url = Secret();
    EXPECT_THAT(recipients(config, GuildId{1}), IsEmpty());
}

}  // namespace
}  // namespace lestapenna::notify
