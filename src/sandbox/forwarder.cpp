#include "sandbox/forwarder.h"

#include <algorithm>
#include <array>
#include <limits>
#include <unordered_map>
#include <utility>

#include "rtp/packet.h"
#include "rtp/unwrap.h"
#include "sandbox/media_packet.h"
#include "sandbox/random.h"
#include "sandbox/timer_queue.h"

namespace lestapenna::sandbox {
namespace {

using Clock = TimerQueue::Clock;

constexpr int kReceiveBufferBytes = 8 << 20;  // 600 talkers for half a second
constexpr std::size_t kHeldPackets = 16;
constexpr milliseconds kHeldFor{500};
constexpr milliseconds kProvenAfter{250};
constexpr milliseconds kHeldBackFor{200};  // a packet whose sender sends no next one
constexpr std::size_t kReplayWindow = 1'024;

/// One sender's way to one receiver over a line that has had trouble.
struct Trouble {
    Random random;
    Clock::time_point last_at;  ///< no packet leaves before the one before it
    Kept held_back;             ///< until the next one has left
};

/// What one packet meets; drawn whatever the line does, so that asking for loss, too, does not change the jitter.
struct Fate {
    explicit Fate(Random& random)
        : loss(random.unit()),
          jitter(random.unit()),
          reorder(random.unit()),
          duplicate(random.unit()),
          copy_after(random.between(0.1e6, 30e6)) {}
    double loss, jitter, reorder, duplicate, copy_after;
};

struct Flow {
    Forwarded* counts = nullptr;
    std::unique_ptr<Trouble> trouble;
};

struct Member;
struct RoomState {
    std::vector<Member*> members;
    std::vector<Member*> hearers;  ///< not deaf, key proven, address known
};

struct Member {
    std::uint32_t ssrc = 0;
    UserId user;
    Room room;
    RoomState* place = nullptr;
    bool deaf = false;
    bool silent = false;
    bool muted = false;
    bool spares_encrypted = false;
    bool announced = false;
    bool proven = false;  ///< it has the key
    std::optional<discord::UdpAddress> address;
    std::optional<discord::Transport> transport;
    Forwarding line{};
    Uplink* uplink = nullptr;

    std::vector<std::int64_t> seen = std::vector<std::int64_t>(kReplayWindow, std::numeric_limits<std::int64_t>::min());
    std::int64_t base_seq = 0;
    std::optional<std::int64_t> highest;
    std::vector<Kept> held;                         ///< until announced
    std::unordered_map<std::uint32_t, Flow> flows;  ///< to this member, by the sender's SSRC

    [[nodiscard]] bool hears() const { return !deaf && proven && address; }
    /// Not wrapped; nothing when it has come before.
    std::optional<std::int64_t> first_time(std::uint16_t seq) {
        const std::int64_t extended = highest ? rtp::unwrap(*highest, seq) : seq;
        std::int64_t& slot = seen[static_cast<std::uint64_t>(extended) % kReplayWindow];
        if (slot == extended) return std::nullopt;
        slot = extended;
        if (!highest) base_seq = extended;
        highest = std::max(highest.value_or(extended), extended);
        return extended;
    }
};

}  // namespace

struct Forwarder::Impl {
    Impl(net::Loop& loop, discord::UdpSocket bound, const ForwarderOptions& chosen)
        : options(chosen), socket(std::move(bound)), later(loop) {}

    ForwarderOptions options;
    discord::UdpSocket socket;
    TimerQueue later;
    std::unordered_map<std::uint32_t, std::unique_ptr<Member>> members;
    std::map<Room, RoomState> rooms;
    Forwarding for_all{};
    std::map<UserId, Forwarding> for_one;
    bool discovery_muted = false;
    SocketCounts counts;
    std::map<UserId, Uplink> uplinks;
    std::map<UserId, std::map<std::uint32_t, Forwarded>> accounts;  ///< receiver, sender's SSRC; outlive the members
    std::vector<std::uint8_t> out, plain;                           ///< the datagram in the making

    Member* find(std::uint32_t ssrc) {
        const auto found = members.find(ssrc);
        return found == members.end() ? nullptr : found->second.get();
    }

    // ---- who hears

    static void refresh(Member& member) {
        std::vector<Member*>& hearers = member.place->hearers;
        const auto at = std::find(hearers.begin(), hearers.end(), &member);
        if (member.hears() && at == hearers.end()) hearers.push_back(&member);
        if (!member.hears() && at != hearers.end()) hearers.erase(at);
    }

    static void learn(Member& member, const discord::UdpAddress& from) {
        if (member.address == from) return;
        member.address = from;
        refresh(member);
    }

    static void prove(Member& member) {
        if (member.proven) return;
        member.proven = true;
        refresh(member);
    }

    // ---- in

    void take(const discord::Received& received) {
        const std::span<std::uint8_t> bytes = received.bytes;
        ++counts.received;
        if (is_keep_alive(bytes)) return keep_alive(bytes, received.from);
        if (const auto ssrc = discovery_request(bytes)) return discover(*ssrc, received.from);
        const rtp::Front front = rtp::parse_front(bytes);
        if (received.cut || front.reject != rtp::Reject::none) return void(++counts.not_voice);
        Member* const from = find(front.header.ssrc);
        if (from == nullptr) return void(++counts.unknown_ssrc);

        const Bytes clear = bytes.first(front.bytes);
        const std::span<std::uint8_t> sealed = bytes.subspan(front.bytes);
        const auto opened = from->transport && sealed.size() >= discord::kTransportOverhead
                                ? from->transport->open(clear, sealed)
                                : std::nullopt;
        if (!opened) return void(++from->uplink->forged);
        const auto seq = from->first_time(front.header.seq);
        if (!seq) return void(++from->uplink->replayed);
        ++from->uplink->datagrams;
        learn(*from, received.from);
        prove(*from);
        if (from->silent) return;

        const Packet packet{clear, *opened, *seq};
        if (from->announced || !options.hold_until_announced) return forward(*from, packet);
        hold(*from, packet);
    }

    void keep_alive(std::span<std::uint8_t> bytes, const discord::UdpAddress& from) {
        ++counts.keep_alives;
        if (answer_keep_alive(bytes)) socket.send_to(bytes, from);
    }

    void discover(std::uint32_t ssrc, const discord::UdpAddress& from) {
        ++counts.discoveries;
        Member* const member = find(ssrc);
        if (member == nullptr) return void(++counts.unknown_ssrc);
        if (discovery_muted) return;
        learn(*member, from);
        socket.send_to(discovery_answer(ssrc, from), from);
    }

    // ---- waiting for the announcement

    void hold(Member& from, const Packet& packet) {
        from.held.push_back(std::make_shared<KeptPacket>(packet));
        if (from.held.size() >= kHeldPackets) return release(from);
        if (from.held.size() > 1) return;
        later.at(Clock::now() + kHeldFor, [this, ssrc = from.ssrc] {
            if (Member* const member = find(ssrc)) release(*member);
        });
    }

    void release(Member& from) {
        const auto held = std::exchange(from.held, {});
        for (const Kept& packet : held) forward(from, packet->view());
    }

    // ---- out

    void forward(const Member& from, const Packet& packet) {
        for (Member* const to : from.place->hearers) {
            if (to != &from) pass(from, *to, packet);
        }
    }

    Flow& flow_between(const Member& from, Member& to) {
        Flow& flow = to.flows[from.ssrc];
        if (flow.counts == nullptr) {
            flow.counts = &accounts[to.user][from.ssrc];
            flow.counts->base_seq = from.base_seq;
        }
        return flow;
    }

    void pass(const Member& from, Member& to, const Packet& packet) {
        Flow& flow = flow_between(from, to);
        ++flow.counts->arrived;
        if (to.muted || (to.spares_encrypted && looks_encrypted(packet))) return drop(*flow.counts, packet);
        const Forwarding& line = to.line;
        const bool prompt = line.loss <= 0 && line.duplicate <= 0 && line.reorder <= 0 && line.delay.count() == 0 &&
                            line.jitter.count() == 0;
        if (prompt && !flow.trouble) return deliver(to, *flow.counts, packet, false);
        if (!flow.trouble) {
            const std::uint64_t stream = std::uint64_t{from.ssrc} << 32 | to.ssrc;
            flow.trouble = std::make_unique<Trouble>(Trouble{Random(options.seed, stream), {}, {}});
        }
        trouble(flow, from.ssrc, to, packet);
    }

    static bool looks_encrypted(const Packet& packet) {
        constexpr std::array<std::uint8_t, 2> kMarker{0xFA, 0xFA};
        return packet.plain.size() > kMarker.size() && std::ranges::equal(packet.plain.last(kMarker.size()), kMarker);
    }

    static void drop(Forwarded& counts, const Packet& packet) {
        ++counts.dropped;
        counts.lost_seqs.push_back(packet.seq);
    }

    void trouble(Flow& flow, std::uint32_t from, Member& to, const Packet& packet) {
        const Fate fate(flow.trouble->random);
        if (fate.loss < to.line.loss) return drop(*flow.counts, packet);
        const auto ns = [](double value) { return nanoseconds(static_cast<std::int64_t>(value)); };
        const auto now = Clock::now();
        const auto after = to.line.delay + ns(fate.jitter * static_cast<double>(nanoseconds(to.line.jitter).count()));
        const auto kept = std::make_shared<KeptPacket>(packet);

        Trouble& way = *flow.trouble;
        if (fate.reorder < to.line.reorder && !way.held_back) {
            way.held_back = kept;
            later.at(now + after + kHeldBackFor,
                     [this, ssrc = to.ssrc, from, kept] { release_held_back(ssrc, from, kept); });
            return;
        }
        way.last_at = std::max(way.last_at, now + after);
        const auto at = way.last_at;
        const Kept held_back = std::exchange(way.held_back, {});
        leave_at(at, flow, to, kept, false);
        if (held_back) leave_at(at, flow, to, held_back, false);
        if (fate.duplicate < to.line.duplicate) leave_at(at + ns(fate.copy_after), flow, to, kept, true);
    }

    /// By SSRC: the receiver may be gone by then; its account is not.
    void leave_at(Clock::time_point at, Flow& flow, Member& to, const Kept& kept, bool copy) {
        later.at(at, [this, ssrc = to.ssrc, counts = flow.counts, kept, copy] {
            if (Member* const member = find(ssrc)) return deliver(*member, *counts, kept->view(), copy);
            if (!copy) fail(*counts, kept->view());
        });
    }

    void release_held_back(std::uint32_t to, std::uint32_t from, const Kept& kept) {
        Member* const member = find(to);
        if (member == nullptr) return;  // remove() has counted it
        Flow& flow = member->flows.at(from);
        if (flow.trouble->held_back != kept) return;
        flow.trouble->held_back.reset();
        deliver(*member, *flow.counts, kept->view(), false);
    }

    static void fail(Forwarded& counts, const Packet& packet) {
        ++counts.send_failed;
        counts.lost_seqs.push_back(packet.seq);
    }

    void deliver(Member& to, Forwarded& counts_to, const Packet& packet, bool copy) {
        const bool dressed = to.line.extras && dress(packet, out, plain);
        if (!dressed) out.assign(packet.clear.begin(), packet.clear.end());
        const bool taken =
            to.transport->seal(dressed ? Bytes(plain) : packet.plain, out) && socket.send_to(out, *to.address);
        if (copy) {
            counts_to.duplicated += taken ? 1U : 0U;
        } else if (!taken) {
            fail(counts_to, packet);
        } else {
            ++counts_to.sent;
            counts_to.first_seq = std::min(counts_to.first_seq.value_or(packet.seq), packet.seq);
            counts_to.last_seq = std::max(counts_to.last_seq.value_or(packet.seq), packet.seq);
        }
    }

    void set_line(Member& member) {
        const auto own = for_one.find(member.user);
        member.line = own == for_one.end() ? for_all : own->second;
    }
};

Result<std::unique_ptr<Forwarder>> Forwarder::start(net::Loop& loop, const ForwarderOptions& options) {
    const auto here = discord::UdpAddress::parse("127.0.0.1", 0);
    auto socket = discord::UdpSocket::bind(loop, *here, kReceiveBufferBytes);
    if (!socket) return socket.error();
    auto impl = std::make_unique<Impl>(loop, std::move(*socket), options);
    Impl* const self = impl.get();  // the socket calls nobody once it is destroyed, with Impl
    self->socket.read_loop([self](const discord::Received& received) { self->take(received); },
                           [self](std::uint32_t dropped) { self->counts.kernel_drops += dropped; });
    return std::unique_ptr<Forwarder>(new Forwarder(std::move(impl)));
}

Forwarder::Forwarder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Forwarder::~Forwarder() = default;

std::uint16_t Forwarder::port() const {
    return impl_->socket.local().port;
}

void Forwarder::add(std::uint32_t ssrc, const Room& room, UserId user, bool deaf) {
    auto member = std::make_unique<Member>();
    member->ssrc = ssrc;
    member->user = user;
    member->room = room;
    member->place = &impl_->rooms[room];
    member->deaf = deaf;
    member->uplink = &impl_->uplinks[user];
    impl_->set_line(*member);
    member->place->members.push_back(member.get());
    impl_->members[ssrc] = std::move(member);
}

void Forwarder::describe(std::uint32_t ssrc, discord::TransportMode mode,
                         std::span<const std::uint8_t, discord::kTransportKeyBytes> key) {
    Member* const member = impl_->find(ssrc);
    if (member == nullptr) return;
    member->transport.emplace(mode, key);
    impl_->later.at(Clock::now() + kProvenAfter, [impl = impl_.get(), ssrc] {
        if (Member* const described = impl->find(ssrc)) Impl::prove(*described);
    });
}

void Forwarder::announce(std::uint32_t ssrc) {
    Member* const member = impl_->find(ssrc);
    if (member == nullptr) return;
    member->announced = true;
    impl_->release(*member);
}

void Forwarder::remove(std::uint32_t ssrc) {
    const auto found = impl_->members.find(ssrc);
    if (found == impl_->members.end()) return;
    Member& member = *found->second;
    for (auto& [from, flow] : member.flows) {
        if (flow.trouble && flow.trouble->held_back) Impl::fail(*flow.counts, flow.trouble->held_back->view());
    }
    RoomState& place = *member.place;
    std::erase(place.hearers, &member);
    std::erase(place.members, &member);
    if (place.members.empty()) impl_->rooms.erase(Room(member.room));
    impl_->members.erase(found);
}

void Forwarder::set_deaf(std::uint32_t ssrc, bool deaf) {
    Member* const member = impl_->find(ssrc);
    if (member == nullptr) return;
    member->deaf = deaf;
    Impl::refresh(*member);
}

void Forwarder::spare_encrypted(std::uint32_t ssrc, bool spare) {
    if (Member* const member = impl_->find(ssrc)) member->spares_encrypted = spare;
}

void Forwarder::set_silent(std::uint32_t ssrc, bool silent) {
    if (Member* const member = impl_->find(ssrc)) member->silent = silent;
}

void Forwarder::set_forwarding(std::optional<UserId> receiver, const Forwarding& forwarding) {
    if (receiver) {
        impl_->for_one[*receiver] = forwarding;
    } else {
        impl_->for_all = forwarding;
    }
    for (auto& [ssrc, member] : impl_->members) impl_->set_line(*member);
}

void Forwarder::mute(std::uint32_t ssrc, bool muted) {
    if (Member* const member = impl_->find(ssrc)) member->muted = muted;
}

void Forwarder::mute_discovery(bool muted) {
    impl_->discovery_muted = muted;
}

bool Forwarder::send_datagram(std::uint32_t ssrc, std::span<const std::uint8_t> bytes) {
    const Member* const member = impl_->find(ssrc);
    return member != nullptr && member->address && impl_->socket.send_to(bytes, *member->address);
}

bool Forwarder::send_sealed(std::uint32_t ssrc, std::span<const std::uint8_t> clear,
                            std::span<const std::uint8_t> plaintext) {
    Member* const member = impl_->find(ssrc);
    if (member == nullptr || !member->address || !member->transport) return false;
    impl_->out.assign(clear.begin(), clear.end());
    return member->transport->seal(plaintext, impl_->out) && impl_->socket.send_to(impl_->out, *member->address);
}

std::map<std::uint32_t, Forwarded> Forwarder::forwarded(UserId receiver) const {
    const auto found = impl_->accounts.find(receiver);
    return found == impl_->accounts.end() ? std::map<std::uint32_t, Forwarded>{} : found->second;
}

Uplink Forwarder::uplink(UserId user) const {
    const auto found = impl_->uplinks.find(user);
    return found == impl_->uplinks.end() ? Uplink{} : found->second;
}

bool Forwarder::hears(std::uint32_t ssrc) const {
    const Member* const member = impl_->find(ssrc);
    return member != nullptr && member->hears();
}

const SocketCounts& Forwarder::socket() const {
    return impl_->counts;
}

}  // namespace lestapenna::sandbox
