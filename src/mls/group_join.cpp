#include <algorithm>

#include "mls/framing.h"
#include "mls/group_state.h"

namespace lestapenna::mls {

namespace {

/// What was sealed for this key package. Errors: not_for_us, cannot_open, malformed.
Checked<GroupSecrets> open_secrets(const Welcome& welcome, const OwnKeyPackage& own) {
    const Bytes ref = key_package_ref(own.package);
    const auto entry = std::ranges::find(welcome.secrets, ref, &EncryptedGroupSecrets::new_member);
    if (entry == welcome.secrets.end()) return Reject::not_for_us;
    const auto plain = decrypt_with_label(own.init, "Welcome", welcome.encrypted_group_info, entry->secrets);
    if (!plain) return Reject::cannot_open;
    return decode<GroupSecrets>(*plain);
}

/// Errors: cannot_open, malformed, unsupported.
Checked<GroupInfo> open_info(const Welcome& welcome, View welcome_secret) {
    const Secret key = expand_with_label(welcome_secret, "key", {}, kAeadKeyBytes);
    const Secret nonce = expand_with_label(welcome_secret, "nonce", {}, kAeadNonceBytes);
    const auto plain = aead_open(key, nonce, {}, welcome.encrypted_group_info);
    if (!plain) return Reject::cannot_open;
    auto info = decode<GroupInfo>(*plain);
    if (info && (info->context.version != kProtocolVersion || info->context.cipher_suite != kCipherSuite)) {
        return Reject::unsupported;
    }
    return info;
}

/// The tree the welcome brings, else the one we have from elsewhere. Errors: bad_tree, malformed.
Checked<Tree> tree_of(const GroupInfo& info, const std::optional<Tree>& elsewhere, std::size_t most_leaves) {
    const auto extension = std::ranges::find(info.extensions, Extension::kRatchetTree, &Extension::type);
    if (extension == info.extensions.end()) {
        if (!elsewhere) return Reject::bad_tree;
        return *elsewhere;
    }
    auto nodes = decode<TreeNodes>(extension->data);
    if (!nodes) return nodes.error();
    if (nodes->size() >= 2 * most_leaves) return Reject::bad_tree;
    return Tree::from(std::move(*nodes));
}

/// Whether who signed it is in the tree, and the tree is the one it speaks of (section 12.4.3.1). Errors: bad_tree,
/// bad_signature, bad_key, unsupported.
Checked<> check(const GroupInfo& info, const Tree& tree) {
    if (tree.leaf_count() == 0 || tree.hash() != info.context.tree_hash) return Reject::bad_tree;
    const LeafNode* signer = tree.leaf(info.signer);
    if (signer == nullptr) return Reject::bad_tree;
    if (!verify_with_label(signer->signature_key, "GroupInfoTBS", to_be_signed(info), info.signature)) {
        return Reject::bad_signature;
    }
    if (auto sound = tree.check(info.context.group_id); !sound) return sound;
    if (auto known = check_extensions(info.context.extensions, tree); !known) {
        return known.error() == Reject::unsupported ? Reject::unsupported : Reject::bad_tree;
    }
    return Ok{};
}

std::optional<LeafIndex> find(const Tree& tree, const LeafNode& leaf) {
    for (const LeafIndex at : tree.members()) {
        if (*tree.leaf(at) == leaf) return at;
    }
    return std::nullopt;
}

}  // namespace

Checked<Group> Group::join(View welcome, const KeyPair& signature, const OwnKeyPackage& own, const PskLookup& psks,
                           const std::optional<Tree>& tree, const JoinDemands& demands) {
    const auto decoded = decode<Welcome>(welcome);
    if (!decoded) return decoded.error();
    if (decoded->cipher_suite != kCipherSuite) return Reject::unsupported;
    const auto secrets = open_secrets(*decoded, own);
    if (!secrets) return secrets.error();
    const auto psk = psk_secret(secrets->psks, psks);
    if (!psk) return psk.error();
    auto info = open_info(*decoded, welcome_secret(secrets->joiner_secret, *psk));
    if (!info) return info.error();

    if (demands.context) {
        if (auto wanted = demands.context(info->context); !wanted) return wanted.error();
    }
    auto members = tree_of(*info, tree, demands.most_leaves);
    if (!members) return members.error();
    if (auto sound = check(*info, *members); !sound) return sound.error();
    const auto self = find(*members, own.package.leaf);
    if (!self || *self == info->signer) return Reject::bad_tree;

    State state;
    state.context = std::move(info->context);
    state.tree = std::move(*members);
    state.self = *self;
    state.signature = signature;
    state.keys.leaf = own.leaf;
    if (secrets->path_secret) {
        auto keys = keys_from_path_secret(state.tree, *self, own.leaf, info->signer, *secrets->path_secret);
        if (!keys) return keys.error();
        state.keys = std::move(*keys);
    }
    state.secrets = epoch_secrets(epoch_secret(secrets->joiner_secret, *psk, state.context));
    const Bytes& confirmed = state.context.confirmed_transcript_hash;
    state.confirmation_tag = mls::confirmation_tag(state.secrets.confirmation_key, confirmed);
    if (!same(state.confirmation_tag, info->confirmation_tag)) return Reject::bad_tag;
    state.interim_transcript_hash = mls::interim_transcript_hash(confirmed, state.confirmation_tag);
    return Group(std::make_shared<const State>(std::move(state)));
}

}  // namespace lestapenna::mls
