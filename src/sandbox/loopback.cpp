#include "sandbox/loopback.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include <boost/asio/post.hpp>
#include <fmt/format.h>

#include "discord/gateway.h"
#include "net/server.h"
#include "sandbox/loopback_gateway.h"
#include "sandbox/loopback_rest.h"
#include "sandbox/payloads.h"
#include "sandbox/permissions.h"
#include "sandbox/voice_desk.h"
#include "sandbox/world.h"

namespace lestapenna::sandbox {

namespace intents = discord::intents;
using payloads::Json;

namespace {

constexpr std::uint32_t kMembersIntent = 1U << 1;
constexpr std::size_t kVoiceServers = 2;  // the least that makes a change of server one

}  // namespace

/// Ties the parts together: what happens in one is told to the others. Parts hold references to it only in hooks, which
/// are not called after stop().
struct Loopback::Impl : std::enable_shared_from_this<Impl> {
    Impl(net::Loop& on, LoopbackOptions with) : loop(on), options(std::move(with)), world(options.seed) {}

    Status start();
    void stop();

    Result<std::vector<std::unique_ptr<VoiceServer>>> start_voice_servers();
    MainGateway::Hooks gateway_hooks();
    VoiceDesk::Tell desk_tells();
    RestApi::Hooks rest_hooks();

    void tell_voice_state(const discord::VoiceState& state);
    void tell_voice_server(UserId user, const std::string& session, const discord::VoiceServer& server);
    void tell_person(GuildId guild, UserId person, discord::Event event);
    void tell_message(const WorldMessage& message, const char* event);
    void tell_deleted(ChannelId channel, MessageId id);
    void tell_member(GuildId guild, UserId user);
    void tell_channel(ChannelId channel, const char* event);
    void change_guild(GuildId guild, const std::function<void(WorldGuild&)>& change);
    void tell_role(GuildId guild, discord::RoleId role, const char* event);
    void tell_of_member(GuildId guild, UserId user);
    UserId add_user(std::string name, bool bot, std::optional<GuildId> only = std::nullopt);
    ChannelId add_channel(GuildId guild, discord::ChannelKind kind, std::string name, int user_limit);

    /// The client of a person in a guild.
    struct Client {
        std::string session_id;
        std::function<void(const discord::Event&)> on_event;
    };

    net::Loop& loop;
    LoopbackOptions options;
    World world;
    Addresses addresses;
    std::shared_ptr<MainGateway> gateway;
    std::shared_ptr<RestApi> rest;
    std::shared_ptr<VoiceDesk> desk;
    std::optional<net::Server> server;
    std::map<std::pair<GuildId, UserId>, Client> clients;
    bool stopped = false;
};

// ---- starting and stopping

Result<std::vector<std::unique_ptr<VoiceServer>>> Loopback::Impl::start_voice_servers() {
    const auto certificate = net::make_self_signed({"127.0.0.1", "localhost"});
    if (!certificate) return certificate.error();
    addresses.ca_pem = certificate->certificate_pem;
    std::vector<std::unique_ptr<VoiceServer>> servers;
    while (servers.size() < kVoiceServers) {
        const auto seed = options.seed * kVoiceServers + servers.size();
        auto started = VoiceServer::start(loop, *certificate, {seed, options.modes, options.voice_heartbeat_interval});
        if (!started) return started.error();
        servers.push_back(std::move(*started));
    }
    return servers;
}

Status Loopback::Impl::start() {
    auto servers = start_voice_servers();
    if (!servers) return servers.error();
    desk = std::make_shared<VoiceDesk>(loop, world, std::move(*servers), desk_tells());
    gateway = std::make_shared<MainGateway>(loop, world, options, gateway_hooks());
    rest = std::make_shared<RestApi>(loop, world, options, rest_hooks());

    net::Handlers handlers;
    handlers.request = [api = rest](net::HttpRequest request) { return api->serve(std::move(request)); };
    handlers.websocket = [main = gateway](net::HttpRequest request, std::unique_ptr<net::WebSocket> socket) {
        return main->serve(std::move(request), std::move(socket));
    };
    auto listening = net::Server::listen(loop, net::ServerOptions{}, std::move(handlers));
    if (!listening) return listening.error();
    server = std::move(*listening);
    addresses.api_base = fmt::format("http://127.0.0.1:{}/api/v10", server->port());
    addresses.gateway_url = fmt::format("ws://127.0.0.1:{}", server->port());
    rest->set_gateway_url(addresses.gateway_url);
    gateway->set_url(addresses.gateway_url);
    gateway->start();
    return Ok{};
}

void Loopback::Impl::stop() {
    stopped = true;
    server.reset();
    if (rest) rest->stop();
    if (gateway) gateway->stop();
    if (desk) desk->stop();
    clients.clear();
}

// ---- who is told what

MainGateway::Hooks Loopback::Impl::gateway_hooks() {
    return {[this](const VoiceAsk& ask) { desk->ask(ask); },
            [this](const std::string& session) { desk->end_session(session); }};
}

VoiceDesk::Tell Loopback::Impl::desk_tells() {
    return {[this](const discord::VoiceState& state) { tell_voice_state(state); },
            [this](UserId user, const std::string& session, const discord::VoiceServer& at) {
                tell_voice_server(user, session, at);
            }};
}

RestApi::Hooks Loopback::Impl::rest_hooks() {
    RestApi::Hooks hooks;
    hooks.message_created = [this](const WorldMessage& message) { tell_message(message, "MESSAGE_CREATE"); };
    hooks.message_changed = [this](const WorldMessage& message) { tell_message(message, "MESSAGE_UPDATE"); };
    hooks.message_deleted = [this](ChannelId channel, MessageId id) { tell_deleted(channel, id); };
    hooks.member_changed = [this](GuildId guild, UserId user) { tell_member(guild, user); };
    hooks.member_moved = [this](GuildId guild, UserId user, std::optional<ChannelId> to) {
        constexpr std::uint16_t kMoved = 4014;
        if (to) {
            desk->move(guild, user, *to, kMoved);
        } else {
            desk->kick(guild, user);
        }
    };
    hooks.member_deafened = [this](GuildId guild, UserId user, bool deaf) { desk->deafen(guild, user, deaf); };
    hooks.suppressed = [this](GuildId guild, UserId user, bool suppress) { desk->suppress(guild, user, suppress); };
    return hooks;
}

void Loopback::Impl::tell_voice_state(const discord::VoiceState& state) {
    gateway->tell_guild(state.guild, "VOICE_STATE_UPDATE", intents::guild_voice_states,
                        payloads::voice_state(world, state));
    tell_person(state.guild, state.user, state);
}

void Loopback::Impl::tell_voice_server(UserId user, const std::string& session, const discord::VoiceServer& at) {
    gateway->tell_session(session, "VOICE_SERVER_UPDATE", payloads::voice_server(at));
    tell_person(at.guild, user, at);
}

// In a later turn: whoever asks is not called back from within the asking.
void Loopback::Impl::tell_person(GuildId guild, UserId person, discord::Event event) {
    if (!clients.contains({guild, person})) return;
    net::asio::post(loop, [weak = weak_from_this(), guild, person, event = std::move(event)] {
        const auto self = weak.lock();
        if (!self || self->stopped) return;
        const auto client = self->clients.find({guild, person});
        if (client == self->clients.end() || !client->second.on_event) return;
        const auto on_event = client->second.on_event;  // it may ask for another one
        on_event(event);
    });
}

void Loopback::Impl::tell_message(const WorldMessage& message, const char* event) {
    if ((message.flags & WorldMessage::kEphemeral) != 0) return;
    const auto* const place = world.channel(message.channel);
    if (place == nullptr) return;
    if (place->guild) {
        const auto sees = [&](const MainGateway::Reader& reader) {
            return may(world, reader.bot, *place, permission::view_channel);
        };
        const auto as_read_by = [&](const MainGateway::Reader& reader) {
            const bool reads_all = (reader.intents & intents::message_content) != 0;
            return payloads::message_create(world, message, reader.bot, reads_all);
        };
        gateway->tell_guild(*place->guild, event, intents::guild_messages, as_read_by, sees);
        return;
    }
    for (const auto user : place->recipients) {
        gateway->tell_bot(user, event, intents::direct_messages, payloads::message_create(world, message, user, true));
    }
}

void Loopback::Impl::tell_deleted(ChannelId channel, MessageId id) {
    const auto* const place = world.channel(channel);
    if (place == nullptr || !place->guild) return;
    gateway->tell_guild(*place->guild, "MESSAGE_DELETE", intents::guild_messages,
                        Json{{"id", id.text()}, {"channel_id", channel.text()}, {"guild_id", place->guild->text()}});
}

void Loopback::Impl::tell_member(GuildId guild, UserId user) {
    Json member = payloads::member(world, *world.guild(guild), user);
    member["guild_id"] = guild.text();
    // Of itself a bot hears without the intent.
    gateway->tell_guild(
        guild, "GUILD_MEMBER_UPDATE", 0, [&](const MainGateway::Reader&) { return member; },
        [&](const MainGateway::Reader& reader) {
            return (reader.intents & kMembersIntent) != 0 || reader.bot == user;
        });
}

void Loopback::Impl::change_guild(GuildId guild, const std::function<void(WorldGuild&)>& change) {
    auto* const known = world.guild(guild);
    if (known == nullptr) return;
    change(*known);
    gateway->tell_guild(guild, "GUILD_UPDATE", intents::guilds, payloads::guild(world, *known));
}

void Loopback::Impl::tell_role(GuildId guild, discord::RoleId role, const char* event) {
    const auto& where = *world.guild(guild);
    gateway->tell_guild(guild, event, intents::guilds,
                        Json{{"guild_id", guild.text()}, {"role", payloads::role(where, *world.role(guild, role))}});
}

void Loopback::Impl::tell_channel(ChannelId channel, const char* event) {
    const auto* const place = world.channel(channel);
    gateway->tell_guild(*place->guild, event, intents::guilds, payloads::channel(world, *place));
}

Result<std::unique_ptr<Loopback>> Loopback::start(net::Loop& loop, LoopbackOptions options) {
    auto impl = std::make_shared<Impl>(loop, std::move(options));
    if (auto started = impl->start(); !started) {
        impl->stop();
        return started.error();
    }
    return std::unique_ptr<Loopback>(new Loopback(std::move(impl)));
}

Loopback::Loopback(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Loopback::~Loopback() {
    impl_->stop();
}

const Addresses& Loopback::addresses() const {
    return impl_->addresses;
}

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

void Loopback::Impl::tell_of_member(GuildId guild, UserId user) {
    Json member = payloads::member(world, *world.guild(guild), user);
    member["guild_id"] = guild.text();
    gateway->tell_guild(guild, "GUILD_MEMBER_ADD", kMembersIntent, member);
}

UserId Loopback::Impl::add_user(std::string name, bool bot, std::optional<GuildId> only) {
    const auto id = world.add_user(std::move(name), bot, only);
    for (const auto guild : world.guilds_of(id)) tell_of_member(guild, id);
    return id;
}

UserId Loopback::add_person(std::string name, std::optional<GuildId> only) {
    return impl_->add_user(std::move(name), false, only);
}

void Loopback::add_member(GuildId guild, UserId user) {
    World& world = impl_->world;
    if (world.guild(guild) == nullptr || world.user(user) == nullptr || world.is_member(guild, user)) return;
    world.add_member(guild, user);
    impl_->tell_of_member(guild, user);
    impl_->gateway->tell_arrival(guild, user);
}

void Loopback::remove_member(GuildId guild, UserId user) {
    if (!impl_->world.is_member(guild, user)) return;
    impl_->desk->kick(guild, user);
    impl_->world.remove_member(guild, user);
    impl_->gateway->tell_guild(guild, "GUILD_MEMBER_REMOVE", kMembersIntent,
                               Json{{"guild_id", guild.text()}, {"user", payloads::user(*impl_->world.user(user))}});
    impl_->gateway->tell_bot(user, "GUILD_DELETE", intents::guilds, Json{{"id", guild.text()}});
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

// ---- trouble

void Loopback::close_gateway(UserId bot, std::uint16_t code) {
    impl_->gateway->close(bot, code);
}

void Loopback::drop_gateway(UserId bot) {
    impl_->gateway->drop(bot);
}

void Loopback::forget_session(UserId bot) {
    impl_->gateway->forget(bot);
}

void Loopback::ask_reconnect(UserId bot) {
    impl_->gateway->ask_reconnect(bot);
}

void Loopback::invalidate(UserId bot, bool resumable) {
    impl_->gateway->invalidate(bot, resumable);
}

void Loopback::mute_heartbeat_acks(UserId bot, bool muted) {
    impl_->gateway->mute_acks(bot, muted);
}

void Loopback::send_raw(UserId bot, const std::string& text) {
    impl_->gateway->send_raw(bot, text);
}

void Loopback::hold_voice_answers(UserId bot, bool hold) {
    impl_->desk->hold_answers(bot, hold);
}

void Loopback::change_voice_server(ChannelId channel, bool null_first) {
    impl_->desk->change_server(channel, null_first);
}

VoiceServer& Loopback::voice_server(ChannelId channel) {
    return impl_->desk->server_of(channel);
}

void Loopback::add_fault(RestFault fault) {
    impl_->rest->add_fault(std::move(fault));
}

const std::vector<LoggedRequest>& Loopback::requests() const {
    return impl_->rest->requests();
}

const std::vector<PostedMessage>& Loopback::posted() const {
    return impl_->rest->posted();
}

nlohmann::json Loopback::commands(UserId bot) const {
    return impl_->rest->commands(bot);
}

Loopback::GatewayTraffic Loopback::traffic(UserId bot) const {
    return impl_->gateway->traffic(bot);
}

}  // namespace lestapenna::sandbox
