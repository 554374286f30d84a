#include "recorder/capture.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <variant>

namespace lestapenna::recorder {

namespace {

// As an import says it (cli/import_capture.cpp): the loss of one segment must not make the others anonymous.
constexpr seconds kAgain{60};
// Voice keeps a packet for 10 s at most.
constexpr seconds kLongestWait{15};

journal::ClosedReason reason_of(discord::Closed why) {
    using journal::ClosedReason;
    switch (why) {
        case discord::Closed::no_user:
            return ClosedReason::no_user;
        case discord::Closed::no_key:
            return ClosedReason::no_key;
        case discord::Closed::forged:
            return ClosedReason::forged;
        case discord::Closed::plain:
            return ClosedReason::plain;
        case discord::Closed::overflow:
            return ClosedReason::overflow;
    }
    return ClosedReason::unknown;
}

}  // namespace

Capture::Capture(journal::Writer& writer, UserId self, Tell tell)
    : writer_(writer), self_(self), tell_(std::move(tell)), repeated_(BootClock::now()) {}

void Capture::go_on(const journal::Unfinished& journal, BootTime until) {
    present_ = journal.present;
    for (const auto& [ssrc, user] : journal.bound) {
        tally_.bind(ssrc, user);
        if (present_.contains(user)) bound_[ssrc] = user;
    }
    outage_ = {journal::GapReason::restart, until};
    cut_off_ = until;
    if (journal.paused) pauses_.push_back({BootTime::min()});
}

// Only want of memory throws here, and that ends the process.
// NOLINTNEXTLINE(bugprone-exception-escape)
void Capture::on_packet(const discord::VoicePacket& packet) noexcept {
    if (finished_) return;
    if (in_pause(packet.arrival)) {
        ++kept_out_;
        return;
    }
    const std::size_t bytes = packet.closed ? packet.sealed_bytes : packet.payload.size();
    if (bytes > journal::kMaxPayloadBytes) {
        ++oversized_;
        return;
    }
    last_arrival_ = std::max(last_arrival_, packet.arrival);
    journal::Packet record;
    record.ssrc = packet.header.ssrc;
    record.seq = packet.header.seq;
    record.rtp_timestamp = packet.header.timestamp;
    record.arrival = packet.arrival;
    record.parked = packet.parked;
    record.payload_size = static_cast<std::uint16_t>(bytes);
    std::optional<journal::ClosedReason> closed;
    if (packet.closed) {
        closed = record.closed = reason_of(*packet.closed);
        record.undecryptable = true;
    } else {
        record.payload = packet.payload;
        call_.hear(packet);
    }
    if (!writer_.append(record)) return;
    ++packets_;
    tally_.count(record.ssrc, record.seq, packet.arrival, closed);
}

bool Capture::in_pause(BootTime arrival) const {
    return std::ranges::any_of(pauses_, [&](const Pause& one) { return arrival >= one.from && arrival < one.to; });
}

// Only want of memory throws here, and that ends the process.
// NOLINTNEXTLINE(bugprone-exception-escape)
void Capture::on_event(const discord::VoiceEvent& event) noexcept {
    if (finished_) return;
    const BootTime now = BootClock::now();
    std::visit([&](const auto& what) { take(what, now); }, event);
    tell_(event);
}

void Capture::take(const discord::Connected& connected, BootTime now) {
    if (connected.resumed) {
        // The socket for media was there all the time: nothing was missed.
        outage_.since.reset();
        return;
    }
    close_gap(outage_, now);
    outage_.reason = journal::GapReason::outage;
}

void Capture::take(const discord::Disconnected& /*lost*/, BootTime now) {
    // While a resume is tried media goes on; whether it really did is known when that has succeeded or not.
    if (!outage_.since) outage_.since = now;
}

void Capture::take(const discord::Moved& /*moved*/, BootTime now) {
    if (!outage_.since) outage_.since = now;
}

void Capture::take(const discord::SsrcBound& bound, BootTime now) {
    if (bound.user == self_) return;
    auto& known = bound_[bound.ssrc];
    // Op 5 comes again each time somebody begins to speak.
    if (known == bound.user) return;
    known = bound.user;
    // Who has reconnected, or we, speaks with a new SSRC; the old one is over.
    std::erase_if(bound_, [&](const auto& other) { return other.second == bound.user && other.first != bound.ssrc; });
    tally_.bind(bound.ssrc, bound.user);
    append(journal::Binding{now, bound.ssrc, bound.user});
}

void Capture::take(const discord::UserDisconnected& left, BootTime /*now*/) {
    std::erase_if(bound_, [&](const auto& entry) { return entry.second == left.user; });
}

void Capture::take(const discord::KernelDropped& dropped, BootTime /*now*/) {
    if (is_paused()) return;  // nothing of it would have been stored
    const BootTime from = last_arrival_ == BootTime{} ? dropped.noticed : std::min(last_arrival_, dropped.noticed);
    append(journal::Gap{from, dropped.noticed, journal::GapReason::kernel_drop, dropped.datagrams});
}

void Capture::close_gap(Deafness& deafness, BootTime now) {
    if (!deafness.since) return;
    // What still came after the break was heard.
    const BootTime from = std::max(*deafness.since, last_arrival_);
    if (from < now && !is_paused()) append(journal::Gap{from, now, deafness.reason, 0});
    deafness.since.reset();
}

/// What is going on is said so far: after a kill it would else never have been.
void Capture::say_gaps_so_far(BootTime now) {
    for (Deafness* const going_on : {&server_deaf_, &outage_}) {
        if (!going_on->since) continue;
        close_gap(*going_on, now);
        going_on->since = now;
    }
}

Capture::Change Capture::set_present(std::set<UserId> users, BootTime now) {
    Change change;
    if (finished_) return change;
    users.erase(self_);
    std::ranges::set_difference(present_, users, std::inserter(change.left, change.left.end()));
    std::ranges::set_difference(users, present_, std::inserter(change.came, change.came.end()));
    for (const UserId user : change.left) append(journal::Leave{cut_off_.value_or(now), user});
    if (cut_off_) {
        std::erase_if(present_, [&](UserId user) { return change.left.contains(user); });
        std::erase_if(bound_, [&](const auto& entry) { return change.left.contains(entry.second); });
        cut_off_.reset();
        repeat(now);
    }
    for (const UserId user : change.came) append(journal::Join{now, user});
    present_ = std::move(users);
    return change;
}

bool Capture::set_deaf(bool deaf, BootTime now) {
    if (finished_ || deaf == is_deaf()) return false;
    if (deaf) {
        server_deaf_.since = now;
    } else {
        close_gap(server_deaf_, now);
    }
    return true;
}

bool Capture::pause(BootTime now) {
    if (finished_ || is_paused()) return false;
    // A deafness in a pause is no gap: nothing was to be heard.
    say_gaps_so_far(now);
    append(journal::Pause{now});
    std::erase_if(pauses_, [&](const Pause& one) { return one.to < now - kLongestWait; });
    pauses_.push_back({now});
    return true;
}

bool Capture::resume(BootTime now) {
    if (finished_ || !is_paused()) return false;
    pauses_.back().to = now;
    append(journal::Resume{now});
    tally_.part(now);
    for (Deafness* const going_on : {&server_deaf_, &outage_}) {
        if (going_on->since) going_on->since = now;
    }
    return true;
}

bool Capture::note(UserId user, std::string_view text, BootTime now) {
    if (finished_ || text.size() > journal::kMaxMarkerBytes) return false;
    return writer_.append(journal::Marker{now, user, text});
}

void Capture::tick(BootTime now, UnixTime wall) {
    if (finished_) return;
    append(journal::Clock{now, wall});
    if (now - repeated_ < kAgain) return;
    repeated_ = now;
    repeat(now);
}

void Capture::repeat(BootTime now) {
    // Who is there and is said to join again goes on with the same connection (timeline/builder.cpp).
    for (const UserId user : present_) append(journal::Join{now, user});
    for (const auto& [ssrc, user] : bound_) append(journal::Binding{now, ssrc, user});
    say_gaps_so_far(now);
}

void Capture::finish(BootTime now) {
    if (finished_) return;
    close_gap(server_deaf_, now);
    close_gap(outage_, now);
    finished_ = true;
}

}  // namespace lestapenna::recorder
