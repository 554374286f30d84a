// What somebody may do in the loopback Discord, by Discord's own algorithm (docs: Permissions, "Permission Hierarchy"
// and "Permission Overwrites"): owner and administrators everything; else what @everyone and their roles allow; in a
// channel then its overwrites, for @everyone, for roles, for the member. Written apart from the bot's own reading of
// the same rules, so that each judges the other. Pure functions of the world; any thread.
#pragma once

#include <cstdint>

#include "discord/permissions.h"
#include "sandbox/world.h"

namespace lestapenna::sandbox {

namespace permission {
using namespace discord::permission;
/// Every bit there is, as Discord shows an administrator.
inline constexpr std::uint64_t all = (1ULL << 53) - 1;
/// What @everyone may do unless somebody changes it: see, write, attach, react, use commands, connect, speak, change
/// the own nickname.
inline constexpr std::uint64_t everyone = 0x49'8637'CE41;
}  // namespace permission

/// Of a member; nothing for who is none.
std::uint64_t permissions_in(const WorldGuild& guild, UserId user);
/// In a channel; nothing where the guild is gone. In a direct channel its two may see, write and attach.
std::uint64_t permissions_in(const World& world, const WorldChannel& channel, UserId user);
/// All of `wanted`, in a channel they can see: who can not see it may do nothing there.
bool may(const World& world, UserId user, const WorldChannel& channel, std::uint64_t wanted);

/// The biggest file a guild takes, in bytes; a direct channel is like an unboosted guild.
std::size_t largest_file(const WorldGuild* guild);

}  // namespace lestapenna::sandbox
