// The delivery service at its worst, and members at theirs: each misbehaviour has its effect, and after it all agree
// again; commits and key packages that do not fit change nothing.
#include <algorithm>
#include <functional>

#include <gmock/gmock.h>

#include "delivery_rig.h"
#include "mls/group.h"

namespace lestapenna::sandbox {
namespace {

using test_delivery::kChannel;
using test_delivery::Member;
using testing::Contains;
using testing::ElementsAre;

constexpr UserId kAda{1'090'000'000'000'000'100}, kBob{1'090'000'000'000'000'101}, kCid{1'090'000'000'000'000'102};

struct DeliveryTrouble : test_delivery::DeliveryTest {
    Member* ada = nullptr;
    Member* bob = nullptr;

    /// Ada and Bob are in a group; the service will misbehave towards Bob.
    void begin(Misbehaviour how, const DeliveryOptions& options = {}) {
        start(options);
        ada = &join(kAda);
        bob = &join(kBob);
        expect_settled();
        service->misbehave(kBob, how);
        bob->strict = false;
    }
};

// ---- misbehaviour towards a member

TEST_F(DeliveryTrouble, ASpoiledCommitIsReportedAndTheMemberComesBack) {
    begin(Misbehaviour::spoiled_commit, {.winner = kAda});
    join(kCid);
    expect_settled();
    EXPECT_THAT(bob->refused, ElementsAre("commit"));
    EXPECT_EQ(service->counts().invalid, 1U);
    EXPECT_EQ(service->epoch(), 3U) << "out and in again is one epoch";
    EXPECT_EQ(ada->proposals_in.back(), 2U);
    EXPECT_EQ(bob->count(29), 1U) << "it is sent the welcome alone";
    EXPECT_EQ(bob->ops().back(), 22);
    EXPECT_EQ(service->counts().timeouts, 0U);
}

TEST_F(DeliveryTrouble, ASpoiledWelcomeToo) {
    begin(Misbehaviour::spoiled_welcome);
    service->misbehave(kCid, Misbehaviour::spoiled_welcome);
    Member& cid = join(kCid);
    expect_settled();
    EXPECT_THAT(cid.refused, ElementsAre("welcome"));
    EXPECT_EQ(cid.count(30), 2U);
    EXPECT_EQ(service->counts().invalid, 1U);
    EXPECT_TRUE(bob->refused.empty()) << "it was welcomed long ago";
}

TEST_F(DeliveryTrouble, ALateWelcome) {
    start();
    join(kAda);
    join(kBob);
    expect_settled();
    service->misbehave(kCid, Misbehaviour::late_welcome);
    const auto began = std::chrono::steady_clock::now();
    Member& cid = join(kCid);
    pump();
    EXPECT_EQ(service->epoch(), 2U);
    EXPECT_EQ(cid.count(30), 0U);
    expect_settled();
    EXPECT_GE(std::chrono::steady_clock::now() - began, milliseconds(1'400));
    EXPECT_TRUE(cid.refused.empty());
}

TEST_F(DeliveryTrouble, ACommitForWhoIsOnlyPending) {
    start();
    join(kAda);
    join(kBob);
    expect_settled();
    service->misbehave(kCid, Misbehaviour::foreign_commit);
    Member& cid = join(kCid);
    cid.strict = false;
    expect_settled();
    EXPECT_EQ(cid.count(29), 1U);
    EXPECT_GE(cid.count(30), 1U);
}

TEST_F(DeliveryTrouble, EachBinaryMessageTwice) {
    begin(Misbehaviour::duplicate_messages);
    join(kCid);
    expect_settled();
    EXPECT_EQ(bob->count(27), 1U + 2U);
    EXPECT_EQ(bob->count(29) + bob->count(30), 1U + 2U);
    leave(*members.rbegin()->second);
    expect_settled();
    EXPECT_EQ(bob->count(27), 1U + 2U + 1U) << "no longer";
}

TEST_F(DeliveryTrouble, TheCommitBeforeItsProposals) {
    begin(Misbehaviour::reordered);
    join(kCid);
    ASSERT_TRUE(until([&] { return bob->count(27) == 2; }));
    const auto ops = bob->ops();
    const auto proposals = std::find(ops.rbegin(), ops.rend(), 27);
    EXPECT_EQ(*std::next(proposals), 29);
    EXPECT_THAT(bob->refused, Contains("commit")) << "of proposals that it had not seen";
    expect_settled();
    EXPECT_EQ(service->epoch(), 3U);
    EXPECT_EQ(service->counts().invalid, 1U);
}

TEST_F(DeliveryTrouble, ProposalsThatAreNone) {
    for (const auto how :
         {Misbehaviour::forged_proposal, Misbehaviour::unknown_user, Misbehaviour::proposal_of_epoch_past}) {
        SCOPED_TRACE(static_cast<int>(how));
        members.clear();
        begin(how);
        join(kCid);
        expect_settled();
        EXPECT_EQ(bob->count(27), 1U + 2U);
        EXPECT_THAT(bob->refused, Contains("proposals"));
        EXPECT_TRUE(ada->refused.empty());
        EXPECT_EQ(service->epoch(), 2U) << "what was right is committed all the same";
        EXPECT_EQ(service->counts().invalid, 0U);
    }
}

TEST_F(DeliveryTrouble, ACommitThatNeverComes) {
    begin(Misbehaviour::withheld_commit, {.ready_within = milliseconds(50)});
    join(kCid);
    ASSERT_TRUE(until([&] { return service->settled(); }));
    EXPECT_EQ(service->epoch(), 2U);
    EXPECT_EQ(service->counts().timeouts, 1U);
    EXPECT_EQ(bob->ops().back(), 22);
    EXPECT_EQ(bob->session.call().epoch, 1U);
    bob->act(bob->session.recover());
    expect_settled();
    EXPECT_EQ(service->counts().invalid, 1U);
}

// ---- members at their worst

TEST_F(DeliveryTrouble, WhoReportsInvalidIsPutOutAndInAtOnce) {
    start();
    join(kAda);
    Member& to_report = join(kBob);
    join(kCid);
    expect_settled();
    const auto epoch = service->epoch();
    to_report.act(to_report.session.recover());
    EXPECT_FALSE(service->in_group(kBob));
    expect_settled();
    EXPECT_EQ(service->epoch(), epoch + 1);
}

TEST_F(DeliveryTrouble, WhenAllReportInvalidThereIsANewGroup) {
    start();
    Member& one = join(kAda);
    Member& other = join(kBob);
    expect_settled();
    // What is proposed because of the first report crosses the second one; and who reports keeps the group that it is
    // in until it is in the next.
    one.strict = other.strict = false;
    one.act(one.session.recover());
    other.act(other.session.recover());
    expect_settled();
    EXPECT_EQ(service->epoch(), 1U);
}

TEST_F(DeliveryTrouble, AKeyPackageThatFollowsNoReportIsAReturnToo) {
    start();
    join(kAda);
    Member& again = join(kBob);
    expect_settled();
    again.act(again.session.on_prepare_epoch(1, 1));
    expect_settled();
    EXPECT_EQ(service->epoch(), 2U);
    EXPECT_EQ(service->counts().invalid, 0U);
}

TEST_F(DeliveryTrouble, KeyPackagesThatAreNotGood) {
    start();
    Member& member = join(kAda);
    join(kBob).commits = false;
    member.commits = false;
    ASSERT_EQ(service->counts().key_packages, 2U);
    const mls::Bytes good = member.last_package;
    const auto identity = mls::KeyPair::generate();
    const auto package = [&](UserId user, mls::Lifetime life) {
        return mls::encode(mls::make_key_package(identity, dave::identity_of(user), life).package);
    };
    const mls::Lifetime for_ever{0, ~std::uint64_t{0}};
    mls::Bytes longer = good, shorter = good, forged = good;
    longer.push_back(0);
    shorter.pop_back();
    forged.back() ^= 1;
    std::uint64_t refused = 0;
    for (const auto& bad : {longer, shorter, forged, mls::Bytes{}, package(kBob, for_ever),
                            package(kAda, {0, 1'000'000}), package(kAda, {1, ~std::uint64_t{0}})}) {
        service->on_key_package(member.key, text_of(bad));
        EXPECT_EQ(service->counts().refused, ++refused);
    }
    EXPECT_EQ(service->counts().key_packages, 2U);
    // As the whitepaper has it: wrapped.
    mls::Bytes wrapped{0, 1, 0, 5};
    const auto bare = package(kAda, for_ever);
    wrapped.insert(wrapped.end(), bare.begin(), bare.end());
    service->on_key_package(member.key, text_of(wrapped));
    EXPECT_EQ(service->counts().key_packages, 3U);
    service->on_key_package(4711, text_of(bare));
    EXPECT_EQ(service->counts().key_packages, 3U) << "who is that?";
}

// ---- commits that do not fit

struct DeliveryCommits : DeliveryTrouble {
    mls::PublicMessage commit;
    mls::Welcome welcome;

    /// Ada and Bob are in a group, Cid is to come in and Dan's leaf to go; Ada has a commit that is not sent yet.
    void SetUp() override {
        start();
        ada = &join(kAda);
        bob = &join(kBob);
        Member& dan = join(UserId{7});
        expect_settled();
        ada->commits = bob->commits = false;
        leave(dan);
        join(kCid);
        pump();
        mls::View rest(ada->kept_commits.back());
        commit = std::get<mls::PublicMessage>(*mls::decode_front<mls::Message>(rest));
        welcome = *mls::decode<mls::Welcome>(rest);
    }
    mls::Commit& body() { return std::get<mls::Commit>(commit.content.content); }
    void send(const Member& from, bool with_welcome = true) {
        auto bytes = mls::encode(mls::Message(commit));
        const auto second = mls::encode(welcome);
        if (with_welcome) bytes.insert(bytes.end(), second.begin(), second.end());
        service->on_commit(from.key, text_of(bytes));
    }
};

TEST_F(DeliveryCommits, AsItIsItFits) {
    const auto epoch = service->epoch();
    send(*ada);
    EXPECT_EQ(service->epoch(), epoch + 1);
    EXPECT_EQ(service->committer(), kAda);
    expect_settled();
    EXPECT_EQ(service->counts().refused, 0U);
}

TEST_F(DeliveryCommits, RefusedWhatDoesNotFit) {
    const mls::PublicMessage good_commit = commit;
    const mls::Welcome good_welcome = welcome;
    struct Case {
        const char* what;
        std::function<void()> spoil;
        bool with_welcome = true;
    };
    const std::vector<Case> cases{
        {"wrong group", [&] { commit.content.group_id.back() ^= 1; }},
        {"epoch to come", [&] { ++commit.content.epoch; }},
        {"somebody else's leaf", [&] { commit.content.sender.index = 1; }},
        {"external sender", [&] { commit.content.sender.type = mls::SenderType::external; }},
        {"no proposals", [&] { body().proposals.clear(); }},
        {"one too few", [&] { body().proposals.pop_back(); }},
        {"one twice", [&] { body().proposals.push_back(body().proposals.front()); }},
        {"an unknown one", [&] { std::get<mls::ProposalRef>(body().proposals.front()).back() ^= 1; }},
        {"inline", [&] { body().proposals.front() = mls::Proposal(mls::Remove{mls::LeafIndex{1}}); }},
        {"no path", [&] { body().path.reset(); }},
        {"another's key in the path", [&] { body().path->leaf.signature_key = mls::KeyPair::generate().public_key; }},
        {"another's name in the path", [&] { body().path->leaf.credential.identity.back() ^= 1; }},
        {"no welcome", [] {}, false},
        {"welcome for nobody", [&] { welcome.secrets.clear(); }},
        {"welcome for another", [&] { welcome.secrets.front().new_member.back() ^= 1; }},
        {"welcome twice", [&] { welcome.secrets.push_back(welcome.secrets.front()); }},
        {"welcome of another suite", [&] { welcome.cipher_suite = 1; }},
        {"no commit", [&] { commit.content.content = mls::Bytes{1}; }},
    };
    const auto epoch = service->epoch();
    std::uint64_t refused = 0;
    for (const auto& one : cases) {
        SCOPED_TRACE(one.what);
        commit = good_commit;
        welcome = good_welcome;
        one.spoil();
        send(*ada, one.with_welcome);
        EXPECT_EQ(service->counts().refused, ++refused);
        EXPECT_EQ(service->epoch(), epoch);
    }
    commit = good_commit;
    welcome = good_welcome;
    const auto whole = ada->kept_commits.back();
    for (std::size_t length = 0; length < whole.size(); ++length) {
        service->on_commit(ada->key, text_of(mls::View(whole).first(length)));
    }
    EXPECT_EQ(service->counts().refused, refused + whole.size());
    send(*bob);
    EXPECT_EQ(service->epoch(), epoch) << "Bob has another leaf";
    send(*ada);
    EXPECT_EQ(service->epoch(), epoch + 1);
    const auto lost = service->counts().commits_lost;
    service->on_commit(bob->key, text_of(bob->kept_commits.back()));
    EXPECT_EQ(service->counts().commits_lost, lost + 1) << "late, and no error";
}

TEST_F(DeliveryCommits, NothingOfWhoIsOutside) {
    const auto cid = std::ranges::find_if(members, [](const auto& entry) { return entry.second->user == kCid; });
    const auto epoch = service->epoch();
    send(*cid->second);
    EXPECT_EQ(service->counts().refused, 1U);
    service->on_commit(4711, text_of(ada->kept_commits.back()));
    EXPECT_EQ(service->counts().refused, 1U) << "who is that?";
    EXPECT_EQ(service->epoch(), epoch);
}

}  // namespace
}  // namespace lestapenna::sandbox
