// The voice gateway's half of DAVE, for tests: an external sender that proposes, and a table of members whose commits
// it chooses among and whose messages it delivers in any order between members. Nothing of it is checked, as the
// sandbox's delivery service does: it is told to do the right thing, or the wrong one. Thread: any.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/time.h"
#include "dave/receiver.h"
#include "dave/sender.h"
#include "dave/session.h"
#include "mls/framing.h"

namespace lestapenna::test {

using mls::Bytes;
using mls::View;

inline constexpr ChannelId kChannel{127121515262115840};

// ---- what came of a message

/// One word or two for each action, in order: "key package", "commit", "commit and welcome", "ready 7", "invalid 7",
/// "hear 2" (members), "speak", "speak clear", "clear", "clear ends", "no clear", "changed", "refused commit bad_tag".
std::vector<std::string> words(const dave::Actions& actions);

template <class A>
const A* find(const dave::Actions& actions) {
    for (const auto& action : actions) {
        if (const auto* found = std::get_if<A>(&action)) return found;
    }
    return nullptr;
}

/// Op 28, taken apart.
struct Offer {
    Bytes commit;
    Bytes welcome;
};
std::optional<Offer> offer_in(const dave::Actions& actions);

// ---- what the gateway makes

class ExternalSender {
  public:
    explicit ExternalSender(mls::KeyPair key = mls::KeyPair::generate()) : key_(std::move(key)) {}
    [[nodiscard]] Bytes op25() const;
    /// MLSMessage with that proposal.
    [[nodiscard]] Bytes propose(std::uint64_t epoch, mls::Proposal proposal, std::uint32_t index = 0) const;
    [[nodiscard]] Bytes add(std::uint64_t epoch, View package) const;
    [[nodiscard]] Bytes remove(std::uint64_t epoch, std::uint32_t leaf) const;

  private:
    mls::KeyPair key_;
};

/// Op 27.
Bytes append(const std::vector<Bytes>& messages);
Bytes revoke(const std::vector<Bytes>& refs);
Bytes ref_of(View proposal_message);
/// With one bit changed.
Bytes spoiled(Bytes bytes, std::size_t at);

// ---- a member, and a table of them

/// A session with what it makes audible, as whoever holds one connects them.
class Member {
  public:
    explicit Member(UserId user, dave::Session::MakeKeyPackage make = dave::Session::fresh_key_package);

    /// Does what is to be done; gives it back to be looked at.
    dave::Actions take(dave::Actions actions);

    dave::Actions op4(int version = 1) { return take(session.on_session_description(version)); }
    dave::Actions op11(const std::vector<UserId>& users) { return take(session.on_users(users)); }
    dave::Actions op13(UserId who) { return take(session.on_user_left(who)); }
    dave::Actions op21(int version, std::uint16_t t) { return take(session.on_prepare_transition(version, t)); }
    dave::Actions op22(std::uint16_t t);
    dave::Actions op24(int version = 1) { return take(session.on_prepare_epoch(version, 1)); }
    dave::Actions op25(View bytes) { return take(session.on_external_sender(bytes)); }
    dave::Actions op27(View bytes) { return take(session.on_proposals(bytes)); }
    dave::Actions op29(std::uint16_t t, View commit) { return take(session.on_commit(t, commit)); }
    dave::Actions op30(std::uint16_t t, View welcome) { return take(session.on_welcome(t, welcome)); }

    /// A frame of its own; nothing when it has no key to send with.
    std::optional<Bytes> speak(View opus);
    dave::Opening hear(UserId from, View frame) { return receiver.open(from, 1, frame, now).what; }
    [[nodiscard]] std::string code() const { return session.call().privacy_code; }

    UserId user;
    dave::Session session;
    dave::Receiver receiver;
    std::optional<dave::Sender> sender;
    BootTime now{seconds(1'000)};
    std::vector<Bytes> packages;                    ///< sent, oldest first
    std::vector<std::uint16_t> invalid;             ///< op 31
    std::set<std::string> epochs;                   ///< by privacy code: those it could hear
    std::string speaks_in;                          ///< the one it sends with
    std::map<std::uint16_t, std::string> prepared;  ///< by transition
};

class Table {
  public:
    /// Comes in: op 4, 25, and 11 in both directions; waits to be added.
    Member& join(UserId user);
    void leave(UserId user);

    /// Everything that is to be changed, in one epoch: proposals, commits, `winner`'s (of a random one) announced,
    /// executed. True when there was something to be changed.
    bool round(std::uint16_t transition, std::optional<UserId> winner = std::nullopt);
    /// Rounds until nothing is left to change.
    void settle();

    // ---- or one thing at a time
    /// What round() would send to this member.
    [[nodiscard]] Bytes op27_for(const Member& member) const;
    /// Sends it to all who are to commit.
    std::map<UserId, Offer> propose();
    /// Announces it to all: op 29 to who was in the group, op 30 to who comes in; then op 22 when all have had it.
    void announce(std::uint16_t transition, UserId winner, const Offer& offer);

    Member& at(UserId user) { return *members_.at(user); }
    [[nodiscard]] std::vector<Member*> members();
    [[nodiscard]] std::uint32_t leaf_of(UserId user) const;
    [[nodiscard]] std::uint64_t epoch() const { return epoch_; }

    ExternalSender gateway;
    std::mt19937_64 random{1};
    /// Called between any two messages.
    std::function<void()> meanwhile = [] {};
    /// May change what this member is sent as op 29 or 30.
    std::function<Bytes(const Member&, Bytes)> on_the_way = [](const Member&, Bytes bytes) { return bytes; };

  private:
    using Message = std::function<dave::Actions(Member&)>;
    void send(Member& to, Message message);
    /// Delivers what was sent: each member's in order, those of different members in any.
    void deliver();
    void note(Member& member, const dave::Actions& actions);
    [[nodiscard]] bool in_group(const Member& member) const;
    [[nodiscard]] std::vector<Member*> committers();

    std::map<UserId, std::unique_ptr<Member>> members_;
    std::vector<const Member*> leaves_;          // who sits where; null: blank
    std::set<const Member*> gone_;               // to be removed; only their addresses
    std::vector<std::unique_ptr<Member>> past_;  // keeps those addresses from being used again
    std::set<UserId> waiting_;                   // to be added
    std::map<UserId, std::deque<Message>> sent_;
    std::map<UserId, Offer> offers_;
    std::uint64_t epoch_ = 0;
};

/// A table of these users, settled.
std::unique_ptr<Table> table_of(const std::vector<UserId>& users);

}  // namespace lestapenna::test
