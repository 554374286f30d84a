#include "sandbox/delivery_messages.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <variant>

#include "dave/rules.h"
#include "mls/framing.h"
#include "mls/tree.h"

namespace lestapenna::sandbox {
namespace {

constexpr mls::Lifetime kForEver{0, std::numeric_limits<std::uint64_t>::max()};

/// The only form of proposal in a commit that goes through.
std::optional<std::vector<mls::ProposalRef>> references(const std::vector<mls::ProposalOrRef>& proposals) {
    std::vector<mls::ProposalRef> refs;
    refs.reserve(proposals.size());
    for (const auto& one : proposals) {
        const auto* const ref = std::get_if<mls::ProposalRef>(&one);
        if (ref == nullptr) return std::nullopt;
        refs.push_back(*ref);
    }
    return refs;
}

}  // namespace

// The identity is nobody's business; libdave's own tests use these four bytes.
mls::Bytes ProposalSigner::external_sender() const {
    mls::ExternalSender sender;
    sender.signature_key = key_.public_key;
    sender.credential.identity = {0, 1, 1, 0};
    return mls::encode(sender);
}

SignedProposal ProposalSigner::propose(ChannelId group, std::uint64_t epoch, const mls::Proposal& proposal) const {
    mls::PublicMessage message;
    message.content.group_id = dave::group_id_of(group);
    message.content.epoch = epoch;
    message.content.sender = {mls::SenderType::external, 0};
    message.content.content = proposal;
    message.signature = mls::sign(message.content, {}, key_);
    auto ref = mls::proposal_ref(message);
    return {mls::encode(mls::Message(std::move(message))), std::move(ref)};
}

std::string proposals_append(const std::vector<mls::View>& messages) {
    mls::Writer body;
    body.u8(0);
    body.vec_of([&](mls::Writer& inner) {
        for (const auto message : messages) inner.raw(message);
    });
    return text_of(body.bytes());
}

std::string proposals_revoke(const std::vector<mls::View>& refs) {
    mls::Writer body;
    body.u8(1);
    body.vec_of([&](mls::Writer& inner) {
        for (const auto ref : refs) inner.vec(ref);
    });
    return text_of(body.bytes());
}

std::string with_transition(std::uint16_t transition, mls::View object) {
    mls::Writer body;
    body.u16(transition);
    body.raw(object);
    return text_of(body.bytes());
}

// As MLSMessage it starts with version and wire format 5; bare with version and suite 2.
std::optional<mls::KeyPackage> read_key_package(mls::View bytes, UserId user) {
    std::optional<mls::KeyPackage> package;
    if (auto bare = mls::decode<mls::KeyPackage>(bytes)) {
        package = std::move(*bare);
    } else if (auto wrapped = mls::decode<mls::Message>(bytes)) {
        if (auto* const inner = std::get_if<mls::KeyPackage>(&*wrapped)) package = std::move(*inner);
    }
    if (!package || package->leaf.source != mls::LeafSource::key_package) return std::nullopt;
    const bool ours = package->leaf.credential.type == mls::Credential::kBasic &&
                      package->leaf.credential.identity == dave::identity_of(user) &&
                      package->leaf.lifetime == kForEver;
    if (!ours || !mls::check_key_package(*package)) return std::nullopt;
    return package;
}

std::optional<ClientCommit> read_commit(mls::View bytes) {
    mls::View rest = bytes;
    const auto message = mls::decode_front<mls::Message>(rest);
    const auto* const framed = message ? std::get_if<mls::PublicMessage>(&*message) : nullptr;
    if (framed == nullptr || framed->content.sender.type != mls::SenderType::member) return std::nullopt;
    const auto* const said = std::get_if<mls::Commit>(&framed->content.content);
    if (said == nullptr) return std::nullopt;
    auto refs = references(said->proposals);
    if (!refs) return std::nullopt;

    ClientCommit commit;
    commit.message = mls::to_bytes(bytes.first(bytes.size() - rest.size()));
    commit.group_id = framed->content.group_id;
    commit.epoch = framed->content.epoch;
    commit.leaf = framed->content.sender.index;
    commit.refs = std::move(*refs);
    commit.path = said->path;
    if (!rest.empty()) {
        auto welcome = mls::decode<mls::Welcome>(rest);
        if (!welcome || welcome->cipher_suite != mls::kCipherSuite) return std::nullopt;
        commit.welcome = std::move(*welcome);
    }
    return commit;
}

bool path_is_of(const ClientCommit& commit, mls::View signature_key, mls::View identity) {
    const mls::LeafNode& leaf = commit.path->leaf;
    return leaf.source == mls::LeafSource::commit && std::ranges::equal(leaf.signature_key, signature_key) &&
           std::ranges::equal(leaf.credential.identity, identity) &&
           mls::check_leaf(leaf, {commit.group_id, mls::LeafIndex{commit.leaf}}).ok();
}

mls::Bytes trimmed(const mls::Welcome& welcome, mls::View key_package_ref) {
    mls::Welcome own = welcome;
    std::erase_if(own.secrets,
                  [&](const auto& entry) { return !std::ranges::equal(entry.new_member, key_package_ref); });
    return mls::encode(own);
}

}  // namespace lestapenna::sandbox
