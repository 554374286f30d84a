// One member's view of a group in one epoch (RFC 9420 sections 8, 11 and 12), in public messages.
//
// A Group is a value and never changes: what would change it returns the next one, or a Reject and nothing. So a
// message applies whole or not at all, a commit that loses costs nothing, and several possible futures can be kept side
// by side. It accepts what the RFC accepts; who allows less (dave/) looks at what is returned before it takes it.
//
// Secrets are wiped when the value dies and are in no message of any log. Any thread, one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "mls/key_schedule.h"
#include "mls/messages.h"
#include "mls/proposals.h"
#include "mls/treekem.h"

namespace lestapenna::mls {

/// A key package of our own, with what only we know of it. Good for one welcome.
struct OwnKeyPackage {
    KeyPackage package;
    KeyPair init;
    KeyPair leaf;
};
/// Basic credential; capabilities: this version, this suite, basic, and nothing else; no extensions.
OwnKeyPackage make_key_package(const KeyPair& signature, View identity, Lifetime lifetime);

/// What the caller wants of a group before it joins: looked at before anything is done that its members can make
/// expensive, for they alone have seen what a welcome brings.
struct JoinDemands {
    std::function<Checked<>(const GroupContext&)> context;  ///< its error is what join() returns; empty: any will do
    std::size_t most_leaves = kMaxTreeNodes / 2 + 1;        ///< blank ones included
};

struct Member {
    LeafIndex leaf;
    Bytes identity;
    Bytes signature_key;
    bool operator==(const Member&) const = default;
};

class Group {
  public:
    /// A group of one, epoch 0, whose leaf is that of `own`.
    static Group create(View group_id, const KeyPair& signature, const OwnKeyPackage& own,
                        std::vector<Extension> extensions);
    /// Errors: not_for_us, cannot_open, unsupported, bad_signature, bad_tree, bad_path, bad_tag, bad_proposal (a
    /// pre-shared key that `psks` does not have), malformed, and what `demands` says. `tree`: where the welcome brings
    /// none.
    static Checked<Group> join(View welcome, const KeyPair& signature, const OwnKeyPackage& own,
                               const PskLookup& psks = {}, const std::optional<Tree>& tree = std::nullopt,
                               const JoinDemands& demands = {});

    /// MLSMessage with a proposal of a member or an external sender. Errors: malformed, unsupported, wrong_group,
    /// wrong_epoch, wrong_sender, bad_signature, bad_tag, bad_proposal (an Add whose key package is not valid, a Remove
    /// of a blank leaf).
    [[nodiscard]] Checked<QueuedProposal> check_proposal(View message) const;

    struct Committed;
    /// Commits all of `queue` by reference, in its order; with a path where the RFC demands one. Errors: bad_proposal
    /// (one that removes us, two that contradict each other), bad_key.
    [[nodiscard]] Checked<Committed> commit(std::span<const QueuedProposal> queue) const;

    struct Processed;
    /// Somebody else's commit, as MLSMessage. Errors: all but those of a welcome; wrong_sender for one of our own,
    /// whose Committed::next is to be taken instead; removed: it puts us out, by a proposal of `queue` or by one of its
    /// own.
    [[nodiscard]] Checked<Processed> process(View message, std::span<const QueuedProposal> queue,
                                             const PskLookup& psks = {}) const;

    [[nodiscard]] std::uint64_t epoch() const;
    [[nodiscard]] const GroupContext& context() const;
    [[nodiscard]] LeafIndex self() const;
    [[nodiscard]] std::vector<Member> members() const;  ///< by leaf
    [[nodiscard]] const Tree& tree() const;
    [[nodiscard]] View epoch_authenticator() const;  ///< 32 bytes; public among the members, and to be shown
    [[nodiscard]] Secret export_secret(std::string_view label, View context, std::size_t bytes) const;
    [[nodiscard]] const EpochSecrets& secrets() const;

  private:
    struct State;
    explicit Group(std::shared_ptr<const State> state);
    std::shared_ptr<const State> state_;  ///< shared by copies, because it never changes
};

struct Group::Committed {
    Bytes commit;                  ///< MLSMessage
    std::optional<Bytes> welcome;  ///< a bare Welcome, when somebody was added: one entry for each
    Group next;
};
struct Group::Processed {
    Group next;
    LeafIndex committer;
    bool inline_proposals = false;  ///< it brought proposals of its own, besides references
    bool had_path = false;
};

}  // namespace lestapenna::mls
