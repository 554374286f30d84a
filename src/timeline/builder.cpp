// From records to connections: who was there when, which packets are whose, and the ledger.
#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <span>
#include <tuple>

#include "audio/opus.h"
#include "journal/owner.h"
#include "timeline/placement.h"
#include "timeline/source.h"
#include "timeline/timeline.h"

namespace lestapenna::timeline {

namespace {

constexpr std::uint16_t kUsualDuration = 960;  ///< 20 ms, for a payload that is no Opus packet
// Packets that were under way when their sender left still arrive; one that comes later belongs to the next connection.
constexpr SessionTime::duration kStillUnderWay = seconds{2};
constexpr std::int64_t kSamplesPerMinute = 60 * kSampleRate;

/// From join to leave.
struct Presence {
    SessionTime join;
    std::optional<SessionTime> leave;
};

SessionTime arrival_of(const Arrived& packet) {
    return to_session_time(SamplePos{Samples{packet.packet.arrival}});
}

struct Ssrc {
    std::vector<Arrived> packets;
    journal::Owner owner;

    [[nodiscard]] UserId owner_of(const Arrived& packet) const {
        const Observation& o = packet.packet;
        return owner.of(arrival_of(packet), o.known, o.parked, o.undecryptable);
    }

    /// In the order of arrival, whatever had to wait. What was journaled too late for any window that it could touch
    /// stays where it was journaled: it must not change what was made before.
    void put_in_order() {
        const auto place = [](const Arrived& one) {
            const SessionTime arrival = arrival_of(one);
            return one.packet.known < arrival + kClosingDelay ? arrival : one.packet.known;
        };
        if (!std::ranges::is_sorted(packets, {}, place)) std::ranges::stable_sort(packets, {}, place);
    }
};

/// The packets of one SSRC that belong to one connection.
struct Share {
    std::uint32_t ssrc = 0;
    std::vector<Arrived> packets;
};

}  // namespace

struct Builder::Impl {
    std::int64_t rotation = 0;
    std::int64_t earliest = 0;
    std::map<std::uint32_t, Ssrc> ssrcs;
    std::map<UserId, std::vector<Presence>> presences;
    std::map<std::pair<UserId, std::int64_t>, Counts> ledger;
    std::optional<SessionTime> paused;
    Timeline out;

    Counts& row(UserId user, std::int64_t position) {
        const std::int64_t minute = std::max<std::int64_t>(0, position) / kSamplesPerMinute;
        return ledger[{user, minute}];
    }

    void add_packet(const journal::Packet& packet, SessionTime time, journal::PayloadRef payload) {
        auto& packets = ssrcs[packet.ssrc].packets;
        Arrived arrived;
        arrived.seq = packet.seq;
        arrived.timestamp = packet.rtp_timestamp;
        Observation& o = arrived.packet;
        o.arrival = floor_samples(time).time_since_epoch().count();
        o.known = out.known_until;
        o.payload = payload;
        o.parked = packet.parked;
        o.undecryptable = packet.undecryptable;
        o.closed = packet.closed;
        o.silence = audio::is_silence_frame(packet.payload);
        const auto usual = packets.empty() ? kUsualDuration : packets.back().packet.duration;
        const auto duration = audio::opus_duration(packet.payload);
        o.duration = duration ? static_cast<std::uint16_t>(duration->count()) : usual;
        packets.push_back(arrived);
    }

    void add_event(const journal::Packet&, SessionTime) {}
    void add_event(const journal::Clock&, SessionTime) {}
    void add_event(const journal::Join& join, SessionTime at) {
        auto& list = presences[join.user];
        // Who is still there when the recorder comes back is journaled as a join again: the same connection.
        if (list.empty() || list.back().leave) list.push_back({at, std::nullopt});
    }
    void add_event(const journal::Leave& leave, SessionTime at) {
        auto& list = presences[leave.user];
        if (!list.empty() && !list.back().leave) list.back().leave = at;
    }
    void add_event(const journal::Binding& binding, SessionTime at) {
        ssrcs[binding.ssrc].owner.bind(binding.user, at);
    }
    void add_event(const journal::Pause&, SessionTime at) {
        if (!paused) paused = at;
    }
    void add_event(const journal::Resume&, SessionTime at) {
        if (paused) out.pauses.emplace_back(*paused, at);
        paused.reset();
    }
    void add_event(const journal::Gap& gap, SessionTime at) {
        out.outages.push_back({at - (gap.to - gap.from), at, gap.reason, gap.packets});
    }
    void add_event(const journal::Marker& marker, SessionTime at) {
        out.notes.push_back({at, marker.user, std::string(marker.text)});
    }
    void add_event(const journal::End&, SessionTime) { out.ended = true; }

    void count_placed(Stream& stream, UserId user, const Source& source, const Placement& placement) {
        Counts totals;
        std::int64_t missing = 0;
        std::int64_t placed_before = -1;  // index of the last packet that was placed
        for (std::size_t i = 0; i < source.packets.size(); ++i) {
            const Observation& packet = source.packets[i];
            Counts here;
            here.received = 1;
            here.late = placement.fates[i] == Fate::late;
            here.runaway = placement.fates[i] == Fate::runaway;
            here.parked = packet.parked;
            here.undecryptable = packet.undecryptable;
            if (packet.undecryptable) here.closed[static_cast<std::size_t>(packet.closed)] = 1;
            if (i > 0) here.lost = static_cast<std::uint64_t>(packet.seq - source.packets[i - 1].seq - 1);
            missing += static_cast<std::int64_t>(here.lost);
            if (placement.fates[i] != Fate::placed) {
                ++missing;
            } else {
                if (placed_before >= 0) {
                    here.concealed = static_cast<std::uint64_t>(std::min<std::int64_t>(missing, kMaxConcealedPackets));
                }
                placed_before = static_cast<std::int64_t>(i);
                missing = 0;
            }
            row(user, placement.positions[i]) += here;
            totals += here;
        }
        const std::int64_t last = placement.positions.back();
        Counts whole;
        whole.duplicate = source.duplicates;
        whole.stray = source.strays;
        whole.unplaceable_runs = placement.unplaceable_runs;
        row(user, last) += whole;
        totals += whole;
        stream.counts = totals;
    }

    /// Up to the next pause, those packets; `packets` loses them. What was not stored in a pause is no loss, and its
    /// sender's counters may have gone round meanwhile.
    [[nodiscard]] std::span<const Arrived> cut_at_pause(std::span<const Arrived>& packets) const {
        const std::int64_t first = packets.front().packet.arrival;
        const auto begun = [first](SessionTime pause) {
            return floor_samples(pause).time_since_epoch().count() >= first;
        };
        const auto next = std::ranges::find_if(out.pauses, begun, [](const auto& pause) { return pause.first; });
        std::optional<SessionTime> pause;
        if (next != out.pauses.end()) {
            pause = next->first;
        } else if (paused && begun(*paused)) {
            pause = *paused;
        }
        auto end = packets.end();
        if (pause) {
            const std::int64_t from = floor_samples(*pause).time_since_epoch().count();
            end = std::ranges::find_if(packets, [from](const Arrived& one) { return one.packet.arrival > from; });
        }
        const std::span take(packets.begin(), end);
        packets = {end, packets.end()};
        return take;
    }

    Connection build(UserId user, const Presence* presence, const std::vector<Share>& shares, std::int64_t free_from) {
        Connection connection;
        connection.user = user;
        std::optional<SessionTime> opened;
        if (presence) opened = presence->join;
        for (const Share& share : shares) {
            const SessionTime first = arrival_of(share.packets.front());
            opened = opened ? std::min(*opened, first) : first;
        }
        connection.opened = floor_samples(opened.value_or(SessionTime{}));
        const Windows windows{connection.opened.time_since_epoch().count(), rotation};

        SamplePos start = presence ? floor_samples(presence->join) : SamplePos::max();
        SamplePos end = SamplePos{Samples{free_from}};
        for (const Share& share : shares) {
            std::int64_t source_free = free_from;
            std::vector<Source> sources;
            for (std::span<const Arrived> left = share.packets; !left.empty();)
                std::ranges::move(split_sources(cut_at_pause(left)), std::back_inserter(sources));
            for (const Source& source : sources) {
                Placement placement = place(source.packets, windows, source_free);
                Stream stream;
                stream.ssrc = share.ssrc;
                count_placed(stream, user, source, placement);
                stream.packets = std::move(placement.packets);
                if (!stream.packets.empty()) {
                    start = std::min(start, stream.packets.front().at);
                    end = std::max(end, stream.packets.back().end());
                    source_free = stream.packets.back().end().time_since_epoch().count();
                }
                connection.streams.push_back(std::move(stream));
            }
        }
        if (start == SamplePos::max()) start = connection.opened;
        if (presence) {
            connection.left = presence->leave.has_value() || out.ended;
            end = std::max(end, floor_samples(presence->leave.value_or(out.known_until)));
        } else {
            connection.left = out.ended;
        }
        start = std::max(start, SamplePos{Samples{free_from}});
        connection.start = std::chrono::time_point_cast<Samples>(floor_ms(start));
        connection.end = std::max(end, connection.start);
        return connection;
    }

    /// Files are named by user and time: two SSRCs of one user whose windows begin in the same milliseconds are one
    /// connection. `first`: where this user's connections begin.
    void keep_apart(Connection&& connection, std::size_t first) {
        for (std::size_t i = first; i < out.connections.size(); ++i) {
            const Connection& other = out.connections[i];
            const bool together = connection.start < other.end && other.start < connection.end;
            if (connection.start != other.start &&
                (!together || (connection.start - other.start).count() % rotation != 0))
                continue;
            Connection both = std::move(out.connections[i]);
            out.connections.erase(out.connections.begin() + static_cast<std::ptrdiff_t>(i));
            both.opened = std::min(both.opened, connection.opened);
            both.start = std::min(both.start, connection.start);
            both.end = std::max(both.end, connection.end);
            std::ranges::move(connection.streams, std::back_inserter(both.streams));
            return keep_apart(std::move(both), first);  // longer now, it may meet a third
        }
        out.connections.push_back(std::move(connection));
    }

    /// Which of a user's presences a packet belongs to.
    static std::size_t presence_of(const std::vector<Presence>& list, SessionTime arrival) {
        std::size_t at = 0;
        const auto over = [&](std::size_t i) {
            return list[i].leave && (arrival > *list[i].leave + kStillUnderWay || arrival >= list[i + 1].join);
        };
        while (at + 1 < list.size() && over(at)) ++at;
        return at;
    }

    void build_user(UserId user, std::vector<Share> shares) {
        const auto found = presences.find(user);
        if (found == presences.end() || found->second.empty()) {
            // Nobody told us about joins (an import): one connection per SSRC.
            const std::size_t first = out.connections.size();
            for (Share& share : shares) {
                std::vector<Share> one;
                one.push_back(std::move(share));
                keep_apart(build(user, nullptr, one, earliest), first);
            }
            return;
        }
        const auto& list = found->second;
        std::vector<std::vector<Share>> by_presence(list.size());
        for (Share& share : shares) {
            for (Arrived& packet : share.packets) {
                auto& here = by_presence[presence_of(list, arrival_of(packet))];
                if (here.empty() || here.back().ssrc != share.ssrc) here.push_back({share.ssrc, {}});
                here.back().packets.push_back(packet);
            }
        }
        std::int64_t free_from = earliest;
        for (std::size_t i = 0; i < list.size(); ++i) {
            out.connections.push_back(build(user, &list[i], by_presence[i], free_from));
            free_from = out.connections.back().end.time_since_epoch().count();
        }
    }

    Timeline finish() {
        std::map<UserId, std::vector<Share>> by_user;
        for (const auto& [user, list] : presences) by_user[user];
        for (auto& [ssrc, source] : ssrcs) {
            source.put_in_order();
            std::map<UserId, Share> split;
            for (const Arrived& packet : source.packets) {
                Share& share = split[source.owner_of(packet)];
                share.ssrc = ssrc;
                share.packets.push_back(packet);
            }
            source.packets = {};
            for (auto& [user, share] : split) by_user[user].push_back(std::move(share));
        }
        for (auto& [user, shares] : by_user) build_user(user, std::move(shares));
        if (paused) out.pauses.emplace_back(*paused, out.known_until);
        for (const auto& [key, counts] : ledger) out.ledger.push_back({key.first, key.second, counts});
        std::sort(out.connections.begin(), out.connections.end(), [](const Connection& a, const Connection& b) {
            return std::tie(a.start, a.user) < std::tie(b.start, b.user);
        });
        return std::move(out);
    }
};

Builder::Builder(milliseconds rotation, SamplePos earliest) : impl_(std::make_unique<Impl>()) {
    impl_->rotation = std::chrono::duration_cast<Samples>(rotation).count();
    impl_->earliest = earliest.time_since_epoch().count();
}
Builder::Builder(Builder&&) noexcept = default;
Builder& Builder::operator=(Builder&&) noexcept = default;
Builder::~Builder() = default;

void Builder::add(const journal::Record& record, SessionTime time, journal::PayloadRef payload) {
    impl_->out.known_until = std::max(impl_->out.known_until, time);
    if (const auto* packet = std::get_if<journal::Packet>(&record)) {
        impl_->add_packet(*packet, time, payload);
    } else {
        std::visit([&](const auto& event) { impl_->add_event(event, time); }, record);
    }
}

Timeline Builder::finish() {
    return impl_->finish();
}

}  // namespace lestapenna::timeline
