// The inside of the delivery service: who is where, what is proposed, which transition is waited for. Only
// delivery*.cpp include it.
//
// One thing at a time, in this order: a transition under way is waited for; the call has the version that its members
// allow; whoever is alone has no group; then whatever the group lacks (leaves to take out, key packages to put in) is
// one round of proposals, which ends with the first commit that fits. advance() finds out which of these is next, and
// is called after everything that happens. Thread: the loop's.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "sandbox/delivery.h"
#include "sandbox/delivery_messages.h"
#include "sandbox/timer_queue.h"

namespace lestapenna::sandbox {

// At namespace level, because clang 14 takes a nested class with defaults for incomplete in an optional of its class.
namespace call {

struct Package {
    mls::KeyPackage package;
    mls::Bytes ref;
    std::uint64_t number = 0;  ///< by arrival
};

struct Member {
    UserId user;
    int dave_version = 0;
    bool prepared = false;      ///< told to take part in a group: op 4 or 24 with version 1
    bool knows_sender = false;  ///< has had op 25
    std::optional<std::uint32_t> leaf;
    std::shared_ptr<const Package> package;              ///< waits to be put into the group
    TimerQueue::Clock::time_point owes_package_until{};  ///< has said op 31: a key package is about to come
};

/// Of the group, by leaf. Stale when its owner is gone, or has begun anew.
struct Leaf {
    MemberKey owner = 0;
    mls::Bytes signature_key;
};

struct Change {
    MemberKey who = 0;
    std::uint32_t leaf = 0;              ///< to be taken out, where there is no
    std::shared_ptr<const Package> add;  ///< package to put in
    bool operator==(const Change&) const = default;
};

/// The proposals of an epoch, until a commit ends it.
struct Round {
    struct Proposed {
        Change change;
        SignedProposal proposal;
    };
    std::vector<Proposed> proposals;
    std::set<MemberKey> told;
    std::map<MemberKey, std::string> held_back;  ///< op 27 that comes after op 29
    std::optional<std::pair<MemberKey, ClientCommit>> runner_up;
    std::uint64_t number = 0;
};

struct Transition {
    std::uint16_t id = 0;
    int version = 0;
    std::set<MemberKey> audience;
    std::set<MemberKey> waiting;
};

}  // namespace call

struct Delivery::Impl {
    using Clock = TimerQueue::Clock;

    using Package = call::Package;
    using Member = call::Member;
    using Leaf = call::Leaf;
    using Change = call::Change;
    using Round = call::Round;
    using Transition = call::Transition;

    Impl(net::Loop& loop, ChannelId in, DeliveryOptions chosen, Send how)
        : channel(in), options(chosen), send(std::move(how)), version(chosen.enabled ? 1 : 0), later(loop) {}

    ChannelId channel;
    DeliveryOptions options;
    Send send;
    ProposalSigner signer;
    DeliveryCounts counts;

    std::map<MemberKey, Member> members;
    int version;              ///< executed
    std::uint64_t epoch = 0;  ///< 0: no group yet
    std::optional<UserId> committer;
    std::vector<std::optional<Leaf>> leaves;
    std::optional<Round> round;
    std::optional<Transition> transition;
    std::set<mls::ProposalRef> over;  ///< committed, or taken back: who commits them now is late
    std::uint64_t packages = 0, rounds = 0;
    std::uint16_t transitions = 0;
    Clock::time_point batch_ends{};
    std::map<std::pair<UserId, Misbehaviour>, int> mischief;
    TimerQueue later;  // the last member: the things to come refer to the others

    // ---- what is next (delivery.cpp)
    void advance();
    /// The same, once `options.batch` has passed since the first change.
    void changed();
    void look_again_at(Clock::time_point when);
    /// What the members allow.
    [[nodiscard]] int version_wanted() const;
    void go_down();
    void be_alone();
    void prepare();
    void forget_group();
    /// It has no part in the group any more, whatever its leaf says.
    void begin_anew(MemberKey key);
    Member* find(MemberKey key);
    [[nodiscard]] bool sound(std::uint32_t leaf) const;

    // ---- transitions (delivery.cpp)
    [[nodiscard]] std::uint16_t next_transition();
    void begin(Transition next);
    void no_longer_awaited(MemberKey member);
    void execute();

    // ---- proposals (delivery_proposals.cpp)
    [[nodiscard]] std::vector<Change> changes_wanted() const;
    /// Makes what is proposed what is wanted. One message an epoch: to change it, all is taken back and made again.
    void renew_round();
    void propose(std::vector<Change> changes);
    void tell_proposals(MemberKey to);
    void tell_bad_proposals(MemberKey to);
    void take_back();
    Round end_round();
    [[nodiscard]] bool may_commit(MemberKey key, const Member& member) const;
    [[nodiscard]] std::vector<const Round::Proposed*> proposals_for(MemberKey member) const;

    // ---- commits (delivery_commit.cpp)
    enum class Verdict : std::uint8_t { fits, late, wrong };
    [[nodiscard]] Verdict judge(MemberKey from, const ClientCommit& commit) const;
    [[nodiscard]] bool complete(MemberKey from, const ClientCommit& commit) const;
    [[nodiscard]] bool winner_may_still_come(MemberKey instead_of) const;
    void take(MemberKey from, const ClientCommit& commit);
    void seat(const Change& change);
    void announce(MemberKey to, std::uint16_t id, const ClientCommit& commit);
    void welcome(MemberKey to, std::uint16_t id, const ClientCommit& commit, const Package& package);

    // ---- to members
    void tell(MemberKey to, std::uint8_t op, std::string json);
    void tell_sender(MemberKey to);  ///< op 25, once
    void tell_binary(MemberKey to, std::uint8_t op, const std::string& body);
    /// Whether this was asked for; it is then done.
    bool misbehaves(UserId towards, Misbehaviour how);
    [[nodiscard]] bool would_misbehave(UserId towards, Misbehaviour how) const;
};

}  // namespace lestapenna::sandbox
