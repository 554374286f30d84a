// People in groups, and who proposes changes from outside, for tests and measurements. Thread: one.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mls/framing.h"
#include "mls/group.h"

namespace lestapenna::test {

inline constexpr mls::Lifetime kForever{0, ~std::uint64_t{0}};

inline mls::Bytes bytes_of(std::string_view text) {
    return {text.begin(), text.end()};
}

/// Somebody with a key to sign with, who is in a group or would like to be.
struct Person {
    explicit Person(const std::string& name)
        : identity(bytes_of(name)), own(mls::make_key_package(signature, identity, kForever)) {}

    mls::KeyPair signature = mls::KeyPair::generate();
    mls::Bytes identity;
    mls::OwnKeyPackage own;
    std::optional<mls::Group> group;

    [[nodiscard]] mls::Add add() const { return {own.package}; }
    /// To come back: a key package is good for one group.
    void renew() { own = mls::make_key_package(signature, identity, kForever); }
};

/// External sender 0 of a group.
struct Outsider {
    mls::KeyPair signature = mls::KeyPair::generate();

    [[nodiscard]] std::vector<mls::Extension> extensions() const {
        mls::Writer senders;
        senders.vec_of([&](mls::Writer& list) {
            write(list, mls::ExternalSender{signature.public_key, {.identity = {1, 1, 0}, .certificates = {}}});
        });
        const auto& bytes = senders.bytes();
        return {{mls::Extension::kExternalSenders, {bytes.begin(), bytes.end()}}};
    }

    /// MLSMessage for the group's epoch.
    [[nodiscard]] mls::Bytes propose(const mls::GroupContext& to, mls::Proposal proposal,
                                     std::uint32_t index = 0) const {
        mls::PublicMessage message;
        message.content.group_id = to.group_id;
        message.content.epoch = to.epoch;
        message.content.sender = {mls::SenderType::external, index};
        message.content.content = std::move(proposal);
        message.signature = mls::sign(message.content, to, signature);
        return encode(mls::Message(std::move(message)));
    }
};

/// What `person` says in the group, signed and tagged as it must be.
inline mls::PublicMessage said_by(const Person& person, std::variant<mls::Bytes, mls::Proposal, mls::Commit> content) {
    const mls::GroupContext& context = person.group->context();
    mls::PublicMessage message;
    message.content.group_id = context.group_id;
    message.content.epoch = context.epoch;
    message.content.sender = {mls::SenderType::member, person.group->self().value};
    message.content.content = std::move(content);
    message.signature = mls::sign(message.content, context, person.signature);
    message.membership_tag = mls::membership_tag(message, context, person.group->secrets().membership_key);
    return message;
}

/// A commit of these with a path, as `person` would send it if nothing kept it from nonsense. `tree` and `extensions`
/// are what the proposals make of the group.
struct ByHand {
    mls::Bytes commit;
    mls::Secret authenticator;  ///< of the epoch it leads to
};
inline ByHand commit_by_hand(const Person& person, std::vector<mls::ProposalOrRef> proposals, const mls::Tree& tree,
                             std::vector<mls::Extension> extensions) {
    const mls::Group& group = *person.group;
    const mls::GroupContext& before = group.context();
    mls::GroupContext next = before;
    ++next.epoch;
    next.extensions = std::move(extensions);
    auto path = mls::make_path(tree, group.self(), person.signature, next, {});
    auto message = said_by(person, mls::Commit{std::move(proposals), std::move(path.path)});
    const auto tag_before = mls::confirmation_tag(group.secrets().confirmation_key, before.confirmed_transcript_hash);
    const auto interim = mls::interim_transcript_hash(before.confirmed_transcript_hash, tag_before);
    next.tree_hash = path.tree.hash();
    next.confirmed_transcript_hash = mls::confirmed_transcript_hash(interim, message);
    const auto joiner = mls::joiner_secret(group.secrets().init, path.result.commit_secret, next);
    const auto secrets = mls::epoch_secrets(mls::epoch_secret(joiner, {}, next));
    message.confirmation_tag = mls::confirmation_tag(secrets.confirmation_key, next.confirmed_transcript_hash);
    message.membership_tag = mls::membership_tag(message, before, group.secrets().membership_key);
    return {encode(mls::Message(std::move(message))), secrets.authenticator};
}

/// Each message checked by `group`; all must be good.
inline std::vector<mls::QueuedProposal> checked(const mls::Group& group, const std::vector<mls::Bytes>& messages) {
    std::vector<mls::QueuedProposal> queue;
    queue.reserve(messages.size());
    for (const mls::Bytes& message : messages) queue.push_back(group.check_proposal(message).value());
    return queue;
}

/// `first` creates a group whose external sender is `outside`.
inline void found(Person& first, const Outsider& outside) {
    first.group = mls::Group::create(bytes_of("table"), first.signature, first.own, outside.extensions());
}

/// `people` in a group of that order, all in the same epoch: the first created it, and took in all others at once.
inline void gather(std::vector<Person>& people, const Outsider& outside) {
    found(people.front(), outside);
    if (people.size() == 1) return;
    std::vector<mls::Bytes> messages;
    for (std::size_t i = 1; i < people.size(); ++i) {
        messages.push_back(outside.propose(people.front().group->context(), people[i].add()));
    }
    const mls::Group& before = *people.front().group;
    auto committed = before.commit(checked(before, messages)).value();
    for (std::size_t i = 1; i < people.size(); ++i) {
        people[i].group = mls::Group::join(*committed.welcome, people[i].signature, people[i].own).value();
    }
    people.front().group = std::move(committed.next);
}

inline std::vector<Person> people(std::size_t count) {
    std::vector<Person> all;
    all.reserve(count);
    for (std::size_t i = 0; i < count; ++i) all.emplace_back("person " + std::to_string(i));
    return all;
}

}  // namespace lestapenna::test
