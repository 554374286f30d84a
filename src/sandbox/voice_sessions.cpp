#include "sandbox/voice_sessions.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace lestapenna::sandbox {
namespace {

using Clock = TimerQueue::Clock;

/// A client that has not shown for this many heartbeat intervals is gone.
constexpr int kMissedHeartbeats = 3;

/// The opcode of what is about the group; otherwise 0.
int group_op(const voice::ClientMessage& said) {
    if (std::holds_alternative<voice::ReadyForTransition>(said)) return 23;
    if (std::holds_alternative<voice::DaveKeyPackage>(said)) return 26;
    if (std::holds_alternative<voice::DaveCommit>(said)) return 28;
    return std::holds_alternative<voice::InvalidCommit>(said) ? 31 : 0;
}

}  // namespace

template <class Say>
void VoiceServer::Impl::for_others(const VoiceSession& session, const Say& say) {
    for (const auto& [who, other] : sessions) {
        const bool same =
            other->ticket.guild == session.ticket.guild && other->ticket.channel == session.ticket.channel;
        if (same && other.get() != &session) say(*other);
    }
}

// ---- connections

net::Task<> VoiceServer::Impl::serve(std::weak_ptr<Impl> weak, net::HttpRequest request,
                                     std::unique_ptr<net::WebSocket> socket) {
    const auto self = weak.lock();
    if (!self || self->stopped) co_return;
    const auto link = std::make_shared<VoiceLink>(std::move(socket));
    self->links.insert(link);
    if (net::query_parameter(request.target, "v") == "8") {
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
        if (!link->closing) {
            const voice::ClientMessage said =
                message.binary ? voice::parse_client_binary(message.bytes) : voice::parse_client_message(message.bytes);
            self->take(*link, said);
        }
    }
    self->links.erase(link);
}

void VoiceServer::Impl::refuse(VoiceLink& link, std::uint16_t code, std::string_view why) {
    if (link.closing) return;
    link.closing = true;
    detach(link);
    link.socket->close(code, why);
}

void VoiceServer::Impl::cut(VoiceLink& link) {
    link.closing = true;
    detach(link);
    link.socket->drop();
}

void VoiceServer::Impl::take(VoiceLink& link, const voice::ClientMessage& said) {
    std::optional<Cut> due;
    if (link.session) {
        const auto found = cuts.find({link.session->ticket.guild, link.session->ticket.user});
        if (found != cuts.end() && found->second.op == group_op(said)) due = cuts.extract(found).mapped();
    }
    if (!due || due->heard) std::visit([&](const auto& one) { on(link, one); }, said);
    if (due) cut(link);
}

void VoiceServer::Impl::lost(VoiceLink& link, std::uint16_t code) {
    if (!link.closing && link.user) traffic[*link.user].client_closes.push_back(code);
    detach(link);
}

void VoiceServer::Impl::detach(VoiceLink& link) {
    if (!link.session) return;
    link.session->link = nullptr;
    link.session->lost_at = Clock::now();
    link.session.reset();
}

void VoiceServer::Impl::attach(VoiceLink& link, const std::shared_ptr<VoiceSession>& session) {
    if (VoiceLink* const old = session->link) {
        old->closing = true;
        detach(*old);
        old->socket->drop();
    }
    session->link = &link;
    link.session = session;
    link.user = session->ticket.user;
    link.last_heartbeat = Clock::now();
}

void VoiceServer::Impl::sweep() {
    const auto now = Clock::now();
    for (const auto& link : std::vector(links.begin(), links.end())) {
        if (now - link->last_heartbeat <= kMissedHeartbeats * options.heartbeat_interval) continue;
        const auto session = link->session;
        refuse(*link, 4009, "no heartbeat");
        if (session) end(session);
    }
    std::vector<std::shared_ptr<VoiceSession>> over;
    for (const auto& [who, session] : sessions) {
        if (session->link == nullptr && now - session->lost_at > options.resume_grace) over.push_back(session);
    }
    for (const auto& session : over) end(session);
    const milliseconds often = std::min({options.heartbeat_interval, options.resume_grace, milliseconds(1'000)}) / 4;
    later->at(now + std::max(often, milliseconds(5)), [this] { sweep(); });
}

// ---- sessions

VoiceSession* VoiceServer::Impl::find(GuildId guild, UserId user) {
    const auto found = sessions.find({guild, user});
    return found == sessions.end() ? nullptr : found->second.get();
}

std::shared_ptr<VoiceSession> VoiceServer::Impl::begin(const VoiceTicket& ticket, int dave_version) {
    Random random(options.seed, ticket.user.value * 31 + visits[ticket.user]++);
    std::uint32_t ssrc = 0;
    while (!ssrcs.insert(ssrc).second) ssrc = static_cast<std::uint32_t>(random.bits());
    auto session = std::make_shared<VoiceSession>(ticket, ssrc, random, dave_version);
    sessions[{ticket.guild, ticket.user}] = session;
    by_ssrc[ssrc] = session.get();
    const Room room{ticket.guild, ticket.channel};
    if (!calls.contains(room)) calls.emplace(room, begin_call(ticket));
    forwarder->add(ssrc, room, ticket.user, ticket.deaf);
    forwarder->set_silent(ssrc, ticket.silent);
    forwarder->spare_encrypted(ssrc, delivery_for(ticket).enabled && dave_version == 0);
    forwarder->mute(ssrc, muted.contains({ticket.guild, ticket.user}));
    return session;
}

void VoiceServer::Impl::end(const std::shared_ptr<VoiceSession>& session) {
    if (session->link != nullptr) detach(*session->link);
    forwarder->remove(session->ssrc);
    sessions.erase({session->ticket.guild, session->ticket.user});
    by_ssrc.erase(session->ssrc);
    const std::string gone = voice::client_disconnect(session->ticket.user);
    bool empty = true;
    for_others(*session, [&](VoiceSession& other) {
        other.send(13, gone);
        empty = false;
    });
    if (empty) {
        calls.erase({session->ticket.guild, session->ticket.channel});
    } else {
        call_of(*session).leave(session->ssrc);
    }
}

Delivery& VoiceServer::Impl::call_of(const VoiceSession& session) {
    return *calls.at({session.ticket.guild, session.ticket.channel});
}

DeliveryOptions VoiceServer::Impl::delivery_for(const VoiceTicket& ticket) const {
    const auto call = calls.find({ticket.guild, ticket.channel});
    if (call != calls.end()) return call->second->options();
    auto wanted = options.delivery;
    wanted.enabled = wanted.enabled && !ticket.stage;
    return wanted;
}

std::unique_ptr<Delivery> VoiceServer::Impl::begin_call(const VoiceTicket& ticket) {
    auto pass_on = [this](MemberKey to, const Delivery::Message& message) {
        const auto found = by_ssrc.find(to);
        if (found == by_ssrc.end()) return;
        if (message.binary) {
            found->second->send_binary(message.op, message.body);
        } else {
            found->second->send(message.op, message.body);
        }
    };
    return std::make_unique<Delivery>(loop, ticket.channel, delivery_for(ticket), std::move(pass_on));
}

// ---- what clients say

void VoiceServer::Impl::on(VoiceLink& link, const voice::Identify& said) {
    if (link.user) return refuse(link, 4005, "identified already");
    const auto ticket = tickets.find({said.guild, said.user});
    if (ticket == tickets.end() || ticket->second.token != said.token) {
        ++traffic[said.user].bad_tokens;
        return refuse(link, 4004, "wrong token");
    }
    if (ticket->second.session_id != said.session_id) return refuse(link, 4006, "no such session");
    ++traffic[said.user].identifies;
    if (!admits(delivery_for(ticket->second), said.dave_version)) {
        return refuse(link, 4017, "this call is end-to-end encrypted");
    }
    if (const auto old = sessions.find({said.guild, said.user}); old != sessions.end()) {
        const auto replaced = old->second;  // it came again without a resume
        if (replaced->link != nullptr) refuse(*replaced->link, 4006, "identified elsewhere");
        end(replaced);
    }

    const auto session = begin(ticket->second, said.dave_version);
    attach(link, session);
    link.socket->send(
        voice::plain_message(2, voice::data_of(voice::Ready{session->ssrc, forwarder->port(), options.modes})));
    // Op 11 strictly after op 2: clients drop what comes before it.
    std::vector<UserId> there;
    for_others(*session, [&](VoiceSession& other) {
        there.push_back(other.ticket.user);
        const std::array newcomer{said.user};
        other.send(11, voice::clients_connect(newcomer));
    });
    if (!there.empty()) session->send(11, voice::clients_connect(there));
}

void VoiceServer::Impl::on(VoiceLink& link, const voice::SelectProtocol& said) {
    if (!known(link)) return;
    const auto mode = discord::parse_transport_mode(said.mode);
    const bool offered = mode && std::ranges::find(options.modes, *mode) != options.modes.end();
    if (said.protocol != "udp") return refuse(link, 4012, "only udp is spoken here");
    if (!offered) return refuse(link, 4016, "a mode that was not offered");

    VoiceSession& session = *link.session;
    std::array<std::uint8_t, discord::kTransportKeyBytes> key{};
    std::ranges::generate(key, [&] { return static_cast<std::uint8_t>(session.random.bits()); });
    const std::uint64_t media_session = session.random.bits();
    forwarder->describe(session.ssrc, *mode, key);
    Delivery& call = call_of(session);
    const int dave_version = call.version_for(session.dave_version);
    session.send(4, voice::data_of(voice::SessionDescription{*mode, key, media_session, dave_version}));
    session.described = true;
    call.join(session.ssrc, session.ticket.user, session.dave_version);  // op 25, strictly after op 4
    for_others(session, [&](const VoiceSession& other) { tell_speaking(other, session); });
}

void VoiceServer::Impl::on(VoiceLink& link, const voice::Heartbeat& said) {
    link.last_heartbeat = Clock::now();
    if (link.user) ++traffic[*link.user].heartbeats;
    if (!acks_muted) link.socket->send(voice::plain_message(6, fmt::format(R"({{"t":{}}})", said.nonce)));
}

void VoiceServer::Impl::on(VoiceLink& link, const voice::Speaking& said) {
    if (!known(link)) return;
    VoiceSession& session = *link.session;
    session.speaking = said.flags;
    for_others(session, [&](VoiceSession& other) { tell_speaking(session, other); });
    forwarder->announce(session.ssrc);
}

void VoiceServer::Impl::on(VoiceLink& link, const voice::Resume& said) {
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
    for (const auto* const message : *missed) session->pass_on(*message);
}

void VoiceServer::Impl::on(VoiceLink& link, const voice::ReadyForTransition& said) {
    if (known(link)) call_of(*link.session).on_ready(link.session->ssrc, said.transition);
}

void VoiceServer::Impl::on(VoiceLink& link, const voice::InvalidCommit& said) {
    if (known(link)) call_of(*link.session).on_invalid(link.session->ssrc, said.transition);
}

void VoiceServer::Impl::on(VoiceLink& link, const voice::DaveKeyPackage& said) {
    if (known(link)) call_of(*link.session).on_key_package(link.session->ssrc, said.bytes);
}

void VoiceServer::Impl::on(VoiceLink& link, const voice::DaveCommit& said) {
    if (known(link)) call_of(*link.session).on_commit(link.session->ssrc, said.bytes);
}

void VoiceServer::Impl::on(VoiceLink& /*link*/, const voice::Ignored& /*said*/) {}

void VoiceServer::Impl::on(VoiceLink& link, const voice::Refused& said) {
    refuse(link, said.code, said.code == 4001 ? "unknown opcode" : "not to be decoded");
}

bool VoiceServer::Impl::known(VoiceLink& link) {
    if (!link.user) refuse(link, 4003, "not identified");
    return link.session != nullptr;
}

void VoiceServer::Impl::tell_speaking(const VoiceSession& speaker, VoiceSession& receiver) {
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

}  // namespace lestapenna::sandbox
