// From what a player says to the packets its client sends, and when; for the simulated line and for live players alike.
//
// A sender speaks on a grid of its frames that begins when it joins and runs at 48000 * (1 + skew_ppm * 1e-6) samples a
// second; a talk run starts at the first frame at or after its time, and each packet leaves when its first sample is
// spoken. The encoder is not fed over pauses; five silence frames (F8 FF FE, 20 ms each) end each run, as clients send
// them. The same inputs give the same bytes. Pure functions; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "audio/opus.h"
#include "base/time.h"
#include "sandbox/script.h"

namespace lestapenna::sandbox {

inline constexpr std::array<std::uint8_t, 3> kSilenceFrame = {0xF8, 0xFF, 0xFE};
inline constexpr int kSilenceFrames = 5;

/// What may differ from player to player.
struct Sender {
    audio::OpusEncoderOptions encoder{};
    Samples frame{milliseconds(20)};  ///< 2.5, 5, 10, 20, 40, 60, 80, 100 or 120 ms
    double skew_ppm = 0;              ///< how much too fast its sample clock runs
    bool frozen_rtp_clock = false;    ///< its RTP timestamp stands still over pauses
};

/// One packet as it left. Sequence and timestamp are not wrapped: their low 16 and 32 bits are in the header.
struct SentPacket {
    std::int64_t seq = 0;
    std::int64_t timestamp = 0;
    nanoseconds sent_at{0};  ///< session time, exact
    std::size_t run = 0;     ///< index into the runs
    bool silence = false;    ///< one of the five that end a run
    std::vector<std::uint8_t> opus;
};

/// The nearest sample of the session clock: where the truth puts a packet that left at `time`.
SamplePos nearest_sample(nanoseconds time);

struct RunLedger {
    SamplePos start;              ///< of the first packet, to the nearest sample
    SamplePos end;                ///< of the speech; the silence frames come after
    std::uint32_t packets = 0;    ///< sent, silence frames included
    std::uint32_t delivered = 0;  ///< at least once
    nanoseconds least_delay{0};   ///< of the delivered ones
    bool in_stall = false;        ///< every delivered packet was held back by a stall
};

/// All that one player sends.
struct Packed {
    std::vector<SentPacket> packets;  ///< in order; sequence and timestamp count from 0
    std::vector<RunLedger> runs;      ///< start and end alone
};
/// Takes CPU: about a second for two minutes of speech.
Packed pack(const Player& player, const Sender& sender);
/// All players of a script on all cores; player i is senders[i] where there is one, else `others`.
std::vector<Packed> pack_all(const Script& script, std::span<const Sender> senders, const Sender& others);

}  // namespace lestapenna::sandbox
