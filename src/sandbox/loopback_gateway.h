// The main gateway of the loopback Discord (v10, JSON): connections, sessions that can be resumed, and who is told what
// according to the intents asked for.
//
// A session outlives its socket for `session_lifetime`, unless the client closed it with 1000 or 1001, and keeps its
// last dispatches for a resume; when it ends, `session_ended` is called once. A fresh identify ends the bot's sessions
// that nobody is connected to. Thread: the loop's. Ownership: the world outlives stop(), which its owner calls before
// letting go; coroutines under way then touch nothing of it any more.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "discord/window.h"
#include "net/loop.h"
#include "net/server.h"
#include "sandbox/loopback.h"
#include "sandbox/payloads.h"
#include "sandbox/world.h"

namespace lestapenna::sandbox {

/// Op 4 as it came.
struct VoiceAsk {
    GuildId guild;
    UserId user;
    std::string session_id;
    std::optional<ChannelId> channel;
    bool self_mute = false;
    bool self_deaf = false;
};

class MainGateway : public std::enable_shared_from_this<MainGateway> {
  public:
    using Json = payloads::Json;
    struct Hooks {
        std::function<void(const VoiceAsk&)> voice_asked;
        std::function<void(const std::string& session_id)> session_ended;
    };
    /// Who a dispatch is for.
    struct Reader {
        UserId bot;
        std::uint32_t intents = 0;
    };

    MainGateway(net::Loop& loop, World& world, const LoopbackOptions& options, Hooks hooks);
    /// What READY names as the place to resume at.
    void set_url(std::string url) { url_ = std::move(url); }
    void start();
    void stop();

    /// One client, from its upgrade to its end.
    net::Task<> serve(net::HttpRequest request, std::unique_ptr<net::WebSocket> socket);

    // ---- dispatches; those who did not ask for `intent` (0: none needed) are not told
    void tell_guild(GuildId guild, const char* event, std::uint32_t intent, const Json& data);
    void tell_guild(GuildId guild, const char* event, std::uint32_t intent,
                    const std::function<Json(const Reader&)>& make,
                    const std::function<bool(const Reader&)>& is_told = {});
    /// To a bot that has become member of this guild.
    void tell_arrival(GuildId guild, UserId bot);
    void tell_bot(UserId bot, const char* event, std::uint32_t intent, const Json& data);
    void tell_session(const std::string& session_id, const char* event, const Json& data);

    // ---- trouble, as in loopback.h
    void close(UserId bot, std::uint16_t code);
    void drop(UserId bot);
    void forget(UserId bot);
    void ask_reconnect(UserId bot);
    void invalidate(UserId bot, bool resumable);
    void mute_acks(UserId bot, bool muted);
    void send_raw(UserId bot, const std::string& text);
    [[nodiscard]] Loopback::GatewayTraffic traffic(UserId bot) const;

  private:
    using Clock = std::chrono::steady_clock;
    struct Connection;
    struct Session {
        std::string id;
        UserId bot;
        std::uint32_t intents = 0;
        std::uint64_t seq = 0;
        std::deque<std::pair<std::uint64_t, std::string>> sent;  ///< by seq, for a resume
        std::shared_ptr<Connection> connection;                  ///< null: lost, since `lost`
        Clock::time_point lost;
        bool forgotten = false;  ///< can not be resumed
    };
    static constexpr std::size_t kMostFrames = 120;  ///< in kFrameWindow; beyond: close 4008
    static constexpr seconds kFrameWindow{60};       ///< Gateway docs, "Rate Limiting"
    struct Connection {
        explicit Connection(std::unique_ptr<net::WebSocket> accepted) : socket(std::move(accepted)) {}
        std::unique_ptr<net::WebSocket> socket;
        std::shared_ptr<Session> session;                   ///< null before identify and after op 9
        std::optional<UserId> bot;                          ///< stays known after the session was taken away
        discord::Window frames{kMostFrames, kFrameWindow};  ///< it sent
        Clock::time_point last_beat = Clock::now();
        bool closed_by_us = false;
    };
    using ConnectionPtr = std::shared_ptr<Connection>;
    using SessionPtr = std::shared_ptr<Session>;

    static net::Task<> keep_house(std::shared_ptr<MainGateway> self, nanoseconds tick);
    void look_around();
    void welcome(const ConnectionPtr& connection, std::string_view target);
    void take(const ConnectionPtr& connection, const net::Message& message);
    void obey(const ConnectionPtr& connection, int op, const Json& frame);
    void beat(const ConnectionPtr& connection);
    void identify(const ConnectionPtr& connection, const Json& data);
    void resume(const ConnectionPtr& connection, const Json& data);
    void ask_voice(const Session& session, const Json& data);
    void list_members(const SessionPtr& session, const Json& data);
    void lost(const ConnectionPtr& connection, const net::Closed& closed);

    void hang_up(const ConnectionPtr& connection, std::uint16_t code, std::string_view reason);
    void detach(const ConnectionPtr& connection);
    void end(const SessionPtr& session);
    static void send(const Connection& connection, int op, const Json& data);
    static void dispatch(Session& session, const char* event, const Json& data);
    void refuse_session(const ConnectionPtr& connection, bool resumable);
    [[nodiscard]] std::vector<SessionPtr> sessions_of(UserId bot) const;
    [[nodiscard]] std::vector<ConnectionPtr> connections_of(UserId bot) const;

    World& world_;
    const LoopbackOptions options_;
    const Hooks hooks_;
    std::string url_;
    net::Signal stopping_;
    net::Loop& loop_;
    std::set<ConnectionPtr> connections_;
    std::map<std::string, SessionPtr> sessions_;
    std::map<UserId, Loopback::GatewayTraffic> traffic_;
    std::set<UserId> muted_acks_;
};

}  // namespace lestapenna::sandbox
