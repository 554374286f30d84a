// What a packet costs between Voice and the journal: Capture's call, six people talking in turns, 160 bytes each (20 ms
// of Opus at 64 kbit/s). The time in which the journal's ring drains is not counted.
#include <filesystem>
#include <vector>

#include <benchmark/benchmark.h>

#include "journal/writer.h"
#include "recorder/capture.h"

namespace lestapenna::recorder {
namespace {

constexpr std::uint32_t kSpeakers = 6;

void Hear(benchmark::State& state) {
    const auto root = std::filesystem::temp_directory_path() / "bench-recorder-capture";
    std::filesystem::remove_all(root);
    {
        journal::Committer committer;
        journal::WriterOptions options;
        options.ring_bytes = 64U << 20;
        const auto anchor = BootClock::now();
        auto writer =
            journal::Writer::open(committer, root, {SessionId::make(), unix_now(), anchor, this_boot()}, options);
        if (!writer) return state.SkipWithError(writer.error().message.c_str());
        Capture capture(*writer, UserId{1}, [](const discord::VoiceEvent&) {});
        for (std::uint32_t ssrc = 0; ssrc < kSpeakers; ++ssrc)
            capture.on_event(discord::SsrcBound{ssrc * 7'919, UserId{1'000 + ssrc}});
        const std::vector<std::uint8_t> payload(160, 7);
        std::uint32_t n = 0;
        for ([[maybe_unused]] const auto step : state) {
            if (n % 65'536 == 65'535) {
                state.PauseTiming();
                if (!writer->flush()) state.SkipWithError("the disk refuses");
                state.ResumeTiming();
            }
            discord::VoicePacket packet;
            packet.header.ssrc = n % kSpeakers * 7'919;
            packet.header.seq = static_cast<std::uint16_t>(n / kSpeakers);
            packet.header.timestamp = n / kSpeakers * 960;
            packet.arrival = anchor + milliseconds(20) * (n / kSpeakers % 10'000);
            packet.payload = payload;
            capture.on_packet(packet);
            ++n;
        }
        if (capture.packets() != n) state.SkipWithError("the ring was full");
        capture.finish(BootClock::now());
    }
    std::filesystem::remove_all(root);
}
BENCHMARK(Hear)->Iterations(2'000'000);

}  // namespace
}  // namespace lestapenna::recorder
