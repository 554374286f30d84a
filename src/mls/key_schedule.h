// From epoch to epoch (RFC 9420 sections 8 and 8.2): the key schedule, its exporter, and the transcript hashes that
// bind it to everything said so far. Pure; any thread.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "mls/messages.h"

namespace lestapenna::mls {

/// What members keep for an epoch. What leads into one (joiner, welcome and epoch secret) is not of it: who has that
/// can follow everything, so it is made where it is used and dropped with that (section 9.2).
struct EpochSecrets {
    Secret init, exporter, confirmation_key, membership_key, authenticator, resumption;
    // Of the others of section 8 (sender data, encryption, external) nothing here makes use.
};

// From the epoch before, with its init secret, or from a welcome, with its joiner secret. An empty `commit_secret` or
// `psk_secret` stands for 32 zero bytes.
Secret joiner_secret(View init_secret, View commit_secret, const GroupContext& context);
Secret epoch_secret(View joiner_secret, View psk_secret, const GroupContext& context);
EpochSecrets epoch_secrets(View epoch_secret);
/// Seals the GroupInfo, which says which context it is.
Secret welcome_secret(View joiner_secret, View psk_secret);

/// MLS-Exporter (section 8.5).
Secret export_secret(const EpochSecrets& of, std::string_view label, View context, std::size_t bytes);

/// Who has the pre-shared keys; one that is not there is refused.
using PskLookup = std::function<std::optional<Secret>(const PreSharedKeyId&)>;
/// Section 8.4. Errors: bad_proposal, when one is not to be had.
Checked<Secret> psk_secret(std::span<const PreSharedKeyId> ids, const PskLookup& lookup);

/// Section 8.2.
Bytes confirmed_transcript_hash(View interim_before, const PublicMessage& commit);
Bytes interim_transcript_hash(View confirmed, View confirmation_tag);

}  // namespace lestapenna::mls
