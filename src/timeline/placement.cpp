#include "timeline/placement.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <optional>

namespace lestapenna::timeline {

namespace {

constexpr std::int64_t ms(std::int64_t n) {
    return n * kSamplesPerMs;
}

// A packet that comes this much later than its timestamp says may be the first after a pause of a frozen clock.
constexpr std::int64_t kArrivalStep = ms(60);
// How much the envelope must stay up to be a pause: above the jitter that is left in the minimum of a few packets.
constexpr std::int64_t kSpanStep = ms(40);
// No stall ends with packets this much earlier than a settled envelope: the sender's clock was set.
constexpr std::int64_t kClockSet = ms(500);
// A settled envelope has this many packets near it; a burst after a stall has three (its delays fall by 20 ms a
// packet).
constexpr std::int64_t kNear = ms(60);
constexpr int kSettledPackets = 10;
// How far the envelope looks. 200 ppm, the worst sender clock, drift 3 ms in 15 s.
constexpr std::int64_t kLookAround = ms(15'000);
constexpr std::int64_t kLookAhead = ms(30'000);
// A run is slid only when it is off by more than this, and then by one sample per packet: 0.1 %, 1.8 cents for a second
// or two.
constexpr std::int64_t kSlideFrom = ms(2);
constexpr std::size_t kSlideCheckPackets = 50;
// An advancing clock is believed against a raised envelope until 5 s of packets confirm that it was really set.
constexpr int kConfirmPackets = 250;
// ... or the envelope is up by more than any stall that comes to an end.
constexpr std::int64_t kNoStall = ms(10'000);

// ... and over how many packets at most: 30 s of 10 ms. What floods us must not cost the square of its size.
constexpr std::size_t kLookPackets = 3'000;

constexpr std::int64_t kUnknown = std::numeric_limits<std::int64_t>::max();
constexpr SessionTime kForever = SessionTime::max();

// Nothing is played this long before it arrived: who sends ten hours of audio in a minute does not make the session
// longer.
constexpr std::int64_t kMostAhead = ms(5'000);
// Clients end a run with five silence frames.
constexpr std::int64_t kSilenceFrames = 5;

/// Packets between two candidates for a pause.
struct Piece {
    std::size_t begin = 0;
    std::size_t end = 0;
    bool hole = false;    ///< the RTP clock shows a pause before it, or stepped back
    bool marked = false;  ///< silence frames may stand before it
};

std::vector<Piece> cut(const std::vector<Observation>& packets) {
    std::vector<Piece> pieces{{0, packets.size(), true, true}};
    for (std::size_t i = 1; i < packets.size(); ++i) {
        const Observation& before = packets[i - 1];
        const Observation& here = packets[i];
        const std::int64_t step = here.timestamp - before.timestamp;
        const std::int64_t expected = (here.seq - before.seq) * before.duration;
        const bool hole = step - expected >= kPause.count() || step < 0;
        const bool silence_ends = before.silence && !here.silence;
        if (!hole && !silence_ends && here.delay() - before.delay() < kArrivalStep) continue;
        pieces.back().end = i;
        pieces.push_back({i, packets.size(), hole, silence_ends || here.seq - before.seq > kSilenceFrames});
    }
    return pieces;
}

/// The lowest delay of some packets, and whether enough of them are near it to trust that they were not held up.
struct Envelope {
    std::int64_t level = kUnknown;
    int near = 0;
    int count = 0;

    [[nodiscard]] bool settled() const { return near >= kSettledPackets; }
};

class Placer {
  public:
    Placer(const std::vector<Observation>& packets, const Windows& windows, std::int64_t first_free)
        : packets_(packets), windows_(windows), free_from_(first_free), pieces_(cut(packets)) {
        first_silence_ = std::find_if(packets.begin(), packets.end(), [](const Observation& o) { return o.silence; });
    }

    Placement run() {
        result_.positions.resize(packets_.size());
        result_.fates.resize(packets_.size());
        for (piece_ = 0; piece_ < pieces_.size(); ++piece_) {
            anchor();
            for (std::size_t i = pieces_[piece_].begin; i < pieces_[piece_].end; ++i) put(i);
        }
        return std::move(result_);
    }

  private:
    [[nodiscard]] Envelope envelope(std::size_t begin, std::size_t end, SessionTime known_before) const {
        Envelope out;
        for (std::size_t i = begin; i < end; ++i) {
            if (packets_[i].known >= known_before) continue;
            out.level = std::min(out.level, packets_[i].delay());
            ++out.count;
        }
        for (std::size_t i = begin; i < end; ++i) {
            out.near += packets_[i].known < known_before && packets_[i].delay() <= out.level + kNear;
        }
        return out;
    }

    /// The envelope from packet `first` (of the current piece) on: what comes later can only lower it, unless the clock
    /// was set.
    [[nodiscard]] Envelope ahead(std::size_t first, std::int64_t reach, SessionTime known_before) const {
        const std::int64_t limit = packets_[first].arrival + reach;
        Envelope out;
        std::size_t begin = first;
        for (std::size_t p = piece_; p < pieces_.size(); ++p) {
            std::size_t end = begin;
            while (end < pieces_[p].end && packets_[end].arrival <= limit && end - first < kLookPackets) ++end;
            const Envelope here = envelope(begin, end, known_before);
            if (here.count > 0) {
                if (out.settled() && here.level < out.level - kClockSet) break;
                const int count = out.count + here.count;
                if (here.level < out.level) out = here;
                out.count = count;
            }
            if (end < pieces_[p].end) break;
            begin = end;
        }
        return out;
    }

    /// The envelope of the span before packet `before`, as far back as `reach` from the packet just before it.
    [[nodiscard]] Envelope behind(std::size_t before, std::int64_t reach, SessionTime known_before) const {
        if (before <= span_begin_) return {};
        const std::int64_t limit = packets_[before - 1].arrival - reach;
        std::size_t begin = before;
        while (begin > span_begin_ && packets_[begin - 1].arrival >= limit && before - begin < kLookPackets) --begin;
        return envelope(begin, before, known_before);
    }

    struct Anchor {
        std::int64_t offset = 0;
        bool new_span = false;
    };

    /// Where the current piece would sit if only records known before `known_before` existed. Nothing if none is of
    /// use.
    [[nodiscard]] std::optional<Anchor> anchor_by(SessionTime known_before) const {
        const Piece& piece = pieces_[piece_];
        const Envelope next = ahead(piece.begin, kLookAhead, known_before);
        if (next.count == 0) return std::nullopt;
        const Envelope past = behind(piece.begin, kLookAhead, known_before);
        if (past.count == 0) return Anchor{next.level, true};
        const std::int64_t step = next.level - past.level;
        const bool believed = advancing_ > standing_ && next.count < kConfirmPackets && step < kNoStall;
        // Who ends each run with silence frames has not paused where there are none: it is a stall in mid-speech.
        const bool marks = first_silence_ != packets_.end() && first_silence_->known < known_before;
        const bool in_speech = !piece.hole && !piece.marked && marks;
        const bool raised = step > kSpanStep && !believed && !in_speech;
        const bool set_back = piece.hole && step < -kClockSet && past.settled();
        if (raised || set_back) return Anchor{next.level, true};
        return Anchor{std::min(past.level, next.level), false};
    }

    /// As the live recorder would have done it: the earliest window in which the piece can begin decides with what was
    /// known when that window closed.
    [[nodiscard]] Anchor decide() const {
        const Observation& first = packets_[pieces_[piece_].begin];
        const std::int64_t latest = windows_.index(first.arrival);
        for (std::int64_t window = std::max<std::int64_t>(0, latest - 1); window <= latest; ++window) {
            if (first.known >= windows_.closing(window)) continue;
            const auto found = anchor_by(windows_.closing(window));
            if (found && (window == latest || windows_.index(first.timestamp + found->offset) <= window)) return *found;
        }
        return anchor_by(kForever).value();  // all of it is late; where it would have been is for the ledger
    }

    void anchor() {
        const Piece& piece = pieces_[piece_];
        const Anchor found = decide();
        classify(found);
        if (found.new_span) span_begin_ = piece.begin;
        if (found.new_span || piece.hole) {
            offset_ = std::max(found.offset, free_from_ - packets_[piece.begin].timestamp);
            target_ = found.offset;
            checked_ = piece.begin;
        }
    }

    /// Learns whether this sender's clock runs on over silence.
    void classify(const Anchor& found) {
        if (piece_ == 0) return;
        const Piece& piece = pieces_[piece_];
        if (piece.hole && !found.new_span) ++advancing_;
        if (piece.hole || !found.new_span) return;
        ++standing_;
        const Observation& first = packets_[piece.begin];
        const Observation& last = packets_[piece.end - 1];
        const std::int64_t spoken = last.timestamp - first.timestamp;
        if (spoken >= ms(60) && last.arrival - first.arrival < spoken * 3 / 10) ++result_.unplaceable_runs;
    }

    /// In a long run the envelope moves away from the offset by the skew of the clocks.
    int slip(std::size_t i) {
        if (i - checked_ >= kSlideCheckPackets) {
            checked_ = i;
            const SessionTime known_before = windows_.closing(windows_.index(packets_[i].timestamp + offset_));
            const Envelope next = ahead(i, kLookAround, known_before);
            const Envelope past = behind(i, kLookAround, known_before);
            const std::int64_t level = std::min(next.level, past.level);
            const bool enough = next.near + past.near >= 2 * kSettledPackets;
            const std::int64_t off = enough ? std::llabs(level - offset_) : 0;
            if (off > kSlideFrom && off < kClockSet) target_ = level;
        }
        return target_ > offset_ ? 1 : target_ < offset_ ? -1 : 0;
    }

    [[nodiscard]] Fate fate_of(const Observation& packet, std::int64_t at) const {
        if (packet.known >= windows_.closing(windows_.index(at))) return Fate::late;
        if (at > packet.arrival + kMostAhead) return Fate::runaway;
        return packet.undecryptable ? Fate::closed : Fate::placed;
    }

    /// Packet i says that it holds more sound than its sender's clock leaves before the next one.
    [[nodiscard]] bool crowded(std::size_t i) const {
        if (i + 1 >= packets_.size()) return true;  // nothing says otherwise
        const std::int64_t step = packets_[i + 1].timestamp - packets_[i].timestamp;
        return step > 0 && step < packets_[i].duration;
    }

    /// How long packet i is. A crowded one among others that fit has a corrupt payload, which must not push the rest of
    /// its run away (up to 100 ms); who stamps all packets too tightly is played as long as they are.
    [[nodiscard]] std::uint16_t duration(std::size_t i, SessionTime known_before) const {
        const bool usual = (i == 0 || crowded(i - 1)) && crowded(i + 1);
        const bool corrupt = i + 1 < packets_.size() && packets_[i + 1].known < known_before && crowded(i) && !usual;
        if (!corrupt) return packets_[i].duration;
        return static_cast<std::uint16_t>(packets_[i + 1].timestamp - packets_[i].timestamp);
    }

    void put(std::size_t i) {
        const Observation& packet = packets_[i];
        // A timestamp that advances by less than the packets hold can only be played as fast as they are long.
        offset_ = std::max(offset_, free_from_ - packet.timestamp);
        const std::int64_t at = packet.timestamp + offset_;
        result_.positions[i] = at;
        if (i > 0) missing_ += packet.seq - packets_[i - 1].seq - 1;
        const Fate fate = result_.fates[i] = fate_of(packet, at);
        const int slipped = slip(i);
        offset_ += slipped;
        if (fate != Fate::placed) {
            ++missing_;
            return;
        }
        PlacedPacket placed;
        placed.at = SamplePos{Samples{at}};
        placed.payload = packet.payload;
        placed.duration = duration(i, windows_.closing(windows_.index(at)));
        // A hole is concealed from its beginning on, which must not wait for what comes in a window that is still open.
        const bool over_the_edge = !result_.packets.empty() && at - free_from_ >= kPause.count() &&
                                   windows_.index(at) != windows_.index(free_from_);
        placed.missing = over_the_edge ? 0 : static_cast<std::uint16_t>(std::min<std::int64_t>(missing_, 0xffff));
        placed.slip = static_cast<std::int8_t>(slipped);
        placed.silence = packet.silence;
        result_.packets.push_back(placed);
        missing_ = 0;
        free_from_ = placed.end().time_since_epoch().count();
    }

    const std::vector<Observation>& packets_;
    const Windows& windows_;
    std::int64_t free_from_;
    std::vector<Piece> pieces_;
    std::vector<Observation>::const_iterator first_silence_;
    Placement result_;

    std::size_t piece_ = 0;
    std::size_t span_begin_ = 0;  ///< first packet since the clock last stood still
    std::int64_t offset_ = 0;     ///< position = timestamp + offset
    std::int64_t target_ = 0;     ///< where the offset slides to
    std::size_t checked_ = 0;     ///< packet at which the target was last looked at
    std::int64_t missing_ = 0;    ///< packets not placed since the last one that was
    int advancing_ = 0;           ///< pauses over which the sender's clock ran on
    int standing_ = 0;            ///< pauses over which it stood still
};

}  // namespace

std::int64_t Windows::index(std::int64_t position) const {
    const std::int64_t guard = std::chrono::floor<Samples>(kClosingGuard).count();
    return std::max<std::int64_t>(0, (position - opened - guard) / rotation);
}

SessionTime Windows::closing(std::int64_t index) const {
    return to_session_time(SamplePos{Samples{opened + (index + 1) * rotation}}) + kClosingDelay;
}

Placement place(const std::vector<Observation>& packets, const Windows& windows, std::int64_t first_free) {
    return Placer(packets, windows, first_free).run();
}

}  // namespace lestapenna::timeline
