// The inside of the Loopback: its parts, and who of them is told what by whom. Only loopback*.cpp include it.
//
// Thread: the loop's.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "net/server.h"
#include "sandbox/loopback.h"
#include "sandbox/loopback_gateway.h"
#include "sandbox/loopback_rest.h"
#include "sandbox/payloads.h"
#include "sandbox/voice_desk.h"
#include "sandbox/world.h"

namespace lestapenna::sandbox {

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
    void tell_arrival(GuildId guild, UserId user);
    void tell_departure(GuildId guild, UserId user);
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

}  // namespace lestapenna::sandbox
