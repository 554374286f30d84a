// A table of five where a change is about to happen, and the tools of those who would spoil it: members with good keys
// and bad intentions. After each test the victim's group is what it was, and the honest commit is still followed.
// Thread: one.
#pragma once

#include <algorithm>
#include <functional>

#include <gtest/gtest.h>

#include "groups.h"

namespace lestapenna::test {

/// All of a group that could change.
struct Snapshot {
    explicit Snapshot(const mls::Group& of)
        : context(of.context()),
          nodes(of.tree().nodes()),
          tree_hash(of.tree().hash()),
          init(of.secrets().init),
          authenticator(of.secrets().authenticator),
          exporter(of.secrets().exporter),
          self(of.self()) {}
    bool operator==(const Snapshot&) const = default;

    mls::GroupContext context;
    mls::TreeNodes nodes;
    mls::Bytes tree_hash;
    mls::Secret init, authenticator, exporter;
    mls::LeafIndex self;
};

class Rejections : public testing::Test {
  protected:
    Rejections() : people_(people(5)), joiner_("joiner") {
        gather(people_, outside_);
        // Twice, so that there are parents in the tree, and keys of parents.
        follow(committer().group->commit({}).value());
        messages_ = {outside_.propose(context(), joiner_.add()), outside_.propose(context(), mls::Remove{{3}})};
        queue_ = checked(victim(), messages_);
        committed_.emplace(committer().group->commit(queue_).value());
        before_.emplace(victim());
    }

    void TearDown() override {
        EXPECT_EQ(Snapshot(victim()), *before_);
        const auto processed = victim().process(committed_->commit, queue_);
        ASSERT_TRUE(processed.ok());
        EXPECT_EQ(processed->next.secrets().authenticator, committed_->next.secrets().authenticator);
    }

    /// Whose group is to be harmed: leaf 0.
    [[nodiscard]] const mls::Group& victim() const { return *people_[0].group; }
    /// Who commits: leaf 1.
    [[nodiscard]] const Person& committer() const { return people_[1]; }
    [[nodiscard]] const mls::GroupContext& context() const { return victim().context(); }

    /// The honest commit, changed, and then signed and tagged again as its committer can.
    [[nodiscard]] mls::Bytes altered(const std::function<void(mls::PublicMessage&)>& change) const {
        auto message = honest();
        change(message);
        message.signature = mls::sign(message.content, context(), committer().signature);
        return tagged(std::move(message));
    }
    [[nodiscard]] mls::PublicMessage honest() const {
        return std::get<mls::PublicMessage>(mls::decode<mls::Message>(committed_->commit).value());
    }
    [[nodiscard]] mls::Bytes tagged(mls::PublicMessage message) const {
        message.membership_tag = mls::membership_tag(message, context(), victim().secrets().membership_key);
        return encode(mls::Message(std::move(message)));
    }
    static mls::Commit& commit_of(mls::PublicMessage& message) {
        return std::get<mls::Commit>(message.content.content);
    }
    /// A commit of these by reference, without a path.
    [[nodiscard]] mls::Bytes commit_of(const std::vector<mls::QueuedProposal>& queue) const {
        mls::Commit commit;
        for (const auto& queued : queue) commit.proposals.emplace_back(queued.ref);
        return encode(mls::Message(said_by(committer(), std::move(commit))));
    }
    /// The honest path, its leaf changed and signed again.
    [[nodiscard]] mls::Bytes with_leaf(const std::function<void(mls::LeafNode&)>& change) const {
        return altered([&](auto& message) {
            auto& leaf = commit_of(message).path->leaf;
            change(leaf);
            const mls::LeafPlace place{context().group_id, committer().group->self()};
            leaf.signature = mls::sign_with_label(committer().signature, "LeafNodeTBS", mls::to_be_signed(leaf, place));
        });
    }

    void refuses(const mls::Bytes& commit, mls::Reject why) const { refuses(commit, queue_, why); }
    void refuses(const mls::Bytes& commit, const std::vector<mls::QueuedProposal>& queue, mls::Reject why) const {
        const auto processed = victim().process(commit, queue);
        ASSERT_FALSE(processed.ok());
        EXPECT_EQ(to_string(processed.error()), to_string(why));
    }
    void refuses_proposal(const mls::Bytes& message, mls::Reject why) const {
        const auto queued = victim().check_proposal(message);
        ASSERT_FALSE(queued.ok());
        EXPECT_EQ(to_string(queued.error()), to_string(why));
    }

    Outsider outside_;
    std::vector<Person> people_;
    Person joiner_;  ///< added by the honest commit
    std::vector<mls::Bytes> messages_;
    std::vector<mls::QueuedProposal> queue_;
    std::optional<mls::Group::Committed> committed_;  ///< adds the joiner, removes leaf 3, with a path
    std::optional<Snapshot> before_;

  private:
    void follow(const mls::Group::Committed& committed) {
        for (Person& who : people_) {
            who.group = &who == &people_[1] ? committed.next : who.group->process(committed.commit, {}).value().next;
        }
    }
};

/// Calls `each` with every change of one byte (all bits, the lowest, the highest) and every shortening of `bytes`.
inline void spoil(const mls::Bytes& bytes, const std::function<void(const mls::Bytes&)>& each) {
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        for (const int mask : {0xff, 0x01, 0x80}) {
            mls::Bytes spoiled = bytes;
            spoiled[at] ^= static_cast<std::uint8_t>(mask);
            SCOPED_TRACE("byte " + std::to_string(at) + " xor " + std::to_string(mask));
            each(spoiled);
        }
    }
    for (std::size_t length = 0; length < bytes.size(); ++length) {
        SCOPED_TRACE("first " + std::to_string(length) + " bytes");
        each({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length)});
    }
}

}  // namespace lestapenna::test
