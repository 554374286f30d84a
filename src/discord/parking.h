// Frames that could not be opened yet, in the order in which they came: who keeps them tries again when a key or a user
// comes, and lets go of those that have waited long enough. Pure structure: no clock, no cipher.
//
// Bounded, so that nobody crowds out others: a source (SSRC) holds at most kMostOfOneSource frames and never more than
// are still free for all others, so that one that sends garbage gets half of the room at most and there is always some
// for a newcomer. Frames live in places that are used again: once as many were parked as ever are at a time, nothing is
// allocated any more. Thread: one at a time. A frame that was taken out stays where it is, whatever is parked
// meanwhile.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "base/time.h"
#include "discord/voice.h"
#include "rtp/packet.h"

namespace lestapenna::discord {

inline constexpr std::size_t kMostOfOneSource = 1'000;  ///< 20 s of talk, and what a receiver of DAVE may skip
inline constexpr std::size_t kMostSources = 256;        ///< parked at a time; a channel has 99 people

struct ParkedFrame {
    rtp::Header header{};
    BootTime arrival;
    Closed why{};  ///< as it was when it was last tried
    std::vector<std::uint8_t> bytes;
};

class Parking {
  public:
    using Place = std::size_t;

    explicit Parking(std::size_t most) : most_(most) {}

    /// False: there is no room for it.
    [[nodiscard]] bool park(const rtp::Header& header, BootTime arrival, std::span<const std::uint8_t> bytes,
                            Closed why);

    [[nodiscard]] std::size_t size() const { return slots_.size() - free_count_; }  ///< taken out ones, too
    [[nodiscard]] std::size_t size(std::uint32_t ssrc) const;
    /// Sources by number: one keeps its number while something of it is parked. Of some that number nothing is.
    [[nodiscard]] std::size_t sources() const { return queues_.size(); }
    [[nodiscard]] std::optional<std::uint32_t> source(std::size_t n) const;
    /// Null when nothing of it is parked. Valid until it is taken.
    [[nodiscard]] const ParkedFrame* oldest(std::uint32_t ssrc) const;
    [[nodiscard]] const ParkedFrame* newest(std::uint32_t ssrc) const;

    /// Takes out the oldest of a source. It comes back with put_back() or is gone with free().
    [[nodiscard]] std::optional<Place> take(std::uint32_t ssrc);
    [[nodiscard]] ParkedFrame& at(Place place) { return slots_[place].frame; }
    /// Behind all others of its source: who tries all of them once, oldest first, has them in order again.
    void put_back(Place place);
    void free(Place place);

  private:
    static constexpr Place kNone = SIZE_MAX;
    struct Slot {
        ParkedFrame frame;
        Place next = kNone;
    };
    /// Of a source; one that is empty is the next newcomer's.
    struct Queue {
        std::uint32_t ssrc = 0;
        Place first = kNone;
        Place last = kNone;
        std::size_t count = 0;
    };
    [[nodiscard]] const Queue* find(std::uint32_t ssrc) const;
    Queue* find(std::uint32_t ssrc);
    Queue* find_or_add(std::uint32_t ssrc);
    void append(Queue& queue, Place place);

    std::size_t most_;
    std::deque<Slot> slots_;  // as many as ever were parked at a time
    Place first_free_ = kNone;
    std::size_t free_count_ = 0;
    std::vector<Queue> queues_;
};

}  // namespace lestapenna::discord
