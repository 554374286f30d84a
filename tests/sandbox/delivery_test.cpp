// The delivery service where everybody does what they should: who creates the group, who comes and goes, versions.
#include <gmock/gmock.h>

#include "base/time.h"
#include "delivery_rig.h"
#include "sandbox/random.h"

namespace lestapenna::sandbox {
namespace {

using test_delivery::DeliveryTest;
using test_delivery::Member;
using testing::Contains;
using testing::ElementsAre;
using testing::Not;

constexpr UserId kAda{1'090'000'000'000'000'100}, kBob{1'090'000'000'000'000'101}, kCid{1'090'000'000'000'000'102},
    kDan{1'090'000'000'000'000'103};

// ---- who creates the group

TEST_F(DeliveryTest, TheFirstCommitWinsAndTheOtherIsLate) {
    start();
    Member& ada = join(kAda);
    EXPECT_TRUE(service->settled()) << "alone there is nothing to agree on";
    EXPECT_EQ(service->epoch(), 0U);
    Member& bob = join(kBob);
    EXPECT_FALSE(service->settled());
    expect_settled();
    EXPECT_THAT(ada.ops(), ElementsAre(25, 27, 29, 22));
    EXPECT_THAT(bob.ops(), ElementsAre(25, 27, 30, 22));
    EXPECT_EQ(service->counts().commits_won, 1U);
    EXPECT_EQ(service->counts().commits_lost, 1U);
    EXPECT_EQ(service->counts().epochs, 1U);
    EXPECT_EQ(service->counts().transitions, 1U);
    EXPECT_EQ(service->counts().refused, 0U);
    EXPECT_EQ(service->counts().key_packages, 2U);
}

TEST_F(DeliveryTest, EachOfThreeMayBeTheOneWhoseCommitWins) {
    for (const UserId winner : {kAda, kBob, kCid}) {
        SCOPED_TRACE(winner.value);
        members.clear();
        start({.batch = milliseconds(20), .winner = winner});
        join(kAda);
        join(kBob);
        join(kCid);
        expect_settled();
        EXPECT_EQ(service->epoch(), 1U) << "all three in one round";
        for (const auto& [_, member] : members) {
            EXPECT_THAT(member->ops(), Contains(member->user == winner ? 29 : 30));
            EXPECT_THAT(member->ops(), Not(Contains(member->user == winner ? 30 : 29)));
        }
        EXPECT_EQ(service->counts().commits_lost, 2U);
    }
}

TEST_F(DeliveryTest, AWinnerWhoDoesNotCommitIsWaitedForOneSecond) {
    start({.winner = kBob});
    join(kAda);
    join(kBob).commits = false;
    pump();
    EXPECT_EQ(service->epoch(), 0U);
    const auto began = std::chrono::steady_clock::now();
    expect_settled();
    EXPECT_GE(std::chrono::steady_clock::now() - began, milliseconds(900));
    EXPECT_EQ(service->counts().commits_won, 1U);
}

TEST_F(DeliveryTest, TheFirstTransitionMayBeZero) {
    start({.first_transition_zero = true});
    Member& ada = join(kAda);
    join(kBob);
    expect_settled();
    EXPECT_EQ(ada.got_op(29).front().body.substr(0, 2), std::string(2, '\0'));
    EXPECT_EQ(ada.count(22), 0U) << "executed by everybody at once";
    join(kCid);
    expect_settled();
    EXPECT_NE(ada.got_op(29).back().body.substr(0, 2), std::string(2, '\0')) << "only the first";
    EXPECT_EQ(ada.count(22), 1U);
}

// ---- who comes and goes

TEST_F(DeliveryTest, AThirdComesAndGoes) {
    start();
    Member& ada = join(kAda);
    Member& bob = join(kBob);
    expect_settled();
    Member& cid = join(kCid);
    expect_settled();
    EXPECT_EQ(service->epoch(), 2U);
    EXPECT_THAT(cid.ops(), ElementsAre(25, 30, 22)) << "proposals are no business of who is outside";
    leave(cid);
    expect_settled();
    EXPECT_EQ(service->epoch(), 3U);
    EXPECT_FALSE(service->in_group(kCid));
    leave(ada);
    pump();
    EXPECT_EQ(service->epoch(), 0U) << "one alone has no group";
    EXPECT_THAT(bob.ops(), Contains(24));
    Member& dan = join(kDan);
    expect_settled();
    EXPECT_EQ(dan.session.call().members.size(), 2U);
    EXPECT_EQ(service->counts().refused, 0U);
}

TEST_F(DeliveryTest, WhoLeavesBeforeItIsAddedIsTakenBack) {
    start();
    Member& ada = join(kAda);
    ada.commits = false;
    Member& bob = join(kBob);
    bob.commits = false;
    pump();
    leave(bob);
    pump();
    EXPECT_THAT(ada.proposals_in, ElementsAre(1, 0));
    EXPECT_TRUE(service->settled());
    ada.commits = true;
    join(kCid);
    expect_settled();
    EXPECT_THAT(ada.proposals_in, ElementsAre(1, 0, 1));
}

// davey's commit after a revoke has no welcome: so all is taken back, and one message has the new list.
TEST_F(DeliveryTest, WhatIsProposedChangesInOnePiece) {
    start();
    Member& ada = join(kAda);
    Member& bob = join(kBob);
    expect_settled();
    ada.commits = bob.commits = false;
    join(kCid);
    pump();
    Member& dan = join(kDan);
    pump();
    EXPECT_THAT(ada.proposals_in, ElementsAre(1, 1, 0, 2));
    EXPECT_THAT(bob.proposals_in, ElementsAre(1, 1, 0, 2));
    leave(dan);
    pump();
    EXPECT_THAT(ada.proposals_in, ElementsAre(1, 1, 0, 2, 0, 1));
    // The commits of both earlier lists come late.
    const auto lost = service->counts().commits_lost;
    for (std::size_t i = 1; i < 3; ++i) service->on_commit(ada.key, text_of(ada.kept_commits[i]));
    EXPECT_EQ(service->counts().commits_lost, lost + 2);
    EXPECT_EQ(service->epoch(), 1U);
    service->on_commit(ada.key, text_of(ada.kept_commits.back()));
    expect_settled();
    EXPECT_EQ(service->counts().refused, 0U);
}

TEST_F(DeliveryTest, WhoIsBackBeforeItsLeafIsGoneIsAStrangerToIt) {
    start();
    Member& ada = join(kAda);
    Member& bob = join(kBob);
    Member& cid = join(kCid);
    expect_settled();
    ada.commits = bob.commits = false;
    leave(cid);
    pump();
    Member& again = join(kCid);
    ada.commits = bob.commits = true;
    pump();
    EXPECT_EQ(ada.proposals_in.back(), 2U) << "out with the old leaf, in with the new key package";
    expect_settled();
    EXPECT_THAT(again.ops(), ElementsAre(25, 30, 22));
    EXPECT_EQ(service->counts().refused, 0U);
}

TEST_F(DeliveryTest, ChangesAreBatched) {
    start({.batch = milliseconds(30)});
    Member& ada = join(kAda);
    join(kBob);
    expect_settled();
    join(kCid);
    join(kDan);
    pump();
    EXPECT_THAT(ada.proposals_in, ElementsAre(1)) << "not yet";
    expect_settled();
    EXPECT_THAT(ada.proposals_in, ElementsAre(1, 2));
    EXPECT_EQ(service->epoch(), 2U);
}

TEST_F(DeliveryTest, WelcomesAreTrimmedUnlessTheyShallBeWhole) {
    for (const bool whole : {false, true}) {
        members.clear();
        start({.welcome_whole = whole, .batch = milliseconds(20)});
        join(kAda);
        join(kBob);
        join(kCid);
        expect_settled();
        for (const auto& [_, member] : members) {
            for (const auto& message : member->got_op(30)) {
                const auto welcome = mls::decode<mls::Welcome>(bytes_of(message.body).subspan(2));
                ASSERT_TRUE(welcome);
                EXPECT_EQ(welcome->secrets.size(), whole ? 2U : 1U);
            }
        }
    }
}

// ---- transitions

TEST_F(DeliveryTest, WhoIsNeverReadyIsNotWaitedForTooLong) {
    start({.ready_within = milliseconds(100)});
    Member& ada = join(kAda);
    Member& bob = join(kBob);
    bob.gets_ready = false;
    pump();
    EXPECT_EQ(ada.count(22), 0U);
    expect_settled();
    EXPECT_EQ(ada.count(22), 1U);
    EXPECT_EQ(bob.count(22), 1U);
    EXPECT_EQ(service->counts().timeouts, 1U);
}

TEST_F(DeliveryTest, ChangesDuringATransitionComeAfterIt) {
    start();
    Member& ada = join(kAda);
    Member& bob = join(kBob);
    ada.gets_ready = false;
    pump();
    join(kCid);
    pump();
    EXPECT_THAT(bob.proposals_in, ElementsAre(1)) << "the transition is under way";
    EXPECT_FALSE(service->settled());
    ada.gets_ready = true;
    service->on_ready(ada.key, 999);
    pump();
    EXPECT_EQ(bob.count(22), 0U) << "another transition's readiness";
    service->on_ready(ada.key, mls::Reader(bytes_of(ada.got_op(29).front().body)).u16());
    expect_settled();
    EXPECT_THAT(ada.ops(), ElementsAre(25, 27, 29, 22, 27, 29, 22));
    EXPECT_EQ(service->counts().timeouts, 0U);
}

TEST_F(DeliveryTest, WhoLeavesDuringATransitionIsNotWaitedFor) {
    start({.ready_within = seconds(600)});
    Member& ada = join(kAda);
    join(kBob);
    Member& cid = join(kCid);
    cid.gets_ready = false;
    ASSERT_TRUE(until([&] { return cid.count(30) == 1; }));
    EXPECT_FALSE(service->settled());
    leave(cid);
    expect_settled();
    EXPECT_EQ(ada.session.call().members.size(), 2U);
}

// ---- alone, down, up

TEST_F(DeliveryTest, TheLastOneBeginsAnew) {
    start();
    Member& ada = join(kAda);
    leave(join(kBob));
    pump();
    EXPECT_THAT(ada.ops(), ElementsAre(25, 27, 27)) << "they never had a group";
    Member& bob = join(kBob);
    expect_settled();
    leave(bob);
    pump();
    EXPECT_THAT(ada.ops(), ElementsAre(25, 27, 27, 27, 29, 22, 24, 21));
    EXPECT_EQ(ada.got_op(24).back().body, R"({"protocol_version":1,"epoch":1})");
    EXPECT_EQ(ada.got_op(21).back().body, R"({"protocol_version":1,"transition_id":0})");
    EXPECT_EQ(service->version(), 1);
    EXPECT_EQ(ada.session.call().version, 1);
    join(kBob);
    expect_settled();
    EXPECT_EQ(ada.count(25), 1U) << "the external sender outlives it";
}

TEST_F(DeliveryTest, OrDropsToZeroUntilTheNextOneComes) {
    start({.sole_member_drops_to_zero = true});
    Member& ada = join(kAda);
    Member& bob = join(kBob);
    expect_settled();
    leave(bob);
    pump();
    EXPECT_THAT(ada.ops(), ElementsAre(25, 27, 29, 22, 21));
    EXPECT_EQ(ada.got_op(21).back().body, R"({"protocol_version":0,"transition_id":0})");
    EXPECT_EQ(service->version(), 0);
    EXPECT_EQ(ada.session.call().version, 0);
    Member& cid = join(kCid);
    expect_settled();
    EXPECT_EQ(ada.count(24), 1U);
    EXPECT_EQ(cid.count(24), 0U) << "op 4 has told it";
    EXPECT_EQ(service->version(), 1);
}

TEST_F(DeliveryTest, WhoSpeaksNoDaveTakesTheCallDownAndLeavingUp) {
    start({.plain_clients = true});
    Member& ada = join(kAda);
    Member& bob = join(kBob);
    expect_settled();
    Member& plain = join(kCid, 0);
    bob.gets_ready = false;
    pump();
    EXPECT_EQ(service->version(), 1) << "until both are ready";
    service->on_ready(bob.key, json_transition(bob));
    bob.gets_ready = true;
    ASSERT_TRUE(until([&] { return service->settled(); }));
    EXPECT_EQ(service->version(), 0);
    EXPECT_EQ(ada.session.call().version, 0);
    EXPECT_EQ(bob.session.call().version, 0);
    Member& dan = join(kDan);
    pump();
    EXPECT_TRUE(dan.got.empty()) << "op 4 said version 0";

    leave(plain);
    expect_settled();
    EXPECT_THAT(dan.ops(), ElementsAre(24, 25, 27, testing::AnyOf(29, 30), 22));
    EXPECT_EQ(ada.count(25), 1U);
    EXPECT_EQ(service->version(), 1);
    EXPECT_EQ(service->counts().refused, 0U);
}

TEST_F(DeliveryTest, AloneAfterWhoSpeaksNoDave) {
    start({.plain_clients = true});
    Member& plain = join(kCid, 0);
    EXPECT_EQ(service->version(), 0);
    Member& ada = join(kAda);
    leave(plain);
    pump();
    EXPECT_EQ(service->version(), 1);
    EXPECT_THAT(ada.ops(), ElementsAre(24, 25, 21));
    join(kBob);
    expect_settled();
}

TEST_F(DeliveryTest, WithoutEncryptionThereIsNothingToSay) {
    start({.enabled = false});
    EXPECT_EQ(service->version_for(1), 0);
    Member& ada = join(kAda);
    Member& bob = join(kBob, 0);
    pump();
    EXPECT_TRUE(ada.got.empty() && bob.got.empty());
    EXPECT_TRUE(service->settled());
    EXPECT_EQ(service->version(), 0);
}

TEST_F(DeliveryTest, EncryptionMayBeSwitchedOffAndOn) {
    start();
    Member& ada = join(kAda);
    join(kBob);
    expect_settled();
    service->set_options({.enabled = false});
    ASSERT_TRUE(until([&] { return service->version() == 0; }));
    EXPECT_EQ(ada.session.call().version, 0);
    service->set_options({});
    expect_settled();
}

// ---- by script

TEST_F(DeliveryTest, ResetsPutAllInAgain) {
    start();
    Member& ada = join(kAda);
    Member& bob = join(kBob);
    expect_settled();
    const std::string code = ada.code();
    service->reset();
    EXPECT_EQ(service->epoch(), 0U);
    expect_settled();
    EXPECT_NE(ada.code(), code);
    EXPECT_EQ(ada.count(24), 1U);
    bob.gets_ready = false;
    join(kCid);
    ASSERT_TRUE(until([&] { return bob.count(29) + bob.count(30) == 3; }));
    service->reset();  // in the middle of a transition
    bob.gets_ready = true;
    expect_settled();
}

TEST_F(DeliveryTest, WhatIsInFlightIsRevokedAndRepeated) {
    start();
    Member& ada = join(kAda);
    ada.commits = false;
    Member& bob = join(kBob);
    bob.commits = false;
    service->revoke_and_repeat();
    ada.commits = bob.commits = true;
    expect_settled();
    EXPECT_THAT(ada.proposals_in, ElementsAre(1, 0, 1));
    EXPECT_THAT(bob.proposals_in, ElementsAre(1, 0, 1));
    service->revoke_and_repeat();
    pump();
    EXPECT_EQ(ada.proposals_in.size(), 3U) << "nothing is in flight";
}

TEST_F(DeliveryTest, WhoeverComesAndGoesTheyAgree) {
    const auto seed = static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
    std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
    Random random(seed, 0);
    start({.plain_clients = true, .sole_member_drops_to_zero = random.chance(0.5)});
    std::uint64_t most = 0;
    for (int step = 0; step < 120; ++step) {
        const bool comes = members.size() < 2 || (members.size() < 7 && random.chance(0.5));
        if (comes) {
            join(UserId{1'000 + static_cast<std::uint64_t>(step)}, random.chance(0.05) ? 0 : 1);
        } else {
            leave(*std::next(members.begin(), static_cast<std::ptrdiff_t>(random.below(members.size())))->second);
        }
        // Sometimes the next one comes while this one is under way.
        for (auto left = random.below(12); left > 0 && !wire.empty(); --left) deliver_one();
        const bool waits = random.chance(0.3);
        ASSERT_TRUE(!waits || until([&] { return service->settled(); })) << "step " << step;
        most = std::max(most, service->epoch());
    }
    while (true) {
        const auto plain =
            std::ranges::find_if(members, [](const auto& entry) { return entry.second->dave_version == 0; });
        if (plain == members.end()) break;
        leave(*plain->second);
    }
    while (members.size() < 2) join(UserId{20'000 + members.size()});
    expect_settled();
    EXPECT_GT(most, 0U);
    EXPECT_EQ(service->counts().refused, 0U);
}

}  // namespace
}  // namespace lestapenna::sandbox
