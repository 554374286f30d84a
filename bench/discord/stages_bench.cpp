// What one voice packet costs on its way in, stage by stage, and on its way out. 160 bytes is a 20 ms Opus packet of
// 64 kbit/s; one iteration is one packet; `mallocs` is per packet, of all kinds.
#include <array>
#include <vector>

#include <benchmark/benchmark.h>
#include <sys/socket.h>

#include "dave/sender.h"
#include "discord/datagram.h"
#include "discord/udp.h"
#include "discord/voice_frames.h"
#include "mallocs.h"

namespace lestapenna::discord {
namespace {

constexpr std::size_t kOpusBytes = 160;
constexpr std::size_t kBatch = 64;
constexpr TransportMode kModes[] = {TransportMode::aes256_gcm, TransportMode::xchacha20_poly1305};

using Bytes = std::vector<std::uint8_t>;

Transport transport(TransportMode mode) {
    std::array<std::uint8_t, kTransportKeyBytes> key{};
    key.fill(7);
    return {mode, key};
}

Bytes clear_part() {
    Bytes bytes;
    rtp::write({.marker = false, .payload_type = rtp::kOpusPayloadType, .seq = 1, .timestamp = 960, .ssrc = 5}, {},
               bytes);
    return bytes;
}

Bytes sealed(TransportMode mode) {
    Transport sealer = transport(mode);
    Bytes bytes = clear_part();
    sealer.seal(Bytes(kOpusBytes, 3), bytes);
    return bytes;
}

class Mallocs {
  public:
    explicit Mallocs(benchmark::State& state) : state_(state), before_(bench::mallocs()) {}
    Mallocs(const Mallocs&) = delete;
    Mallocs& operator=(const Mallocs&) = delete;
    ~Mallocs() {
        state_.counters["mallocs"] =
            benchmark::Counter(static_cast<double>(bench::mallocs() - before_), benchmark::Counter::kAvgIterations);
    }

  private:
    benchmark::State& state_;
    std::uint64_t before_;
};

/// A socket that is read, and one that sends to it.
struct Pair {
    net::Loop loop;
    UdpSocket reader = UdpSocket::bind(loop, *UdpAddress::parse("127.0.0.1", 0), 4 << 20).value();
    UdpSocket sender = UdpSocket::connect(loop, reader.local(), 1 << 20).value();
    Bytes packet = sealed(TransportMode::aes256_gcm);

    void fill(std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) sender.send(packet);
    }
};

// Readiness, recvmmsg, stamps, drop counter: batches of `range` packets, as many as wait when the loop comes round.
// Everything up to the call with the bytes; filling the socket is not counted.
void Receive(benchmark::State& state) {
    Pair pair;
    const auto batch = static_cast<std::size_t>(state.range(0));
    std::size_t got = 0;
    pair.reader.read_loop([&](const Received& r) { got += r.bytes.empty() ? 0U : 1U; }, [](std::uint32_t) {});
    pair.fill(1);
    while (got < 1) pair.loop.poll();
    std::size_t left = 0;
    const Mallocs mallocs(state);
    for ([[maybe_unused]] const auto step : state) {
        if (left == 0) {
            state.PauseTiming();
            pair.fill(batch);
            left = batch;
            const std::size_t goal = got + batch;
            state.ResumeTiming();
            while (got < goal) pair.loop.poll();
        }
        --left;
    }
}
BENCHMARK(Receive)->Arg(1)->Arg(8)->Arg(kBatch)->Iterations(200'000);

void ParseFront(benchmark::State& state) {
    const Bytes packet = sealed(TransportMode::aes256_gcm);
    for ([[maybe_unused]] const auto step : state) benchmark::DoNotOptimize(rtp::parse_front(packet));
}
BENCHMARK(ParseFront);

// In place, so each time on a copy: memcpy of 192 bytes, some 5 ns, is counted.
void Open(benchmark::State& state) {
    const TransportMode mode = kModes[state.range(0)];
    state.SetLabel(std::string(to_string(mode)));
    Transport opener = transport(mode);
    const Bytes packet = sealed(mode);
    Bytes copy = packet;
    const std::span<std::uint8_t> all(copy);
    const Mallocs mallocs(state);
    for ([[maybe_unused]] const auto step : state) {
        std::copy(packet.begin(), packet.end(), copy.begin());
        if (!opener.open(all.first(12), all.subspan(12))) state.SkipWithError("does not open");
    }
}
BENCHMARK(Open)->Arg(0)->Arg(1);

// All between the socket and the listener: parse, open, strip, and the listener's call.
struct Ear {
    virtual ~Ear() = default;
    virtual void on_packet(const OpenedDatagram& packet) = 0;
};
struct Counting final : Ear {
    std::uint64_t bytes = 0;
    void on_packet(const OpenedDatagram& packet) override { bytes += packet.payload.size(); }
};
void OpenDatagramAndTell(benchmark::State& state) {
    const TransportMode mode = kModes[state.range(0)];
    state.SetLabel(std::string(to_string(mode)));
    Transport opener = transport(mode);
    const Bytes packet = sealed(mode);
    Bytes copy = packet;
    Counting counting;
    Ear* ear = &counting;
    benchmark::DoNotOptimize(ear);
    const Mallocs mallocs(state);
    for ([[maybe_unused]] const auto step : state) {
        std::copy(packet.begin(), packet.end(), copy.begin());
        ear->on_packet(open_datagram(copy, &opener));
    }
    if (counting.bytes != static_cast<std::uint64_t>(state.iterations()) * kOpusBytes) state.SkipWithError("lost some");
}
BENCHMARK(OpenDatagramAndTell)->Arg(0)->Arg(1);

// The same in an encrypted call: besides, DAVE's key of the sender opens it, and it is handed on as that user's.
struct CountingListener final : Listener {
    std::uint64_t bytes = 0;
    void on_packet(const VoicePacket& packet) noexcept override { bytes += packet.payload.size(); }
    void on_event(const VoiceEvent& /*event*/) noexcept override {}
};
void OpenDatagramAndFrameAndTell(benchmark::State& state) {
    const TransportMode mode = kModes[state.range(0)];
    state.SetLabel(std::string(to_string(mode)));
    constexpr UserId kSpeaker{204'255'221'017'214'977};
    constexpr std::size_t kPackets = 10'000;  // sealed ahead: no frame opens twice
    VoiceCounts counts;
    CountingListener listener;
    const BootTime now = BootClock::now();
    const auto frames = std::make_shared<VoiceFrames>(UserId{1}, VoiceOptions{}, listener, counts);
    frames->expect_sealed();
    frames->announce(5, kSpeaker);
    Transport opener = transport(mode);
    Transport sealer = transport(mode);
    std::vector<Bytes> packets(kPackets);
    auto next_epoch = [&, number = std::uint8_t{0}]() mutable {
        const mls::Secret secret(16, ++number);
        std::vector<dave::BaseSecret> keys;
        keys.push_back({kSpeaker, secret});
        frames->begin_epoch(std::move(keys), now);
        dave::Sender sender({kSpeaker, secret});
        Bytes sealed_frame;
        for (Bytes& packet : packets) {
            sealed_frame.clear();
            sender.seal(Bytes(kOpusBytes, 3), sealed_frame);
            packet = clear_part();
            sealer.seal(sealed_frame, packet);
        }
    };
    std::size_t next = kPackets;
    std::uint64_t mallocs = 0;
    std::uint64_t since = bench::mallocs();
    for ([[maybe_unused]] const auto step : state) {
        if (next == kPackets) {
            state.PauseTiming();
            mallocs += bench::mallocs() - since;
            next_epoch();
            next = 0;
            since = bench::mallocs();
            state.ResumeTiming();
        }
        const OpenedDatagram opened = open_datagram(packets[next++], &opener);
        frames->on_packet({opened.header, now, opened.payload});
    }
    mallocs += bench::mallocs() - since;
    if (listener.bytes != static_cast<std::uint64_t>(state.iterations()) * kOpusBytes) state.SkipWithError("lost some");
    state.counters["mallocs"] = static_cast<double>(mallocs) / static_cast<double>(state.iterations());
    frames->close();
}
BENCHMARK(OpenDatagramAndFrameAndTell)->Arg(0)->Arg(1);

// The listener's call alone.
void Tell(benchmark::State& state) {
    Counting counting;
    Ear* ear = &counting;
    const OpenedDatagram opened;
    for ([[maybe_unused]] const auto step : state) {
        benchmark::DoNotOptimize(ear);
        ear->on_packet(opened);
    }
}
BENCHMARK(Tell);

void Seal(benchmark::State& state) {
    const TransportMode mode = kModes[state.range(0)];
    state.SetLabel(std::string(to_string(mode)));
    Transport sealer = transport(mode);
    const Bytes clear = clear_part();
    const Bytes opus(kOpusBytes, 3);
    Bytes out;
    out.reserve(kMaxDatagramBytes);
    const Mallocs mallocs(state);
    for ([[maybe_unused]] const auto step : state) {
        out.assign(clear.begin(), clear.end());
        if (!sealer.seal(opus, out)) state.SkipWithError("the key is used up");
    }
}
BENCHMARK(Seal)->Arg(0)->Arg(1);

}  // namespace
}  // namespace lestapenna::discord
