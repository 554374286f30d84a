#include "dave/keys.h"

#include <array>

#include "mls/crypto.h"

namespace lestapenna::dave {
namespace {

constexpr std::size_t kBaseBytes = 16;

void step(mls::Secret& secret, std::uint32_t generation) {
    secret = mls::derive_tree_secret(secret, "secret", generation, mls::kHashBytes);
}

}  // namespace

BaseSecret base_secret(const mls::Group& group, UserId user) {
    std::array<std::uint8_t, 8> context{};
    for (std::size_t i = 0; i < context.size(); ++i) context[i] = static_cast<std::uint8_t>(user.value >> (8 * i));
    return {user, group.export_secret("Discord Secure Frames v0", context, kBaseBytes)};
}

std::uint32_t widen_generation(std::uint32_t oldest, std::uint8_t top_byte) {
    const std::uint32_t ahead = (top_byte - oldest) % 256;
    return oldest + ahead;
}

std::optional<mls::Secret> Ratchet::key(std::uint32_t generation) {
    if (generation < generation_) return std::nullopt;
    for (; generation_ < generation; ++generation_) step(secret_, generation_);
    auto key = mls::derive_tree_secret(secret_, "key", generation_, mls::kAeadKeyBytes);
    step(secret_, generation_++);
    return key;
}

}  // namespace lestapenna::dave
