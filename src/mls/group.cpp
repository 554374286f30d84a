#include "mls/group.h"

#include "mls/framing.h"
#include "mls/group_state.h"

namespace lestapenna::mls {

OwnKeyPackage make_key_package(const KeyPair& signature, View identity, Lifetime lifetime) {
    OwnKeyPackage own{.package = {}, .init = KeyPair::generate(), .leaf = KeyPair::generate()};
    KeyPackage& package = own.package;
    LeafNode& leaf = package.leaf;
    leaf.encryption_key = own.leaf.public_key;
    leaf.signature_key = signature.public_key;
    leaf.credential.identity = to_bytes(identity);
    leaf.capabilities.versions = {kProtocolVersion};
    leaf.capabilities.cipher_suites = {kCipherSuite};
    leaf.capabilities.credentials = {Credential::kBasic};
    leaf.lifetime = lifetime;
    leaf.signature = sign_with_label(signature, "LeafNodeTBS", to_be_signed(leaf, {}));
    package.init_key = own.init.public_key;
    package.signature = sign_with_label(signature, "KeyPackageTBS", to_be_signed(package));
    return own;
}

Group::Group(std::shared_ptr<const State> state) : state_(std::move(state)) {}

Group Group::create(View group_id, const KeyPair& signature, const OwnKeyPackage& own,
                    std::vector<Extension> extensions) {
    State state;
    state.tree = Tree(own.package.leaf);
    state.signature = signature;
    state.keys.leaf = own.leaf;
    state.context.group_id = to_bytes(group_id);
    state.context.tree_hash = state.tree.hash();
    state.context.extensions = std::move(extensions);
    state.secrets = epoch_secrets(random_secret(kHashBytes));
    state.confirmation_tag = mls::confirmation_tag(state.secrets.confirmation_key, {});
    state.interim_transcript_hash = mls::interim_transcript_hash({}, state.confirmation_tag);
    return Group(std::make_shared<const State>(std::move(state)));
}

GroupContext Group::State::provisional_context(const Applied& applied) const {
    GroupContext next = context;
    ++next.epoch;
    next.extensions = applied.extensions;
    return next;
}

Group::State::Step Group::State::after(const PublicMessage& commit, GroupContext provisional, Fresh fresh,
                                       View psk_secret) const {
    State next;
    next.context = std::move(provisional);
    next.tree = std::move(fresh.tree);
    next.self = self;
    next.signature = signature;
    next.keys = std::move(fresh.keys);
    next.context.tree_hash = next.tree.hash();
    next.context.confirmed_transcript_hash = confirmed_transcript_hash(interim_transcript_hash, commit);
    Secret joiner = joiner_secret(secrets.init, fresh.commit_secret, next.context);
    next.secrets = epoch_secrets(epoch_secret(joiner, psk_secret, next.context));
    next.confirmation_tag =
        mls::confirmation_tag(next.secrets.confirmation_key, next.context.confirmed_transcript_hash);
    next.interim_transcript_hash =
        mls::interim_transcript_hash(next.context.confirmed_transcript_hash, next.confirmation_tag);
    return {std::move(next), std::move(joiner)};
}

std::uint64_t Group::epoch() const {
    return state_->context.epoch;
}
const GroupContext& Group::context() const {
    return state_->context;
}
LeafIndex Group::self() const {
    return state_->self;
}
const Tree& Group::tree() const {
    return state_->tree;
}
const EpochSecrets& Group::secrets() const {
    return state_->secrets;
}
View Group::epoch_authenticator() const {
    return state_->secrets.authenticator;
}
Secret Group::export_secret(std::string_view label, View context, std::size_t bytes) const {
    return mls::export_secret(state_->secrets, label, context, bytes);
}

std::vector<Member> Group::members() const {
    const auto leaves = state_->tree.members();
    std::vector<Member> members;
    members.reserve(leaves.size());
    for (const LeafIndex at : leaves) {
        const LeafNode& leaf = *state_->tree.leaf(at);
        members.push_back({at, leaf.credential.identity, leaf.signature_key});
    }
    return members;
}

}  // namespace lestapenna::mls
