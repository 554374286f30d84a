// Bits of Discord's permissions (docs: Permissions). What they mean for somebody in a channel is for who asks: the bot
// (bot/permissions.h) and the loopback Discord (sandbox/permissions.h) each read the rules for themselves.
#pragma once

#include <cstdint>

namespace lestapenna::discord::permission {

inline constexpr std::uint64_t administrator = 1ULL << 3;
inline constexpr std::uint64_t manage_guild = 1ULL << 5;
inline constexpr std::uint64_t view_channel = 1ULL << 10;
inline constexpr std::uint64_t send_messages = 1ULL << 11;
inline constexpr std::uint64_t attach_files = 1ULL << 15;
inline constexpr std::uint64_t connect = 1ULL << 20;
inline constexpr std::uint64_t mute_members = 1ULL << 22;
inline constexpr std::uint64_t move_members = 1ULL << 24;
inline constexpr std::uint64_t change_nickname = 1ULL << 26;

}  // namespace lestapenna::discord::permission
