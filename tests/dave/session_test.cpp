// One member and the gateway, message by message: dave.md sections 4.1 to 4.8.
#include "dave/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dave/rules.h"
#include "service.h"

namespace lestapenna::dave {
namespace {

using test::append;
using test::Member;
using test::revoke;
using test::Table;
using test::words;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

constexpr UserId kAnna{1001};
constexpr UserId kBea{1002};
constexpr UserId kCarla{1003};
constexpr UserId kDora{1004};
const mls::Bytes kOpus{0x78, 1, 2, 3};

/// That everybody hears everybody.
void expect_all_hear(Table& table) {
    for (Member* from : table.members()) {
        const auto frame = from->speak(kOpus);
        ASSERT_TRUE(frame) << from->user.value;
        for (Member* to : table.members()) {
            if (to == from) continue;
            EXPECT_EQ(to->hear(from->user, *frame), Opening::opened) << from->user.value;
        }
    }
}

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
    const auto offer = test::offer_in(anna.op27(append({table.gateway.add(0, bea.packages.back())}))).value();
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
    const auto op27 = append({table.gateway.add(0, bea.packages.back())});
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
    const test::ExternalSender other;
    Member& anna = table.join(kAnna);
    Member& bea = table.join(kBea);
    EXPECT_THAT(words(anna.op25(table.gateway.op25())), IsEmpty()) << "the same";
    EXPECT_THAT(words(anna.op25(other.op25())), IsEmpty());
    EXPECT_THAT(words(anna.op27(append({table.gateway.add(0, bea.packages.back())}))),
                ElementsAre("refused proposals bad_signature"));
    EXPECT_THAT(words(anna.op27(append({other.add(0, bea.packages.back())}))), ElementsAre("commit and welcome"));
}

TEST(Session, KeepsItsExternalSenderOnceItIsInAGroup) {
    const auto table = test::table_of({kAnna, kBea});
    Member& anna = table->at(kAnna);
    EXPECT_THAT(words(anna.op25(table->gateway.op25())), IsEmpty());
    EXPECT_THAT(words(anna.op25(test::ExternalSender().op25())), ElementsAre("refused external sender wrong_sender"));
    table->join(kCarla);
    table->settle();
    EXPECT_EQ(anna.code(), table->at(kCarla).code());
}

TEST(Session, RefusesABadExternalSender) {
    const mls::Bytes good = test::ExternalSender().op25();
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
    EXPECT_THAT(words(anna.op25(test::spoiled(good, 40))), ElementsAre("refused external sender bad_key"));
    EXPECT_THAT(words(anna.op25(good)), IsEmpty());
}

// ---- proposals

class Proposals : public testing::Test {
  protected:
    Proposals() {
        newcomer_.op4();
        newcomer_.op25(table_.gateway.op25());
        for (Member* member : table_.members()) member->op11({kDora});
    }
    [[nodiscard]] mls::Bytes add(const Member& member) const {
        return table_.gateway.add(table_.epoch(), member.packages.back());
    }
    [[nodiscard]] mls::Bytes remove(UserId user) const {
        return table_.gateway.remove(table_.epoch(), table_.leaf_of(user));
    }

    std::unique_ptr<Table> held_ = test::table_of({kAnna, kBea, kCarla});
    Table& table_ = *held_;
    Member newcomer_{kDora};
    Member& anna_ = table_.at(kAnna);
    Member& bea_ = table_.at(kBea);
    Member& carla_ = table_.at(kCarla);
};

TEST_F(Proposals, OurCommitWins) {
    const auto op27 = append({add(newcomer_)});
    const auto ours = test::offer_in(anna_.op27(op27)).value();
    const auto theirs = test::offer_in(bea_.op27(op27)).value();
    EXPECT_NE(ours.commit, theirs.commit);
    EXPECT_THAT(words(anna_.op29(9, ours.commit)), ElementsAre("hear 3", "ready 9", "changed"));
    EXPECT_THAT(words(bea_.op29(9, ours.commit)), ElementsAre("hear 3", "ready 9", "changed"));
    EXPECT_THAT(words(newcomer_.op30(9, ours.welcome)), ElementsAre("hear 3", "ready 9", "changed"));
    EXPECT_EQ(anna_.code(), bea_.code());
    EXPECT_EQ(anna_.code(), newcomer_.code());
    // Theirs is late now, for us and for them.
    EXPECT_THAT(words(anna_.op29(10, theirs.commit)), ElementsAre("refused commit wrong_epoch"));
    EXPECT_THAT(words(bea_.op29(10, theirs.commit)), ElementsAre("refused commit wrong_epoch"));
    EXPECT_EQ(anna_.code(), newcomer_.code());
}

TEST_F(Proposals, OfARemovalTheCommitHasAPath) {
    const auto op27 = append({remove(kCarla)});
    table_.leave(kCarla);
    const auto actions = anna_.op27(op27);
    EXPECT_THAT(words(actions), ElementsAre("commit"));
    bea_.op27(op27);
    const auto offer = test::offer_in(actions).value();
    EXPECT_GT(offer.commit.size(), 400U);
    anna_.op29(0, offer.commit);
    bea_.op29(0, offer.commit);
    EXPECT_EQ(anna_.code(), bea_.code());
    EXPECT_THAT(bea_.session.call().members, ElementsAre(kAnna, kBea));
}

TEST_F(Proposals, ASecondMessageOfTheEpochIsCommittedWithTheFirst) {
    const auto first = append({add(newcomer_)});
    const auto second = append({remove(kCarla)});
    const auto early = test::offer_in(anna_.op27(first)).value();
    const auto late = test::offer_in(anna_.op27(second)).value();
    EXPECT_FALSE(late.welcome.empty()) << "it covers the Add too";
    bea_.op27(first);
    bea_.op27(second);
    // Whichever of ours the server has taken, we follow it.
    Session as_it_was = anna_.session;
    anna_.op29(0, late.commit);
    bea_.op29(0, late.commit);
    EXPECT_EQ(anna_.code(), bea_.code());
    EXPECT_THAT(words(as_it_was.on_commit(0, early.commit)), ElementsAre("hear 3", "speak", "changed"));
}

TEST_F(Proposals, ThatComeTwiceCountOnce) {
    const auto op27 = append({add(newcomer_)});
    EXPECT_THAT(words(anna_.op27(op27)), ElementsAre("commit and welcome"));
    EXPECT_THAT(words(anna_.op27(op27)), IsEmpty());
}

TEST_F(Proposals, ThatAreRevokedAreNotCommitted) {
    const auto message = add(newcomer_);
    const auto removal = remove(kCarla);
    anna_.op27(append({message, removal}));
    EXPECT_THAT(words(anna_.op27(revoke({test::ref_of(message)}))), ElementsAre("commit"));
    EXPECT_THAT(words(anna_.op27(revoke({mls::Bytes(32, 9), {}}))), IsEmpty()) << "unknown ones change nothing";
    EXPECT_THAT(words(anna_.op27(revoke({test::ref_of(removal)}))), IsEmpty()) << "nothing is left to commit";
    EXPECT_THAT(words(anna_.op27(append({message}))), ElementsAre("commit and welcome"));
}

TEST_F(Proposals, ToRemoveUsAreForTheOthersToCommit) {
    EXPECT_THAT(words(anna_.op27(append({remove(kAnna)}))), IsEmpty());
    EXPECT_THAT(words(bea_.op27(append({remove(kAnna)}))), ElementsAre("commit"));
}

TEST_F(Proposals, RemoveAndAddOfOneUserInOneCommit) {
    Member again(kCarla);
    again.op4();
    again.op25(table_.gateway.op25());
    const auto op27 = append({remove(kCarla), add(again)});
    const auto offer = test::offer_in(anna_.op27(op27)).value();
    bea_.op27(op27);
    carla_.op27(op27);
    anna_.op29(0, offer.commit);
    bea_.op29(0, offer.commit);
    EXPECT_THAT(words(carla_.op29(0, offer.commit)), ElementsAre("hear 0", "key package", "changed")) << "put out";
    EXPECT_TRUE(carla_.session.in_transition());
    EXPECT_THAT(words(again.op30(0, offer.welcome)), ElementsAre("hear 2", "speak", "changed"));
    EXPECT_EQ(anna_.code(), again.code());
    EXPECT_EQ(bea_.code(), again.code());
}

TEST_F(Proposals, AreRefusedWholeWhateverIsWrongWithOneOfThem) {
    Member nobody(UserId{666});  // whom op 11 has not named
    nobody.op4();
    Member twin(kBea);  // somebody else with Bea's id
    twin.op4();
    Member two(kDora);
    two.op4();
    const test::ExternalSender stranger;
    const auto epoch = table_.epoch();
    auto odd_identity = mls::decode<mls::KeyPackage>(newcomer_.packages.back()).value();
    odd_identity.leaf.credential.identity.push_back(0);
    const auto seven_bytes = mls::make_key_package(mls::KeyPair::generate(), mls::Bytes(7, 1), {0, ~0ULL}).package;
    mls::PublicMessage by_member;
    by_member.content = {.group_id = group_id_of(test::kChannel),
                         .epoch = epoch,
                         .sender = {mls::SenderType::member, 1},
                         .authenticated_data = {},
                         .content = mls::Proposal(mls::Remove{{2}})};
    struct Case {
        const char* what;
        mls::Bytes message;
        const char* why;
    };
    const Case cases[] = {
        {"of a user whom nobody has named", add(nobody), "bad_proposal"},
        {"of a user who is here", add(twin), "bad_proposal"},
        {"of ourselves", table_.gateway.add(epoch, anna_.packages.back()), "bad_proposal"},
        {"signed by somebody else", stranger.add(epoch, newcomer_.packages.back()), "bad_signature"},
        {"by external sender 1", table_.gateway.propose(epoch, mls::Remove{{2}}, 1), "wrong_sender"},
        {"by a member", mls::encode(mls::Message(by_member)), "bad_tag"},
        {"of the epoch before", table_.gateway.add(epoch - 1, newcomer_.packages.back()), "wrong_epoch"},
        {"of a leaf that is blank", table_.gateway.remove(epoch, 3), "bad_proposal"},
        {"of a leaf that is none", table_.gateway.remove(epoch, 1'000'000), "bad_proposal"},
        {"with an identity of seven bytes", table_.gateway.propose(epoch, mls::Add{seven_bytes}), "bad_proposal"},
        {"with a package that was changed", table_.gateway.propose(epoch, mls::Add{odd_identity}), "bad_signature"},
        {"of an Update", table_.gateway.propose(epoch, mls::Update{seven_bytes.leaf}), ""},
        {"of other extensions", table_.gateway.propose(epoch, mls::GroupContextExtensions{}), "bad_proposal"},
        {"of a pre-shared key", table_.gateway.propose(epoch, mls::UsePreSharedKey{}), ""},
        {"of another group", table_.gateway.propose(epoch, mls::ReInit{}), ""},
        {"of who comes by herself", table_.gateway.propose(epoch, mls::ExternalInit{}), ""},
        {"no message", mls::Bytes{1, 2, 3}, "malformed"},
        {"cut", mls::to_bytes(mls::View(add(newcomer_)).first(100)), "malformed"},
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.what);
        EXPECT_THAT(words(anna_.op27(append({add(newcomer_), c.message}))),
                    ElementsAre(StartsWith(std::string("refused proposals ") + c.why)));
        EXPECT_THAT(words(anna_.op27(append({c.message}))),
                    ElementsAre(StartsWith(std::string("refused proposals ") + c.why)));
    }
    EXPECT_THAT(words(anna_.op27(append({add(newcomer_), add(two)}))), ElementsAre("refused proposals bad_proposal"))
        << "one user twice";
    EXPECT_THAT(words(anna_.op27(append({remove(kCarla), remove(kCarla)}))),
                ElementsAre("refused proposals bad_proposal"))
        << "one leaf twice, with another signature";

    const auto offer = test::offer_in(anna_.op27(append({add(newcomer_)}))).value();
    EXPECT_EQ(mls::decode<mls::Welcome>(offer.welcome).value().secrets.size(), 1U) << "nothing of all that is left";
}

TEST_F(Proposals, WithWrongFramesAroundThem) {
    mls::Bytes trailing = append({add(newcomer_)});
    trailing.push_back(0);
    mls::Bytes unknown = append({add(newcomer_)});
    unknown.front() = 2;
    mls::Bytes longer = append({add(newcomer_)});
    longer.pop_back();
    for (const mls::Bytes& bytes : {trailing, unknown, longer, mls::Bytes{}, mls::Bytes{0}, mls::Bytes{1, 3, 2, 1}}) {
        EXPECT_THAT(words(anna_.op27(bytes)), ElementsAre("refused proposals malformed"));
    }
}

TEST_F(Proposals, WhoHasLeftMayBeAddedUntilTheyAreGone) {
    const auto op27 = append({add(newcomer_)});
    anna_.op13(kDora);
    const auto offer = test::offer_in(anna_.op27(op27));
    ASSERT_TRUE(offer) << "she had left when it came, not when it was made";
    anna_.op29(0, offer->commit);
    const auto leaf = static_cast<std::uint32_t>(table_.members().size());
    const auto out = test::offer_in(anna_.op27(append({table_.gateway.remove(table_.epoch() + 1, leaf)}))).value();
    anna_.op29(0, out.commit);
    EXPECT_THAT(anna_.session.call().members, ElementsAre(kAnna, kBea, kCarla));
    Member again(kDora);
    again.op4();
    EXPECT_THAT(words(anna_.op27(append({table_.gateway.add(table_.epoch() + 2, again.packages.back())}))),
                ElementsAre("refused proposals bad_proposal"));
    anna_.op11({kDora});
    EXPECT_THAT(words(anna_.op27(append({table_.gateway.add(table_.epoch() + 2, again.packages.back())}))),
                ElementsAre("commit and welcome"));
}

// ---- commits and welcomes that cannot be followed

TEST_F(Proposals, ACommitOfWhatWeHaveNeverSeenIsReportedOnce) {
    const auto op27 = append({add(newcomer_)});
    const auto offer = test::offer_in(bea_.op27(op27)).value();
    EXPECT_THAT(words(anna_.op29(11, offer.commit)),
                ElementsAre("refused commit unknown_proposal", "invalid 11", "key package", "changed"));
    EXPECT_TRUE(anna_.session.in_transition());
    EXPECT_THAT(words(anna_.op29(11, offer.commit)), IsEmpty()) << "we are out, and wait";
    EXPECT_THAT(words(anna_.op27(op27)), ElementsAre("refused proposals wrong_epoch"));
    EXPECT_THAT(words(anna_.session.recover()), IsEmpty()) << "that is under way";
}

TEST_F(Proposals, WhoCannotFollowIsPutOutAndInAgain) {
    table_.on_the_way = [](const Member& to, mls::Bytes bytes) {
        return to.user == kAnna ? test::spoiled(std::move(bytes), 60) : bytes;
    };
    table_.join(kDora);
    ASSERT_TRUE(table_.round(5, kBea));
    EXPECT_THAT(anna_.invalid, ElementsAre(5));
    const auto before = bea_.speak(kOpus).value();
    EXPECT_EQ(anna_.hear(kBea, before), Opening::forged);
    table_.on_the_way = [](const Member& /*to*/, mls::Bytes bytes) { return bytes; };
    ASSERT_TRUE(table_.round(6, kBea));
    EXPECT_THAT(anna_.invalid, ElementsAre(5));
    EXPECT_EQ(anna_.code(), bea_.code());
    EXPECT_FALSE(table_.round(7)) << "and that was all";
    expect_all_hear(table_);
}

TEST_F(Proposals, FramesOfTheOldEpochAreHeardDuringARecovery) {
    const auto frame = bea_.speak(kOpus).value();
    EXPECT_THAT(words(anna_.take(anna_.session.recover())), ElementsAre("invalid 1", "key package", "changed"));
    EXPECT_EQ(anna_.hear(kBea, frame), Opening::opened);
    EXPECT_THAT(words(anna_.take(anna_.session.recover())), IsEmpty());
}

TEST(Session, RecoversFromTransitionZeroToo) {
    Table table;
    for (const UserId user : {kAnna, kBea}) table.join(user);
    table.round(0);
    EXPECT_THAT(words(table.at(kAnna).session.recover()), ElementsAre("invalid 0", "key package", "changed"));
}

TEST(Session, AForeignCommitIsNotForWhoOnlyWaits) {
    Table table;
    for (const UserId user : {kAnna, kBea, kCarla}) table.join(user);
    Member& carla = table.at(kCarla);
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

TEST(Session, AWelcomeMayCrossARecovery) {
    Table table;
    for (const UserId user : {kAnna, kBea}) table.join(user);
    Member& bea = table.at(kBea);
    const auto first = table.propose().at(kAnna);
    bea.take(bea.session.recover());
    ASSERT_EQ(bea.packages.size(), 2U);
    table.announce(0, kAnna, first);
    EXPECT_TRUE(bea.session.call().established) << "let in with the first key package";
    // And the server answers the recovery: out, and in with the second, which is still good.
    const std::uint64_t epoch = table.epoch();
    Member& anna = table.at(kAnna);
    const auto op27 = append({table.gateway.remove(epoch, 1), table.gateway.add(epoch, bea.packages.back())});
    const auto second = test::offer_in(anna.op27(op27)).value();
    anna.op29(0, second.commit);
    EXPECT_THAT(words(bea.op30(0, second.welcome)), ElementsAre("hear 1", "speak", "changed"));
    EXPECT_EQ(anna.code(), bea.code());
    EXPECT_THAT(words(bea.op30(0, second.welcome)), ElementsAre("refused welcome not_for_us"))
        << "that came twice: no fault";
    EXPECT_EQ(anna.code(), bea.code());
}

TEST(Session, OldKeyPackagesAreForgottenInTheEnd) {
    Table table;
    for (const UserId user : {kAnna, kBea}) table.join(user);
    const auto offer = table.propose().at(kAnna);
    Member& bea = table.at(kBea);
    for (int resets = 0; resets < 4; ++resets) bea.op24();
    EXPECT_THAT(words(bea.op30(2, offer.welcome)),
                ElementsAre("refused welcome not_for_us", "invalid 2", "key package"));
}

TEST(Session, AFaultyWelcomeIsReportedOnce) {
    Table table;
    for (const UserId user : {kAnna, kBea}) table.join(user);
    const auto offer = table.propose().at(kAnna);
    Member& bea = table.at(kBea);
    const auto bad = test::spoiled(offer.welcome, offer.welcome.size() - 1);
    EXPECT_THAT(words(bea.op30(2, bad)), ElementsAre("refused welcome cannot_open", "invalid 2", "key package"));
    EXPECT_THAT(words(bea.op30(2, bad)), ElementsAre("refused welcome not_for_us")) << "the same fault";
    EXPECT_THAT(words(bea.op30(2, offer.welcome)), ElementsAre("refused welcome not_for_us")) << "it is used up";
    EXPECT_THAT(words(bea.op30(2, {})), ElementsAre("refused welcome malformed"));
}

TEST(Session, AWelcomeThatIsFaultyInAnswerToThatIsAnotherFault) {
    Table table;
    for (const UserId user : {kAnna, kBea}) table.join(user);
    table.on_the_way = [](const Member& to, mls::Bytes bytes) {
        return to.user == kBea ? test::spoiled(std::move(bytes), bytes.size() - 1) : bytes;
    };
    for (int tries = 0; tries < 3; ++tries) ASSERT_TRUE(table.round(static_cast<std::uint16_t>(2 + tries), kAnna));
    EXPECT_THAT(table.at(kBea).invalid, ElementsAre(2, 3, 4));
    table.on_the_way = [](const Member& /*to*/, mls::Bytes bytes) { return bytes; };
    table.settle();
    EXPECT_EQ(table.at(kAnna).code(), table.at(kBea).code());
}

TEST(Session, AWelcomeOfAnotherExternalSenderIsRefused) {
    Table table;
    for (const UserId user : {kAnna, kBea}) table.join(user);
    const auto offer = table.propose().at(kAnna);
    const Session bea = table.at(kBea).session;

    Session other_sender = bea;
    other_sender.on_external_sender(test::ExternalSender().op25());
    EXPECT_THAT(words(other_sender.on_welcome(2, offer.welcome)),
                ElementsAre("refused welcome wrong_sender", "invalid 2", "key package"));
    Session as_it_should_be = bea;
    EXPECT_THAT(words(as_it_should_be.on_welcome(2, offer.welcome)), ElementsAre("hear 1", "ready 2", "changed"));
}

TEST(Session, WithoutAnExternalSenderNoWelcomeIsTrusted) {
    Table table;
    Member& anna = table.join(kAnna);
    Member bea(kBea);
    bea.op4();
    anna.op11({kBea});
    const auto offer = test::offer_in(anna.op27(append({table.gateway.add(0, bea.packages.back())}))).value();
    EXPECT_THAT(words(bea.op30(2, offer.welcome)),
                ElementsAre("refused welcome wrong_sender", "invalid 2", "key package"));
}

// ---- versions, and being alone

TEST(Session, DowngradeTakesClearFramesFromItsAnnouncement) {
    const auto table = test::table_of({kAnna, kBea});
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
    const auto table = test::table_of({kAnna, kBea});
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
    const auto table = test::table_of({kAnna, kBea});
    Member& anna = table->at(kAnna);
    anna.op21(0, 10);
    anna.op22(10);
    EXPECT_THAT(words(anna.op21(1, 11)), ElementsAre("ready 11"));
    EXPECT_THAT(words(anna.op22(11)), ElementsAre("speak", "clear ends", "changed"));
    expect_all_hear(*table);
}

TEST(Session, PrepareEpochResetsAtAnyVersion) {
    const auto table = test::table_of({kAnna, kBea});
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
    const auto table = test::table_of({kAnna, kBea});
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
    const auto offer = test::offer_in(anna.op27(append({table->gateway.add(0, back.packages.back())}))).value();
    anna.op29(0, offer.commit);
    back.op30(0, offer.welcome);
    EXPECT_EQ(anna.code(), back.code());
    EXPECT_EQ(back.hear(kAnna, anna.speak(kOpus).value()), Opening::opened);
}

TEST(Session, SoleMemberIsResetByVersionZero) {
    const auto table = test::table_of({kAnna, kBea});
    Member& anna = table->at(kAnna);
    anna.op13(kBea);
    EXPECT_THAT(words(anna.op21(0, 0)), ElementsAre("speak clear", "clear", "changed"));
    anna.op11({kBea});
    EXPECT_THAT(words(anna.op24()), ElementsAre("hear 0", "key package", "changed"));
    Member back(kBea);
    back.op4();
    back.op25(table->gateway.op25());
    const auto offer = test::offer_in(anna.op27(append({table->gateway.add(0, back.packages.back())}))).value();
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
    const auto table = test::table_of({kAnna, kBea});
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
    offer = test::offer_in(anna.op27(append({table->gateway.add(table->epoch() + 1, dora.packages.back())}))).value();
    anna.op29(22, offer.commit);
    EXPECT_NE(anna.code(), first);
    EXPECT_THAT(words(anna.op22(22)), ElementsAre("speak"));
    EXPECT_THAT(words(anna.op22(21)), IsEmpty());
    EXPECT_FALSE(anna.session.in_transition());
}

}  // namespace
}  // namespace lestapenna::dave
