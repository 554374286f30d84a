// Tickets, trouble and questions; what happens on the websockets is in voice_sessions.cpp.
#include "sandbox/voice_server.h"

#include <utility>

#include <fmt/format.h>

#include "sandbox/voice_sessions.h"

namespace lestapenna::sandbox {

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
    impl_->calls.clear();
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
    if (const VoiceSession* const session = impl_->find(guild, user)) impl_->forwarder->set_deaf(session->ssrc, deaf);
}

void VoiceServer::set_silent(GuildId guild, UserId user, bool silent) {
    if (const auto ticket = impl_->tickets.find({guild, user}); ticket != impl_->tickets.end()) {
        ticket->second.silent = silent;
    }
    const VoiceSession* const session = impl_->find(guild, user);
    if (session != nullptr) impl_->forwarder->set_silent(session->ssrc, silent);
}

void VoiceServer::set_forwarding(std::optional<UserId> receiver, const Forwarding& forwarding) {
    impl_->forwarder->set_forwarding(receiver, forwarding);
}

void VoiceServer::close(GuildId guild, UserId user, std::uint16_t code) {
    const VoiceSession* const session = impl_->find(guild, user);
    if (session != nullptr && session->link != nullptr) impl_->refuse(*session->link, code, "");
}

void VoiceServer::drop(GuildId guild, UserId user) {
    const VoiceSession* const session = impl_->find(guild, user);
    if (session == nullptr || session->link == nullptr) return;
    Impl::cut(*session->link);
}

void VoiceServer::cut_at(GuildId guild, UserId user, int op, bool heard) {
    impl_->cuts[{guild, user}] = {op, heard};
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
    if (const VoiceSession* const session = impl_->find(guild, receiver)) impl_->forwarder->mute(session->ssrc, muted);
}

void VoiceServer::mute_discovery(bool muted) {
    impl_->forwarder->mute_discovery(muted);
}

void VoiceServer::mute_heartbeat_acks(bool muted) {
    impl_->acks_muted = muted;
}

void VoiceServer::send_raw(GuildId guild, UserId receiver, std::string bytes, bool binary) {
    const VoiceSession* const session = impl_->find(guild, receiver);
    if (session == nullptr || session->link == nullptr) return;
    if (binary) {
        session->link->socket->send_binary(std::move(bytes));
    } else {
        session->link->socket->send(std::move(bytes));
    }
}

void VoiceServer::send_datagram(GuildId guild, UserId receiver, std::vector<std::uint8_t> bytes) {
    if (const VoiceSession* const session = impl_->find(guild, receiver)) {
        impl_->forwarder->send_datagram(session->ssrc, bytes);
    }
}

void VoiceServer::send_sealed(GuildId guild, UserId receiver, std::vector<std::uint8_t> clear,
                              std::vector<std::uint8_t> plaintext) {
    if (const VoiceSession* const session = impl_->find(guild, receiver)) {
        impl_->forwarder->send_sealed(session->ssrc, clear, plaintext);
    }
}

Delivery* VoiceServer::delivery(GuildId guild, ChannelId channel) {
    const auto call = impl_->calls.find({guild, channel});
    return call == impl_->calls.end() ? nullptr : call->second.get();
}

void VoiceServer::set_delivery(const DeliveryOptions& options) {
    impl_->options.delivery = options;
}

std::optional<std::uint32_t> VoiceServer::ssrc(GuildId guild, UserId user) const {
    const VoiceSession* const session = impl_->find(guild, user);
    return session == nullptr ? std::nullopt : std::optional(session->ssrc);
}

bool VoiceServer::hears(GuildId guild, UserId user) const {
    const VoiceSession* const session = impl_->find(guild, user);
    return session != nullptr && impl_->forwarder->hears(session->ssrc);
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
