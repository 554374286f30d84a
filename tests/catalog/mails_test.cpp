#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalog/catalog.h"
#include "support.h"

namespace lestapenna::catalog {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const SessionId kOne = *SessionId::parse("one");
const SessionId kTwo = *SessionId::parse("two");

UnixTime at(std::int64_t ms) {
    return UnixTime{milliseconds{ms}};
}

TEST(Mails, AreRememberedByTheirSessionAndAddress) {
    const test::TempDir folder;
    auto catalog = *Catalog::open(folder / "catalog.sqlite");
    ASSERT_TRUE(catalog.insert_session({.id = kOne}));
    ASSERT_TRUE(catalog.insert_session({.id = kTwo}));
    EXPECT_EQ(*catalog.mail(kOne, "a@example.org"), std::nullopt);

    Mail mail{kOne, "a@example.org", at(20), at(30), 1, "", {}};
    const Mail other{kTwo, "a@example.org", at(20), at(10), 3, "451 later", {}};
    ASSERT_TRUE(catalog.upsert_mail(mail));
    ASSERT_TRUE(catalog.upsert_mail(other));
    EXPECT_EQ(*catalog.mail(kOne, "a@example.org"), mail);
    EXPECT_THAT(*catalog.unsent_mails(), ElementsAre(other, mail)) << "the oldest first";

    mail.attempts = 2;
    mail.sent = at(40);
    ASSERT_TRUE(catalog.upsert_mail(mail));
    EXPECT_EQ(*catalog.mail(kOne, "a@example.org"), mail);
    EXPECT_EQ(*catalog.mail(kOne, "b@example.org"), std::nullopt);
    EXPECT_EQ(*catalog.mail(kTwo, "a@example.org"), other);
    EXPECT_THAT(*catalog.unsent_mails(), ElementsAre(other));
}

TEST(Mails, BelongToASession) {
    const test::TempDir folder;
    auto catalog = *Catalog::open(folder / "catalog.sqlite");
    EXPECT_FALSE(catalog.upsert_mail({kOne, "a@example.org", at(20), at(30), 1, "", {}}));
    EXPECT_THAT(*catalog.unsent_mails(), IsEmpty());
}

}  // namespace
}  // namespace lestapenna::catalog
