#include "discord/voice_frames.h"

#include <algorithm>
#include <utility>

#include "dave/frame.h"

namespace lestapenna::discord {
namespace {

constexpr std::size_t kMostSourcesNamed = 10'000;  // a server that names more is not one
constexpr int kMostSearches = 16;                  // a tick: each costs an AES-GCM for each member

/// Why a frame stays closed that may open later; nothing: it will not.
std::optional<Closed> waits_for(dave::Opening what, bool has_user) {
    if (what == dave::Opening::no_key) return has_user ? Closed::no_key : Closed::no_user;
    if (what == dave::Opening::forged) return Closed::forged;
    return std::nullopt;
}

}  // namespace

VoiceFrames::VoiceFrames(UserId self, const VoiceOptions& options, Listener& to, VoiceCounts& counts)
    : self_(self), listener_(&to), counts_(&counts), parking_(options.most_parked) {}

// ---- whose a source is

VoiceFrames::Source* VoiceFrames::find(std::uint32_t ssrc) {
    const auto found = sources_.find(ssrc);
    return found == sources_.end() ? nullptr : &found->second;
}

VoiceFrames::Source* VoiceFrames::find_or_add(std::uint32_t ssrc, UserId user) {
    Source* const known = find(ssrc);
    if (known == nullptr && sources_.size() >= kMostSourcesNamed) return nullptr;
    Source& source = known != nullptr ? *known : sources_[ssrc];
    if (std::exchange(source.user, user) != user) source.proven = false;
    return &source;
}

void VoiceFrames::announce(std::uint32_t ssrc, UserId user) {
    const auto held = shared_from_this();
    const bool sealed = sealed_until_ != BootTime::min();
    if (const Source* const known = find(ssrc); known != nullptr && known->proven && sealed) return;
    Source* const source = find_or_add(ssrc, user);
    if (source == nullptr) return;
    if (!sealed) return say(ssrc, *source, user);
    retry(ssrc);
}

void VoiceFrames::forget(UserId user) {
    std::erase_if(sources_, [user](const auto& entry) { return entry.second.user == user; });
}

/// May end it all: the listener's business.
void VoiceFrames::say(std::uint32_t ssrc, Source& source, UserId user) {
    if (source.said == user || closed_) return;
    if (source.said) source.said_at = BootClock::now();
    source.said = user;
    listener_->on_event(SsrcBound{ssrc, user});
}

void VoiceFrames::say_all() {
    std::vector<std::uint32_t> all;
    all.reserve(sources_.size());
    for (const auto& [ssrc, source] : sources_) all.push_back(ssrc);
    for (const std::uint32_t ssrc : all) {
        if (Source* const source = find(ssrc)) say(ssrc, *source, source->user);
    }
}

// ---- what the group says

void VoiceFrames::expect_sealed() {
    sealed_until_ = BootTime::max();
}

void VoiceFrames::expect_clear(BootTime now) {
    if (sealed_until_ == BootTime::max()) sealed_until_ = now + dave::kOverlap;
}

void VoiceFrames::pass_clear_until(BootTime until) {
    clear_until_ = until;
    receiver_.pass_clear_until(until);
}

void VoiceFrames::begin_epoch(std::vector<dave::BaseSecret> keys, BootTime now) {
    const auto held = shared_from_this();
    receiver_.begin_epoch(std::move(keys), now);
    forgive();
    for (std::size_t n = 0; n < parking_.sources() && !closed_; ++n) {
        if (const auto ssrc = parking_.source(n)) retry(*ssrc);
    }
}

// ---- from the socket

void VoiceFrames::on_event(const VoiceEvent& event) noexcept {
    listener_->on_event(event);
}

// Only want of memory throws here, and that ends the process.
// NOLINTNEXTLINE(bugprone-exception-escape)
void VoiceFrames::on_packet(const VoicePacket& packet) noexcept {
    if (packet.arrival > sealed_until_) return listener_->on_packet(packet);
    take(packet);
}

dave::Opened VoiceFrames::open(const Source* source, std::span<const std::uint8_t> frame, BootTime arrival) {
    if (source != nullptr) return receiver_.open(source->user, frame, arrival);
    if (dave::is_silence(frame)) return {dave::Opening::clear, frame};
    if (dave::parse_frame(frame)) return {dave::Opening::no_key, {}};
    return {arrival < clear_until_ ? dave::Opening::clear : dave::Opening::plain, frame};
}

// The listener may close us: nothing is touched after it was called.
void VoiceFrames::take(const VoicePacket& packet) {
    Source* const source = find(packet.header.ssrc);
    const dave::Opened opened = open(source, packet.payload, packet.arrival);
    const VoicePacket open_packet{packet.header, packet.arrival, opened.payload};
    const auto closed = [&](Closed why) {
        hand_on_closed(packet.header, packet.arrival, packet.payload.size(), why, false);
    };
    switch (opened.what) {
        case dave::Opening::opened:
            return hand_on_opened(source, open_packet);
        case dave::Opening::clear:
            return hand_on_clear(source, open_packet);
        case dave::Opening::no_key:
        case dave::Opening::forged:
            return wait_for_key(source, packet, *waits_for(opened.what, source != nullptr));
        case dave::Opening::replayed:
            ++counts_->replayed;
            return;
        case dave::Opening::plain:
            return closed(Closed::plain);
        case dave::Opening::too_large:
            return closed(Closed::forged);
    }
}

void VoiceFrames::hand_on_opened(Source* source, const VoicePacket& packet) {
    source->proven = true;
    source->failed = source->unheard = 0;
    source->opened = std::max(source->opened, packet.arrival);
    if (source->said != source->user) {
        const auto held = shared_from_this();
        say(packet.header.ssrc, *source, source->user);
        if (closed_) return;
        source = find(packet.header.ssrc);
    }
    // A journal gives a packet to whom its source was bound when it arrived, or, had it to wait, when it was opened.
    VoicePacket opened = packet;
    opened.parked = packet.parked || (source != nullptr && packet.arrival < source->said_at);
    listener_->on_packet(opened);
}

/// A silence frame proves nothing: of a source that is nobody's yet it would make a person who never spoke.
void VoiceFrames::hand_on_clear(Source* source, const VoicePacket& packet) {
    if (packet.arrival >= clear_until_) {
        if (source == nullptr || !source->said) return;
    } else if (source != nullptr && source->said != source->user) {
        const auto held = shared_from_this();
        say(packet.header.ssrc, *source, source->user);
        if (closed_) return;
    }
    listener_->on_packet(packet);
}

void VoiceFrames::hand_on_closed(const rtp::Header& header, BootTime arrival, std::size_t bytes, Closed why,
                                 bool parked) {
    ++counts_->closed[static_cast<std::size_t>(why)];
    Source* const source = find(header.ssrc);
    if (source != nullptr && !source->said) {
        const auto held = shared_from_this();
        say(header.ssrc, *source, source->user);
        if (closed_) return;
    }
    VoicePacket packet{header, arrival, {}};
    packet.parked = parked;
    packet.closed = why;
    packet.sealed_bytes = static_cast<std::uint16_t>(bytes);
    listener_->on_packet(packet);
}

void VoiceFrames::wait_for_key(Source* source, const VoicePacket& packet, Closed why) {
    if (source != nullptr && source->failed++ == 0) source->failing_since = packet.arrival;
    if (source != nullptr && source->unheard++ == 0) source->unheard_since = packet.arrival;
    if (!parking_.park(packet.header, packet.arrival, packet.payload, why)) {
        return hand_on_closed(packet.header, packet.arrival, packet.payload.size(), Closed::overflow, false);
    }
    ++counts_->parked;
}

// ---- what is parked. The listener may close us, or drain() us, in between.

void VoiceFrames::retry(std::uint32_t ssrc) {
    for (std::size_t left = parking_.size(ssrc); left > 0 && !closed_; --left) {
        const auto place = parking_.take(ssrc);
        if (!place) return;
        try_again(*place);
    }
}

void VoiceFrames::try_again(Parking::Place place) {
    ParkedFrame& frame = parking_.at(place);
    Source* const source = find(frame.header.ssrc);
    const dave::Opened opened = open(source, frame.bytes, frame.arrival);
    if (const auto why = waits_for(opened.what, source != nullptr)) {
        frame.why = *why;
        return parking_.put_back(place);
    }
    VoicePacket packet{frame.header, frame.arrival, opened.payload};
    packet.parked = true;
    const std::size_t bytes = frame.bytes.size();
    parking_.free(place);
    if (opened.what == dave::Opening::opened) return hand_on_opened(source, packet);
    if (opened.what == dave::Opening::replayed) {
        ++counts_->replayed;
    } else {
        hand_on_closed(packet.header, packet.arrival, bytes, Closed::forged, true);
    }
}

void VoiceFrames::expire(std::uint32_t ssrc, BootTime before) {
    while (!closed_) {
        const ParkedFrame* const oldest = parking_.oldest(ssrc);
        if (oldest == nullptr || oldest->arrival > before) return;
        const Parking::Place place = *parking_.take(ssrc);
        const ParkedFrame& frame = parking_.at(place);
        const rtp::Header header = frame.header;
        const BootTime arrival = frame.arrival;
        const std::size_t bytes = frame.bytes.size();
        const Closed why = frame.why;
        parking_.free(place);
        hand_on_closed(header, arrival, bytes, why, true);
    }
}

/// By trying everybody's key: at the newest, because the oldest may be of an epoch before ours, and at the oldest.
std::optional<UserId> VoiceFrames::sender_of(std::uint32_t ssrc) {
    for (const ParkedFrame* const frame : {parking_.newest(ssrc), parking_.oldest(ssrc)}) {
        const auto user = receiver_.who_sent(frame->bytes, frame->arrival);
        if (user && *user != self_) return user;
    }
    return std::nullopt;
}

void VoiceFrames::tick(BootTime now) {
    const auto held = shared_from_this();
    receiver_.expire(now);
    int searches = 0;
    for (std::size_t n = 0; n < parking_.sources() && !closed_; ++n) {
        const auto ssrc = parking_.source(n);
        if (!ssrc) continue;
        const Source* const known = find(*ssrc);
        const bool wanted =
            (known == nullptr || !known->proven) && parking_.oldest(*ssrc)->arrival + kUnannounced <= now;
        if (wanted && searches++ < kMostSearches) {
            const auto user = sender_of(*ssrc);
            if (user && find_or_add(*ssrc, *user) != nullptr) retry(*ssrc);
        }
        expire(*ssrc, now - kParkedFor);
    }
    if (closed_ || sealed_until_ == BootTime::min() || now <= sealed_until_) return;
    sealed_until_ = BootTime::min();  // a clear call again
    say_all();
}

void VoiceFrames::drain() {
    const auto held = shared_from_this();
    for (std::size_t n = 0; n < parking_.sources() && !closed_; ++n) {
        if (const auto ssrc = parking_.source(n)) expire(*ssrc, BootTime::max());
    }
}

// ---- what does not open

std::optional<VoiceFrames::Failing> VoiceFrames::failing(BootTime now) const {
    std::map<UserId, BootTime> since;
    for (const auto& [ssrc, source] : sources_) {
        const bool may_be_anothers = !source.proven && now - source.failing_since < kUnproven;
        if (source.failed > kMostClosed && !may_be_anothers) since.emplace(source.user, source.failing_since);
    }
    if (since.empty()) return std::nullopt;
    Failing found{.user = since.begin()->first, .since = since.begin()->second, .users = since.size()};
    for (const auto& [ssrc, source] : sources_) {
        BootTime& opened = since.contains(source.user) ? found.opened : found.others_opened;
        opened = std::max(opened, source.opened);
    }
    return found;
}

std::vector<VoiceFrames::Unheard> VoiceFrames::unheard(BootTime now, nanoseconds lasting) const {
    std::vector<Unheard> found;
    for (const auto& [ssrc, source] : sources_) {
        if (source.unheard > kMostClosed && now - source.unheard_since > lasting) {
            found.push_back({source.user, source.opened});
        }
    }
    return found;
}

void VoiceFrames::forgive() {
    for (auto& [ssrc, source] : sources_) source.failed = 0;
}

}  // namespace lestapenna::discord
