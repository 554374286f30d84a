#include "mls/key_schedule.h"

#include <array>

namespace lestapenna::mls {

namespace {

constexpr std::array<std::uint8_t, kHashBytes> kZeros{};

View or_zeros(View secret) {
    return secret.empty() ? View(kZeros) : secret;
}

Secret member_secret(View joiner_secret, View psk_secret) {
    return hkdf_extract(joiner_secret, or_zeros(psk_secret));
}

}  // namespace

Secret joiner_secret(View init_secret, View commit_secret, const GroupContext& context) {
    const Secret pre_joiner = hkdf_extract(init_secret, or_zeros(commit_secret));
    return expand_with_label(pre_joiner, "joiner", encode(context), kHashBytes);
}

Secret epoch_secret(View joiner_secret, View psk_secret, const GroupContext& context) {
    return expand_with_label(member_secret(joiner_secret, psk_secret), "epoch", encode(context), kHashBytes);
}

EpochSecrets epoch_secrets(View epoch_secret) {
    return {.init = derive_secret(epoch_secret, "init"),
            .exporter = derive_secret(epoch_secret, "exporter"),
            .confirmation_key = derive_secret(epoch_secret, "confirm"),
            .membership_key = derive_secret(epoch_secret, "membership"),
            .authenticator = derive_secret(epoch_secret, "authentication"),
            .resumption = derive_secret(epoch_secret, "resumption")};
}

Secret welcome_secret(View joiner_secret, View psk_secret) {
    return derive_secret(member_secret(joiner_secret, psk_secret), "welcome");
}

Secret export_secret(const EpochSecrets& of, std::string_view label, View context, std::size_t bytes) {
    return expand_with_label(derive_secret(of.exporter, label), "exported", sha256({context}), bytes);
}

Checked<Secret> psk_secret(std::span<const PreSharedKeyId> ids, const PskLookup& lookup) {
    Secret secret(kHashBytes);
    if (ids.size() > UINT16_MAX) return Reject::bad_proposal;
    for (std::size_t i = 0; i < ids.size(); ++i) {
        const auto psk = lookup ? lookup(ids[i]) : std::nullopt;
        if (!psk) return Reject::bad_proposal;
        Writer label;
        write(label, ids[i]);
        label.u16(static_cast<std::uint16_t>(i));
        label.u16(static_cast<std::uint16_t>(ids.size()));
        const Secret input = expand_with_label(hkdf_extract(kZeros, *psk), "derived psk", label.bytes(), kHashBytes);
        secret = hkdf_extract(input, secret);
    }
    return secret;
}

Bytes confirmed_transcript_hash(View interim_before, const PublicMessage& commit) {
    Writer input;  // ConfirmedTranscriptHashInput
    input.u16(kPublicMessageFormat);
    write(input, commit.content);
    input.vec(commit.signature);
    return sha256({interim_before, input.bytes()});
}

Bytes interim_transcript_hash(View confirmed, View confirmation_tag) {
    Writer input;
    input.vec(confirmation_tag);
    return sha256({confirmed, input.bytes()});
}

}  // namespace lestapenna::mls
