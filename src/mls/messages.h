// The structures of RFC 9420, as values, and their bytes. Decoding checks form only: keys and signatures are opaque
// here, so that what other suites made can be read too. Encoding what was decoded gives the same bytes.
//
// decode<T>() takes all of its input; trailing bytes are malformed. A T is written by write(Writer&, const T&) and read
// by read(Reader&, T&), which are how structures nest. Any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "mls/bytes.h"
#include "mls/codec.h"
#include "mls/crypto.h"
#include "mls/reject.h"

namespace lestapenna::mls {

/// The number of a leaf, not of its node.
struct LeafIndex {
    std::uint32_t value = 0;
    auto operator<=>(const LeafIndex&) const = default;
};

// ---- who somebody is, and with which keys

struct Credential {
    static constexpr std::uint16_t kBasic = 1;
    static constexpr std::uint16_t kX509 = 2;
    std::uint16_t type = kBasic;
    Bytes identity;                   ///< of a basic one
    std::vector<Bytes> certificates;  ///< of X.509
    bool operator==(const Credential&) const = default;
};
struct Extension {
    static constexpr std::uint16_t kRatchetTree = 2;
    static constexpr std::uint16_t kExternalSenders = 5;
    std::uint16_t type = 0;
    Bytes data;
    bool operator==(const Extension&) const = default;
};
struct ExternalSender {
    Bytes signature_key;
    Credential credential;
    bool operator==(const ExternalSender&) const = default;
};
struct Capabilities {
    std::vector<std::uint16_t> versions, cipher_suites, extensions, proposals, credentials;
    bool operator==(const Capabilities&) const = default;
};
struct Lifetime {
    std::uint64_t not_before = 0;
    std::uint64_t not_after = 0;
    bool operator==(const Lifetime&) const = default;
};
enum class LeafSource : std::uint8_t { key_package = 1, update = 2, commit = 3 };
struct LeafNode {
    Bytes encryption_key;
    Bytes signature_key;
    Credential credential;
    Capabilities capabilities;
    LeafSource source = LeafSource::key_package;
    Lifetime lifetime;  ///< of a key package's leaf
    Bytes parent_hash;  ///< of a commit's leaf
    std::vector<Extension> extensions;
    Bytes signature;
    bool operator==(const LeafNode&) const = default;
};
struct KeyPackage {
    std::uint16_t version = kProtocolVersion;
    std::uint16_t cipher_suite = kCipherSuite;
    Bytes init_key;
    LeafNode leaf;
    std::vector<Extension> extensions;
    Bytes signature;
    bool operator==(const KeyPackage&) const = default;
};
struct ParentNode {
    Bytes encryption_key;
    Bytes parent_hash;
    std::vector<LeafIndex> unmerged_leaves;  ///< ascending
    bool operator==(const ParentNode&) const = default;
};
using Node = std::variant<LeafNode, ParentNode>;
/// The ratchet_tree extension: nodes in array order, blank ones empty, the last one not.
using TreeNodes = std::vector<std::optional<Node>>;

// ---- proposals and commits

struct PreSharedKeyId {
    std::uint8_t type = 1;  ///< 1 external, 2 resumption
    Bytes id;               ///< external
    std::uint8_t usage = 0;
    Bytes group_id;
    std::uint64_t epoch = 0;
    Bytes nonce;
    bool operator==(const PreSharedKeyId&) const = default;
};
struct Add {
    KeyPackage key_package;
    bool operator==(const Add&) const = default;
};
struct Update {
    LeafNode leaf;
    bool operator==(const Update&) const = default;
};
struct Remove {
    LeafIndex leaf;
    bool operator==(const Remove&) const = default;
};
struct UsePreSharedKey {
    PreSharedKeyId psk;
    bool operator==(const UsePreSharedKey&) const = default;
};
struct ReInit {
    Bytes group_id;
    std::uint16_t version = 0;
    std::uint16_t cipher_suite = 0;
    std::vector<Extension> extensions;
    bool operator==(const ReInit&) const = default;
};
struct ExternalInit {
    Bytes kem_output;
    bool operator==(const ExternalInit&) const = default;
};
struct GroupContextExtensions {
    std::vector<Extension> extensions;
    bool operator==(const GroupContextExtensions&) const = default;
};
using Proposal = std::variant<Add, Update, Remove, UsePreSharedKey, ReInit, ExternalInit, GroupContextExtensions>;
using ProposalRef = Bytes;  ///< 32 bytes
using ProposalOrRef = std::variant<Proposal, ProposalRef>;

struct UpdatePathNode {
    Bytes encryption_key;
    std::vector<HpkeCiphertext> encrypted_path_secret;
    bool operator==(const UpdatePathNode&) const = default;
};
struct UpdatePath {
    LeafNode leaf;
    std::vector<UpdatePathNode> nodes;
    bool operator==(const UpdatePath&) const = default;
};
struct Commit {
    std::vector<ProposalOrRef> proposals;
    std::optional<UpdatePath> path;
    bool operator==(const Commit&) const = default;
};

// ---- framing

enum class SenderType : std::uint8_t { member = 1, external = 2, new_member_proposal = 3, new_member_commit = 4 };
struct Sender {
    SenderType type = SenderType::member;
    std::uint32_t index = 0;  ///< leaf of a member, position of an external sender
    bool operator==(const Sender&) const = default;
};
struct FramedContent {
    Bytes group_id;
    std::uint64_t epoch = 0;
    Sender sender;
    Bytes authenticated_data;
    std::variant<Bytes, Proposal, Commit> content;  ///< content_type 1, 2, 3
    bool operator==(const FramedContent&) const = default;
};
struct PublicMessage {
    FramedContent content;
    Bytes signature;
    Bytes confirmation_tag;  ///< of a commit
    Bytes membership_tag;    ///< of a member's message
    bool operator==(const PublicMessage&) const = default;
};
/// Read and written for completeness of the codec; nothing here opens it.
struct PrivateMessage {
    Bytes group_id;
    std::uint64_t epoch = 0;
    std::uint8_t content_type = 0;
    Bytes authenticated_data;
    Bytes encrypted_sender_data;
    Bytes ciphertext;
    bool operator==(const PrivateMessage&) const = default;
};

// ---- groups

struct GroupContext {
    std::uint16_t version = kProtocolVersion;
    std::uint16_t cipher_suite = kCipherSuite;
    Bytes group_id;
    std::uint64_t epoch = 0;
    Bytes tree_hash;
    Bytes confirmed_transcript_hash;
    std::vector<Extension> extensions;
    bool operator==(const GroupContext&) const = default;
};
struct GroupInfo {
    GroupContext context;
    std::vector<Extension> extensions;
    Bytes confirmation_tag;
    LeafIndex signer;
    Bytes signature;
    bool operator==(const GroupInfo&) const = default;
};
struct GroupSecrets {
    Secret joiner_secret;
    std::optional<Secret> path_secret;
    std::vector<PreSharedKeyId> psks;
    bool operator==(const GroupSecrets&) const = default;
};
struct EncryptedGroupSecrets {
    Bytes new_member;  ///< KeyPackageRef
    HpkeCiphertext secrets;
    bool operator==(const EncryptedGroupSecrets&) const = default;
};
struct Welcome {
    std::uint16_t cipher_suite = kCipherSuite;
    std::vector<EncryptedGroupSecrets> secrets;
    Bytes encrypted_group_info;
    bool operator==(const Welcome&) const = default;
};
inline constexpr std::uint16_t kPublicMessageFormat = 1;
/// MLSMessage: wire formats 1 to 5 in this order; the version is always mls10.
using Message = std::variant<PublicMessage, PrivateMessage, Welcome, GroupInfo, KeyPackage>;

// ---- bytes

template <class T>
Checked<T> decode(View bytes);
template <class T>
Bytes encode(const T& value);
/// Decodes what stands at the front of `bytes`, and takes it off: for two objects with no length between them.
template <class T>
Checked<T> decode_front(View& bytes);

// clang-format off
#define LESTAPENNA_MLS_CODED_TYPES(X)                                                        \
    X(Credential) X(Extension) X(ExternalSender) X(Capabilities) X(LeafNode) X(KeyPackage)   \
    X(ParentNode) X(TreeNodes) X(PreSharedKeyId) X(Proposal) X(HpkeCiphertext) X(UpdatePath) \
    X(Commit) X(FramedContent) X(PublicMessage) X(PrivateMessage) X(GroupContext)            \
    X(GroupInfo) X(GroupSecrets) X(EncryptedGroupSecrets) X(Welcome) X(Message)
// clang-format on
#define LESTAPENNA_MLS_CODED(T)       \
    void write(Writer& to, const T&); \
    void read(Reader& from, T&);
LESTAPENNA_MLS_CODED_TYPES(LESTAPENNA_MLS_CODED)
#undef LESTAPENNA_MLS_CODED

template <class T>
Checked<T> decode_front(View& bytes) {
    Reader reader(bytes);
    T value;
    read(reader, value);
    if (!reader.ok()) return Reject::malformed;
    bytes = reader.rest();
    return value;
}

template <class T>
Checked<T> decode(View bytes) {
    auto value = decode_front<T>(bytes);
    if (value && !bytes.empty()) return Reject::malformed;
    return value;
}

template <class T>
Bytes encode(const T& value) {
    Writer writer;
    write(writer, value);
    return to_bytes(writer.bytes());
}
/// Wiped, as what it holds.
Secret encode(const GroupSecrets& secrets);

/// KeyPackageRef (section 5.2).
Bytes key_package_ref(const KeyPackage& package);

// What signatures cover (sections 7.2, 10.1, 12.4.3).
struct LeafPlace {
    Bytes group_id;
    LeafIndex leaf;
};
/// LeafNodeTBS; `place` for sources update and commit.
Bytes to_be_signed(const LeafNode& leaf, const LeafPlace& place);
Bytes to_be_signed(const KeyPackage& package);
Bytes to_be_signed(const GroupInfo& info);

}  // namespace lestapenna::mls
