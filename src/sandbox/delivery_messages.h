// What a DAVE delivery service says and hears, as bytes (dave.md section 3, standin.md section 6): proposals signed as
// the group's external sender, key packages and commits of clients. Decoding is total. Pure but for OpenSSL's
// randomness; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "mls/crypto.h"
#include "mls/messages.h"

namespace lestapenna::sandbox {

inline mls::View bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string text_of(mls::View bytes) {
    return {bytes.begin(), bytes.end()};
}

struct SignedProposal {
    mls::Bytes message;  ///< MLSMessage
    mls::ProposalRef ref;
};

/// The group's external sender.
class ProposalSigner {
  public:
    ProposalSigner() : key_(mls::KeyPair::generate()) {}
    /// Op 25: the same for all members, as long as the call goes on.
    [[nodiscard]] mls::Bytes external_sender() const;
    [[nodiscard]] SignedProposal propose(ChannelId group, std::uint64_t epoch, const mls::Proposal& proposal) const;

  private:
    mls::KeyPair key_;
};

// ---- bodies of binary messages
std::string proposals_append(const std::vector<mls::View>& messages);
std::string proposals_revoke(const std::vector<mls::View>& refs);
std::string with_transition(std::uint16_t transition, mls::View object);

// ---- from clients
/// Op 26, bare or as MLSMessage. Nothing unless it is good for this user: version, suite, basic credential with the
/// user's id, a life without end, signatures.
std::optional<mls::KeyPackage> read_key_package(mls::View bytes, UserId user);

/// Op 28: a member's commit of references alone, and the welcome behind it.
struct ClientCommit {
    mls::Bytes message;  ///< the commit's MLSMessage, as it came
    mls::Bytes group_id;
    std::uint64_t epoch = 0;
    std::uint32_t leaf = 0;  ///< its sender's
    std::vector<mls::ProposalRef> refs;
    std::optional<mls::UpdatePath> path;
    std::optional<mls::Welcome> welcome;
};
std::optional<ClientCommit> read_commit(mls::View bytes);
/// Whether the path's leaf is signed by who has `signature_key` and calls itself `identity`.
bool path_is_of(const ClientCommit& commit, mls::View signature_key, mls::View identity);
/// Of all that are welcomed this one alone.
mls::Bytes trimmed(const mls::Welcome& welcome, mls::View key_package_ref);

}  // namespace lestapenna::sandbox
