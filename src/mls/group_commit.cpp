#include <algorithm>

#include "mls/framing.h"
#include "mls/group_state.h"

namespace lestapenna::mls {

Checked<Group::Committed> Group::commit(std::span<const QueuedProposal> queue) const {
    const State& now = *state_;
    Commit commit;
    std::vector<Listed> list;
    list.reserve(queue.size());
    commit.proposals.reserve(queue.size());
    for (const QueuedProposal& queued : queue) {
        list.push_back({&queued.proposal, queued.sender});
        commit.proposals.emplace_back(queued.ref);
    }
    auto applied = apply_proposals(list, now.self, now.ground());
    if (!applied) return applied.error();
    if (!applied->psks.empty()) return Reject::bad_proposal;  // of our own we have none
    if (!applied->tree.keys_differ()) return Reject::bad_key;
    if (auto known = check_extensions(applied->extensions, applied->tree); !known) return known.error();

    GroupContext provisional = now.provisional_context(*applied);
    State::Fresh fresh;
    std::vector<std::pair<NodeIndex, Secret>> path_secrets;
    if (applied->needs_path) {
        auto path = make_path(applied->tree, now.self, now.signature, provisional, applied->joined_leaves());
        commit.path = std::move(path.path);
        path_secrets = std::move(path.path_secrets);
        fresh = {std::move(path.tree), std::move(path.result.keys), std::move(path.result.commit_secret)};
    } else {
        fresh = {std::move(applied->tree), now.keys, {}};
    }

    PublicMessage message;
    message.content = {.group_id = now.context.group_id,
                       .epoch = now.context.epoch,
                       .sender = {SenderType::member, now.self.value},
                       .authenticated_data = {},
                       .content = std::move(commit)};
    message.signature = sign(message.content, now.context, now.signature);
    auto [state, joiner] = now.after(message, std::move(provisional), std::move(fresh), {});
    const auto next = std::make_shared<const State>(std::move(state));
    message.confirmation_tag = next->confirmation_tag;
    message.membership_tag = membership_tag(message, now.context, now.secrets.membership_key);

    Committed committed{.commit = encode(Message(std::move(message))), .welcome = {}, .next = Group(next)};
    if (!applied->joined.empty()) {
        auto welcome = next->welcome(applied->joined, path_secrets, joiner);
        if (!welcome) return welcome.error();
        committed.welcome = std::move(*welcome);
    }
    return committed;
}

Checked<Bytes> Group::State::welcome(std::span<const Applied::Joined> joined,
                                     std::span<const std::pair<NodeIndex, Secret>> path_secrets,
                                     View joiner_secret) const {
    GroupInfo info{.context = context,
                   .extensions = {{Extension::kRatchetTree, encode(tree.nodes())}},
                   .confirmation_tag = confirmation_tag,
                   .signer = self,
                   .signature = {}};
    info.signature = sign_with_label(signature, "GroupInfoTBS", to_be_signed(info));
    const Secret secret = welcome_secret(joiner_secret, {});
    const Secret key = expand_with_label(secret, "key", {}, kAeadKeyBytes);
    const Secret nonce = expand_with_label(secret, "nonce", {}, kAeadNonceBytes);

    Welcome welcome;
    welcome.encrypted_group_info = aead_seal(key, nonce, {}, encode(info));
    welcome.secrets.reserve(joined.size());
    for (const Applied::Joined& who : joined) {
        GroupSecrets plain{
            .joiner_secret = {joiner_secret.begin(), joiner_secret.end()}, .path_secret = {}, .psks = {}};
        const NodeIndex meeting = common_ancestor(self, who.leaf);
        const auto theirs = std::ranges::find(path_secrets, meeting, &std::pair<NodeIndex, Secret>::first);
        if (theirs != path_secrets.end()) plain.path_secret = theirs->second;
        auto sealed = encrypt_with_label(who.package->init_key, "Welcome", welcome.encrypted_group_info, encode(plain));
        if (!sealed) return Reject::bad_key;
        welcome.secrets.push_back({key_package_ref(*who.package), std::move(*sealed)});
    }
    return encode(welcome);
}

}  // namespace lestapenna::mls
