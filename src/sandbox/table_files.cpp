// What a simulated table leaves on disk: the capture, the truth and the ledger.
#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "audio/files.h"
#include "base/files.h"
#include "sandbox/line.h"
#include "sandbox/parallel.h"

namespace lestapenna::sandbox {
namespace {

/// Puts samples at positions that only go forward; what lies between is silence.
class TruthTrack {
  public:
    explicit TruthTrack(audio::AudioFileWriter& writer) : writer_(writer) {}

    /// `pcm` begins at `at`, which may lie a sample before or after the end of what came before it.
    Status place(std::int64_t at, std::span<const float> pcm) {
        const std::int64_t end = written_ + std::ssize(pending_);
        if (at == end + 1 && !pending_.empty()) pending_.push_back(pending_.back());
        if (at < end) pending_.resize(static_cast<std::size_t>(std::max<std::int64_t>(at - written_, 0)));
        if (at > written_ + std::ssize(pending_)) {
            if (Status status = silence_until(at); !status) return status;
        }
        pending_.insert(pending_.end(), pcm.begin(), pcm.end());
        return pending_.size() < kBlock ? Ok{} : flush_all_but(1);
    }

    Status silence_until(std::int64_t at) {
        if (Status status = flush_all_but(0); !status) return status;
        static const std::vector<float> zeros(kBlock);
        while (written_ < at) {
            const auto count = static_cast<std::size_t>(std::min<std::int64_t>(at - written_, std::ssize(zeros)));
            if (Status status = writer_.write(std::span(zeros).first(count)); !status) return status;
            written_ += static_cast<std::int64_t>(count);
        }
        return Ok{};
    }

    /// Cuts or fills so that the track is `length` samples.
    Status finish(std::int64_t length) {
        if (written_ + std::ssize(pending_) > length) {
            pending_.resize(static_cast<std::size_t>(std::max<std::int64_t>(length - written_, 0)));
        }
        return silence_until(length);
    }

  private:
    static constexpr std::size_t kBlock = 48'000;

    /// The last sample may yet be overwritten by a skew slip, or repeated.
    Status flush_all_but(std::size_t kept) {
        const std::size_t count = pending_.size() - std::min(kept, pending_.size());
        if (Status status = writer_.write(std::span(pending_).first(count)); !status) return status;
        pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(count));
        written_ += static_cast<std::int64_t>(count);
        return Ok{};
    }

    audio::AudioFileWriter& writer_;
    std::vector<float> pending_;
    std::int64_t written_ = 0;
};

Status write_capture(const SimulatedTable& table, const std::filesystem::path& path) {
    auto writer = CaptureWriter::create(path);
    if (!writer) return writer.error();
    for (const Arrival& arrival : table.arrivals) {
        if (Status status = writer->write(arrival.time, arrival.datagram); !status) return status;
    }
    return writer->close();
}

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

std::string json_of(const SimulatedTable& table) {
    std::vector<std::string> senders;
    std::transform(table.senders.begin(), table.senders.end(), std::back_inserter(senders),
                   [](const SenderLedger& sender) { return json_of(sender); });
    return fmt::format("{{\"seed\": {}, \"start_time\": {}, \"length_samples\": {}, \"senders\": [\n{}\n]}}\n",
                       table.seed, table.start_time.time_since_epoch().count(), table.length.count(),
                       fmt::join(senders, ",\n"));
}

}  // namespace

Status write_truth(const SimulatedTable& table, std::size_t sender, const std::filesystem::path& path) {
    auto writer = audio::AudioFileWriter::create(path, audio::SampleFormat::wav_float);
    if (!writer) return writer.error();
    TruthTrack track(*writer);
    audio::OpusDecoder decoder;
    std::vector<float> pcm(static_cast<std::size_t>(audio::kMaxOpusPacket.count()));
    for (const SentPacket& packet : table.sent[sender]) {
        if (packet.silence) continue;
        const auto count = static_cast<std::size_t>(decoder.decode(packet.opus, pcm).count());
        const SamplePos at = nearest_sample(packet.sent_at);
        if (Status status = track.place(at.time_since_epoch().count(), std::span(pcm).first(count)); !status)
            return status;
    }
    if (Status status = track.finish(table.length.count()); !status) return status;
    return writer->close();
}

Status write_table(const SimulatedTable& table, const std::filesystem::path& folder) {
    std::error_code error;
    std::filesystem::create_directories(folder / "truth", error);
    if (error) return io_error("make", folder / "truth", error.value());
    if (Status status = write_capture(table, folder / "table.pcap"); !status) return status;

    std::vector<Status> written(table.senders.size(), Ok{});
    for_each_index(written.size(), [&](std::size_t i) {
        written[i] = write_truth(table, i, folder / "truth" / (table.senders[i].user.text() + ".wav"));
    });
    for (const Status& status : written) {
        if (!status) return status;
    }
    return write_file(folder / "truth" / "ledger.json", json_of(table));
}

}  // namespace lestapenna::sandbox
