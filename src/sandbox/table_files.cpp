// What a simulated table leaves on disk: the capture, the truth and the ledger.
#include "base/files.h"
#include "sandbox/line.h"
#include "sandbox/parallel.h"
#include "sandbox/truth_files.h"

namespace lestapenna::sandbox {
namespace {

Status write_capture(const SimulatedTable& table, const std::filesystem::path& path) {
    auto writer = CaptureWriter::create(path);
    if (!writer) return writer.error();
    for (const Arrival& arrival : table.arrivals) {
        if (Status status = writer->write(arrival.time, arrival.datagram); !status) return status;
    }
    return writer->close();
}

}  // namespace

Status write_truth(const SimulatedTable& table, std::size_t sender, const std::filesystem::path& path) {
    auto track = TruthTrack::create(path);
    if (!track) return track.error();
    audio::OpusDecoder decoder;
    std::vector<float> pcm(static_cast<std::size_t>(audio::kMaxOpusPacket.count()));
    for (const SentPacket& packet : table.sent[sender]) {
        if (packet.silence) continue;
        const auto count = static_cast<std::size_t>(decoder.decode(packet.opus, pcm).count());
        const SamplePos at = nearest_sample(packet.sent_at);
        if (Status status = track->place(at.time_since_epoch().count(), std::span(pcm).first(count)); !status)
            return status;
    }
    return track->finish(table.length.count());
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
    return write_file(folder / "truth" / "ledger.json",
                      ledger_json(table.seed, table.start_time, table.length, table.senders));
}

}  // namespace lestapenna::sandbox
