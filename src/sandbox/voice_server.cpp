#include "sandbox/voice_server.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "net/server.h"
#include "net/websocket.h"
#include "sandbox/random.h"
#include "sandbox/timer_queue.h"
#include "sandbox/voice_messages.h"

namespace lestapenna::sandbox {
namespace {

using Clock = TimerQueue::Clock;

/// A client that has not shown for this many heartbeat intervals is gone.
constexpr int kMissedHeartbeats = 3;

struct Session;

/// A websocket, from accept to close. Its coroutine owns it.
struct Link {
    explicit Link(std::unique_ptr<net::WebSocket> accepted) : socket(std::move(accepted)) {}
    std::unique_ptr<net::WebSocket> socket;
    std::shared_ptr<Session> session;  ///< null before op 0 or 7, and when the session is over or elsewhere
    std::optional<UserId> user;        ///< who it said it is
    Clock::time_point last_heartbeat = Clock::now();
    bool closing = false;  ///< by us: what it still says does not matter
};

/// A voice session, from op 0 until it is over; without a link while a resume may come.
struct Session {
    Session(const VoiceTicket& with, std::uint32_t given, Random stream)
        : ticket(with), ssrc(given), random(std::move(stream)) {}
    VoiceTicket ticket;
    std::uint32_t ssrc;
    Random random;
    Outbox outbox;
    Link* link = nullptr;
    Clock::time_point lost_at;
    bool described = false;                ///< op 4 was sent
    std::optional<std::int64_t> speaking;  ///< its last op 5

    void send(int op, std::string_view data) {
        const std::string& message = outbox.number(op, data);
        if (link != nullptr) link->socket->send(message);
    }
};

struct News {
    SpeakingNews when = SpeakingNews::at_once;
    milliseconds late_by{0};
};

/// Whether the query of a request's target has v=8.
bool asks_for_version_8(std::string_view target) {
    const std::size_t query = target.find('?');
    if (query == std::string_view::npos) return false;
    for (std::string_view rest = target.substr(query + 1);;) {
        const std::size_t end = rest.find('&');
        if (rest.substr(0, end) == "v=8") return true;
        if (end == std::string_view::npos) return false;
        rest.remove_prefix(end + 1);
    }
}

}  // namespace

struct VoiceServer::Impl : std::enable_shared_from_this<Impl> {
    Impl(net::Loop& loop, VoiceServerOptions chosen, std::unique_ptr<Forwarder> udp)
        : options(std::move(chosen)), forwarder(std::move(udp)), later(std::make_unique<TimerQueue>(loop)) {}

    using Who = std::pair<GuildId, UserId>;

    VoiceServerOptions options;
    std::unique_ptr<Forwarder> forwarder;
    std::unique_ptr<TimerQueue> later;
    std::optional<net::Server> server;
    bool stopped = false;

    std::map<Who, VoiceTicket> tickets;
    std::map<Who, std::shared_ptr<Session>> sessions;
    std::set<std::shared_ptr<Link>> links;
    std::set<std::uint32_t> ssrcs{0};  ///< given out, ever
    std::map<UserId, std::uint64_t> visits;

    bool resumes_refused = false;
    bool acks_muted = false;
    std::set<Who> muted;
    std::map<UserId, News> news;
    std::map<UserId, VoiceTraffic> traffic;

    // ---- connections

    static net::Task<> serve(std::weak_ptr<Impl> weak, net::HttpRequest request,
                             std::unique_ptr<net::WebSocket> socket) {
        const auto self = weak.lock();
        if (!self || self->stopped) co_return;
        const auto link = std::make_shared<Link>(std::move(socket));
        self->links.insert(link);
        if (asks_for_version_8(request.target)) {
            const auto interval = self->options.heartbeat_interval.count();
            link->socket->send(voice::plain_message(8, fmt::format(R"({{"v":8,"heartbeat_interval":{}}})", interval)));
        } else {
            self->refuse(*link, 4012, "voice gateway version 8 is wanted: ?v=8");
        }
        for (;;) {
            const net::Incoming incoming = co_await link->socket->read();
            if (self->stopped) break;
            if (const auto* closed = std::get_if<net::Closed>(&incoming)) {
                self->lost(*link, closed->code);
                break;
            }
            const auto& message = std::get<net::Message>(incoming);
            if (!link->closing && !message.binary) self->handle(*link, voice::parse_client_message(message.bytes));
        }
        self->links.erase(link);
    }

    /// Closes a connection; its session stays, if it has one.
    void refuse(Link& link, std::uint16_t code, std::string_view why) {
        if (link.closing) return;
        link.closing = true;
        detach(link);
        link.socket->close(code, why);
    }

    void lost(Link& link, std::uint16_t code) {
        if (!link.closing && link.user) traffic[*link.user].client_closes.push_back(code);
        detach(link);
    }

    static void detach(Link& link) {
        if (!link.session) return;
        link.session->link = nullptr;
        link.session->lost_at = Clock::now();
        link.session.reset();
    }

    void attach(Link& link, const std::shared_ptr<Session>& session) {
        if (Link* const old = session->link) {
            old->closing = true;
            detach(*old);
            old->socket->drop();
        }
        session->link = &link;
        link.session = session;
        link.user = session->ticket.user;
        link.last_heartbeat = Clock::now();
    }

    /// Ends what waited too long, for a resume or for a heartbeat.
    void sweep() {
        const auto now = Clock::now();
        for (const auto& link : std::vector(links.begin(), links.end())) {
            if (now - link->last_heartbeat <= kMissedHeartbeats * options.heartbeat_interval) continue;
            const auto session = link->session;
            refuse(*link, 4009, "no heartbeat");
            if (session) end(session);
        }
        std::vector<std::shared_ptr<Session>> over;
        for (const auto& [who, session] : sessions) {
            if (session->link == nullptr && now - session->lost_at > options.resume_grace) over.push_back(session);
        }
        for (const auto& session : over) end(session);
        const milliseconds often =
            std::min({options.heartbeat_interval, options.resume_grace, milliseconds(1'000)}) / 4;
        later->at(now + std::max(often, milliseconds(5)), [this] { sweep(); });
    }

    // ---- sessions

    Session* find(GuildId guild, UserId user) {
        const auto found = sessions.find({guild, user});
        return found == sessions.end() ? nullptr : found->second.get();
    }

    /// Calls `say` for each other member of the session's channel.
    template <class Say>
    void for_others(const Session& session, const Say& say) {
        for (const auto& [who, other] : sessions) {
            const bool same =
                other->ticket.guild == session.ticket.guild && other->ticket.channel == session.ticket.channel;
            if (same && other.get() != &session) say(*other);
        }
    }

    std::shared_ptr<Session> begin(const VoiceTicket& ticket) {
        Random random(options.seed, ticket.user.value * 31 + visits[ticket.user]++);
        std::uint32_t ssrc = 0;
        while (!ssrcs.insert(ssrc).second) ssrc = static_cast<std::uint32_t>(random.bits());
        auto session = std::make_shared<Session>(ticket, ssrc, std::move(random));
        sessions[{ticket.guild, ticket.user}] = session;
        forwarder->add(ssrc, {ticket.guild, ticket.channel}, ticket.user, ticket.deaf);
        forwarder->mute(ssrc, muted.contains({ticket.guild, ticket.user}));
        return session;
    }

    /// For good: the others are told. Its connection, if any, stays open without it.
    void end(const std::shared_ptr<Session>& session) {
        if (session->link != nullptr) detach(*session->link);
        forwarder->remove(session->ssrc);
        sessions.erase({session->ticket.guild, session->ticket.user});
        const std::string gone = voice::client_disconnect(session->ticket.user);
        for_others(*session, [&](Session& other) { other.send(13, gone); });
    }

    // ---- what clients say

    void handle(Link& link, const voice::ClientMessage& message) {
        std::visit([&](const auto& said) { on(link, said); }, message);
    }

    void on(Link& link, const voice::Identify& said) {
        if (link.user) return refuse(link, 4005, "identified already");
        const auto ticket = tickets.find({said.guild, said.user});
        if (ticket == tickets.end() || ticket->second.token != said.token) {
            ++traffic[said.user].bad_tokens;
            return refuse(link, 4004, "wrong token");
        }
        if (ticket->second.session_id != said.session_id) return refuse(link, 4006, "no such session");
        ++traffic[said.user].identifies;
        if (const auto old = sessions.find({said.guild, said.user}); old != sessions.end()) {
            const auto replaced = old->second;  // it came again without a resume
            if (replaced->link != nullptr) refuse(*replaced->link, 4006, "identified elsewhere");
            end(replaced);
        }

        const auto session = begin(ticket->second);
        attach(link, session);
        link.socket->send(
            voice::plain_message(2, voice::data_of(voice::Ready{session->ssrc, forwarder->port(), options.modes})));
        // Op 11 strictly after op 2: clients drop what comes before it.
        std::vector<UserId> there;
        for_others(*session, [&](Session& other) {
            there.push_back(other.ticket.user);
            const std::array newcomer{said.user};
            other.send(11, voice::clients_connect(newcomer));
        });
        if (!there.empty()) session->send(11, voice::clients_connect(there));
    }

    void on(Link& link, const voice::SelectProtocol& said) {
        if (!known(link)) return;
        const auto mode = discord::parse_transport_mode(said.mode);
        const bool offered = mode && std::ranges::find(options.modes, *mode) != options.modes.end();
        if (said.protocol != "udp") return refuse(link, 4012, "only udp is spoken here");
        if (!offered) return refuse(link, 4016, "a mode that was not offered");

        Session& session = *link.session;
        std::array<std::uint8_t, discord::kTransportKeyBytes> key{};
        std::ranges::generate(key, [&] { return static_cast<std::uint8_t>(session.random.bits()); });
        const std::uint64_t media_session = session.random.bits();
        forwarder->describe(session.ssrc, *mode, key);
        session.send(4, voice::data_of(voice::SessionDescription{*mode, key, media_session}));
        session.described = true;
        for_others(session, [&](const Session& other) { tell_speaking(other, session); });
    }

    void on(Link& link, const voice::Heartbeat& said) {
        link.last_heartbeat = Clock::now();
        if (link.user) ++traffic[*link.user].heartbeats;
        if (!acks_muted) link.socket->send(voice::plain_message(6, fmt::format(R"({{"t":{}}})", said.nonce)));
    }

    void on(Link& link, const voice::Speaking& said) {
        if (!known(link)) return;
        Session& session = *link.session;
        session.speaking = said.flags;
        for_others(session, [&](Session& other) { tell_speaking(session, other); });
        forwarder->announce(session.ssrc);
    }

    void on(Link& link, const voice::Resume& said) {
        if (link.user) return refuse(link, 4005, "identified already");
        const auto found = std::ranges::find_if(sessions, [&](const auto& entry) {
            const VoiceTicket& ticket = entry.second->ticket;
            return ticket.guild == said.guild && ticket.session_id == said.session_id && ticket.token == said.token;
        });
        if (found == sessions.end()) return refuse(link, 4006, "no such session");
        const auto session = found->second;
        ++traffic[session->ticket.user].resumes;
        const auto missed = session->outbox.after(said.seq_ack);
        if (resumes_refused || !missed) {
            refuse(link, 4006, "the session can not be resumed");
            return end(session);
        }
        attach(link, session);
        link.socket->send(voice::plain_message(9, "null"));
        for (const std::string_view message : *missed) link.socket->send(std::string(message));
    }

    void on(Link& /*link*/, const voice::Ignored& /*said*/) {}

    void on(Link& link, const voice::Refused& said) {
        refuse(link, said.code, said.code == 4001 ? "unknown opcode" : "not to be decoded");
    }

    /// False: nothing but identify, resume and heartbeat is for who has no session; what one says whose session is over
    /// does not matter.
    bool known(Link& link) {
        if (!link.user) refuse(link, 4003, "not identified");
        return link.session != nullptr;
    }

    /// Op 5 about `speaker`, as this receiver is told of such things.
    void tell_speaking(const Session& speaker, Session& receiver) {
        if (!speaker.speaking || !receiver.described) return;
        const std::string data = voice::speaking(speaker.ticket.user, speaker.ssrc, *speaker.speaking);
        const auto found = news.find(receiver.ticket.user);
        const News how = found == news.end() ? News{} : found->second;
        switch (how.when) {
            case SpeakingNews::at_once:
                return receiver.send(5, data);
            case SpeakingNews::late: {
                const auto& kept = sessions.at({receiver.ticket.guild, receiver.ticket.user});
                return later->at(Clock::now() + how.late_by, [weak = std::weak_ptr(kept), data] {
                    if (const auto session = weak.lock()) session->send(5, data);
                });
            }
            case SpeakingNews::never:
                return;
        }
    }
};

Result<std::unique_ptr<VoiceServer>> VoiceServer::start(net::Loop& loop, const net::Certificate& certificate,
                                                        VoiceServerOptions options) {
    auto forwarder =
        Forwarder::start(loop, {.seed = options.seed, .hold_until_announced = options.hold_until_speaking});
    if (!forwarder) return forwarder.error();
    auto impl = std::make_shared<Impl>(loop, std::move(options), std::move(*forwarder));

    net::ServerOptions listening;
    listening.tls = certificate;
    net::Handlers handlers;
    handlers.request = [](net::HttpRequest /*request*/) -> net::Task<net::Reply> {
        net::Reply reply;
        reply.response.status = 426;
        co_return reply;
    };
    handlers.websocket = [weak = std::weak_ptr(impl)](net::HttpRequest request,
                                                      std::unique_ptr<net::WebSocket> socket) {
        return Impl::serve(weak, std::move(request), std::move(socket));
    };
    auto server = net::Server::listen(loop, std::move(listening), std::move(handlers));
    if (!server) return server.error();
    impl->server.emplace(std::move(*server));
    impl->sweep();
    return std::unique_ptr<VoiceServer>(new VoiceServer(std::move(impl)));
}

VoiceServer::VoiceServer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

VoiceServer::~VoiceServer() {
    impl_->stopped = true;
    impl_->server.reset();
    impl_->later.reset();
    impl_->forwarder.reset();
    for (const auto& link : impl_->links) link->socket->drop();  // their coroutines end, and with the last one Impl
}

std::string VoiceServer::endpoint() const {
    return fmt::format("127.0.0.1:{}", impl_->server->port());
}

void VoiceServer::admit(const VoiceTicket& ticket) {
    const Impl::Who who{ticket.guild, ticket.user};
    impl_->tickets[who] = ticket;
    if (const auto old = impl_->sessions.find(who); old != impl_->sessions.end())
        impl_->end(std::shared_ptr(old->second));
}

void VoiceServer::dismiss(GuildId guild, UserId user, std::uint16_t code) {
    const Impl::Who who{guild, user};
    impl_->tickets.erase(who);
    const auto found = impl_->sessions.find(who);
    if (found == impl_->sessions.end()) return;
    const auto session = found->second;
    if (code != 0) {
        close(guild, user, code);
    } else {
        drop(guild, user);
    }
    impl_->end(session);
}

void VoiceServer::set_deaf(GuildId guild, UserId user, bool deaf) {
    if (const auto ticket = impl_->tickets.find({guild, user}); ticket != impl_->tickets.end()) {
        ticket->second.deaf = deaf;
    }
    if (const Session* const session = impl_->find(guild, user)) impl_->forwarder->set_deaf(session->ssrc, deaf);
}

void VoiceServer::set_forwarding(std::optional<UserId> receiver, const Forwarding& forwarding) {
    impl_->forwarder->set_forwarding(receiver, forwarding);
}

void VoiceServer::close(GuildId guild, UserId user, std::uint16_t code) {
    const Session* const session = impl_->find(guild, user);
    if (session != nullptr && session->link != nullptr) impl_->refuse(*session->link, code, "");
}

void VoiceServer::drop(GuildId guild, UserId user) {
    const Session* const session = impl_->find(guild, user);
    if (session == nullptr || session->link == nullptr) return;
    Link& link = *session->link;
    link.closing = true;
    Impl::detach(link);
    link.socket->drop();
}

void VoiceServer::refuse_resumes(bool refuse) {
    impl_->resumes_refused = refuse;
}

void VoiceServer::speaking_news(UserId receiver, SpeakingNews when, milliseconds late_by) {
    impl_->news[receiver] = {when, late_by};
}

void VoiceServer::mute_udp(GuildId guild, UserId receiver, bool muted) {
    if (muted) {
        impl_->muted.insert({guild, receiver});
    } else {
        impl_->muted.erase({guild, receiver});
    }
    if (const Session* const session = impl_->find(guild, receiver)) impl_->forwarder->mute(session->ssrc, muted);
}

void VoiceServer::mute_discovery(bool muted) {
    impl_->forwarder->mute_discovery(muted);
}

void VoiceServer::mute_heartbeat_acks(bool muted) {
    impl_->acks_muted = muted;
}

void VoiceServer::send_raw(GuildId guild, UserId receiver, std::string bytes, bool binary) {
    const Session* const session = impl_->find(guild, receiver);
    if (session == nullptr || session->link == nullptr) return;
    if (binary) {
        session->link->socket->send_binary(std::move(bytes));
    } else {
        session->link->socket->send(std::move(bytes));
    }
}

void VoiceServer::send_datagram(GuildId guild, UserId receiver, std::vector<std::uint8_t> bytes) {
    if (const Session* const session = impl_->find(guild, receiver)) {
        impl_->forwarder->send_datagram(session->ssrc, bytes);
    }
}

void VoiceServer::send_sealed(GuildId guild, UserId receiver, std::vector<std::uint8_t> clear,
                              std::vector<std::uint8_t> plaintext) {
    if (const Session* const session = impl_->find(guild, receiver)) {
        impl_->forwarder->send_sealed(session->ssrc, clear, plaintext);
    }
}

std::optional<std::uint32_t> VoiceServer::ssrc(GuildId guild, UserId user) const {
    const Session* const session = impl_->find(guild, user);
    return session == nullptr ? std::nullopt : std::optional(session->ssrc);
}

std::map<std::uint32_t, Forwarded> VoiceServer::forwarded(UserId receiver) const {
    return impl_->forwarder->forwarded(receiver);
}

VoiceTraffic VoiceServer::traffic(UserId user) const {
    const auto found = impl_->traffic.find(user);
    VoiceTraffic traffic = found == impl_->traffic.end() ? VoiceTraffic{} : found->second;
    const Uplink uplink = impl_->forwarder->uplink(user);
    traffic.datagrams = uplink.datagrams;
    traffic.forged = uplink.forged;
    traffic.replayed = uplink.replayed;
    return traffic;
}

const SocketCounts& VoiceServer::media() const {
    return impl_->forwarder->socket();
}

}  // namespace lestapenna::sandbox
