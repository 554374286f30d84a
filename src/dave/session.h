// End-to-end encryption of one voice connection, as a member of its MLS group (dave.md sections 3 to 6): takes what the
// voice gateway says (op 4, 11, 13, 21, 22, 24, 25, 27, 29, 30) and returns what is to be done. A pure state machine:
// no socket, no clock, no media. Who holds it feeds its answers to the server, and its epochs to a Receiver and a
// Sender.
//
// Promises: nothing from outside makes it throw, hang or change by halves: a message applies whole or is refused with a
// reason. Nobody is added to our group under a user id that the server has not named, twice, or with a credential that
// is not that id; commits bring only proposals that the external sender made, and change nobody's identity. A welcome
// brings in whom its group has, also who was never named: that is told, because to stay out would help nobody. What
// can not be followed is reported once (op 31), and a new key package follows. Secrets are wiped and never logged.
//
// Thread: one at a time. A message costs up to some hundred elliptic-curve operations in a large group (see bench): it
// may be kept on a thread of its own, away from media.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "dave/keys.h"
#include "dave/version.h"
#include "mls/group.h"

namespace lestapenna::dave {

// ---- what is to be done

struct SendKeyPackage {  ///< op 26
    mls::Bytes package;
};
struct SendCommit {  ///< op 28: commit, and welcome if any, one after the other
    mls::Bytes commit_welcome;
};
struct SendReady {  ///< op 23
    std::uint16_t transition = 0;
};
struct SendInvalid {  ///< op 31
    std::uint16_t transition = 0;
};
/// Frames of these members can be opened from now on; comes before the SendReady of the same message. Nobody: the group
/// has ended, and what is still under way is of the epoch before.
struct ReceiveEpoch {
    std::vector<BaseSecret> keys;
};
/// Our own frames go out with this key from now on; nothing: in the clear. Until the first one nothing but silence may
/// be sent in an encrypted call.
struct SendWith {
    std::optional<BaseSecret> own;
};
/// Whether clear frames are taken from now on. `winding_down`: for 10 s more, then not.
struct ReceiveClear {
    bool allowed = false;
    bool winding_down = false;
};
/// What the call is now, when that has changed: what people are shown.
struct CallChanged {};
/// Something from the server was not accepted, and why: for counts and the log. Nothing has changed by it.
struct Refused {
    const char* what = "";  ///< "proposals", "commit", "welcome", "external sender", "version"
    mls::Reject why{};
};
/// The group that we were welcomed to has members whom the server had not named.
struct Unnamed {
    std::size_t members = 0;
};
using Action = std::variant<SendKeyPackage, SendCommit, SendReady, SendInvalid, ReceiveEpoch, SendWith, ReceiveClear,
                            CallChanged, Refused, Unnamed>;
using Actions = std::vector<Action>;

struct Call {
    int version = 0;           ///< executed
    bool established = false;  ///< in a group with others, or a group of one that was committed
    std::uint64_t epoch = 0;
    std::string privacy_code;  ///< 30 digits; empty: not encrypted, or not established
    std::vector<UserId> members;
};

class Session {
  public:
    /// Makes our key packages; each is used once. Who replays a recorded call brings those that were recorded.
    using MakeKeyPackage = std::function<mls::OwnKeyPackage(const mls::KeyPair& identity, UserId self)>;
    static mls::OwnKeyPackage fresh_key_package(const mls::KeyPair& identity, UserId self);

    /// `identity` signs for us: one per process, so that other people see the same key in all calls.
    Session(UserId self, ChannelId channel, mls::KeyPair identity, MakeKeyPackage make = fresh_key_package);

    // ---- what the server says
    Actions on_session_description(int version);                           ///< op 4
    Actions on_users(std::span<const UserId> users);                       ///< op 11
    Actions on_user_left(UserId user);                                     ///< op 13
    Actions on_prepare_transition(int version, std::uint16_t transition);  ///< op 21
    Actions on_execute_transition(std::uint16_t transition);               ///< op 22
    Actions on_prepare_epoch(int version, std::uint64_t epoch);            ///< op 24
    Actions on_external_sender(mls::View bytes);                           ///< op 25
    Actions on_proposals(mls::View bytes);                                 ///< op 27
    Actions on_commit(std::uint16_t transition, mls::View commit);         ///< op 29
    Actions on_welcome(std::uint16_t transition, mls::View welcome);       ///< op 30

    /// Frames do not open although nothing is under way: out and in again (op 31 with the last transition, also when
    /// that was 0). Until a welcome or op 24 comes the group is kept, and followed: what made us ask may be that its
    /// messages are late. Also when an earlier recovery was never answered; how often is the caller's business.
    Actions recover();
    /// While held back, what can not be followed is not reported at once: the next recover() does.
    void hold_reports(bool hold) { hold_reports_ = hold; }
    /// The connection was resumed, and nothing has come of it for a while: once more what the group may still wait for
    /// from us, because it was lost with the old connection. Who has had it already makes nothing of it.
    Actions say_again();

    [[nodiscard]] Call call() const;
    /// A transition, a recovery or our own way into the group is under way: that frames do not open now means nothing.
    [[nodiscard]] bool in_transition() const;
    /// We have to be let in anew, and nothing has come of it yet.
    [[nodiscard]] bool recovering() const { return recovering_.has_value(); }
    /// The group we are in is about to change: what was proposed has not been committed, as far as we know.
    [[nodiscard]] bool awaits_commit() const { return current_ && !queue_.empty(); }
    /// Something could not be followed, and was not reported: see hold_reports().
    [[nodiscard]] bool owes_report() const { return recovering_ && owes_report_; }

  private:
    struct OwnCommit {
        mls::Bytes message;
        mls::Bytes commit_welcome;
        mls::Group next;
    };
    struct Transition {
        std::uint16_t id = 0;
        std::optional<int> version;     ///< op 21
        std::optional<BaseSecret> own;  ///< of a new epoch: what we send with once it is executed
    };
    struct Shown {  ///< what a CallChanged is about
        int version = 0;
        mls::Bytes epoch_authenticator;
        bool operator==(const Shown&) const = default;
    };

    /// The group that proposals are for: the one we are in, else the one of our own that waits for others. Who recovers
    /// may have both, until the server says by what it proposes which one it means.
    [[nodiscard]] const mls::Group* group() const;
    void reinitialise(Actions& out);
    void offer_package(Actions& out);
    void leave_group();
    void begin_pending();
    [[nodiscard]] bool for_pending(mls::View proposals) const;
    mls::Checked<> take_proposals(mls::View bytes);
    void offer_commit(Actions& out);
    mls::Checked<mls::Group> follow(mls::View commit) const;
    mls::Checked<mls::Group> join(mls::View welcome);
    void adopt(mls::Group next, std::uint16_t transition, Actions& out);
    void prepare(Transition transition, Actions& out);
    void execute(const Transition& transition, Actions& out);
    void report_invalid(std::uint16_t transition, Actions& out);
    void forget_who_left();
    void show(Actions& out);

    UserId self_;
    mls::Bytes group_id_;
    mls::KeyPair identity_;
    MakeKeyPackage make_;

    int version_ = 0;                         ///< executed
    int protocol_ = 0;                        ///< what the group is being made for
    std::set<UserId> recognised_;             ///< may be added
    std::set<UserId> left_;                   ///< of those: gone, but perhaps still in the group
    mls::Bytes external_sender_;              ///< as received; survives resets
    std::vector<mls::Extension> extensions_;  ///< of a group with that sender; empty: there is none yet

    std::vector<mls::OwnKeyPackage> packages_;  ///< sent and not used, newest last
    std::optional<mls::Group> pending_;         ///< of one, epoch 0
    std::optional<mls::Group> current_;
    std::vector<mls::QueuedProposal> queue_;
    std::vector<OwnCommit> own_commits_;  ///< of this epoch: any of them may win

    std::vector<Transition> transitions_;      ///< prepared, in that order
    std::uint16_t last_transition_ = 0;        ///< executed
    std::optional<std::uint16_t> recovering_;  ///< from what was wrong with this transition
    bool hold_reports_ = false;
    bool owes_report_ = false;
    bool clear_allowed_ = false;
    Shown shown_;
};

}  // namespace lestapenna::dave
