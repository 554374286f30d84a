// What a Group holds, for the files that implement it; nobody else includes this.
#pragma once

#include "mls/group.h"

namespace lestapenna::mls {

struct Group::State {
    GroupContext context;
    Tree tree;
    LeafIndex self;
    KeyPair signature;
    PathKeys keys;
    EpochSecrets secrets;
    Bytes confirmation_tag;  ///< of the commit that led here
    Bytes interim_transcript_hash;

    [[nodiscard]] Ground ground() const { return {context, tree}; }
    /// A message of this group and epoch, that its sender may send and has signed. Members send proposals and commits,
    /// external senders proposals. Errors: malformed, unsupported, wrong_group, wrong_epoch, wrong_sender,
    /// bad_signature, bad_tag (of membership).
    [[nodiscard]] Checked<PublicMessage> open(View message) const;

    /// The context that a commit of `applied` is about: of the epoch to come, with hashes still those of this one.
    [[nodiscard]] GroupContext provisional_context(const Applied& applied) const;
    /// What the path, or its absence, gives to the epoch to come.
    struct Fresh {
        Tree tree;
        PathKeys keys;
        Secret commit_secret;  ///< empty without a path
    };
    struct Step;
    /// The epoch that `commit` leads to; its confirmation tag is not looked at, but made.
    [[nodiscard]] Step after(const PublicMessage& commit, GroupContext provisional, Fresh fresh, View psk_secret) const;
    /// A Welcome to this epoch for those who joined with the commit that led here. Errors: bad_key.
    [[nodiscard]] Checked<Bytes> welcome(std::span<const Applied::Joined> joined,
                                         std::span<const std::pair<NodeIndex, Secret>> path_secrets,
                                         View joiner_secret) const;
};

struct Group::State::Step {
    State next;
    Secret joiner_secret;  ///< for the welcome, and nothing else: it dies with the message
};

}  // namespace lestapenna::mls
