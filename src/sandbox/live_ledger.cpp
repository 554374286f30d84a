#include "sandbox/live_ledger.h"

#include <algorithm>

#include "rtp/unwrap.h"

namespace lestapenna::sandbox {

void LiveLedger::add(const Frame& frame) {
    const std::int64_t seq = runs_.empty() ? frame.seq : rtp::unwrap(runs_.back().last_seq, frame.seq);
    const bool begins = runs_.empty() || (silent_ && !frame.silence);
    if (begins) {
        Run run;
        run.ledger.start = run.ledger.end = frame.at;
        run.ledger.least_delay = frame.lateness;
        run.first_seq = seq;
        runs_.push_back(run);
    }
    Run& run = runs_.back();
    ++run.ledger.packets;
    run.ledger.least_delay = std::min(run.ledger.least_delay, frame.lateness);
    if (!frame.silence) run.ledger.end = frame.at + frame.length;
    run.last_seq = seq;
    silent_ = frame.silence;
}

SenderLedger LiveLedger::result(const Forwarded* forwarded) const {
    SenderLedger ledger;
    ledger.user = user_;
    ledger.ssrc = ssrc_;
    for (const Run& run : runs_) {
        ledger.runs.push_back(run.ledger);
        ledger.sent += run.ledger.packets;
    }
    ledger.dropped = ledger.sent;
    if (forwarded == nullptr || !forwarded->first_seq || runs_.empty()) return ledger;

    // The server counts from the first packet it had of the SSRC; we from the first that was sent.
    const std::int64_t shift =
        rtp::unwrap(runs_.front().first_seq, static_cast<std::uint16_t>(forwarded->base_seq)) - forwarded->base_seq;
    ledger.first_seq = *forwarded->first_seq + shift;
    ledger.last_seq = *forwarded->last_seq + shift;
    ledger.delivered = forwarded->sent;
    ledger.dropped = ledger.sent - std::min(ledger.sent, ledger.delivered);
    ledger.duplicated = forwarded->duplicated;
    for (const std::int64_t lost : forwarded->lost_seqs) {
        const std::int64_t seq = lost + shift;
        if (seq > ledger.first_seq && seq < ledger.last_seq) ledger.lost.push_back(seq);
    }
    std::sort(ledger.lost.begin(), ledger.lost.end());

    for (std::size_t i = 0; i < runs_.size(); ++i) {
        const std::int64_t first = std::max(runs_[i].first_seq, ledger.first_seq);
        const std::int64_t last = std::min(runs_[i].last_seq, ledger.last_seq);
        if (first > last) continue;
        const auto from = std::lower_bound(ledger.lost.begin(), ledger.lost.end(), first);
        const auto to = std::upper_bound(from, ledger.lost.end(), last);
        ledger.runs[i].delivered = static_cast<std::uint32_t>(last - first + 1 - (to - from));
    }
    return ledger;
}

}  // namespace lestapenna::sandbox
