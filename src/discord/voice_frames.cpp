#include "discord/voice_frames.h"

#include <algorithm>
#include <utility>

#include "dave/frame.h"

namespace lestapenna::discord {
namespace {

constexpr std::size_t kMostSourcesNamed = 10'000;  // a server that names more is not one
constexpr std::ptrdiff_t kMostFound = 256;         // sources that nobody announced; a channel has 99 people
constexpr int kMostSearches = 16;                  // a tick: each costs an AES-GCM for each member

/// Why a frame stays closed that may open later; nothing: it will not.
std::optional<Closed> waits_for(dave::Opening what, bool announced) {
    if (what != dave::Opening::no_key && what != dave::Opening::forged) return std::nullopt;
    if (!announced) return Closed::no_user;
    return what == dave::Opening::no_key ? Closed::no_key : Closed::forged;
}

}  // namespace

VoiceFrames::VoiceFrames(UserId self, const VoiceOptions& options, Listener& to, VoiceCounts& counts)
    : self_(self), listener_(&to), counts_(&counts), parking_(options.most_parked) {}

// ---- whose a source is

VoiceFrames::Source* VoiceFrames::find(std::uint32_t ssrc) {
    const auto found = sources_.find(ssrc);
    return found == sources_.end() ? nullptr : &found->second;
}

void VoiceFrames::announce(std::uint32_t ssrc, UserId user) {
    const auto held = shared_from_this();
    Source* const known = find(ssrc);
    if (known == nullptr && sources_.size() >= kMostSourcesNamed) return;
    if (known != nullptr) known->left.reset();
    if (known != nullptr && known->announced && known->user == user) return;  // it begins to speak
    Source& source = sources_[ssrc];
    if (source.user != user) source.begin_anew(user);
    source.announced = true;
    const bool clear_call = sealed_until_ == BootTime::min();
    if (clear_call || source.opened != BootTime::min()) {
        if (!say(ssrc, source)) return;
    }
    retry(ssrc);
}

void VoiceFrames::forget(UserId user) {
    const bool clear_call = sealed_until_ == BootTime::min();
    if (clear_call) std::erase_if(sources_, [user](const auto& entry) { return entry.second.user == user; });
    for (auto& [ssrc, source] : sources_) {
        if (source.user != user) continue;
        source.left = BootClock::now();
        source.failed = source.unheard = 0;
    }
}

bool VoiceFrames::say(std::uint32_t ssrc, Source& source) {
    if (source.unsaid() && !closed_) {
        if (source.said) source.said_at = BootClock::now();
        source.said = source.user;
        listener_->on_event(SsrcBound{ssrc, source.user});
    }
    return !closed_;
}

void VoiceFrames::say_all() {
    std::vector<std::uint32_t> all;
    all.reserve(sources_.size());
    for (const auto& [ssrc, source] : sources_) all.push_back(ssrc);
    for (const std::uint32_t ssrc : all) {
        Source* const source = find(ssrc);
        if (source != nullptr && !say(ssrc, *source)) return;
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

dave::Opened VoiceFrames::open(const Source* source, std::uint32_t ssrc, std::span<const std::uint8_t> frame,
                               BootTime arrival) {
    if (source != nullptr) return receiver_.open(source->user, ssrc, frame, arrival);
    if (dave::is_silence(frame)) return {dave::Opening::clear, frame};
    if (dave::parse_frame(frame)) return {dave::Opening::no_key, {}};
    return {arrival < clear_until_ ? dave::Opening::clear : dave::Opening::plain, frame};
}

// The listener may close us: nothing is touched after it was called.
void VoiceFrames::take(const VoicePacket& packet) {
    Source* const source = find(packet.header.ssrc);
    const dave::Opened opened = open(source, packet.header.ssrc, packet.payload, packet.arrival);
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
            return wait_for_key(source, packet, *waits_for(opened.what, is_announced(source)));
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
    source->failed = source->unheard = 0;
    source->opened = std::max(source->opened, packet.arrival);
    if (source->unsaid()) {
        const auto held = shared_from_this();
        if (!say(packet.header.ssrc, *source)) return;
        source = find(packet.header.ssrc);
    }
    // A journal gives a packet to whom its source was bound when it arrived, or, had it to wait, when it was opened.
    VoicePacket opened = packet;
    opened.parked = packet.parked || (source != nullptr && packet.arrival < source->said_at);
    listener_->on_packet(opened);
}

/// A silence frame proves nothing: of a source of which nothing has opened it would make a person who never spoke.
void VoiceFrames::hand_on_clear(Source* source, const VoicePacket& packet) {
    if (packet.arrival >= clear_until_) {
        if (source == nullptr || source->unsaid()) return;
    } else if (source != nullptr && source->unsaid()) {
        const auto held = shared_from_this();
        if (!say(packet.header.ssrc, *source)) return;
    }
    listener_->on_packet(packet);
}

void VoiceFrames::hand_on_closed(const rtp::Header& header, BootTime arrival, std::size_t bytes, Closed why,
                                 bool parked) {
    ++counts_->closed[static_cast<std::size_t>(why)];
    Source* const source = find(header.ssrc);
    if (source != nullptr && source->unsaid()) {
        const auto held = shared_from_this();
        if (!say(header.ssrc, *source)) return;
    }
    VoicePacket packet{header, arrival, {}};
    packet.parked = parked;
    packet.closed = why;
    packet.sealed_bytes = static_cast<std::uint16_t>(bytes);
    listener_->on_packet(packet);
}

void VoiceFrames::wait_for_key(Source* source, const VoicePacket& packet, Closed why) {
    if (is_announced(source) && !source->left) {
        if (source->failed++ == 0) source->failing_since = packet.arrival;
        if (source->unheard++ == 0) source->unheard_since = packet.arrival;
    }
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
    const dave::Opened opened = open(source, frame.header.ssrc, frame.bytes, frame.arrival);
    if (const auto why = waits_for(opened.what, is_announced(source))) {
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

/// By trying everybody's: at the newest, because the oldest may be of an epoch before ours, and at the oldest.
void VoiceFrames::find_key(std::uint32_t ssrc) {
    for (const ParkedFrame* const frame : {parking_.newest(ssrc), parking_.oldest(ssrc)}) {
        const auto user = receiver_.whose_key_opens(frame->bytes, frame->arrival);
        if (!user || *user == self_) continue;
        if (find(ssrc) == nullptr) make_room_for_found();
        Source& source = sources_[ssrc];
        if (source.user != *user) source.begin_anew(*user);
        return retry(ssrc);
    }
}

/// Whoever sends by ever new SSRCs takes no room from those that are announced: the one silent for longest goes.
void VoiceFrames::make_room_for_found() {
    const auto is_found = [](const auto& entry) { return !entry.second.announced; };
    if (std::count_if(sources_.begin(), sources_.end(), is_found) < kMostFound) return;
    sources_.erase(std::min_element(sources_.begin(), sources_.end(), [](const auto& a, const auto& b) {
        return std::pair(a.second.announced, a.second.opened) < std::pair(b.second.announced, b.second.opened);
    }));
}

void VoiceFrames::tick(BootTime now) {
    const auto held = shared_from_this();
    receiver_.expire(now - kParkedFor);  // what is parked is judged by its arrival
    int searches = 0;
    for (std::size_t n = 0; n < parking_.sources() && !closed_; ++n) {
        const auto ssrc = parking_.source(n);
        if (!ssrc) continue;
        const bool wanted = !is_announced(find(*ssrc)) && parking_.oldest(*ssrc)->arrival + kUnannounced <= now;
        if (wanted && searches++ < kMostSearches) find_key(*ssrc);
        expire(*ssrc, now - kParkedFor);
    }
    std::erase_if(sources_,
                  [now](const auto& entry) { return entry.second.left && *entry.second.left + kParkedFor < now; });
    if (closed_ || sealed_until_ == BootTime::min() || now <= sealed_until_) return;
    sealed_until_ = BootTime::min();  // a clear call again
    say_all();
}

void VoiceFrames::drain() {
    const auto held = shared_from_this();
    for (std::size_t n = 0; n < parking_.sources() && !closed_; ++n) {
        const auto ssrc = parking_.source(n);
        if (!ssrc) continue;
        if (!is_announced(find(*ssrc))) find_key(*ssrc);  // it is now or never
        expire(*ssrc, BootTime::max());
    }
}

// ---- what does not open

std::optional<VoiceFrames::Failing> VoiceFrames::failing(BootTime now) const {
    std::map<UserId, BootTime> since;
    for (const auto& [ssrc, source] : sources_) {
        const bool key_may_come = source.opened == BootTime::min() && now - source.failing_since < kUnproven;
        if (source.failed > kMostClosed && !key_may_come) since.emplace(source.user, source.failing_since);
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
