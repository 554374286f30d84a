// Records by hand, for the timeline's tests: one person's packets with chosen counters and arrivals.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "timeline/timeline.h"

namespace lestapenna::timeline {

/// A 20 ms Opus packet: CELT, full band, mono, some bytes.
inline constexpr std::array<std::uint8_t, 8> kVoice{0xF8, 1, 2, 3, 4, 5, 6, 7};
inline constexpr std::array<std::uint8_t, 3> kSilence{0xF8, 0xFF, 0xFE};
inline constexpr std::int64_t kFrame = 960;

struct Sent {
    std::uint16_t seq = 0;
    std::uint32_t timestamp = 0;
    double arrival_ms = 0;
    bool silence = false;
    std::uint32_t ssrc = 1;
    bool parked = false;
};

class Journal {
  public:
    explicit Journal(seconds rotation = seconds(300)) : builder_(rotation) {}

    static SessionTime at(double ms) { return SessionTime{nanoseconds{static_cast<std::int64_t>(ms * 1e6)}}; }

    template <class Event>
    Journal& event(double ms, Event event) {
        builder_.add(event, at(ms), {});
        return *this;
    }
    Journal& packet(const Sent& sent) {
        journal::Packet packet;
        packet.ssrc = sent.ssrc;
        packet.seq = sent.seq;
        packet.rtp_timestamp = sent.timestamp;
        packet.parked = sent.parked;
        if (sent.silence) {
            packet.payload = kSilence;
        } else {
            packet.payload = kVoice;
        }
        packet.payload_size = static_cast<std::uint16_t>(packet.payload.size());
        builder_.add(packet, at(sent.arrival_ms), {0, count_++, packet.payload_size});
        return *this;
    }
    /// `n` packets of 20 ms in step with the clock, the first one sent at `ms`.
    Journal& run(std::uint16_t seq, std::uint32_t timestamp, double ms, int n, std::uint32_t ssrc = 1) {
        for (int i = 0; i < n; ++i) {
            packet({static_cast<std::uint16_t>(seq + i), static_cast<std::uint32_t>(timestamp + i * kFrame),
                    ms + 20 * i, false, ssrc});
        }
        return *this;
    }
    Timeline finish(double end_ms) { return event(end_ms, journal::End{}).builder_.finish(); }
    Timeline so_far() { return builder_.finish(); }

  private:
    Builder builder_;
    std::uint32_t count_ = 0;
};

inline double ms_of(SamplePos p) {
    return static_cast<double>(p.time_since_epoch().count()) / 48;
}

}  // namespace lestapenna::timeline
