// One member and the gateway, message by message: dave.md sections 4.1 to 4.8. Proposals and recoveries have files of
// their own.
#include "dave/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "people.h"

namespace lestapenna::dave {
namespace {

using namespace test;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

// ---- coming in

TEST(Session, BeginsWithAKeyPackage) {
    Member anna(kAnna);
    EXPECT_THAT(words(anna.op4()), ElementsAre("no clear", "key package", "changed"));
    const auto package = mls::decode<mls::KeyPackage>(anna.packages.at(0));
    ASSERT_TRUE(package);
    EXPECT_EQ(package->leaf.credential.identity, (mls::Bytes{0, 0, 0, 0, 0, 0, 0x03, 0xE9}));
    EXPECT_TRUE(anna.session.in_transition());
    EXPECT_FALSE(anna.session.call().established);
    EXPECT_EQ(anna.session.call().version, 1);
}

TEST(Session, OfACallInTheClearHasNothingToSay) {
    Member anna(kAnna);
    EXPECT_THAT(words(anna.op4(0)), ElementsAre("clear", "speak clear"));
    EXPECT_FALSE(anna.session.in_transition());
    EXPECT_THAT(words(anna.session.recover()), IsEmpty());
    EXPECT_EQ(anna.hear(kBea, kOpus), Opening::clear);
}

TEST(Session, KnowsTenThousandUsersAndNoMore) {
    Table table;
    Member& anna = table.join(kAnna);
    std::vector<UserId> many;
    for (unsigned n = 0; n < 10'000; ++n) many.push_back(UserId{50'000 + n});
    anna.op11(many);
    Member last(many.back());
    last.op4();
    EXPECT_THAT(words(anna.op27(adding(table, last))), ElementsAre("refused proposals bad_proposal"));
    Member first(many.front());
    first.op4();
    EXPECT_THAT(words(anna.op27(adding(table, first))), ElementsAre("commit and welcome"));
}

TEST(Session, CreatesTheGroup) {
    Table table;
    Member& anna = table.join(kAnna);
    Member& bea = table.join(kBea);
    table.round(7, kAnna);
    EXPECT_EQ(anna.code(), bea.code());
    EXPECT_EQ(anna.code().size(), 30U);
    EXPECT_EQ(anna.session.call().epoch, 1U);
    EXPECT_THAT(anna.session.call().members, ElementsAre(kAnna, kBea));
    EXPECT_FALSE(anna.session.in_transition());
    expect_all_hear(table);
}

TEST(Session, PrepareComesBeforeReadyAndSpeakingAfterExecution) {
    Table table;
    Member& anna = table.join(kAnna);
    Member& bea = table.join(kBea);
    const auto offer = offer_in(anna.op27(adding(table, bea))).value();
    EXPECT_THAT(words(anna.op29(7, offer.commit)), ElementsAre("hear 1", "ready 7", "changed"));
    EXPECT_TRUE(anna.session.in_transition());
    EXPECT_FALSE(anna.speak(kOpus));
    EXPECT_THAT(words(anna.op22(8)), IsEmpty()) << "nobody knows of that one";
    EXPECT_THAT(words(anna.op22(7)), ElementsAre("speak"));
    EXPECT_THAT(words(anna.op22(7)), IsEmpty()) << "once is enough";
    EXPECT_FALSE(anna.session.in_transition());

    EXPECT_THAT(words(bea.op30(0, offer.welcome)), ElementsAre("hear 1", "speak", "changed")) << "zero: at once";
    EXPECT_FALSE(bea.session.in_transition());
    expect_all_hear(table);
}

TEST(Session, WaitsForTheExternalSenderInAnyOrder) {
    Table table;
    Member early(kAnna);
    EXPECT_THAT(words(early.op25(table.gateway.op25())), IsEmpty());
    early.op4();
    early.op11({kBea});
    Member& bea = table.join(kBea);
    const auto op27 = adding(table, bea);
    EXPECT_THAT(words(early.op27(op27)), ElementsAre("commit and welcome"));

    Member late(kAnna);
    late.op4();
    late.op11({kBea});
    EXPECT_THAT(words(late.op27(op27)), IsEmpty()) << "there is no group yet";
    late.op25(table.gateway.op25());
    EXPECT_THAT(words(late.op27(op27)), ElementsAre("commit and welcome"));
}

TEST(Session, AnotherExternalSenderStartsThePendingGroupAnew) {
    Table table;
    const ExternalSender other;
    Member& anna = table.join(kAnna);
    Member& bea = table.join(kBea);
    EXPECT_THAT(words(anna.op25(table.gateway.op25())), IsEmpty()) << "the same";
    EXPECT_THAT(words(anna.op25(other.op25())), IsEmpty());
    EXPECT_THAT(words(anna.op27(adding(table, bea))), ElementsAre("refused proposals bad_signature"));
    EXPECT_THAT(words(anna.op27(append({other.add(0, bea.packages.back())}))), ElementsAre("commit and welcome"));
}

TEST(Session, KeepsItsExternalSenderOnceItIsInAGroup) {
    const auto table = table_of({kAnna, kBea});
    Member& anna = table->at(kAnna);
    EXPECT_THAT(words(anna.op25(table->gateway.op25())), IsEmpty());
    EXPECT_THAT(words(anna.op25(ExternalSender().op25())), ElementsAre("refused external sender wrong_sender"));
    table->join(kCarla);
    table->settle();
    EXPECT_EQ(anna.code(), table->at(kCarla).code());
}

TEST(Session, RefusesABadExternalSender) {
    const mls::Bytes good = ExternalSender().op25();
    mls::Bytes trailing = good;
    trailing.push_back(0);
    mls::Bytes x509 = good;
    x509.at(68) = 2;
    Member anna(kAnna);
    anna.op4();
    EXPECT_THAT(words(anna.op25({})), ElementsAre("refused external sender malformed"));
    EXPECT_THAT(words(anna.op25(trailing)), ElementsAre("refused external sender malformed"));
    EXPECT_THAT(words(anna.op25(mls::View(good).first(20))), ElementsAre("refused external sender malformed"));
    EXPECT_THAT(words(anna.op25(x509)), ElementsAre(StartsWith("refused external sender")));
    EXPECT_THAT(words(anna.op25(spoiled(good, 40))), ElementsAre("refused external sender bad_key"));
    EXPECT_THAT(words(anna.op25(good)), IsEmpty());
}

// ---- versions, and being alone

TEST(Session, DowngradeTakesClearFramesFromItsAnnouncement) {
    const auto table = table_of({kAnna, kBea});
    Member& anna = table->at(kAnna);
    EXPECT_EQ(anna.hear(kBea, kOpus), Opening::plain);
    EXPECT_THAT(words(anna.op21(0, 10)), ElementsAre("clear", "ready 10"));
    EXPECT_EQ(anna.hear(kBea, kOpus), Opening::clear);
    EXPECT_EQ(anna.hear(kBea, table->at(kBea).speak(kOpus).value()), Opening::opened);
    EXPECT_EQ(anna.session.call().version, 1);
    EXPECT_TRUE(anna.session.in_transition());
    EXPECT_THAT(words(anna.op22(10)), ElementsAre("speak clear", "clear", "changed"));
    EXPECT_EQ(anna.session.call().version, 0);
    EXPECT_EQ(anna.session.call().privacy_code, "");
    EXPECT_FALSE(anna.session.in_transition());
}

TEST(Session, AnEpochThatIsExecutedDuringADowngradeDoesNotUndoIt) {
    const auto table = table_of({kAnna, kBea});
    Member& anna = table->at(kAnna);
    anna.op21(0, 10);
    table->join(kCarla);
    table->round(9);
    EXPECT_EQ(anna.hear(kBea, kOpus), Opening::clear);
    EXPECT_THAT(words(anna.op22(10)), ElementsAre("speak clear", "clear", "changed"));
    table->join(kDora);
    table->round(11);
    EXPECT_EQ(anna.session.call().version, 0);
    EXPECT_EQ(anna.hear(kBea, kOpus), Opening::clear);
}

TEST(Session, UpgradeTakesClearFramesForTenSecondsMore) {
    Table table;
    Member& anna = table.join(kAnna);
    Member& bea = table.join(kBea);
    anna.op4(0);
    bea.op4(0);
    EXPECT_EQ(anna.hear(kBea, kOpus), Opening::clear);
    EXPECT_THAT(words(anna.op24()), ElementsAre("hear 0", "key package"));
    bea.op24();
    EXPECT_EQ(anna.session.call().version, 0) << "until it is executed";
    table.round(12, kBea);
    EXPECT_EQ(anna.session.call().version, 1);
    EXPECT_EQ(anna.code(), bea.code());
    EXPECT_FALSE(anna.code().empty());
    EXPECT_EQ(anna.hear(kBea, kOpus), Opening::clear);
    anna.now += kOverlap;
    EXPECT_EQ(anna.hear(kBea, kOpus), Opening::plain);
    expect_all_hear(table);
}

TEST(Session, AnUpgradeWithinTheGroup) {
    const auto table = table_of({kAnna, kBea});
    Member& anna = table->at(kAnna);
    anna.op21(0, 10);
    anna.op22(10);
    EXPECT_THAT(words(anna.op21(1, 11)), ElementsAre("ready 11"));
    EXPECT_THAT(words(anna.op22(11)), ElementsAre("speak", "clear ends", "changed"));
    expect_all_hear(*table);
}

TEST(Session, PrepareEpochResetsAtAnyVersion) {
    const auto table = table_of({kAnna, kBea});
    Member& anna = table->at(kAnna);
    const auto in_flight = table->at(kBea).speak(kOpus).value();
    EXPECT_THAT(words(anna.op24()), ElementsAre("hear 0", "key package", "changed"));
    EXPECT_FALSE(anna.session.call().established);
    EXPECT_EQ(anna.session.call().version, 1);
    EXPECT_EQ(anna.hear(kBea, in_flight), Opening::opened);
    anna.now += kOverlap;
    EXPECT_EQ(anna.hear(kBea, table->at(kBea).speak(kOpus).value()), Opening::no_key);

    Member in_the_clear(kCarla);
    in_the_clear.op4(0);
    EXPECT_THAT(words(in_the_clear.op24()), ElementsAre("hear 0", "key package"));
    EXPECT_THAT(words(in_the_clear.take(in_the_clear.session.on_prepare_epoch(1, 2))), IsEmpty());
}

TEST(Session, SoleMemberIsResetByEpochThenTransition) {
    const auto table = table_of({kAnna, kBea});
    Member& anna = table->at(kAnna);
    anna.op13(kBea);
    anna.op24();
    EXPECT_THAT(words(anna.op21(1, 0)), IsEmpty()) << "executed at once, and there is nobody to hear";
    EXPECT_FALSE(anna.session.call().established);
    EXPECT_THAT(words(anna.op27(append({table->gateway.add(0, table->at(kBea).packages.back())}))),
                ElementsAre("refused proposals bad_proposal"))
        << "she has left";
    Member back(kBea);
    back.op4();
    back.op25(table->gateway.op25());
    anna.op11({kBea});
    const auto offer = offer_in(anna.op27(adding(*table, back))).value();
    anna.op29(0, offer.commit);
    back.op30(0, offer.welcome);
    EXPECT_EQ(anna.code(), back.code());
    EXPECT_EQ(back.hear(kAnna, anna.speak(kOpus).value()), Opening::opened);
}

TEST(Session, SoleMemberIsResetByVersionZero) {
    const auto table = table_of({kAnna, kBea});
    Member& anna = table->at(kAnna);
    anna.op13(kBea);
    EXPECT_THAT(words(anna.op21(0, 0)), ElementsAre("speak clear", "clear", "changed"));
    anna.op11({kBea});
    EXPECT_THAT(words(anna.op24()), ElementsAre("hear 0", "key package", "changed"));
    Member back(kBea);
    back.op4();
    back.op25(table->gateway.op25());
    const auto offer = offer_in(anna.op27(adding(*table, back))).value();
    EXPECT_THAT(words(anna.op29(4, offer.commit)), ElementsAre("hear 1", "ready 4", "changed"));
    EXPECT_THAT(words(anna.op22(4)), ElementsAre("speak", "clear ends", "changed"));
    back.op30(0, offer.welcome);
    EXPECT_EQ(anna.code(), back.code());
}

TEST(Session, VersionsThatNobodySpeaksAreRefused) {
    Member anna(kAnna);
    EXPECT_THAT(words(anna.op4(2)), ElementsAre("refused version unsupported"));
    EXPECT_THAT(words(anna.op4(-1)), ElementsAre("refused version unsupported"));
    anna.op4();
    EXPECT_THAT(words(anna.op21(2, 5)), ElementsAre("refused version unsupported"));
    EXPECT_THAT(words(anna.op24(0)), ElementsAre("refused version unsupported"));
    EXPECT_THAT(words(anna.op24(7)), ElementsAre("refused version unsupported"));
}

TEST(Session, AnEarlierEpochExecutedLateIsNotGoneBackTo) {
    const auto table = table_of({kAnna, kBea});
    Member& anna = table->at(kAnna);
    Member& carla = table->join(kCarla);
    auto offer = table->propose().at(kAnna);
    anna.op29(21, offer.commit);
    table->at(kBea).op29(21, offer.commit);
    carla.op30(21, offer.welcome);
    const std::string first = anna.code();
    anna.op11({kDora});
    Member dora(kDora);
    dora.op4();
    offer = offer_in(anna.op27(append({table->gateway.add(table->epoch() + 1, dora.packages.back())}))).value();
    anna.op29(22, offer.commit);
    EXPECT_NE(anna.code(), first);
    EXPECT_THAT(words(anna.op22(22)), ElementsAre("speak"));
    EXPECT_THAT(words(anna.op22(21)), IsEmpty());
    EXPECT_FALSE(anna.session.in_transition());
}

}  // namespace
}  // namespace lestapenna::dave
