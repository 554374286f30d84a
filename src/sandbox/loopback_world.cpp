// What there is in the loopback Discord and what people do in it; each change is told to who may know.
#include <algorithm>
#include <utility>

#include "discord/gateway.h"
#include "sandbox/loopback_impl.h"

namespace lestapenna::sandbox {

namespace intents = discord::intents;
using payloads::Json;

// ---- the world

GuildId Loopback::add_guild(std::string name) {
    return impl_->world.add_guild(std::move(name));
}

ChannelId Loopback::Impl::add_channel(GuildId guild, discord::ChannelKind kind, std::string name, int user_limit) {
    const auto id = world.add_channel(guild, kind, std::move(name), user_limit);
    tell_channel(id, "CHANNEL_CREATE");
    return id;
}

ChannelId Loopback::add_text_channel(GuildId guild, std::string name) {
    return impl_->add_channel(guild, discord::ChannelKind::text, std::move(name), 0);
}

ChannelId Loopback::add_voice_channel(GuildId guild, std::string name, int user_limit) {
    const auto id = impl_->add_channel(guild, discord::ChannelKind::voice, std::move(name), user_limit);
    (void)impl_->desk->server_of(id);  // in the order they are made: neighbours get different servers
    return id;
}

ChannelId Loopback::add_stage_channel(GuildId guild, std::string name) {
    const auto id = impl_->add_channel(guild, discord::ChannelKind::stage, std::move(name), 0);
    (void)impl_->desk->server_of(id);
    return id;
}

UserId Loopback::Impl::add_user(std::string name, bool bot, std::optional<GuildId> only) {
    const auto id = world.add_user(std::move(name), bot, only);
    for (const auto guild : world.guilds_of(id)) tell_arrival(guild, id);
    return id;
}

UserId Loopback::add_person(std::string name, std::optional<GuildId> only) {
    return impl_->add_user(std::move(name), false, only);
}

void Loopback::add_member(GuildId guild, UserId user) {
    World& world = impl_->world;
    if (world.guild(guild) == nullptr || world.user(user) == nullptr || world.is_member(guild, user)) return;
    world.add_member(guild, user);
    impl_->tell_arrival(guild, user);
    impl_->gateway->tell_arrival(guild, user);
}

void Loopback::remove_member(GuildId guild, UserId user) {
    if (!impl_->world.is_member(guild, user)) return;
    impl_->desk->kick(guild, user);
    impl_->world.remove_member(guild, user);
    impl_->tell_departure(guild, user);
}

Loopback::Bot Loopback::add_bot(std::string name) {
    const auto id = impl_->add_user(std::move(name), true);
    return {id, impl_->world.user(id)->token};
}

void Loopback::remove_channel(ChannelId channel) {
    if (impl_->world.channel(channel) == nullptr) return;
    impl_->desk->empty_channel(channel);
    impl_->tell_channel(channel, "CHANNEL_DELETE");
    impl_->world.remove_channel(channel);
}

std::optional<discord::VoiceState> Loopback::voice_state(GuildId guild, UserId user) const {
    const auto* const state = impl_->world.voice_state(guild, user);
    return state == nullptr ? std::nullopt : std::optional(*state);
}

std::string Loopback::nickname(GuildId guild, UserId user) const {
    const World& world = impl_->world;
    return world.is_member(guild, user) ? world.guild(guild)->members.at(user).nick : std::string();
}

// ---- what people do

void Loopback::set_voice(GuildId guild, UserId person, std::optional<ChannelId> channel,
                         std::function<void(const discord::Event&)> on_event, bool self_deaf) {
    auto& client = impl_->clients[{guild, person}];
    if (client.session_id.empty()) client.session_id = impl_->world.secret(32);
    client.on_event = std::move(on_event);
    impl_->desk->ask({guild, person, client.session_id, channel, false, self_deaf});
}

MessageId Loopback::type(UserId person, ChannelId channel, std::string text) {
    WorldMessage draft;
    draft.channel = channel;
    draft.author = person;
    draft.content = std::move(text);
    const auto& message = impl_->world.add_message(std::move(draft));
    impl_->tell_message(message, "MESSAGE_CREATE");
    return message.id;
}

std::uint64_t Loopback::use_command(UserId person, ChannelId channel, UserId bot, std::string name,
                                    nlohmann::json options, std::string locale) {
    WorldInteraction draft;
    draft.bot = bot;
    draft.user = person;
    draft.channel = channel;
    draft.command = std::move(name);
    draft.locale = std::move(locale);
    const auto& asked = impl_->world.add_interaction(std::move(draft));
    std::string id;
    for (const auto& command : impl_->rest->commands(bot)) {
        if (command.value("name", "") == asked.command) id = command.value("id", "");
    }
    if (id.empty()) id = std::to_string(impl_->world.next_id());  // unregistered: the bot may still want to answer
    if (!options.is_array()) options = nlohmann::json::array();
    impl_->gateway->tell_bot(bot, "INTERACTION_CREATE", 0, payloads::interaction(impl_->world, asked, id, options));
    return asked.id;
}

void Loopback::refuse_direct(UserId person, bool refuses) {
    if (auto* const user = impl_->world.user(person)) user->refuses_direct = refuses;
}

// ---- who may do what

discord::RoleId Loopback::add_role(GuildId guild, std::string name, std::uint64_t permissions) {
    const auto id = impl_->world.add_role(guild, std::move(name), permissions);
    if (impl_->world.guild(guild) != nullptr) impl_->tell_role(guild, id, "GUILD_ROLE_CREATE");
    return id;
}

void Loopback::set_role(GuildId guild, discord::RoleId role, std::uint64_t permissions) {
    auto* const known = impl_->world.role(guild, role);
    if (known == nullptr) return;
    known->permissions = permissions;
    impl_->tell_role(guild, role, "GUILD_ROLE_UPDATE");
}

void Loopback::remove_role(GuildId guild, discord::RoleId role) {
    if (impl_->world.role(guild, role) == nullptr || role.value == guild.value) return;
    impl_->world.remove_role(guild, role);
    impl_->gateway->tell_guild(guild, "GUILD_ROLE_DELETE", intents::guilds,
                               Json{{"guild_id", guild.text()}, {"role_id", role.text()}});
}

void Loopback::give_role(GuildId guild, UserId user, discord::RoleId role) {
    if (impl_->world.role(guild, role) == nullptr || !impl_->world.is_member(guild, user)) return;
    impl_->world.guild(guild)->members.at(user).roles.insert(role);
    impl_->tell_member(guild, user);
}

void Loopback::take_role(GuildId guild, UserId user, discord::RoleId role) {
    if (!impl_->world.is_member(guild, user)) return;
    impl_->world.guild(guild)->members.at(user).roles.erase(role);
    impl_->tell_member(guild, user);
}

void Loopback::set_overwrite(ChannelId channel, discord::Overwrite overwrite) {
    auto* const place = impl_->world.channel(channel);
    if (place == nullptr || !place->guild) return;
    std::erase_if(place->overwrites, [&](const discord::Overwrite& one) {
        return one.id == overwrite.id && one.for_role == overwrite.for_role;
    });
    if ((overwrite.allow | overwrite.deny) != 0) place->overwrites.push_back(overwrite);
    impl_->tell_channel(channel, "CHANNEL_UPDATE");
}

void Loopback::set_user_limit(ChannelId channel, int most) {
    auto* const place = impl_->world.channel(channel);
    if (place == nullptr || !place->guild) return;
    place->user_limit = most;
    impl_->tell_channel(channel, "CHANNEL_UPDATE");
}

void Loopback::set_owner(GuildId guild, UserId owner) {
    impl_->change_guild(guild, [&](WorldGuild& known) { known.owner = owner; });
}

void Loopback::set_premium_tier(GuildId guild, int tier) {
    impl_->change_guild(guild, [&](WorldGuild& known) { known.premium_tier = tier; });
}

void Loopback::set_locale(GuildId guild, std::string locale) {
    impl_->change_guild(guild, [&](WorldGuild& known) { known.locale = std::move(locale); });
}

// ---- what moderators do

void Loopback::move(GuildId guild, UserId user, ChannelId to, std::uint16_t close_code) {
    impl_->desk->move(guild, user, to, close_code);
}

void Loopback::kick_from_voice(GuildId guild, UserId user) {
    impl_->desk->kick(guild, user);
}

void Loopback::deafen(GuildId guild, UserId user, bool deaf) {
    impl_->desk->deafen(guild, user, deaf);
}

void Loopback::suppress(GuildId guild, UserId user, bool suppress) {
    impl_->desk->suppress(guild, user, suppress);
}

}  // namespace lestapenna::sandbox
