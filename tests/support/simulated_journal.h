// A simulated table in a journal, as an import would write it. Thread: pure but for the files written.
#pragma once

#include <algorithm>
#include <filesystem>
#include <vector>

#include "journal/writer.h"
#include "rtp/packet.h"
#include "sandbox/line.h"

namespace lestapenna::test {

/// Journals all arrivals below `root`, each sender's binding first, then an End. `events` (joins, leaves, markers, in
/// order of time) go in between; with a join, the sources of one user make one connection.
inline Status write_journal(const sandbox::SimulatedTable& table, const std::filesystem::path& root,
                            const SessionId& id, const std::vector<journal::Record>& events = {},
                            const journal::WriterOptions& options = {}) {
    journal::Committer committer(1);
    auto writer = journal::Writer::open(committer, root, {id, table.start_time, BootTime{}, BootId{}}, options);
    if (!writer) return writer.error();
    const auto append = [&](const journal::Record& record) -> Status {
        if (auto status = writer->wait_for_room(); !status) return status;
        if (!writer->append(record)) return Error{ErrorKind::failed, "the journal refused a record"};
        return Ok{};
    };
    for (const auto& sender : table.senders) {
        if (auto status = append(journal::Binding{BootTime{}, sender.ssrc, sender.user}); !status) return status;
    }
    auto event = events.begin();
    BootTime last{};
    for (const sandbox::Arrival& arrival : table.arrivals) {
        const rtp::Parsed parsed = rtp::parse(arrival.datagram);
        journal::Packet packet;
        packet.ssrc = parsed.header.ssrc;
        packet.seq = parsed.header.seq;
        packet.rtp_timestamp = parsed.header.timestamp;
        packet.arrival = last = BootTime{arrival.time - table.start_time};
        packet.payload = parsed.payload;
        packet.payload_size = static_cast<std::uint16_t>(parsed.payload.size());
        for (; event != events.end() && journal::time_of(*event) <= last; ++event) {
            if (auto status = append(*event); !status) return status;
        }
        if (auto status = append(packet); !status) return status;
    }
    for (; event != events.end(); ++event) {
        last = std::max(last, journal::time_of(*event));
        if (auto status = append(*event); !status) return status;
    }
    if (auto status = append(journal::End{last}); !status) return status;
    return writer->flush();
}

}  // namespace lestapenna::test
