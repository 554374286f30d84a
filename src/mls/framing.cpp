#include "mls/framing.h"

namespace lestapenna::mls {

namespace {

/// Who is in the group, or is about to be by this very message, signs for this epoch of it; the others do not know it.
bool signs_context(SenderType sender) {
    return sender == SenderType::member || sender == SenderType::new_member_commit;
}

void write_to_be_signed(Writer& to, const FramedContent& content, const GroupContext& context) {
    to.u16(kProtocolVersion);
    to.u16(kPublicMessageFormat);
    write(to, content);
    if (signs_context(content.sender.type)) write(to, context);
}

/// FramedContentAuthData.
void write_auth(Writer& to, const PublicMessage& message) {
    to.vec(message.signature);
    if (std::holds_alternative<Commit>(message.content.content)) to.vec(message.confirmation_tag);
}

}  // namespace

Bytes to_be_signed(const FramedContent& content, const GroupContext& context) {
    Writer writer;
    write_to_be_signed(writer, content, context);
    return to_bytes(writer.bytes());
}

Bytes sign(const FramedContent& content, const GroupContext& context, const KeyPair& key) {
    return sign_with_label(key, "FramedContentTBS", to_be_signed(content, context));
}

bool verify(const PublicMessage& message, const GroupContext& context, View signature_key) {
    return verify_with_label(signature_key, "FramedContentTBS", to_be_signed(message.content, context),
                             message.signature);
}

Bytes membership_tag(const PublicMessage& message, const GroupContext& context, View membership_key) {
    Writer writer;  // AuthenticatedContentTBM
    write_to_be_signed(writer, message.content, context);
    write_auth(writer, message);
    return hmac_sha256(membership_key, writer.bytes());
}

Bytes confirmation_tag(View confirmation_key, View confirmed_transcript_hash) {
    return hmac_sha256(confirmation_key, confirmed_transcript_hash);
}

ProposalRef proposal_ref(const PublicMessage& proposal) {
    Writer writer;  // AuthenticatedContent
    writer.u16(kPublicMessageFormat);
    write(writer, proposal.content);
    write_auth(writer, proposal);
    return ref_hash("MLS 1.0 Proposal Reference", writer.bytes());
}

}  // namespace lestapenna::mls
