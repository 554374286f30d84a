// The DAVE delivery service of one voice channel: what Discord's voice gateway does for an encrypted call (dave.md,
// standin.md section 6, standin-findings.md). Creates the proposals with the external sender's key, chooses the commit
// that wins, sends each member what it needs, and keeps transitions waiting until all are ready. It knows no secret of
// the group: only signatures, references and who sits on which leaf. A pure state machine but for its timers.
//
// Members are voice sessions, not users: who has left and come back is a stranger to their old leaf. Thread: the
// loop's. Ownership: `send` may be called until it is destroyed. Determinism: keys of the external sender from
// OpenSSL's randomness (they can not be seeded), everything else from what clients do.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "mls/bytes.h"
#include "net/loop.h"

namespace lestapenna::sandbox {

/// A voice session in this call; its SSRC, which no other ever has.
using MemberKey = std::uint32_t;

/// How the service behaves where Discord's own behaviour is not known, or should be at its worst.
struct DeliveryOptions {
    bool enabled = true;  ///< false: a call without encryption, version 0 for everybody
    /// Lets in who does not speak DAVE: the call is at version 0 for as long as they are there. Otherwise they are
    /// closed with 4017, as Discord does since March 2026.
    bool plain_clients = false;
    bool first_transition_zero = false;  ///< the first group is executed at once
    bool sole_member_drops_to_zero =
        false;                         ///< instead of op 24 epoch 1: op 21 version 0; op 24 when the next one joins
    bool welcome_whole = false;        ///< do not trim it to the addressee's entry
    milliseconds ready_within{2'000};  ///< then op 22 goes out all the same
    milliseconds batch{0};             ///< wait this long for more changes before proposing
    /// Whose commit wins where several come: waits for it up to 1 s. Nothing: the first.
    std::optional<UserId> winner{};
};

/// Whether who identifies with this version may come in; otherwise 4017.
inline bool admits(const DeliveryOptions& options, int dave_version) {
    return !options.enabled || options.plain_clients || dave_version > 0;
}

/// Trouble on purpose, each for the next time that it applies to this user.
enum class Misbehaviour : std::uint8_t {
    late_welcome,        ///< 1.5 s after the others have their commit
    spoiled_commit,      ///< op 29 with one byte changed
    spoiled_welcome,     ///< op 30 likewise
    foreign_commit,      ///< op 29 to who is only pending
    duplicate_messages,  ///< each binary message twice, up to the next op 29 or 30
    reordered,           ///< op 29 before the op 27 it refers to; when somebody else can commit
    forged_proposal,     ///< one more op 27, with a signature of somebody else
    unknown_user,        ///< an Add of a user whom op 11 never named
    proposal_of_epoch_past,
    withheld_commit,  ///< never sent: op 22 comes all the same
};

struct DeliveryCounts {
    std::uint64_t epochs = 0, transitions = 0, commits_won = 0, commits_lost = 0, invalid = 0, key_packages = 0,
                  refused = 0, proposals = 0, timeouts = 0;
};

class Delivery {
  public:
    struct Message {
        std::uint8_t op = 0;
        bool binary = false;
        std::string body;  ///< what follows the opcode, or the JSON of d
    };
    using Send = std::function<void(MemberKey to, const Message& message)>;

    Delivery(net::Loop& loop, ChannelId channel, DeliveryOptions options, Send send);
    ~Delivery();
    Delivery(const Delivery&) = delete;
    Delivery& operator=(const Delivery&) = delete;

    // ---- who is there. Op 11 and 13 are the voice server's, and go out before these.
    /// After op 4, which says version(). `dave_version`: the newest this client speaks.
    void join(MemberKey member, UserId user, int dave_version);
    void leave(MemberKey member);
    /// What op 4 tells who joins now with this version.
    [[nodiscard]] int version_for(int dave_version) const;

    // ---- what members say
    void on_key_package(MemberKey from, std::string_view package);    ///< op 26
    void on_commit(MemberKey from, std::string_view commit_welcome);  ///< op 28
    void on_ready(MemberKey from, std::uint16_t transition);          ///< op 23
    void on_invalid(MemberKey from, std::uint16_t transition);        ///< op 31

    // ---- script
    void set_options(const DeliveryOptions& options);
    void misbehave(UserId towards, Misbehaviour how);
    /// A proposal that is in flight is taken back (op 27 revoke) and made again.
    void revoke_and_repeat();
    /// All are put out of the group and in again (op 24 epoch 1).
    void reset();

    [[nodiscard]] const DeliveryOptions& options() const;
    [[nodiscard]] int version() const;  ///< of the call, executed
    [[nodiscard]] std::uint64_t epoch() const;
    [[nodiscard]] std::optional<UserId> committer() const;  ///< whose commit began this epoch
    [[nodiscard]] bool in_group(UserId user) const;
    [[nodiscard]] bool settled() const;  ///< nothing proposed, no transition under way, nobody waiting outside
    [[nodiscard]] const DeliveryCounts& counts() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace lestapenna::sandbox
