// What Discord takes at most, where more than one part must know. Constants and pure functions.
#pragma once

#include <cstdint>

namespace lestapenna::discord {

/// The biggest file that may be posted in a guild with boosts of this tier (0 to 3), in bytes; 0 is also what a private
/// channel takes (support.discord.com, "File Attachments").
constexpr std::uint64_t largest_file(int premium_tier) {
    constexpr std::uint64_t kMiB = 1ULL << 20;
    return premium_tier >= 3 ? 100 * kMiB : premium_tier == 2 ? 50 * kMiB : 10 * kMiB;
}

}  // namespace lestapenna::discord
