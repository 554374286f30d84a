// The simulated line: a script goes in, datagrams come out as they would arrive, with a ledger of what the line really
// did and the truth, what a perfect receiver would decode.
//
// Senders speak as packer.h says. All randomness comes from the seed, with as many draws per packet whatever the
// options, so that asking for loss, too, does not change the jitter. The same inputs give the same bytes with any
// number of cores. Thread: pure functions (they use several threads inside); write_table writes files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "sandbox/capture.h"
#include "sandbox/packer.h"
#include "sandbox/script.h"

namespace lestapenna::sandbox {

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
