#include "bot/permissions.h"

#include <algorithm>

#include "base/text.h"

namespace lestapenna::bot {

namespace {

using Guild = discord::Guilds::Guild;
constexpr std::uint64_t kAll = ~0ULL;

bool has_any(std::uint64_t permissions, std::uint64_t bits) {
    return (permissions & bits) != 0;
}

bool manages(const Asker& asker) {
    return has_any(asker.permissions, permission::manage_guild | permission::administrator);
}

std::uint64_t in_guild(const Guild& guild, GuildId id, UserId user, const std::vector<discord::RoleId>& roles) {
    if (guild.owner == user) return kAll;
    const auto of_role = [&](discord::RoleId role) {
        const auto known = guild.roles.find(role);
        return known == guild.roles.end() ? 0 : known->second.permissions;
    };
    std::uint64_t permissions = of_role(discord::RoleId{id.value});  // @everyone has the guild's id
    for (const discord::RoleId role : roles) permissions |= of_role(role);
    return has_any(permissions, permission::administrator) ? kAll : permissions;
}

/// What all overwrites of one rank say together: a thing allowed by one wins over being denied by another.
struct Verdict {
    std::uint64_t allow = 0;
    std::uint64_t deny = 0;
    void add(const discord::Overwrite& overwrite) {
        allow |= overwrite.allow;
        deny |= overwrite.deny;
    }
    [[nodiscard]] std::uint64_t of(std::uint64_t permissions) const { return (permissions & ~deny) | allow; }
};

/// As granted: without what a channel one may not see or join takes away.
std::uint64_t granted(const Guild& guild, GuildId id, UserId user, const std::vector<discord::RoleId>& roles,
                      const discord::Channel* channel) {
    const std::uint64_t base = in_guild(guild, id, user, roles);
    if (channel == nullptr || base == kAll) return base;
    Verdict everyone;
    Verdict by_roles;
    Verdict by_member;
    for (const discord::Overwrite& overwrite : channel->overwrites) {
        if (!overwrite.for_role) {
            if (overwrite.id == user.value) by_member.add(overwrite);
        } else if (overwrite.id == id.value) {
            everyone.add(overwrite);
        } else if (std::ranges::find(roles, discord::RoleId{overwrite.id}) != roles.end()) {
            by_roles.add(overwrite);
        }
    }
    return by_member.of(by_roles.of(everyone.of(base)));
}

const discord::Channel* find(const Guild& guild, std::optional<ChannelId> id) {
    if (!id) return nullptr;
    const auto known = guild.channels.find(*id);
    return known == guild.channels.end() ? nullptr : &known->second;
}

bool is_joined_to_be_used(const discord::Channel& channel) {
    return channel.kind == discord::ChannelKind::voice || channel.kind == discord::ChannelKind::stage;
}

}  // namespace

std::uint64_t permissions_of(const Guild& guild, GuildId id, UserId user, const std::vector<discord::RoleId>& roles,
                             std::optional<ChannelId> channel) {
    const discord::Channel* in = find(guild, channel);
    const std::uint64_t permissions = granted(guild, id, user, roles, in);
    if (in == nullptr) return permissions;
    if (!has_any(permissions, permission::view_channel)) return 0;
    if (is_joined_to_be_used(*in) && !has_any(permissions, permission::connect)) return permission::view_channel;
    return permissions;
}

std::optional<Refusal> may_start(const Asker& asker, const Guild& guild, std::string_view start_role) {
    if (!asker.voice_channel) return Refusal::not_in_voice;
    if (same_word(start_role, "any") || start_role == "@everyone") return std::nullopt;
    const bool has_it = std::ranges::any_of(asker.roles, [&](discord::RoleId role) {
        if (role.text() == start_role) return true;
        const auto known = guild.roles.find(role);
        return known != guild.roles.end() && same_word(known->second.name, start_role);
    });
    return has_it ? std::nullopt : std::optional(Refusal::lacks_role);
}

std::optional<Refusal> may_steer(const Asker& asker, UserId started_by, ChannelId recorded_channel) {
    if (asker.user == started_by || asker.voice_channel == recorded_channel || manages(asker)) return std::nullopt;
    return Refusal::not_of_the_session;
}

std::optional<Refusal> may_download(const Asker& asker, const catalog::Session& session,
                                    const std::vector<catalog::Track>& tracks) {
    const bool recorded = std::ranges::find(tracks, asker.user, &catalog::Track::user) != tracks.end();
    if (recorded || session.started_by == asker.user.text() || manages(asker)) return std::nullopt;
    return Refusal::not_recorded;
}

std::optional<Refusal> may_recover(const Asker& asker) {
    return manages(asker) ? std::nullopt : std::optional(Refusal::not_manager);
}

Obstacles obstacles(const discord::Guilds& guilds, GuildId id, UserId self, ChannelId voice, ChannelId text) {
    const Guild* guild = guilds.guild(id);
    if (guild == nullptr) return {};
    const auto member = guild->members.find(self);
    if (member == guild->members.end()) return {};  // our roles are unknown: let Discord say
    const auto& roles = member->second.roles;
    const auto missing = [&](const discord::Channel* channel, std::uint64_t needed) {
        if (channel != nullptr && is_joined_to_be_used(*channel)) needed |= permission::connect;
        return needed & ~granted(*guild, id, self, roles, channel);
    };
    const discord::Channel* room = find(*guild, voice);
    Obstacles found;
    found.missing_in_voice = missing(room, permission::view_channel | permission::connect);
    found.missing_in_text = missing(find(*guild, text), permission::view_channel | permission::send_messages);
    if (room != nullptr && room->user_limit > 0 && guilds.channel_of(id, self) != voice &&
        !has_any(granted(*guild, id, self, roles, room), permission::move_members)) {
        found.full = std::ssize(guilds.in_channel(id, voice)) >= room->user_limit;
    }
    return found;
}

}  // namespace lestapenna::bot
