#include "sandbox/world.h"

#include <algorithm>
#include <utility>

#include "sandbox/permissions.h"

namespace lestapenna::sandbox {

namespace {

constexpr std::uint64_t kWorldStream = 0x776F'726C'64;  // of the seed; voice servers draw from others
constexpr std::uint64_t kFirstMs = 347'155'200'000;     // 2026-01-01 since Discord's epoch, 2015-01-01
constexpr std::size_t kMostKept = 10'000;               // messages, interactions: a sandbox may run for weeks

const UnixTime kJoined{milliseconds{1'767'225'600'000}};  // 2026-01-01

template <class Map, class Id>
auto* find(Map& map, const Id& id) {
    const auto found = map.find(id);
    return found == map.end() ? nullptr : &found->second;
}

}  // namespace

World::World(std::uint64_t seed) : random_(seed, kWorldStream), last_ms_(kFirstMs + random_.below(1'000'000'000)) {
    owner_ = add_user("Padrona di casa", false);
}

std::uint64_t World::next_id() {
    constexpr unsigned kTimeShift = 22;
    constexpr std::uint64_t kRest = (1U << kTimeShift) - 1;
    last_ms_ += 1 + random_.below(5'000);
    return (last_ms_ << kTimeShift) | (random_.bits() & kRest);
}

std::string World::secret(std::size_t digits) {
    std::string text;
    while (text.size() < digits) text.push_back("0123456789abcdef"[random_.below(16)]);
    return text;
}

// Looks like Discord's (three parts between dots), because some programs look.
std::string World::bot_token(UserId bot) {
    return bot.text() + "." + secret(6) + "." + secret(38);
}

GuildId World::add_guild(std::string name) {
    const GuildId id{next_id()};
    WorldGuild& guild = guilds_[id];
    guild.id = id;
    guild.name = std::move(name);
    guild.owner = owner_;
    guild.members[owner_].joined = kJoined;
    guild.roles.push_back({discord::RoleId{id.value}, "@everyone", permission::everyone});
    return id;
}

discord::RoleId World::add_role(GuildId guild, std::string name, std::uint64_t permissions) {
    const discord::RoleId id{next_id()};
    if (auto* const where = this->guild(guild)) where->roles.push_back({id, std::move(name), permissions});
    return id;
}

void World::remove_role(GuildId guild, discord::RoleId role) {
    auto* const where = this->guild(guild);
    if (where == nullptr || role.value == guild.value) return;
    std::erase_if(where->roles, [&](const discord::Role& one) { return one.id == role; });
    for (auto& [_, member] : where->members) member.roles.erase(role);
    const auto is_of_role = [&](const discord::Overwrite& one) { return one.for_role && one.id == role.value; };
    for (const auto id : where->channels) std::erase_if(channels_.at(id).overwrites, is_of_role);
}

ChannelId World::add_channel(GuildId guild, discord::ChannelKind kind, std::string name, int user_limit) {
    const ChannelId id{next_id()};
    channels_[id] = {id, guild, kind, std::move(name), user_limit, {}, {}};
    if (auto* const where = this->guild(guild)) where->channels.push_back(id);
    return id;
}

UserId World::add_user(std::string name, bool bot, std::optional<GuildId> only) {
    const UserId id{next_id()};
    users_[id] = {id, std::move(name), bot, bot ? bot_token(id) : std::string(), false};
    for (auto& [guild, _] : guilds_) {
        if (!only || only == guild) add_member(guild, id);
    }
    return id;
}

void World::add_member(GuildId guild, UserId user) {
    auto* const where = this->guild(guild);
    if (where == nullptr || !users_.contains(user) || where->members.contains(user)) return;
    where->members[user].joined = kJoined;
}

void World::remove_member(GuildId guild, UserId user) {
    if (auto* const where = this->guild(guild)) where->members.erase(user);
}

ChannelId World::direct_channel(UserId one, UserId other) {
    const auto same = [&](const auto& entry) {
        const auto& who = entry.second.recipients;
        return who == std::vector{one, other} || who == std::vector{other, one};
    };
    if (const auto found = std::ranges::find_if(channels_, same); found != channels_.end()) return found->first;
    const ChannelId id{next_id()};
    channels_[id] = {id, std::nullopt, discord::ChannelKind::other, "", 0, {one, other}, {}};
    return id;
}

void World::remove_channel(ChannelId channel) {
    const auto* const gone = this->channel(channel);
    if (gone == nullptr) return;
    if (auto* const where = gone->guild ? guild(*gone->guild) : nullptr) std::erase(where->channels, channel);
    channels_.erase(channel);
}

const WorldUser* World::user(UserId id) const {
    return find(users_, id);
}

WorldUser* World::user(UserId id) {
    return find(users_, id);
}

const WorldUser* World::bot_by_token(std::string_view token) const {
    const auto same = [&](const auto& entry) { return entry.second.bot && entry.second.token == token; };
    const auto found = std::ranges::find_if(users_, same);
    return found == users_.end() ? nullptr : &found->second;
}

const WorldGuild* World::guild(GuildId id) const {
    return find(guilds_, id);
}

WorldGuild* World::guild(GuildId id) {
    return find(guilds_, id);
}

const WorldChannel* World::channel(ChannelId id) const {
    return find(channels_, id);
}

WorldChannel* World::channel(ChannelId id) {
    return find(channels_, id);
}

discord::Role* World::role(GuildId guild, discord::RoleId id) {
    auto* const where = this->guild(guild);
    if (where == nullptr) return nullptr;
    const auto found = std::ranges::find(where->roles, id, &discord::Role::id);
    return found == where->roles.end() ? nullptr : &*found;
}

bool World::is_member(GuildId guild, UserId user) const {
    const auto* const where = this->guild(guild);
    return where != nullptr && where->members.contains(user);
}

std::vector<GuildId> World::guilds_of(UserId user) const {
    std::vector<GuildId> in;
    for (const auto& [id, guild] : guilds_) {
        if (guild.members.contains(user)) in.push_back(id);
    }
    return in;
}

const discord::VoiceState* World::voice_state(GuildId guild, UserId user) const {
    const auto* const where = this->guild(guild);
    return where == nullptr ? nullptr : find(where->voice_states, user);
}

std::vector<UserId> World::in_voice(ChannelId channel) const {
    std::vector<UserId> there;
    const auto* const place = this->channel(channel);
    const auto* const where = place != nullptr && place->guild ? guild(*place->guild) : nullptr;
    if (where == nullptr) return there;
    for (const auto& [user, state] : where->voice_states) {
        if (state.channel == channel) there.push_back(user);
    }
    return there;
}

WorldMessage& World::add_message(WorldMessage message) {
    message.id = MessageId{next_id()};
    message.written = unix_now();
    if (messages_.size() == kMostKept) messages_.pop_front();
    return messages_.emplace_back(std::move(message));
}

WorldMessage* World::message(ChannelId channel, MessageId id) {
    const auto found = std::ranges::find(messages_, id, &WorldMessage::id);
    return found == messages_.end() || found->channel != channel ? nullptr : &*found;
}

WorldMessage* World::message_with_nonce(ChannelId channel, UserId author, std::string_view nonce) {
    const auto same = [&](const WorldMessage& m) {
        return m.channel == channel && m.author == author && m.nonce == nonce;
    };
    const auto found = std::ranges::find_if(messages_, same);
    return found == messages_.end() ? nullptr : &*found;
}

bool World::remove_message(ChannelId channel, MessageId id) {
    return std::erase_if(messages_, [&](const WorldMessage& m) { return m.channel == channel && m.id == id; }) > 0;
}

WorldInteraction& World::add_interaction(WorldInteraction interaction) {
    interaction.id = next_id();
    interaction.token = secret(64);
    interaction.asked = BootClock::now();
    if (interactions_.size() == kMostKept) interactions_.pop_front();
    return interactions_.emplace_back(std::move(interaction));
}

WorldInteraction* World::interaction(std::string_view token) {
    const auto found = std::ranges::find(interactions_, token, &WorldInteraction::token);
    return found == interactions_.end() ? nullptr : &*found;
}

}  // namespace lestapenna::sandbox
