// The websocket side of a voice server: connections, sessions, and what clients say on them. Inside of voice_server.h;
// nobody else includes it. Thread: the loop's.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "net/http.h"
#include "net/server.h"
#include "net/websocket.h"
#include "sandbox/forwarder.h"
#include "sandbox/random.h"
#include "sandbox/timer_queue.h"
#include "sandbox/voice_messages.h"
#include "sandbox/voice_server.h"

namespace lestapenna::sandbox {

struct VoiceSession;

/// A websocket, from accept to close. Its coroutine owns it.
struct VoiceLink {
    explicit VoiceLink(std::unique_ptr<net::WebSocket> accepted) : socket(std::move(accepted)) {}
    std::unique_ptr<net::WebSocket> socket;
    std::shared_ptr<VoiceSession> session;  ///< null before op 0 or 7, and when the session is over or elsewhere
    std::optional<UserId> user;             ///< who it said it is
    TimerQueue::Clock::time_point last_heartbeat = TimerQueue::Clock::now();
    bool closing = false;  ///< by us: what it still says does not matter
};

/// A voice session, from op 0 until it is over; without a link while a resume may come.
struct VoiceSession {
    VoiceSession(const VoiceTicket& with, std::uint32_t given, const Random& stream, int dave)
        : ticket(with), ssrc(given), random(stream), dave_version(dave) {}
    VoiceTicket ticket;
    std::uint32_t ssrc;
    Random random;
    int dave_version;  ///< the newest it speaks
    Outbox outbox;
    VoiceLink* link = nullptr;
    TimerQueue::Clock::time_point lost_at;
    bool described = false;                ///< op 4 was sent
    std::optional<std::int64_t> speaking;  ///< its last op 5

    /// Numbered, and kept for a resume.
    void send(int op, std::string_view data) { pass_on(outbox.number(op, data)); }
    void send_binary(std::uint8_t op, std::string_view body) { pass_on(outbox.number_binary(op, body)); }
    void pass_on(const Outbox::Numbered& message) const {
        if (link == nullptr) return;
        if (message.binary) {
            link->socket->send_binary(message.bytes);
        } else {
            link->socket->send(message.bytes);
        }
    }
};

struct VoiceServer::Impl : std::enable_shared_from_this<Impl> {
    Impl(net::Loop& on, VoiceServerOptions chosen, std::unique_ptr<Forwarder> udp)
        : loop(on), options(std::move(chosen)), forwarder(std::move(udp)), later(std::make_unique<TimerQueue>(on)) {}

    using Who = std::pair<GuildId, UserId>;
    struct News {
        SpeakingNews when = SpeakingNews::at_once;
        milliseconds late_by{0};
    };

    struct Cut {
        int op = 0;
        bool heard = false;
    };

    net::Loop& loop;
    VoiceServerOptions options;
    std::unique_ptr<Forwarder> forwarder;
    std::unique_ptr<TimerQueue> later;
    std::optional<net::Server> server;
    bool stopped = false;

    std::map<Who, VoiceTicket> tickets;
    std::map<Who, std::shared_ptr<VoiceSession>> sessions;
    std::map<std::uint32_t, VoiceSession*> by_ssrc;   ///< the same
    std::map<Room, std::unique_ptr<Delivery>> calls;  ///< of rooms with somebody in them
    std::set<std::shared_ptr<VoiceLink>> links;
    std::set<std::uint32_t> ssrcs{0};  ///< given out, ever
    std::map<UserId, std::uint64_t> visits;

    bool resumes_refused = false;
    bool acks_muted = false;
    std::set<Who> muted;
    std::map<UserId, News> news;
    std::map<Who, Cut> cuts;
    std::map<UserId, VoiceTraffic> traffic;

    // ---- connections
    static net::Task<> serve(std::weak_ptr<Impl> weak, net::HttpRequest request,
                             std::unique_ptr<net::WebSocket> socket);
    /// Closes a connection; its session stays, if it has one.
    void refuse(VoiceLink& link, std::uint16_t code, std::string_view why);
    void lost(VoiceLink& link, std::uint16_t code);
    /// Without a close code; its session stays, if it has one.
    static void cut(VoiceLink& link);
    void take(VoiceLink& link, const voice::ClientMessage& said);
    void attach(VoiceLink& link, const std::shared_ptr<VoiceSession>& session);
    static void detach(VoiceLink& link);
    /// Ends what waited too long, for a resume or for a heartbeat; again and again.
    void sweep();

    // ---- sessions
    VoiceSession* find(GuildId guild, UserId user);
    std::shared_ptr<VoiceSession> begin(const VoiceTicket& ticket, int dave_version);
    Delivery& call_of(const VoiceSession& session);
    /// Of the call in this ticket's room, or of the one that would begin there.
    [[nodiscard]] DeliveryOptions delivery_for(const VoiceTicket& ticket) const;
    std::unique_ptr<Delivery> begin_call(const VoiceTicket& ticket);
    /// For good: the others are told. Its connection, if any, stays open without it.
    void end(const std::shared_ptr<VoiceSession>& session);
    /// Op 5 about `speaker`, as this receiver is told of such things.
    void tell_speaking(const VoiceSession& speaker, VoiceSession& receiver);
    /// Calls `say` for each other member of the session's channel.
    template <class Say>
    void for_others(const VoiceSession& session, const Say& say);

    // ---- what clients say
    void on(VoiceLink& link, const voice::Identify& said);
    void on(VoiceLink& link, const voice::SelectProtocol& said);
    void on(VoiceLink& link, const voice::Heartbeat& said);
    void on(VoiceLink& link, const voice::Speaking& said);
    void on(VoiceLink& link, const voice::Resume& said);
    void on(VoiceLink& link, const voice::ReadyForTransition& said);
    void on(VoiceLink& link, const voice::InvalidCommit& said);
    void on(VoiceLink& link, const voice::DaveKeyPackage& said);
    void on(VoiceLink& link, const voice::DaveCommit& said);
    void on(VoiceLink& link, const voice::Ignored& said);
    void on(VoiceLink& link, const voice::Refused& said);
    /// False: nothing but identify, resume and heartbeat is for who has no session; what one says whose session is over
    /// does not matter.
    bool known(VoiceLink& link);
};

}  // namespace lestapenna::sandbox
