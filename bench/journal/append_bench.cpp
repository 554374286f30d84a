// What a packet costs: append() on the live thread, and the journal thread's work per packet. 160 bytes is a 20 ms
// Opus packet of 64 kbit/s.
#include <chrono>
#include <filesystem>
#include <vector>

#include <benchmark/benchmark.h>

#include "journal/format.h"
#include "journal/reader.h"
#include "journal/ring.h"
#include "journal/writer.h"

namespace lestapenna::journal {
namespace {

constexpr std::size_t kPayload = 160;
constexpr BootTime kAnchor{seconds{1'000}};

Packet packet(std::uint32_t n, const std::vector<std::uint8_t>& payload) {
    return {1,        static_cast<std::uint16_t>(n),
            n * 960,  kAnchor + milliseconds{20} * (n % 10'000),
            false,    false,
            kPayload, payload};
}

std::filesystem::path fresh_folder(const char* name) {
    auto folder = std::filesystem::temp_directory_path() / name;
    std::filesystem::remove_all(folder);
    return folder;
}

SessionHead head() {
    return {*SessionId::parse("bench"), UnixTime{}, kAnchor, BootId{}};
}

void count_packets(benchmark::State& state) {
    state.counters["packets/s"] =
        benchmark::Counter(static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

// append() alone: the time in which the ring drains is not counted.
void Append(benchmark::State& state) {
    const auto root = fresh_folder("bench-journal-append");
    {
        Committer committer;
        WriterOptions options;
        options.ring_bytes = 64u << 20;
        auto writer = Writer::open(committer, root, head(), options);
        const std::vector<std::uint8_t> payload(kPayload, 7);
        std::uint32_t n = 0;
        for ([[maybe_unused]] const auto step : state) {
            if (n % 65'536 == 65'535) {
                state.PauseTiming();
                if (!writer->flush()) state.SkipWithError("the disk refuses");
                state.ResumeTiming();
            }
            if (!writer->append(packet(n++, payload))) state.SkipWithError("the ring is full");
        }
        count_packets(state);
    }
    std::filesystem::remove_all(root);
}
BENCHMARK(Append);

// From append to durable, as an import does it: the whole way, limited by the journal thread or the disk.
void AppendUntilDurable(benchmark::State& state) {
    const auto root = fresh_folder("bench-journal-durable");
    {
        Committer committer;
        auto writer = Writer::open(committer, root, head());
        const std::vector<std::uint8_t> payload(kPayload, 7);
        std::uint32_t n = 0;
        for ([[maybe_unused]] const auto step : state) {
            if (!writer->wait_for_room() || !writer->append(packet(n++, payload))) state.SkipWithError("no room");
        }
        if (!writer->flush()) state.SkipWithError("the disk refuses");
        count_packets(state);
    }
    std::filesystem::remove_all(root);
}
BENCHMARK(AppendUntilDurable)->UseRealTime();

// The journal thread's work on one packet, without the system call: framing, CRC-32C, SHA-256.
void FrameAndHash(benchmark::State& state) {
    const std::vector<std::uint8_t> payload(kPayload, 7);
    const Record record = packet(1, payload);
    std::vector<std::uint8_t> encoded(encoded_bytes(record));
    encode(record, encoded);
    const RecordCrc crc("bench", 1);
    Sha256 hash;
    std::vector<std::uint8_t> buffer;
    for ([[maybe_unused]] const auto step : state) {
        place(buffer, kHeaderArea, crc, encoded);
        if (buffer.size() < 200'000) continue;
        hash.update(buffer);
        buffer.clear();
    }
    benchmark::DoNotOptimize(hash.digest());
    count_packets(state);
}
BENCHMARK(FrameAndHash);

void Crc(benchmark::State& state) {
    const std::vector<std::uint8_t> record(kRecordHeaderBytes + kPacketFieldsBytes + kPayload, 7);
    const RecordCrc crc("bench", 1);
    for ([[maybe_unused]] const auto step : state) benchmark::DoNotOptimize(crc.of(kHeaderArea, record));
    count_packets(state);
}
BENCHMARK(Crc);

// A packet through the Reader, checksum and chain verified.
void Read(benchmark::State& state) {
    const auto root = fresh_folder("bench-journal-read");
    {
        Committer committer;
        auto writer = Writer::open(committer, root, head());
        const std::vector<std::uint8_t> payload(kPayload, 7);
        for (std::uint32_t n = 0; n < 200'000; ++n) {
            if (!writer->wait_for_room() || !writer->append(packet(n, payload))) state.SkipWithError("no room");
        }
    }
    auto reader = Reader::open(root / "bench");
    for ([[maybe_unused]] const auto step : state) {
        if (std::holds_alternative<Item>(reader->next())) continue;
        state.PauseTiming();
        reader = Reader::open(root / "bench");
        state.ResumeTiming();
    }
    count_packets(state);
    std::filesystem::remove_all(root);
}
BENCHMARK(Read);

}  // namespace
}  // namespace lestapenna::journal
