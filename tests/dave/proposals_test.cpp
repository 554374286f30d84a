// What the gateway proposes, and what we commit of it: dave.md sections 4.2 to 4.4.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dave/session.h"
#include "people.h"

namespace lestapenna::dave {
namespace {

using namespace test;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

using Proposals = WithNewcomer;

TEST_F(Proposals, OurCommitWins) {
    const auto op27 = append({add(newcomer_)});
    const auto ours = offer_in(anna_.op27(op27)).value();
    const auto theirs = offer_in(bea_.op27(op27)).value();
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
    const auto offer = offer_in(actions).value();
    EXPECT_GT(offer.commit.size(), 400U);
    anna_.op29(0, offer.commit);
    bea_.op29(0, offer.commit);
    EXPECT_EQ(anna_.code(), bea_.code());
    EXPECT_THAT(bea_.session.call().members, ElementsAre(kAnna, kBea));
}

TEST_F(Proposals, ASecondMessageOfTheEpochIsCommittedWithTheFirst) {
    const auto first = append({add(newcomer_)});
    const auto second = append({remove(kCarla)});
    const auto early = offer_in(anna_.op27(first)).value();
    const auto late = offer_in(anna_.op27(second)).value();
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
    EXPECT_THAT(words(anna_.op27(revoke({ref_of(message)}))), ElementsAre("commit"));
    EXPECT_THAT(words(anna_.op27(revoke({mls::Bytes(32, 9)}))), IsEmpty()) << "unknown ones change nothing";
    EXPECT_THAT(words(anna_.op27(revoke({mls::Bytes(31, 9)}))), ElementsAre("refused proposals malformed"));
    EXPECT_THAT(words(anna_.op27(revoke({ref_of(removal)}))), IsEmpty()) << "nothing is left to commit";
    EXPECT_THAT(words(anna_.op27(append({message}))), ElementsAre("commit and welcome"));
}

TEST_F(Proposals, ToRemoveUsAreForTheOthersToCommit) {
    EXPECT_THAT(words(anna_.op27(append({remove(kAnna)}))), IsEmpty());
    EXPECT_THAT(words(bea_.op27(append({remove(kAnna)}))), ElementsAre("commit"));
}

TEST_F(Proposals, RemoveAndAddOfOneUserInOneCommit) {
    Member again(kCarla);
    again.op4();
    again.op11({kAnna, kBea});
    again.op25(table_.gateway.op25());
    const auto op27 = append({remove(kCarla), add(again)});
    const auto offer = offer_in(anna_.op27(op27)).value();
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
    const ExternalSender stranger;
    const auto epoch = table_.epoch();
    auto odd_identity = mls::decode<mls::KeyPackage>(newcomer_.packages.back()).value();
    odd_identity.leaf.credential.identity.push_back(0);
    const auto seven_bytes = mls::make_key_package(mls::KeyPair::generate(), mls::Bytes(7, 1), {0, ~0ULL}).package;
    mls::PublicMessage by_member;
    by_member.content = {.group_id = group_id_of(kChannel),
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

    const auto offer = offer_in(anna_.op27(append({add(newcomer_)}))).value();
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
    const auto offer = offer_in(anna_.op27(op27));
    ASSERT_TRUE(offer) << "she had left when it came, not when it was made";
    anna_.op29(0, offer->commit);
    const auto leaf = static_cast<std::uint32_t>(table_.members().size());
    const auto out = offer_in(anna_.op27(append({table_.gateway.remove(table_.epoch() + 1, leaf)}))).value();
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

}  // namespace
}  // namespace lestapenna::dave
