// The simulated line: a script goes in, datagrams come out as they would arrive, with a ledger of what the line really
// did and the truth, what a perfect receiver would decode.
//
// A sender speaks on a grid of its frames that begins when it joins and runs at 48000 * (1 + skew_ppm * 1e-6) samples a
// second; a talk run starts at the first frame at or after its time, and each packet leaves when its first sample is
// spoken. The encoder is not fed over pauses; five silence frames (F8 FF FE, 20 ms each) end each run, as clients send
// them. All randomness comes from the seed, with as many draws per packet whatever the options, so that asking for
// loss, too, does not change the jitter. The same inputs give the same bytes with any number of cores. Thread: pure
// functions (they use several threads inside); write_table writes files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "audio/opus.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "sandbox/capture.h"
#include "sandbox/script.h"

namespace lestapenna::sandbox {

/// What may differ from player to player.
struct Sender {
    audio::OpusEncoderOptions encoder{};
    Samples frame{milliseconds(20)};  ///< 2.5, 5, 10, 20, 40, 60, 80, 100 or 120 ms
    double skew_ppm = 0;              ///< how much too fast its sample clock runs
    bool frozen_rtp_clock = false;    ///< its RTP timestamp stands still over pauses
};

enum class StallScope : std::uint8_t { each_player, whole_line };

/// The default line loses nothing, keeps the order and delays by 0 to 3 ms.
struct LineOptions {
    std::uint64_t seed = 1;
    UnixTime start_time{milliseconds(1'760'000'000'000)};  ///< of the session; sample 0 of the truth
    milliseconds base_delay{0};
    milliseconds jitter{3};        ///< on top, per packet, uniform; a queue, so it never reorders by itself
    double loss = 0;               ///< probability per packet
    double reorder = 0;            ///< probability that a packet comes after one to three later ones of its run
    double duplicate = 0;          ///< probability that a packet comes again, up to 30 ms later
    double stalls_per_minute = 0;  ///< nothing arrives for 0.5 to 3 s, then everything at once
    StallScope stall_scope = StallScope::each_player;
    bool wrap_counters = false;  ///< RTP sequence and timestamp both wrap in the middle of what each player sends
    Sender sender{};
    std::vector<Sender> senders{};  ///< player i is senders[i] where there is one, else `sender`
};

/// One packet as it left. Sequence and timestamp are not wrapped: their low 16 and 32 bits are in the header.
struct SentPacket {
    std::int64_t seq = 0;
    std::int64_t timestamp = 0;
    nanoseconds sent_at{0};  ///< session time, exact
    std::size_t run = 0;     ///< index into SenderLedger::runs
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

/// What the line did to one player's packets.
struct SenderLedger {
    UserId user;
    std::uint32_t ssrc = 0;
    std::uint64_t sent = 0;
    std::uint64_t dropped = 0;
    std::uint64_t delivered = 0;     ///< different packets; sent = dropped + delivered
    std::uint64_t duplicated = 0;    ///< further copies that arrived
    std::uint64_t reordered = 0;     ///< first copies that arrived after a later packet
    std::uint64_t stalled = 0;       ///< first copies held back by a stall
    std::int64_t first_seq = 0;      ///< lowest delivered, not wrapped; 0 when nothing was
    std::int64_t last_seq = 0;       ///< highest delivered
    std::vector<std::int64_t> lost;  ///< dropped between these two, in order
    std::vector<RunLedger> runs;
};

struct Arrival {
    CaptureTime time;
    std::uint32_t ssrc = 0;
    std::vector<std::uint8_t> datagram;  ///< RTP
};

struct SimulatedTable {
    std::uint64_t seed = 0;
    UnixTime start_time;
    Samples length{0};
    std::vector<Arrival> arrivals;              ///< of all players, in order of arrival
    std::vector<SenderLedger> senders;          ///< in the script's order
    std::vector<std::vector<SentPacket>> sent;  ///< per sender, dropped ones included
};

SimulatedTable simulate(const Script& script, const LineOptions& options);

/// The truth of one sender, `table.length` samples as a mono float WAV: every packet sent through one decoder (1
/// channel), each packet's samples at its send time rounded to a sample. Silence frames are not decoded. Where skew
/// makes neighbours overlap by a sample the later one wins; where it leaves one free, the sample before is repeated.
/// Needs memory for a second.
Status write_truth(const SimulatedTable& table, std::size_t sender, const std::filesystem::path& path);

/// `table.pcap` (nanoseconds, raw IP), `truth/{userId}.wav` and `truth/ledger.json` in `folder`, which is made if need
/// be.
Status write_table(const SimulatedTable& table, const std::filesystem::path& folder);

}  // namespace lestapenna::sandbox
