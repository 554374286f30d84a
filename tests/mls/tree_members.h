// Members of a ratchet tree, with the keys that only they know. Thread: any.
#pragma once

#include <string_view>

#include "mls/treekem.h"

namespace lestapenna::test {

struct TreeMember {
    mls::KeyPair signature;
    mls::PathKeys keys;
    mls::LeafIndex leaf;
};

inline void sign_leaf(mls::LeafNode& leaf, const mls::KeyPair& key, const mls::LeafPlace& place) {
    leaf.signature = mls::sign_with_label(key, "LeafNodeTBS", mls::to_be_signed(leaf, place));
}

/// A leaf as a key package carries it.
inline mls::LeafNode new_leaf(const TreeMember& member, std::string_view name) {
    mls::LeafNode leaf;
    leaf.encryption_key = member.keys.leaf.public_key;
    leaf.signature_key = member.signature.public_key;
    leaf.credential.identity.assign(name.begin(), name.end());
    leaf.capabilities = {.versions = {mls::kProtocolVersion},
                         .cipher_suites = {mls::kCipherSuite},
                         .extensions = {},
                         .proposals = {},
                         .credentials = {mls::Credential::kBasic}};
    leaf.lifetime = {.not_before = 0, .not_after = ~std::uint64_t{0}};
    sign_leaf(leaf, member.signature, {});
    return leaf;
}

inline TreeMember new_member() {
    return {
        .signature = mls::KeyPair::generate(), .keys = {.leaf = mls::KeyPair::generate(), .parents = {}}, .leaf = {}};
}

}  // namespace lestapenna::test
