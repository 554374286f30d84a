// Commits and welcomes that cannot be followed, and the way back in.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dave/session.h"
#include "people.h"

namespace lestapenna::dave {
namespace {

using namespace test;
using testing::ElementsAre;
using testing::IsEmpty;

using Recovery = WithNewcomer;

TEST_F(Recovery, ACommitOfWhatWeHaveNeverSeenIsReportedOnce) {
    const auto op27 = append({add(newcomer_)});
    const auto offer = offer_in(bea_.op27(op27)).value();
    EXPECT_THAT(words(anna_.op29(11, offer.commit)),
                ElementsAre("refused commit unknown_proposal", "invalid 11", "key package", "changed"));
    EXPECT_TRUE(anna_.session.in_transition());
    EXPECT_THAT(words(anna_.op29(11, offer.commit)), IsEmpty()) << "we are out, and wait";
    EXPECT_THAT(words(anna_.op27(op27)), ElementsAre("refused proposals wrong_epoch"));
    EXPECT_THAT(words(anna_.session.recover()), ElementsAre("invalid 11", "key package")) << "perhaps it was lost";
}

// A websocket that stalls while UDP flows: frames of the new epoch fail, and we ask; then what stalled comes.
TEST_F(Recovery, WhatComesLateIsFollowedAlthoughWeHaveAsked) {
    const auto op27 = append({add(newcomer_)});
    const auto offer = offer_in(bea_.op27(op27)).value();
    bea_.op29(9, offer.commit);
    bea_.op22(9);
    const auto frame = bea_.speak(kOpus).value();
    EXPECT_NE(anna_.hear(kBea, frame), Opening::opened);
    EXPECT_THAT(words(anna_.take(anna_.session.recover())), ElementsAre("invalid 1", "key package"));
    EXPECT_TRUE(anna_.session.recovering());
    EXPECT_THAT(words(anna_.op27(op27)), ElementsAre("commit and welcome"));
    EXPECT_THAT(words(anna_.op29(9, offer.commit)), ElementsAre("hear 3", "ready 9", "changed"));
    EXPECT_FALSE(anna_.session.recovering());
    EXPECT_EQ(anna_.hear(kBea, frame), Opening::opened);
    EXPECT_EQ(anna_.code(), bea_.code());
    // The server answers op 31 all the same: out, and in with the package that followed it. It needs no other.
    const auto epoch = table_.epoch() + 1;
    const auto anew =
        append({table_.gateway.remove(epoch, table_.leaf_of(kAnna)), table_.gateway.add(epoch, anna_.packages.back())});
    const auto second = offer_in(bea_.op27(anew)).value();
    EXPECT_THAT(words(anna_.op27(anew)), IsEmpty());
    bea_.op29(0, second.commit);
    EXPECT_THAT(words(anna_.op29(0, second.commit)), ElementsAre("hear 0", "changed"));
    EXPECT_THAT(words(anna_.op30(0, second.welcome)), ElementsAre("hear 3", "speak", "changed"));
    EXPECT_EQ(anna_.code(), bea_.code());
}

TEST_F(Recovery, WhoHasAskedDoesNotReportWhatItMissedBesides) {
    const auto offer = offer_in(bea_.op27(append({add(newcomer_)}))).value();
    anna_.take(anna_.session.recover());
    EXPECT_THAT(words(anna_.op29(12, offer.commit)), ElementsAre("refused commit unknown_proposal", "changed"));
    EXPECT_TRUE(anna_.session.recovering());
    EXPECT_EQ(anna_.packages.size(), 2U);
}

TEST_F(Recovery, WhoIsPutOutWithoutAPackageOffersOne) {
    const auto out = append({remove(kAnna)});
    const auto offer = offer_in(bea_.op27(out)).value();
    anna_.op27(out);
    EXPECT_THAT(words(anna_.op29(0, offer.commit)), ElementsAre("hear 0", "key package", "changed"));
}

TEST_F(Recovery, AServerThatBeginsAnewIsFollowedAfterAnUnansweredOne) {
    anna_.take(anna_.session.recover());
    const auto offer = offer_in(anna_.op27(adding(table_, newcomer_))).value();
    EXPECT_THAT(words(anna_.op29(4, offer.commit)), ElementsAre("hear 1", "ready 4", "changed"));
    EXPECT_THAT(anna_.session.call().members, ElementsAre(kAnna, kDora));
}

TEST_F(Recovery, AReportThatIsHeldBackIsMadeByTheNextOne) {
    const auto offer = offer_in(bea_.op27(append({add(newcomer_)}))).value();
    anna_.session.hold_reports(true);
    EXPECT_THAT(words(anna_.op29(11, offer.commit)), ElementsAre("refused commit unknown_proposal", "changed"));
    EXPECT_TRUE(anna_.session.owes_report());
    EXPECT_THAT(words(anna_.session.say_again()), IsEmpty());
    EXPECT_THAT(words(anna_.session.recover()), ElementsAre("invalid 11", "key package"));
    EXPECT_FALSE(anna_.session.owes_report());
}

TEST_F(Recovery, WhoCannotFollowIsPutOutAndInAgain) {
    table_.on_the_way = [](const Member& to, mls::Bytes bytes) {
        return to.user == kAnna ? spoiled(std::move(bytes), 60) : bytes;
    };
    table_.join(kDora);
    ASSERT_TRUE(table_.round(5, kBea));
    EXPECT_THAT(anna_.invalid, ElementsAre(5));
    const auto before = bea_.speak(kOpus).value();
    EXPECT_NE(anna_.hear(kBea, before), Opening::opened);
    table_.on_the_way = [](const Member& /*to*/, mls::Bytes bytes) { return bytes; };
    ASSERT_TRUE(table_.round(6, kBea));
    EXPECT_THAT(anna_.invalid, ElementsAre(5));
    EXPECT_EQ(anna_.code(), bea_.code());
    EXPECT_FALSE(table_.round(7)) << "and that was all";
    expect_all_hear(table_);
}

TEST_F(Recovery, FramesOfTheOldEpochAreHeardDuringARecovery) {
    const auto frame = bea_.speak(kOpus).value();
    EXPECT_THAT(words(anna_.take(anna_.session.recover())), ElementsAre("invalid 1", "key package"));
    EXPECT_EQ(anna_.hear(kBea, frame), Opening::opened);
    EXPECT_EQ(anna_.session.call().epoch, table_.epoch()) << "until it is let in anew";
    EXPECT_TRUE(anna_.session.in_transition());
}

/// Anna and Bea have sent their key packages; there is no group yet.
class SessionRecovery : public testing::Test {
  protected:
    Table table;
    Member& anna = table.join(kAnna);
    Member& bea = table.join(kBea);
};

TEST_F(SessionRecovery, RecoversFromTransitionZeroToo) {
    table.round(0);
    EXPECT_THAT(words(anna.session.recover()), ElementsAre("invalid 0", "key package"));
}

TEST_F(SessionRecovery, AForeignCommitIsNotForWhoOnlyWaits) {
    Member& carla = table.join(kCarla);
    auto offers = table.propose();
    Member idle(kDora);
    idle.op4();
    idle.op25(table.gateway.op25());
    EXPECT_THAT(words(idle.op29(3, offers.at(kAnna).commit)), IsEmpty()) << "nothing was proposed to her";
    EXPECT_THAT(words(carla.op29(3, offers.at(kAnna).commit)),
                ElementsAre("refused commit wrong_epoch", "invalid 3", "key package"));
    // The welcome that was under way is for the key package before.
    EXPECT_THAT(words(carla.op30(3, offers.at(kAnna).welcome)), ElementsAre("hear 2", "ready 3", "changed"));
    EXPECT_TRUE(carla.session.call().established);
}

TEST_F(SessionRecovery, AWelcomeMayCrossARecovery) {
    const auto first = table.propose().at(kAnna);
    bea.take(bea.session.recover());
    ASSERT_EQ(bea.packages.size(), 2U);
    table.announce(0, kAnna, first);
    EXPECT_TRUE(bea.session.call().established) << "let in with the first key package";
    // And the server answers the recovery: out, and in with the second, which is still good.
    const std::uint64_t epoch = table.epoch();
    const auto op27 = append({table.gateway.remove(epoch, 1), table.gateway.add(epoch, bea.packages.back())});
    const auto second = offer_in(anna.op27(op27)).value();
    anna.op29(0, second.commit);
    EXPECT_THAT(words(bea.op30(0, second.welcome)), ElementsAre("hear 1", "speak", "changed"));
    EXPECT_EQ(anna.code(), bea.code());
    EXPECT_THAT(words(bea.op30(0, second.welcome)), ElementsAre("refused welcome not_for_us"))
        << "that came twice: no fault";
    EXPECT_EQ(anna.code(), bea.code());
}

// Each new package would be answered by out and in again (dave.md 4.3): it must come to an end.
TEST_F(SessionRecovery, OutAndInAgainEnds) {
    const auto first = table.propose().at(kAnna);
    bea.take(bea.session.recover());
    table.announce(0, kAnna, first);
    std::size_t served = 1;
    for (; served < bea.packages.size() && served < 10; ++served) {
        const auto epoch = anna.session.call().epoch;
        const auto op27 = append({table.gateway.remove(epoch, 1), table.gateway.add(epoch, bea.packages[served])});
        const auto offer = offer_in(anna.op27(op27)).value();
        bea.op27(op27);
        anna.op29(0, offer.commit);
        bea.op29(0, offer.commit);
        bea.op30(0, offer.welcome);
    }
    EXPECT_EQ(served, 2U);
    EXPECT_EQ(anna.code(), bea.code());
}

TEST(SessionWelcome, AGroupWithMembersWhomNobodyNamedIsJoinedAndTold) {
    Table table;
    Member& anna = table.join(kAnna);
    Member bea(kBea);
    bea.op4();
    bea.op25(table.gateway.op25());
    anna.op11({kBea});
    const auto offer = offer_in(anna.op27(adding(table, bea))).value();
    EXPECT_THAT(words(bea.op30(1, offer.welcome)), ElementsAre("hear 1", "ready 1", "unnamed 1", "changed"));
}

TEST_F(SessionRecovery, OldKeyPackagesAreForgottenInTheEnd) {
    const auto offer = table.propose().at(kAnna);
    for (int resets = 0; resets < 4; ++resets) bea.op24();
    EXPECT_THAT(words(bea.op30(2, offer.welcome)),
                ElementsAre("refused welcome not_for_us", "invalid 2", "key package"));
}

TEST_F(SessionRecovery, AFaultyWelcomeIsReportedOnce) {
    const auto offer = table.propose().at(kAnna);
    const auto bad = spoiled(offer.welcome, offer.welcome.size() - 1);
    EXPECT_THAT(words(bea.op30(2, bad)), ElementsAre("refused welcome cannot_open", "invalid 2", "key package"));
    EXPECT_THAT(words(bea.op30(2, bad)), ElementsAre("refused welcome not_for_us")) << "the same fault";
    EXPECT_THAT(words(bea.op30(2, offer.welcome)), ElementsAre("refused welcome not_for_us")) << "it is used up";
    EXPECT_THAT(words(bea.op30(2, {})), ElementsAre("refused welcome malformed"));
}

TEST_F(SessionRecovery, AWelcomeThatIsFaultyInAnswerToThatIsAnotherFault) {
    table.on_the_way = [](const Member& to, mls::Bytes bytes) {
        return to.user == kBea ? spoiled(std::move(bytes), bytes.size() - 1) : bytes;
    };
    for (int tries = 0; tries < 3; ++tries) ASSERT_TRUE(table.round(static_cast<std::uint16_t>(2 + tries), kAnna));
    EXPECT_THAT(bea.invalid, ElementsAre(2, 3, 4));
    table.on_the_way = [](const Member& /*to*/, mls::Bytes bytes) { return bytes; };
    table.settle();
    EXPECT_EQ(anna.code(), bea.code());
}

TEST_F(SessionRecovery, AWelcomeOfAnotherExternalSenderIsRefused) {
    const auto offer = table.propose().at(kAnna);
    Session other_sender = bea.session;
    other_sender.on_external_sender(ExternalSender().op25());
    EXPECT_THAT(words(other_sender.on_welcome(2, offer.welcome)),
                ElementsAre("refused welcome wrong_sender", "invalid 2", "key package"));
    Session as_it_should_be = bea.session;
    EXPECT_THAT(words(as_it_should_be.on_welcome(2, offer.welcome)), ElementsAre("hear 1", "ready 2", "changed"));
}

TEST(SessionWelcome, WithoutAnExternalSenderNoWelcomeIsTrusted) {
    Table table;
    Member& anna = table.join(kAnna);
    Member bea(kBea);
    bea.op4();
    anna.op11({kBea});
    const auto offer = offer_in(anna.op27(adding(table, bea))).value();
    EXPECT_THAT(words(bea.op30(2, offer.welcome)),
                ElementsAre("refused welcome wrong_sender", "invalid 2", "key package"));
}

}  // namespace
}  // namespace lestapenna::dave
