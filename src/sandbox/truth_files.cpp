#include "sandbox/truth_files.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace lestapenna::sandbox {
namespace {

constexpr std::size_t kBlock = 48'000;

std::string json_of(const RunLedger& run) {
    return fmt::format(
        R"({{"start_sample": {}, "end_sample": {}, "packets": {}, "delivered": {}, "least_delay_ms": {:.6f}, "in_stall": {}}})",
        run.start.time_since_epoch().count(), run.end.time_since_epoch().count(), run.packets, run.delivered,
        static_cast<double>(run.least_delay.count()) / 1e6, run.in_stall);
}

std::string json_of(const SenderLedger& sender) {
    std::vector<std::string> runs;
    std::transform(sender.runs.begin(), sender.runs.end(), std::back_inserter(runs),
                   [](const RunLedger& run) { return json_of(run); });
    return fmt::format(
        R"(  {{"user_id": "{}", "ssrc": {}, "sent": {}, "dropped": {}, "delivered": {}, "duplicated": {}, "reordered": {},
   "stalled": {}, "first_seq": {}, "last_seq": {}, "lost": [{}],
   "runs": [
    {}]}})",
        sender.user.text(), sender.ssrc, sender.sent, sender.dropped, sender.delivered, sender.duplicated,
        sender.reordered, sender.stalled, sender.first_seq, sender.last_seq, fmt::join(sender.lost, ", "),
        fmt::join(runs, ",\n    "));
}

}  // namespace

Result<TruthTrack> TruthTrack::create(const std::filesystem::path& path) {
    auto writer = audio::AudioFileWriter::create(path, audio::SampleFormat::wav_float);
    if (!writer) return writer.error();
    return TruthTrack(std::move(*writer));
}

Status TruthTrack::place(std::int64_t at, std::span<const float> pcm) {
    const std::int64_t end = written_ + std::ssize(pending_);
    if (at == end + 1 && !pending_.empty()) pending_.push_back(pending_.back());
    if (at < end) pending_.resize(static_cast<std::size_t>(std::max<std::int64_t>(at - written_, 0)));
    if (at > written_ + std::ssize(pending_)) {
        if (Status status = silence_until(at); !status) return status;
    }
    pending_.insert(pending_.end(), pcm.begin(), pcm.end());
    return pending_.size() < kBlock ? Ok{} : write_all_but(1);
}

Status TruthTrack::flush() {
    if (Status status = write_all_but(1); !status) return status;
    return writer_.flush();
}

Status TruthTrack::finish(std::int64_t length) {
    if (written_ + std::ssize(pending_) > length) {
        pending_.resize(static_cast<std::size_t>(std::max<std::int64_t>(length - written_, 0)));
    }
    if (Status status = silence_until(length); !status) return status;
    return writer_.close();
}

Status TruthTrack::silence_until(std::int64_t at) {
    if (Status status = write_all_but(0); !status) return status;
    static const std::vector<float> zeros(kBlock);
    while (written_ < at) {
        const auto count = static_cast<std::size_t>(std::min<std::int64_t>(at - written_, std::ssize(zeros)));
        if (Status status = writer_.write(std::span(zeros).first(count)); !status) return status;
        written_ += static_cast<std::int64_t>(count);
    }
    return Ok{};
}

Status TruthTrack::write_all_but(std::size_t kept) {
    const std::size_t count = pending_.size() - std::min(kept, pending_.size());
    if (Status status = writer_.write(std::span(pending_).first(count)); !status) return status;
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(count));
    written_ += static_cast<std::int64_t>(count);
    return Ok{};
}

std::string ledger_json(std::uint64_t seed, UnixTime start_time, Samples length,
                        std::span<const SenderLedger> senders) {
    std::vector<std::string> entries;
    std::transform(senders.begin(), senders.end(), std::back_inserter(entries),
                   [](const SenderLedger& sender) { return json_of(sender); });
    return fmt::format("{{\"seed\": {}, \"start_time\": {}, \"length_samples\": {}, \"senders\": [\n{}\n]}}\n", seed,
                       start_time.time_since_epoch().count(), length.count(), fmt::join(entries, ",\n"));
}

}  // namespace lestapenna::sandbox
