// A journal that grows under our hands, as a recorder would write it: joins, leaves, a clock record each second.
// Thread: one.
#pragma once

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "journal/writer.h"
#include "rtp/packet.h"
#include "sandbox/line.h"

namespace lestapenna::test {

/// All that a recorder would journal of a table, but for its End, in order of time. Views `table`.
inline std::vector<journal::Record> records_of(const sandbox::SimulatedTable& table,
                                               std::vector<journal::Record> events) {
    std::vector<journal::Record> all = std::move(events);
    for (const auto& sender : table.senders) all.emplace_back(journal::Binding{BootTime{}, sender.ssrc, sender.user});
    for (const sandbox::Arrival& arrival : table.arrivals) {
        const rtp::Parsed parsed = rtp::parse(arrival.datagram);
        journal::Packet packet;
        packet.ssrc = parsed.header.ssrc;
        packet.seq = parsed.header.seq;
        packet.rtp_timestamp = parsed.header.timestamp;
        packet.arrival = BootTime{arrival.time - table.start_time};
        packet.payload = parsed.payload;
        packet.payload_size = static_cast<std::uint16_t>(parsed.payload.size());
        all.emplace_back(packet);
    }
    const auto length = std::chrono::floor<seconds>(table.length);
    for (seconds at{0}; at <= length; ++at) all.emplace_back(journal::Clock{BootTime{at}, table.start_time + at});
    std::ranges::stable_sort(all, {}, [](const journal::Record& record) { return journal::time_of(record); });
    return all;
}

/// `records` as a recorder journals them that had to keep the packets that arrived in [from, to) until `until`.
inline std::vector<journal::Record> parked(std::vector<journal::Record> records, nanoseconds from, nanoseconds to,
                                           nanoseconds until) {
    std::vector<journal::Record> waiting;
    const auto waits = [&](const journal::Record& record) {
        const auto at = journal::time_of(record).time_since_epoch();
        return std::holds_alternative<journal::Packet>(record) && at >= from && at < to;
    };
    std::ranges::copy_if(records, std::back_inserter(waiting), waits);
    std::erase_if(records, waits);
    for (auto& record : waiting) std::get<journal::Packet>(record).parked = true;
    const auto released = std::ranges::find_if(
        records, [&](const journal::Record& record) { return journal::time_of(record) >= BootTime{until}; });
    // After the record that shows that it is so late by now.
    records.insert(released == records.end() ? released : std::next(released), waiting.begin(), waiting.end());
    return records;
}

class GrowingJournal {
  public:
    /// `records` without an End, in the order in which they are journaled: what had to wait after what came meanwhile.
    GrowingJournal(std::filesystem::path root, SessionId id, UnixTime start, std::vector<journal::Record> records)
        : head_{std::move(id), start, BootTime{}, BootId{}}, root_(std::move(root)), records_(std::move(records)) {}

    /// What happens until then is durable; from the first call on it is locked.
    Status grow_to(nanoseconds time) {
        if (!writer_) {
            auto writer = journal::Writer::open(committer_, root_, head_);
            if (!writer) return writer.error();
            writer_.emplace(std::move(*writer));
        }
        for (; next_ < records_.size() && journal::time_of(records_[next_]) <= BootTime{time}; ++next_) {
            if (auto status = append(records_[next_]); !status) return status;
        }
        return writer_->flush();
    }
    /// All of it, an End, and nobody records it any more.
    Status end() {
        if (auto status = grow_to(nanoseconds::max()); !status) return status;
        if (auto status = append(journal::End{journal::time_of(records_.back())}); !status) return status;
        auto flushed = writer_->flush();
        writer_.reset();
        return flushed;
    }
    /// As a kill would leave it.
    void cut_off() { writer_.reset(); }
    journal::Committer& committer() { return committer_; }

  private:
    Status append(const journal::Record& record) {
        if (auto status = writer_->wait_for_room(); !status) return status;
        if (!writer_->append(record)) return Error{ErrorKind::failed, "the journal refused a record"};
        return Ok{};
    }
    journal::SessionHead head_;
    std::filesystem::path root_;
    std::vector<journal::Record> records_;
    std::size_t next_ = 0;
    journal::Committer committer_{1};
    std::optional<journal::Writer> writer_;
};

}  // namespace lestapenna::test
