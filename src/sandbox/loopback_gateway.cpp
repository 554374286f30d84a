#include "sandbox/loopback_gateway.h"

#include <algorithm>
#include <utility>

#include "discord/gateway.h"
#include "discord/json.h"
#include "net/http.h"

namespace lestapenna::sandbox {

namespace json = discord::json;
namespace intents = discord::intents;

namespace {

constexpr std::size_t kMostBytes = 4'096;            // of a client's frame; beyond: close 4002
constexpr std::size_t kMostReplayed = 4'096;         // dispatches kept for a resume
constexpr std::uint32_t kKnownIntents = 0x331'FFFF;  // bits 0 to 16, 20, 21, 24, 25

enum Op : int {
    kDispatch = 0,
    kHeartbeat = 1,
    kIdentify = 2,
    kPresence = 3,
    kVoiceState = 4,
    kResume = 6,
    kReconnect = 7,
    kMembersAsked = 8,
    kInvalidSession = 9,
    kHello = 10,
    kHeartbeatAck = 11,
    kSoundboard = 31,
};

enum Close : std::uint16_t {
    kUnknownError = 4000,
    kUnknownOp = 4001,
    kDecode = 4002,
    kNotAuthenticated = 4003,
    kBadToken = 4004,
    kAlreadyAuthenticated = 4005,
    kBadSeq = 4007,
    kRateLimited = 4008,
    kTimedOut = 4009,
    kBadShard = 4010,
    kBadVersion = 4012,
    kBadIntents = 4013,
    kRefusedIntents = 4014,
};

std::string_view without_prefix(std::string_view token) {
    constexpr std::string_view kPrefix = "Bot ";
    return token.starts_with(kPrefix) ? token.substr(kPrefix.size()) : token;
}

// The code an identify with these intents is closed with; 0: none.
std::uint16_t refusal(std::optional<std::uint32_t> asked, bool content_allowed) {
    if (!asked || (*asked & ~kKnownIntents) != 0) return kBadIntents;
    if ((*asked & intents::message_content) != 0 && !content_allowed) return kRefusedIntents;
    return 0;
}

bool is_only_shard(const discord::Json& data) {
    const auto* const shard = json::field(data, "shard");
    return shard == nullptr || *shard == discord::Json::array({0, 1});
}

}  // namespace

MainGateway::MainGateway(net::Loop& loop, World& world, const LoopbackOptions& options, Hooks hooks)
    : world_(world), options_(options), hooks_(std::move(hooks)), stopping_(loop), loop_(loop) {}

void MainGateway::start() {
    constexpr nanoseconds kSlowest = seconds(1);
    const nanoseconds interval = std::min(options_.heartbeat_interval, options_.session_lifetime);
    net::spawn(loop_, keep_house(shared_from_this(), std::clamp<nanoseconds>(interval / 4, milliseconds(1), kSlowest)));
}

void MainGateway::stop() {
    stopping_.set();
    for (const auto& connection : connections_) connection->socket->drop();
    // The two hold each other, and a loop that ends now never comes to the end of serve().
    for (const auto& [_, session] : sessions_) session->connection = nullptr;
    sessions_.clear();
}

net::Task<> MainGateway::keep_house(std::shared_ptr<MainGateway> self, nanoseconds tick) {
    // A named local: g++ 12.2 breaks coroutines whose body has none and awaits in a condition.
    bool stopped = co_await self->stopping_.wait_for(tick);
    for (; !stopped; stopped = co_await self->stopping_.wait_for(tick)) self->look_around();
}

// Ends connections whose heart stopped, and sessions nobody came back for.
void MainGateway::look_around() {
    const auto now = Clock::now();
    const auto patience = options_.heartbeat_interval * 9 / 4;  // two beats missed, and some way for the third
    for (const auto& connection : std::set(connections_)) {
        if (connection->closed_by_us || now - connection->last_beat < patience) continue;
        const auto session = connection->session;
        hang_up(connection, kTimedOut, "Session timed out.");
        if (session) end(session);
    }
    for (const auto& [_, session] : std::map(sessions_)) {
        if (!session->connection && now - session->lost > options_.session_lifetime) end(session);
    }
}

net::Task<> MainGateway::serve(net::HttpRequest request, std::unique_ptr<net::WebSocket> socket) {
    const auto self = shared_from_this();
    if (stopping_.is_set()) co_return;
    const auto connection = std::make_shared<Connection>(std::move(socket));
    connections_.insert(connection);
    welcome(connection, request.target);
    while (true) {
        const net::Incoming incoming = co_await connection->socket->read();
        if (stopping_.is_set()) break;
        if (const auto* const closed = std::get_if<net::Closed>(&incoming)) {
            lost(connection, *closed);
            break;
        }
        if (!connection->closed_by_us) take(connection, std::get<net::Message>(incoming));
    }
    connections_.erase(connection);
    connection->session = nullptr;
}

void MainGateway::welcome(const ConnectionPtr& connection, std::string_view target) {
    const auto version = net::query_parameter(target, "v");
    const auto encoding = net::query_parameter(target, "encoding");
    if (!version.empty() && version != "10" && version != "9") {
        return hang_up(connection, kBadVersion, "Invalid API version: this sandbox speaks v10.");
    }
    if (!net::query_parameter(target, "compress").empty() || (!encoding.empty() && encoding != "json")) {
        return hang_up(connection, kUnknownError, "This sandbox speaks uncompressed JSON only: switch the rest off.");
    }
    send(*connection, kHello, {{"heartbeat_interval", options_.heartbeat_interval.count()}});
}

void MainGateway::take(const ConnectionPtr& connection, const net::Message& message) {
    const BootTime now = BootClock::now();
    if (connection->frames.wait(now) > nanoseconds(0)) {
        return hang_up(connection, kRateLimited, "You are being rate limited.");
    }
    connection->frames.note(now);
    if (message.binary || message.bytes.size() > kMostBytes) return hang_up(connection, kDecode, "Decode error.");
    const auto frame = discord::parse_json(message.bytes);
    const auto op = frame ? json::integer<int>(*frame, "op") : std::nullopt;
    if (!op) return hang_up(connection, kDecode, "Decode error.");
    obey(connection, *op, *frame);
}

void MainGateway::obey(const ConnectionPtr& connection, int op, const Json& frame) {
    if (op == kHeartbeat) return beat(connection);
    const Json& data = json::object(frame, "d");
    if (op == kIdentify || op == kResume) {
        if (connection->session) return hang_up(connection, kAlreadyAuthenticated, "Already authenticated.");
        return op == kIdentify ? identify(connection, data) : resume(connection, data);
    }
    const bool known = op == kPresence || op == kVoiceState || op == kMembersAsked || op == kSoundboard;
    if (!known) return hang_up(connection, kUnknownOp, "Unknown opcode.");
    if (!connection->session) return hang_up(connection, kNotAuthenticated, "Not authenticated.");
    if (op == kVoiceState) ask_voice(*connection->session, data);
    if (op == kMembersAsked) list_members(connection->session, data);
}

void MainGateway::beat(const ConnectionPtr& connection) {
    connection->last_beat = Clock::now();
    if (connection->bot) ++traffic_[*connection->bot].heartbeats;
    if (connection->bot && muted_acks_.contains(*connection->bot)) return;
    send(*connection, kHeartbeatAck, nullptr);
}

void MainGateway::identify(const ConnectionPtr& connection, const Json& data) {
    const auto* const bot = world_.bot_by_token(without_prefix(json::text(data, "token")));
    if (bot == nullptr) return hang_up(connection, kBadToken, "Authentication failed.");
    ++traffic_[bot->id].identifies;
    ++traffic_[bot->id].connections;
    const auto asked = json::integer<std::uint32_t>(data, "intents");
    if (const auto code = refusal(asked, options_.message_content_allowed)) {
        return hang_up(connection, code, code == kBadIntents ? "Invalid intent(s)." : "Disallowed intent(s).");
    }
    if (!is_only_shard(data)) return hang_up(connection, kBadShard, "Invalid shard: this sandbox has one.");
    for (const auto& old : sessions_of(bot->id)) {
        if (!old->connection) end(old);
    }
    const auto session = std::make_shared<Session>();
    session->id = world_.secret(32);
    session->bot = bot->id;
    session->intents = *asked;
    session->connection = connection;
    sessions_[session->id] = session;
    connection->session = session;
    connection->bot = bot->id;
    dispatch(*session, "READY", payloads::ready(world_, *bot, session->id, url_));
    if ((*asked & intents::guilds) == 0) return;
    for (const auto id : world_.guilds_of(bot->id)) {
        dispatch(*session, "GUILD_CREATE", payloads::guild_create(world_, *world_.guild(id), bot->id, *asked));
    }
}

void MainGateway::resume(const ConnectionPtr& connection, const Json& data) {
    const auto* const bot = world_.bot_by_token(without_prefix(json::text(data, "token")));
    if (bot == nullptr) return hang_up(connection, kBadToken, "Authentication failed.");
    connection->bot = bot->id;
    ++traffic_[bot->id].resumes;
    ++traffic_[bot->id].connections;
    const auto found = sessions_.find(json::text(data, "session_id"));
    if (found == sessions_.end() || found->second->bot != bot->id || found->second->forgotten) {
        return refuse_session(connection, false);
    }
    const auto session = found->second;
    const auto seq = json::integer<std::uint64_t>(data, "seq").value_or(0);
    if (seq > session->seq) return hang_up(connection, kBadSeq, "Invalid seq.");
    const bool all_there = seq == session->seq || session->sent.front().first <= seq + 1;
    if (!all_there) return refuse_session(connection, false);
    if (const auto old = session->connection) {  // its client noticed the loss before we did
        detach(old);
        old->closed_by_us = true;
        old->socket->drop();
    }
    session->connection = connection;
    connection->session = session;
    for (const auto& [number, text] : session->sent) {
        if (number > seq) connection->socket->send(text);
    }
    dispatch(*session, "RESUMED", {{"_trace", Json::array()}});
}

void MainGateway::ask_voice(const Session& session, const Json& data) {
    const auto guild = json::id<GuildId>(data, "guild_id");
    if (!guild) return;
    const bool leaves = json::field(data, "channel_id") == nullptr;
    const auto channel = json::id<ChannelId>(data, "channel_id");
    if (!leaves && !channel) return;
    hooks_.voice_asked(
        {*guild, session.bot, session.id, channel, json::flag(data, "self_mute"), json::flag(data, "self_deaf")});
}

void MainGateway::list_members(const SessionPtr& session, const Json& data) {
    const auto* const guild = world_.guild(json::id<GuildId>(data, "guild_id").value_or(GuildId{}));
    if (guild == nullptr || !guild->members.contains(session->bot)) return;
    const auto& query = json::text(data, "query");
    const auto& wanted = json::array(data, "user_ids");
    Json members = Json::array();
    for (const auto& [id, _] : guild->members) {
        const bool named =
            wanted.empty() ? world_.user(id)->name.starts_with(query) : std::ranges::count(wanted, Json(id.text())) > 0;
        if (named) members.push_back(payloads::member(world_, *guild, id));
    }
    Json chunk{{"guild_id", guild->id.text()}, {"members", std::move(members)}, {"chunk_index", 0}, {"chunk_count", 1}};
    if (const auto* const nonce = json::field(data, "nonce")) chunk["nonce"] = *nonce;
    dispatch(*session, "GUILD_MEMBERS_CHUNK", chunk);
}

// The socket is gone. What the client meant by it decides whether its session is.
void MainGateway::lost(const ConnectionPtr& connection, const net::Closed& closed) {
    if (connection->bot && !connection->closed_by_us) traffic_[*connection->bot].client_closes.push_back(closed.code);
    const auto session = connection->session;
    detach(connection);
    constexpr std::uint16_t kNormal = 1000;
    constexpr std::uint16_t kGoingAway = 1001;
    const bool on_purpose = !connection->closed_by_us && (closed.code == kNormal || closed.code == kGoingAway);
    if (session && on_purpose) end(session);
}

void MainGateway::hang_up(const ConnectionPtr& connection, std::uint16_t code, std::string_view reason) {
    connection->closed_by_us = true;
    connection->socket->close(code, reason);
    detach(connection);
}

void MainGateway::detach(const ConnectionPtr& connection) {
    const auto session = std::exchange(connection->session, nullptr);
    if (!session || session->connection != connection) return;
    session->connection = nullptr;
    session->lost = Clock::now();
    if (session->forgotten) end(session);
}

void MainGateway::end(const SessionPtr& session) {
    if (sessions_.erase(session->id) == 0) return;
    if (session->connection) session->connection->session = nullptr;
    session->connection = nullptr;
    hooks_.session_ended(session->id);
}

void MainGateway::refuse_session(const ConnectionPtr& connection, bool resumable) {
    if (connection->bot) ++traffic_[*connection->bot].invalid_sessions;
    send(*connection, kInvalidSession, resumable);
}

void MainGateway::send(const Connection& connection, int op, const Json& data) {
    connection.socket->send(discord::print_json({{"op", op}, {"d", data}, {"s", nullptr}, {"t", nullptr}}));
}

void MainGateway::dispatch(Session& session, const char* event, const Json& data) {
    const auto seq = ++session.seq;
    auto text = discord::print_json({{"t", event}, {"s", seq}, {"op", int{kDispatch}}, {"d", data}});
    if (session.connection) session.connection->socket->send(text);
    if (session.sent.size() == kMostReplayed) session.sent.pop_front();
    session.sent.emplace_back(seq, std::move(text));
}

void MainGateway::tell_guild(GuildId guild, const char* event, std::uint32_t intent, const Json& data) {
    tell_guild(guild, event, intent, [&](const Reader&) { return data; });
}

void MainGateway::tell_guild(GuildId guild, const char* event, std::uint32_t intent,
                             const std::function<Json(const Reader&)>& make,
                             const std::function<bool(const Reader&)>& is_told) {
    for (const auto& [_, session] : sessions_) {
        const Reader reader{session->bot, session->intents};
        const bool asked = intent == 0 || (session->intents & intent) != 0;
        if (!asked || !world_.is_member(guild, session->bot) || (is_told && !is_told(reader))) continue;
        dispatch(*session, event, make(reader));
    }
}

void MainGateway::tell_arrival(GuildId guild, UserId bot) {
    for (const auto& session : sessions_of(bot)) {
        if ((session->intents & intents::guilds) == 0) continue;
        dispatch(*session, "GUILD_CREATE", payloads::guild_create(world_, *world_.guild(guild), bot, session->intents));
    }
}

void MainGateway::tell_bot(UserId bot, const char* event, std::uint32_t intent, const Json& data) {
    for (const auto& session : sessions_of(bot)) {
        if (intent == 0 || (session->intents & intent) != 0) dispatch(*session, event, data);
    }
}

void MainGateway::tell_session(const std::string& session_id, const char* event, const Json& data) {
    if (const auto found = sessions_.find(session_id); found != sessions_.end()) {
        dispatch(*found->second, event, data);
    }
}

std::vector<MainGateway::SessionPtr> MainGateway::sessions_of(UserId bot) const {
    std::vector<SessionPtr> of_bot;
    for (const auto& [_, session] : sessions_) {
        if (session->bot == bot) of_bot.push_back(session);
    }
    return of_bot;
}

std::vector<MainGateway::ConnectionPtr> MainGateway::connections_of(UserId bot) const {
    std::vector<ConnectionPtr> of_bot;
    for (const auto& connection : connections_) {
        if (connection->bot == bot && !connection->closed_by_us) of_bot.push_back(connection);
    }
    return of_bot;
}

void MainGateway::close(UserId bot, std::uint16_t code) {
    for (const auto& connection : connections_of(bot)) hang_up(connection, code, "As the script says.");
}

void MainGateway::drop(UserId bot) {
    for (const auto& connection : connections_of(bot)) {
        connection->closed_by_us = true;
        connection->socket->drop();
        detach(connection);
    }
}

void MainGateway::forget(UserId bot) {
    for (const auto& session : sessions_of(bot)) {
        session->forgotten = true;
        if (!session->connection) end(session);
    }
}

void MainGateway::ask_reconnect(UserId bot) {
    for (const auto& connection : connections_of(bot)) send(*connection, kReconnect, nullptr);
}

void MainGateway::invalidate(UserId bot, bool resumable) {
    for (const auto& connection : connections_of(bot)) {
        const auto session = connection->session;
        detach(connection);
        refuse_session(connection, resumable);
        if (session && !resumable) end(session);
    }
}

void MainGateway::mute_acks(UserId bot, bool muted) {
    if (muted) {
        muted_acks_.insert(bot);
    } else {
        muted_acks_.erase(bot);
    }
}

void MainGateway::send_raw(UserId bot, const std::string& text) {
    for (const auto& connection : connections_of(bot)) connection->socket->send(text);
}

Loopback::GatewayTraffic MainGateway::traffic(UserId bot) const {
    const auto found = traffic_.find(bot);
    return found == traffic_.end() ? Loopback::GatewayTraffic{} : found->second;
}

}  // namespace lestapenna::sandbox
