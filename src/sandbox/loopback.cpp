#include "sandbox/loopback.h"

#include <utility>

#include <boost/asio/post.hpp>
#include <fmt/format.h>

#include "discord/gateway.h"
#include "sandbox/loopback_impl.h"
#include "sandbox/permissions.h"

namespace lestapenna::sandbox {

namespace intents = discord::intents;
using payloads::Json;

namespace {

constexpr std::uint32_t kMembersIntent = 1U << 1;
constexpr std::size_t kLargestRequest = 128U << 20;  // the biggest file of all is 100 MiB
constexpr std::size_t kVoiceServers = 2;             // the least that makes a change of server one

}  // namespace

// ---- starting and stopping

Result<std::vector<std::unique_ptr<VoiceServer>>> Loopback::Impl::start_voice_servers() {
    const auto certificate = net::make_self_signed({"127.0.0.1", "localhost"});
    if (!certificate) return certificate.error();
    addresses.ca_pem = certificate->certificate_pem;
    std::vector<std::unique_ptr<VoiceServer>> servers;
    while (servers.size() < kVoiceServers) {
        const auto seed = options.seed * kVoiceServers + servers.size();
        VoiceServerOptions with{seed, options.modes, options.voice_heartbeat_interval};
        with.delivery = options.delivery;
        auto started = VoiceServer::start(loop, *certificate, std::move(with));
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
    net::ServerOptions how;
    how.max_body_bytes = kLargestRequest;
    auto listening = net::Server::listen(loop, std::move(how), std::move(handlers));
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

void Loopback::Impl::tell_arrival(GuildId guild, UserId user) {
    Json member = payloads::member(world, *world.guild(guild), user);
    member["guild_id"] = guild.text();
    gateway->tell_guild(guild, "GUILD_MEMBER_ADD", kMembersIntent, member);
}

void Loopback::Impl::tell_departure(GuildId guild, UserId user) {
    gateway->tell_guild(guild, "GUILD_MEMBER_REMOVE", kMembersIntent,
                        Json{{"guild_id", guild.text()}, {"user", payloads::user(*world.user(user))}});
    gateway->tell_bot(user, "GUILD_DELETE", intents::guilds, Json{{"id", guild.text()}});
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
