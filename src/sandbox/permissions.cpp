#include "sandbox/permissions.h"

#include <algorithm>

#include "discord/limits.h"

namespace lestapenna::sandbox {

namespace {

struct Change {
    std::uint64_t allow = 0;
    std::uint64_t deny = 0;
    void add(const discord::Overwrite& overwrite) {
        allow |= overwrite.allow;
        deny |= overwrite.deny;
    }
    [[nodiscard]] std::uint64_t of(std::uint64_t permissions) const { return (permissions & ~deny) | allow; }
};

}  // namespace

std::uint64_t permissions_in(const WorldGuild& guild, UserId user) {
    const auto member = guild.members.find(user);
    if (member == guild.members.end()) return 0;
    if (guild.owner == user) return permission::all;
    std::uint64_t allowed = 0;
    for (const auto& role : guild.roles) {
        const bool has = role.id.value == guild.id.value || member->second.roles.contains(role.id);
        if (has) allowed |= role.permissions;
    }
    return (allowed & permission::administrator) != 0 ? permission::all : allowed;
}

std::uint64_t permissions_in(const World& world, const WorldChannel& channel, UserId user) {
    if (!channel.guild) {
        constexpr auto kDirect = permission::view_channel | permission::send_messages | permission::attach_files;
        return std::ranges::count(channel.recipients, user) > 0 ? kDirect : 0;
    }
    const auto* const guild = world.guild(*channel.guild);
    const auto base = guild == nullptr ? 0 : permissions_in(*guild, user);
    if (base == 0 || base == permission::all) return base;
    const auto& roles = guild->members.at(user).roles;
    Change everyone;
    Change by_roles;
    Change own;
    for (const auto& overwrite : channel.overwrites) {
        if (!overwrite.for_role) {
            if (overwrite.id == user.value) own.add(overwrite);
        } else if (overwrite.id == guild->id.value) {
            everyone.add(overwrite);
        } else if (roles.contains(discord::RoleId{overwrite.id})) {
            by_roles.add(overwrite);
        }
    }
    return own.of(by_roles.of(everyone.of(base)));
}

bool may(const World& world, UserId user, const WorldChannel& channel, std::uint64_t wanted) {
    wanted |= permission::view_channel;
    return (permissions_in(world, channel, user) & wanted) == wanted;
}

std::size_t largest_file(const WorldGuild* guild) {
    return discord::largest_file(guild == nullptr ? 0 : guild->premium_tier);
}

}  // namespace lestapenna::sandbox
