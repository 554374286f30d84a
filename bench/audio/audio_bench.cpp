// Speed of the room, as multiples of real time: items are samples at 48 kHz, so items per second / 48,000 is "x
// realtime".
#include <cstdlib>
#include <filesystem>
#include <random>

#include <benchmark/benchmark.h>

#include "audio/files.h"
#include "audio/limiter.h"
#include "audio/loudness.h"
#include "audio/mp3.h"
#include "audio/opus.h"

namespace lestapenna::audio {
namespace {

constexpr std::size_t kFrame = 960;
constexpr std::size_t kSecond = kSampleRate;
constexpr std::size_t kMp3Frame = kMp3FrameSamples;

/// A minute of the corpus, or of noise in syllables where it is not there.
const std::vector<float>& minute() {
    static const std::vector<float> pcm = [] {
        const char* const root = std::getenv("LESTAPENNA_TEST_DATA");
        const std::filesystem::path data = root != nullptr ? root : "../shared";
        auto voice = read_mono_48k(data / "speech" / "en-libri2033-m.opus");
        std::vector<float> samples = voice ? std::move(*voice) : std::vector<float>{};
        std::mt19937 random(1);
        std::normal_distribution<float> noise(0, 0.1F);
        while (samples.size() < 60 * kSecond) samples.push_back(samples.size() / 9600 % 3 == 0 ? 0 : noise(random));
        samples.resize(60 * kSecond);
        return samples;
    }();
    return pcm;
}

void report(benchmark::State& state) {
    const auto samples = static_cast<std::int64_t>(state.iterations()) * std::ssize(minute());
    state.counters["x_realtime"] =
        benchmark::Counter(static_cast<double>(samples) / kSampleRate, benchmark::Counter::kIsRate);
}

void opus_decode(benchmark::State& state) {
    OpusEncoder encoder({.channels = static_cast<int>(state.range(0))});
    std::vector<std::vector<std::uint8_t>> packets;
    for (std::size_t at = 0; at + kFrame <= minute().size(); at += kFrame) {
        packets.push_back(encoder.encode(std::span(minute()).subspan(at, kFrame)));
    }
    std::vector<float> out(static_cast<std::size_t>(kMaxOpusPacket.count()));
    for ([[maybe_unused]] auto _ : state) {
        OpusDecoder decoder;
        for (const auto& packet : packets) benchmark::DoNotOptimize(decoder.decode(packet, out));
    }
    report(state);
}
BENCHMARK(opus_decode)->ArgName("channels")->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond);

void opus_copy(benchmark::State& state) {
    const OpusDecoder decoder;
    for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(OpusDecoder(decoder));
}
BENCHMARK(opus_copy);

std::vector<std::uint8_t> encode(const Mp3Format& format) {
    Mp3Encoder encoder(format);
    std::vector<std::uint8_t> frames;
    for (std::size_t at = 0; at + kMp3Frame <= minute().size(); at += kMp3Frame) {
        encoder.encode(std::span(minute()).subspan(at, kMp3Frame), frames);
    }
    return frames;
}

void mp3_encode(benchmark::State& state, const Mp3Format& format) {
    for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(encode(format));
    report(state);
}
BENCHMARK_CAPTURE(mp3_encode, track_64_mono_q3, kTrackMp3)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(mp3_encode, master_128_mono_q5, kMasterMp3)->Unit(benchmark::kMillisecond);

void mp3_decode(benchmark::State& state, const Mp3Format& format) {
    const auto frames = encode(format);
    std::vector<float> pcm;
    for ([[maybe_unused]] auto _ : state) {
        Mp3Decoder decoder(format.channels);
        pcm.clear();
        if (!decoder.decode(frames, pcm)) state.SkipWithError("damaged");
    }
    report(state);
}
BENCHMARK_CAPTURE(mp3_decode, track_64_mono, kTrackMp3)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(mp3_decode, master_128_mono, kMasterMp3)->Unit(benchmark::kMillisecond);

void loudness(benchmark::State& state) {
    for ([[maybe_unused]] auto _ : state) {
        LoudnessMeter meter;
        meter.feed(minute());
        benchmark::DoNotOptimize(integrated_loudness(meter.momentary()));
    }
    report(state);
}
BENCHMARK(loudness)->Unit(benchmark::kMillisecond);

void loudness_and_true_peak(benchmark::State& state) {
    for ([[maybe_unused]] auto _ : state) {
        LoudnessMeter meter;
        meter.feed(minute());
        benchmark::DoNotOptimize(integrated_loudness(meter.momentary()));
        benchmark::DoNotOptimize(true_peak(minute()));
    }
    report(state);
}
BENCHMARK(loudness_and_true_peak)->Unit(benchmark::kMillisecond);

void limiter(benchmark::State& state) {
    std::vector<float> raised(minute());
    for (float& sample : raised) sample *= static_cast<float>(from_db(static_cast<double>(state.range(0))));
    std::vector<float> pcm;
    for ([[maybe_unused]] auto _ : state) {
        pcm = raised;
        limit(pcm, 1, from_db(-1));
    }
    report(state);
}
BENCHMARK(limiter)->ArgName("gain_db")->Arg(-20)->Arg(0)->Arg(10)->Arg(20)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace lestapenna::audio
