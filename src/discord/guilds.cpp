#include "discord/guilds.h"

#include <algorithm>

namespace lestapenna::discord {

namespace {

using GuildMap = std::map<GuildId, Guilds::Guild>;

/// One overload per event that changes something; the rest ignores.
struct Apply {
    GuildMap& guilds;

    Guilds::Guild* find(GuildId id) const {
        const auto found = guilds.find(id);
        return found == guilds.end() ? nullptr : &found->second;
    }

    /// A new session: what is known stays until the GuildCreate of each guild, but for guilds we were removed from.
    void operator()(const Ready& ready) const {
        const auto is_listed = [&](GuildId id) { return std::ranges::find(ready.guilds, id) != ready.guilds.end(); };
        std::erase_if(guilds, [&](const auto& entry) { return !is_listed(entry.first); });
        for (const GuildId id : ready.guilds) guilds[id].available = false;
    }

    void operator()(const GuildCreate& create) const {
        Guilds::Guild& guild = guilds[create.id];
        guild.available = !create.unavailable;
        if (create.unavailable) return;
        describe(guild, create);
        guild.channels.clear();
        for (const Channel& channel : create.channels) guild.channels[channel.id] = channel;
        // Not cleared: only who is in a voice channel now is listed, and who left before still has a name.
        for (const Member& member : create.members) guild.members[member.user.id] = member;
        guild.voice_states.clear();
        for (const VoiceState& state : create.voice_states) (*this)(state);
    }

    void operator()(const GuildUpdate& update) const {
        if (Guilds::Guild* guild = find(update.id)) describe(*guild, update);
    }
    template <class E>
    static void describe(Guilds::Guild& guild, const E& as) {
        guild.name = as.name;
        guild.owner = as.owner;
        guild.preferred_locale = as.preferred_locale;
        guild.premium_tier = as.premium_tier;
        guild.roles.clear();
        for (const Role& role : as.roles) guild.roles[role.id] = role;
    }

    void operator()(const GuildDelete& gone) const {
        if (!gone.unavailable) {
            guilds.erase(gone.id);
        } else if (Guilds::Guild* guild = find(gone.id)) {
            guild->available = false;
        }
    }

    void operator()(const ChannelCreate& create) const { put(create.channel); }
    void operator()(const ChannelUpdate& update) const { put(update.channel); }
    void put(const Channel& channel) const {
        if (Guilds::Guild* guild = find(channel.guild)) guild->channels[channel.id] = channel;
    }

    void operator()(const ChannelDelete& gone) const {
        Guilds::Guild* guild = find(gone.guild);
        if (guild == nullptr) return;
        guild->channels.erase(gone.id);
        std::erase_if(guild->voice_states, [&](const auto& entry) { return entry.second.channel == gone.id; });
    }

    void operator()(const RoleChange& change) const {
        if (Guilds::Guild* guild = find(change.guild)) guild->roles[change.role.id] = change.role;
    }
    void operator()(const RoleDelete& gone) const {
        if (Guilds::Guild* guild = find(gone.guild)) guild->roles.erase(gone.id);
    }

    void operator()(const MemberUpdate& update) const {
        if (Guilds::Guild* guild = find(update.guild)) guild->members[update.member.user.id] = update.member;
    }

    void operator()(const VoiceState& state) const {
        Guilds::Guild* guild = find(state.guild);
        if (guild == nullptr) return;
        if (state.member) guild->members[state.user] = *state.member;
        if (state.channel) {
            guild->voice_states[state.user] = state;
        } else {
            guild->voice_states.erase(state.user);
        }
    }

    void operator()(const Resumed&) const {}
    void operator()(const VoiceServer&) const {}
    void operator()(const MessageCreate&) const {}
    void operator()(const Interaction&) const {}
};

const Member* member_of(const Guilds::Guild* guild, UserId user) {
    if (guild == nullptr) return nullptr;
    const auto found = guild->members.find(user);
    return found == guild->members.end() ? nullptr : &found->second;
}

}  // namespace

void Guilds::apply(const Event& event) {
    std::visit(Apply{guilds_}, event);
}

const Guilds::Guild* Guilds::guild(GuildId id) const {
    const auto found = guilds_.find(id);
    return found == guilds_.end() ? nullptr : &found->second;
}

std::vector<GuildId> Guilds::ids() const {
    std::vector<GuildId> ids;
    for (const auto& [id, guild] : guilds_) ids.push_back(id);
    return ids;
}

std::vector<VoiceState> Guilds::in_channel(GuildId guild_id, ChannelId channel) const {
    std::vector<VoiceState> there;
    if (const Guild* known = guild(guild_id)) {
        for (const auto& [user, state] : known->voice_states) {
            if (state.channel == channel) there.push_back(state);
        }
    }
    return there;
}

std::optional<ChannelId> Guilds::channel_of(GuildId guild_id, UserId user) const {
    const Guild* known = guild(guild_id);
    if (known == nullptr) return std::nullopt;
    const auto state = known->voice_states.find(user);
    return state == known->voice_states.end() ? std::nullopt : state->second.channel;
}

std::string Guilds::name_of(GuildId guild_id, UserId user) const {
    const Member* member = member_of(guild(guild_id), user);
    return member == nullptr || member->display().empty() ? user.text() : member->display();
}

bool Guilds::is_bot(GuildId guild_id, UserId user) const {
    const Member* member = member_of(guild(guild_id), user);
    return member != nullptr && member->user.bot;
}

}  // namespace lestapenna::discord
