// Signing and checking public messages (RFC 9420 sections 6.1 and 6.2). Pure; any thread.
#pragma once

#include "mls/messages.h"

namespace lestapenna::mls {

/// FramedContentTBS; `context` counts only for members' messages.
Bytes to_be_signed(const FramedContent& content, const GroupContext& context);
Bytes sign(const FramedContent& content, const GroupContext& context, const KeyPair& key);
bool verify(const PublicMessage& message, const GroupContext& context, View signature_key);

Bytes membership_tag(const PublicMessage& message, const GroupContext& context, View membership_key);
Bytes confirmation_tag(View confirmation_key, View confirmed_transcript_hash);

/// AuthenticatedContent of section 6: what proposal references are made of.
ProposalRef proposal_ref(const PublicMessage& proposal);

}  // namespace lestapenna::mls
