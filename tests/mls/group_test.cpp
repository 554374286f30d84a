// Groups of our own: everybody who is in one agrees with everybody else on it, whatever happened and whoever did it.
#include "mls/group.h"

#include <algorithm>
#include <iostream>
#include <random>

#include <gtest/gtest.h>

#include "groups.h"

namespace lestapenna::mls {
namespace {

using test::Outsider;
using test::Person;

/// Both see the same group in the same epoch, with the same secrets.
void expect_agreement(const Group& a, const Group& b) {
    EXPECT_EQ(a.context(), b.context());
    EXPECT_TRUE(std::ranges::equal(a.epoch_authenticator(), b.epoch_authenticator()));
    EXPECT_EQ(a.export_secret("label", test::bytes_of("context"), 16),
              b.export_secret("label", test::bytes_of("context"), 16));
    EXPECT_EQ(a.tree().nodes(), b.tree().nodes());
    EXPECT_EQ(a.tree().hash(), a.context().tree_hash);
    EXPECT_EQ(a.members(), b.members());
}

TEST(Group, OfOneIsInEpochZero) {
    Person alice("alice");
    const Outsider outside;
    test::found(alice, outside);
    const Group& group = *alice.group;
    EXPECT_EQ(group.epoch(), 0U);
    EXPECT_EQ(group.context().group_id, test::bytes_of("table"));
    EXPECT_EQ(group.context().extensions, outside.extensions());
    EXPECT_EQ(group.self(), LeafIndex{0});
    EXPECT_EQ(group.members(), (std::vector<Member>{{{0}, alice.identity, alice.signature.public_key}}));
    EXPECT_EQ(group.epoch_authenticator().size(), kHashBytes);
}

TEST(Group, EachIsADifferentOne) {
    Person alice("alice");
    const Outsider outside;
    test::found(alice, outside);
    const Group first = *alice.group;
    test::found(alice, outside);
    EXPECT_FALSE(std::ranges::equal(first.epoch_authenticator(), alice.group->epoch_authenticator()));
}

TEST(Group, WhoIsAddedJoins) {
    Person alice("alice");
    Person bob("bob");
    const Outsider outside;
    test::found(alice, outside);
    const auto queue = test::checked(*alice.group, {outside.propose(alice.group->context(), bob.add())});
    const auto committed = alice.group->commit(queue);
    ASSERT_TRUE(committed.ok());
    ASSERT_TRUE(committed->welcome.has_value());
    const auto joined = Group::join(*committed->welcome, bob.signature, bob.own);
    ASSERT_TRUE(joined.ok()) << to_string(joined.error());
    expect_agreement(committed->next, *joined);
    EXPECT_EQ(joined->epoch(), 1U);
    EXPECT_EQ(joined->self(), LeafIndex{1});
    EXPECT_EQ(alice.group->epoch(), 0U) << "a commit is a proposal of a future, not a change";
}

TEST(Group, CommitOfNothingIsAFreshStart) {
    auto people = test::people(3);
    const Outsider outside;
    test::gather(people, outside);
    const auto committed = people[1].group->commit({});
    ASSERT_TRUE(committed.ok());
    EXPECT_FALSE(committed->welcome.has_value());
    for (const std::size_t other : {0U, 2U}) {
        const auto processed = people[other].group->process(committed->commit, {});
        ASSERT_TRUE(processed.ok()) << to_string(processed.error());
        EXPECT_TRUE(processed->had_path);
        EXPECT_FALSE(processed->inline_proposals);
        EXPECT_EQ(processed->committer, LeafIndex{1});
        expect_agreement(processed->next, committed->next);
    }
}

TEST(Group, OfOneMayCommitNothing) {
    Person alice("alice");
    test::found(alice, Outsider{});
    const auto committed = alice.group->commit({});
    ASSERT_TRUE(committed.ok()) << to_string(committed.error());
    EXPECT_EQ(committed->next.epoch(), 1U);
    EXPECT_FALSE(committed->welcome.has_value());
}

TEST(Group, EachExternalSenderHasAKeyOfItsOwn) {
    const Outsider first;
    const Outsider second;
    Writer both;
    both.vec_of([&](Writer& list) {
        for (const Outsider* who : {&first, &second}) write(list, ExternalSender{who->signature.public_key, {}});
    });
    Person alice("alice");
    const Person bob("bob");
    alice.group = Group::create(test::bytes_of("table"), alice.signature, alice.own,
                                {{Extension::kExternalSenders, to_bytes(both.bytes())}});
    const auto& context = alice.group->context();
    EXPECT_TRUE(alice.group->check_proposal(first.propose(context, bob.add(), 0)).ok());
    EXPECT_TRUE(alice.group->check_proposal(second.propose(context, bob.add(), 1)).ok());
    EXPECT_FALSE(alice.group->check_proposal(first.propose(context, bob.add(), 1)).ok());
    EXPECT_FALSE(alice.group->check_proposal(second.propose(context, bob.add(), 0)).ok());
    EXPECT_EQ(alice.group->check_proposal(second.propose(context, bob.add(), 1))->sender,
              (Sender{SenderType::external, 1}));
}

TEST(Group, LastMemberMayRemoveAllOthers) {
    auto people = test::people(5);
    const Outsider outside;
    test::gather(people, outside);
    std::vector<Bytes> messages;
    for (const std::uint32_t leaf : {0U, 1U, 2U, 4U}) {
        messages.push_back(outside.propose(people[3].group->context(), Remove{{leaf}}));
    }
    const auto committed = people[3].group->commit(test::checked(*people[3].group, messages));
    ASSERT_TRUE(committed.ok());
    EXPECT_EQ(committed->next.members().size(), 1U);
    for (const std::size_t out : {0U, 1U, 2U, 4U}) {
        const auto gone = people[out].group->process(committed->commit, test::checked(*people[out].group, messages));
        ASSERT_FALSE(gone.ok());
        EXPECT_EQ(gone.error(), Reject::removed);
    }
    // And the group of one goes on.
    people[0].renew();
    const auto queue = test::checked(committed->next, {outside.propose(committed->next.context(), people[0].add())});
    const auto again = committed->next.commit(queue);
    ASSERT_TRUE(again.ok());
    const auto back = Group::join(*again->welcome, people[0].signature, people[0].own);
    ASSERT_TRUE(back.ok()) << to_string(back.error());
    expect_agreement(*back, again->next);
}

TEST(Group, WhoComesBackGetsANewLeafInTheSameCommit) {
    auto people = test::people(4);
    const Outsider outside;
    test::gather(people, outside);
    Person& back = people[2];
    const Group before = *back.group;
    back.renew();
    const std::vector<Bytes> messages{outside.propose(before.context(), back.add()),
                                      outside.propose(before.context(), Remove{before.self()})};
    const auto committed = people[0].group->commit(test::checked(*people[0].group, messages));
    ASSERT_TRUE(committed.ok()) << to_string(committed.error());
    const auto old_self = before.process(committed->commit, test::checked(before, messages));
    ASSERT_FALSE(old_self.ok());
    EXPECT_EQ(old_self.error(), Reject::removed);
    const auto joined = Group::join(*committed->welcome, back.signature, back.own);
    ASSERT_TRUE(joined.ok()) << to_string(joined.error());
    expect_agreement(*joined, committed->next);
    EXPECT_EQ(joined->self(), before.self());
}

TEST(Group, OfTwoCommitsOneWinsAndTheOtherHarmsNobody) {
    auto people = test::people(6);
    const Outsider outside;
    test::gather(people, outside);
    Person joiner("joiner");
    const std::vector<Bytes> messages{outside.propose(people[0].group->context(), joiner.add()),
                                      outside.propose(people[0].group->context(), Remove{{4}})};
    const auto queue = test::checked(*people[0].group, messages);
    const auto lost = people[1].group->commit(queue);
    const auto won = people[2].group->commit(queue);
    ASSERT_TRUE(lost.ok() && won.ok());
    for (const std::size_t i : {0U, 1U, 3U, 5U}) {
        const auto processed = people[i].group->process(won->commit, queue);
        ASSERT_TRUE(processed.ok()) << i << ": " << to_string(processed.error());
        expect_agreement(processed->next, won->next);
        const auto late = processed->next.process(lost->commit, queue);
        ASSERT_FALSE(late.ok());
        EXPECT_EQ(late.error(), Reject::wrong_epoch);
    }
    const auto joined = Group::join(*won->welcome, joiner.signature, joiner.own);
    ASSERT_TRUE(joined.ok()) << to_string(joined.error());
    expect_agreement(*joined, won->next);
    EXPECT_FALSE(std::ranges::equal(lost->next.epoch_authenticator(), won->next.epoch_authenticator()));
}

TEST(Group, InlineProposalsAreTakenAndSaid) {
    auto people = test::people(3);
    const Outsider outside;
    test::gather(people, outside);
    // Bob commits what nobody proposed.
    Tree tree = people[1].group->tree();
    tree.remove({2});
    const auto by_bob = test::commit_by_hand(people[1], {Proposal(Remove{{2}})}, tree, outside.extensions());
    const auto processed = people[0].group->process(by_bob.commit, {});
    ASSERT_TRUE(processed.ok()) << to_string(processed.error());
    EXPECT_TRUE(processed->inline_proposals);
    EXPECT_TRUE(processed->had_path);
    EXPECT_EQ(processed->next.secrets().authenticator, by_bob.authenticator);
    const auto gone = people[2].group->process(by_bob.commit, {});
    ASSERT_FALSE(gone.ok());
    EXPECT_EQ(gone.error(), Reject::removed);
}

TEST(Group, ItsExtensionsCanBeSet) {
    auto people = test::people(3);
    const Outsider outside;
    test::gather(people, outside);
    const Outsider another;
    const std::vector<Bytes> messages{
        outside.propose(people[0].group->context(), GroupContextExtensions{another.extensions()})};
    const auto committed = people[0].group->commit(test::checked(*people[0].group, messages));
    ASSERT_TRUE(committed.ok()) << to_string(committed.error());
    const auto processed = people[1].group->process(committed->commit, test::checked(*people[1].group, messages));
    ASSERT_TRUE(processed.ok()) << to_string(processed.error());
    EXPECT_TRUE(processed->had_path);
    expect_agreement(processed->next, committed->next);
    EXPECT_EQ(processed->next.context().extensions, another.extensions());
    // Who may propose has changed with them.
    const Person joiner("joiner");
    EXPECT_FALSE(processed->next.check_proposal(outside.propose(processed->next.context(), joiner.add())).ok());
    EXPECT_TRUE(processed->next.check_proposal(another.propose(processed->next.context(), joiner.add())).ok());
}

TEST(Group, UpdatesOfMembersAreCommittedByOthers) {
    auto people = test::people(4);
    const Outsider outside;
    test::gather(people, outside);
    LeafNode leaf = people[2].own.package.leaf;
    leaf.source = LeafSource::update;
    leaf.lifetime = {};
    leaf.encryption_key = KeyPair::generate().public_key;
    leaf.signature = sign_with_label(people[2].signature, "LeafNodeTBS",
                                     to_be_signed(leaf, {people[0].group->context().group_id, {2}}));
    const std::vector<Bytes> messages{encode(Message(test::said_by(people[2], Proposal(Update{leaf}))))};
    const auto committed = people[0].group->commit(test::checked(*people[0].group, messages));
    ASSERT_TRUE(committed.ok()) << to_string(committed.error());
    for (const std::size_t i : {1U, 3U}) {
        const auto processed = people[i].group->process(committed->commit, test::checked(*people[i].group, messages));
        ASSERT_TRUE(processed.ok()) << to_string(processed.error());
        expect_agreement(processed->next, committed->next);
    }
    EXPECT_EQ(*committed->next.tree().leaf({2}), leaf);
}

/// A table where people come and go: the next epoch by one commit, followed by all.
class Table {
  public:
    explicit Table(std::uint64_t seed) : random_(seed) {
        people_.emplace_back(name());
        test::found(people_.front(), outside_);
    }

    [[nodiscard]] std::size_t size() const { return people_.size(); }
    [[nodiscard]] std::string played() const {
        return std::to_string(people_.front().group->epoch()) + " epochs, up to " + std::to_string(most_) +
               " members, " + std::to_string(processed_) + " commits processed, " + std::to_string(joined_) +
               " welcomes, " + std::to_string(removed_) + " removed";
    }

    /// Up to so many come, and so many go, at once.
    void turn(std::size_t most_added, std::size_t most_removed) {
        std::vector<Person> joining;
        for (std::size_t i = below(most_added + 1); i-- > 0;) joining.emplace_back(name());
        const std::size_t leaving = std::min(below(most_removed + 1), people_.size() - 1);
        std::shuffle(people_.begin(), people_.end(), random_);  // the last ones go, any other commits
        if (joining.empty() && leaving == 0) return;

        const std::size_t stay = people_.size() - leaving;
        Person& committer = people_[below(stay)];
        const GroupContext context = committer.group->context();
        std::vector<Bytes> messages;
        for (const Person& who : joining) messages.push_back(outside_.propose(context, who.add()));
        for (std::size_t i = stay; i < people_.size(); ++i) {
            messages.push_back(outside_.propose(context, Remove{people_[i].group->self()}));
        }
        std::shuffle(messages.begin(), messages.end(), random_);
        const auto committed = committer.group->commit(test::checked(*committer.group, messages));
        ASSERT_TRUE(committed.ok()) << to_string(committed.error());
        ASSERT_EQ(committed->welcome.has_value(), !joining.empty());

        for (std::size_t i = 0; i < people_.size(); ++i) {
            if (&people_[i] != &committer) follow(people_[i], *committed, messages, i >= stay);
            if (testing::Test::HasFatalFailure()) return;
        }
        committer.group = committed->next;
        people_.erase(people_.begin() + static_cast<std::ptrdiff_t>(stay), people_.end());
        for (Person& who : joining) {
            auto joined = Group::join(*committed->welcome, who.signature, who.own);
            ASSERT_TRUE(joined.ok()) << to_string(joined.error());
            expect_agreement(*joined, committed->next);
            who.group = std::move(*joined);
            people_.push_back(std::move(who));
            ++joined_;
        }
        most_ = std::max(most_, people_.size());
    }

  private:
    void follow(Person& who, const Group::Committed& committed, const std::vector<Bytes>& messages, bool out) {
        const auto processed = who.group->process(committed.commit, test::checked(*who.group, messages));
        ASSERT_EQ(processed.ok(), !out);
        if (out) {
            EXPECT_EQ(processed.error(), Reject::removed);
            ++removed_;
            return;
        }
        expect_agreement(processed->next, committed.next);
        ++processed_;
        who.group = processed->next;
    }

    std::size_t below(std::size_t limit) { return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_); }
    std::string name() { return "person " + std::to_string(++named_); }

    std::mt19937_64 random_;
    int named_ = 0;
    std::size_t most_ = 1, processed_ = 0, joined_ = 0, removed_ = 0;
    Outsider outside_;
    std::vector<Person> people_;
};

/// Calls `play(Table&)` with two seeds that are new each time.
template <class Play>
void with_seeds(const Play& play) {
    for (int round = 0; round < 2 && !testing::Test::HasFatalFailure(); ++round) {
        const auto seed = std::random_device{}();
        SCOPED_TRACE("seed " + std::to_string(seed));
        Table table(seed);
        play(table);
        std::cout << "seed " << seed << ": " << table.played() << '\n';
    }
}

TEST(Group, OfFiftyAlwaysAgrees) {
    with_seeds([](Table& table) {
        while (table.size() < 50 && !HasFatalFailure()) table.turn(8, 2);    // growing to 50,
        for (int i = 0; i < 5 && !HasFatalFailure(); ++i) table.turn(2, 2);  // some coming and going,
        while (table.size() > 2 && !HasFatalFailure()) table.turn(1, 9);     // and down again
    });
}

TEST(Group, SmallOnesAlwaysAgree) {
    with_seeds([](Table& table) {
        for (int i = 0; i < 60 && !HasFatalFailure(); ++i) table.turn(2, 3);
    });
}

}  // namespace
}  // namespace lestapenna::mls
