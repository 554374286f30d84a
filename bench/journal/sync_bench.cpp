// What durability costs on this disk: N journals each append 200 bytes and all are synced, with T sync threads. Time is
// one round for all of them; median_sync_us is the median fdatasync of one journal within it. Of this disk: printed,
// never asserted.
#include <algorithm>
#include <filesystem>
#include <latch>
#include <thread>
#include <vector>

#include <benchmark/benchmark.h>

#include "journal/writer.h"

namespace lestapenna::journal {
namespace {

void SyncAll(benchmark::State& state) {
    const auto journals = static_cast<std::size_t>(state.range(0));
    const auto root = std::filesystem::temp_directory_path() / "bench-journal-sync";
    std::filesystem::remove_all(root);
    std::vector<nanoseconds> syncs;
    {
        Committer committer(static_cast<unsigned>(state.range(1)));
        WriterOptions options;
        options.ring_bytes = 64u << 10;
        options.sync_interval = milliseconds{0};  // all at once, as soon as the first flush() wakes the write thread
        std::vector<Writer> writers;
        for (std::size_t i = 0; i < journals; ++i) {
            auto writer = Writer::open(
                committer, root, {*SessionId::parse("table-" + std::to_string(i)), UnixTime{}, BootTime{}, BootId{}},
                options);
            if (!writer) return state.SkipWithError(writer.error().message.c_str());
            writers.push_back(*std::move(writer));
        }
        const std::vector<std::uint8_t> payload(200, 7);
        for ([[maybe_unused]] const auto step : state) {
            for (Writer& writer : writers) writer.append(Packet{1, 1, 1, BootTime{}, false, false, 200, payload});
            for (Writer& writer : writers) {
                if (!writer.flush()) state.SkipWithError("the disk refuses");
            }
            for (const Writer& writer : writers) syncs.push_back(writer.last_sync());
        }
    }
    std::filesystem::remove_all(root);
    const auto middle = syncs.begin() + static_cast<std::ptrdiff_t>(syncs.size() / 2);
    std::nth_element(syncs.begin(), middle, syncs.end());
    state.counters["median_sync_us"] = static_cast<double>(middle->count()) / 1'000;
}
BENCHMARK(SyncAll)
    ->ArgNames({"journals", "threads"})
    ->ArgsProduct({{1, 20, 200}, {4, 16}})
    ->Unit(benchmark::kMillisecond)
    ->MinTime(1.0)
    ->UseRealTime();

}  // namespace
}  // namespace lestapenna::journal
