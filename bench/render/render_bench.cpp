// Speed of the room: slices a second by format, a connection's PCM as a multiple of real time, and the whole way of an
// hour in which five people talk a fifth of the time each.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include <benchmark/benchmark.h>

#include "audio/files.h"
#include "audio/loudness.h"
#include "base/parallel.h"
#include "render/chunk.h"
#include "render/decoded.h"
#include "render/leveled.h"
#include "simulated_journal.h"
#include "support.h"

namespace lestapenna::render {
namespace {

/// A voice of the corpus, or a buzz with syllables where it is not there.
std::vector<float> voice(const std::string& name) {
    if (const auto data = test::test_data()) {
        auto pcm = audio::read_mono_48k(*data / "speech" / name);
        if (pcm) return std::move(*pcm);
    }
    std::vector<float> pcm(60 * kSampleRate);
    for (std::size_t i = 0; i < pcm.size(); ++i) {
        const double t = static_cast<double>(i) / kSampleRate;
        pcm[i] =
            static_cast<float>(0.3 * std::sin(800 * t) * std::max(0.0, std::sin(20 * t)) + 0.05 * std::sin(9000 * t));
    }
    return pcm;
}

/// So many people who talk that share of the time, journaled and placed.
class Session {
  public:
    Session(std::size_t people, Samples length, double share) {
        static const std::vector<std::string> kNames{"en-libri1688-m.opus", "en-libri1998-f.opus",
                                                     "en-libri2033-m.opus", "en-libri2414-m.opus",
                                                     "en-libri533-f.opus"};
        std::vector<std::vector<float>> voices;
        for (std::size_t i = 0; i < people; ++i) voices.push_back(voice(kNames[i % kNames.size()]));
        sandbox::CutTable cut;
        cut.length = length;
        cut.share = share;
        const auto id = *SessionId::parse("bench");
        const auto table = sandbox::simulate(sandbox::cut_table(voices, cut), {});
        if (!test::write_journal(table, folder_.path(), id)) std::abort();
        timeline_ = timeline::read(folder_ / id.text(), seconds(300)).value();
    }
    [[nodiscard]] const timeline::Timeline& timeline() const { return timeline_; }
    [[nodiscard]] std::filesystem::path file(const std::string& name) const { return folder_ / name; }

  private:
    test::TempDir folder_;
    timeline::Timeline timeline_;
};

void realtime(benchmark::State& state, Samples audio) {
    const double spoken = static_cast<double>(audio.count()) / kSampleRate * static_cast<double>(state.iterations());
    state.counters["x_realtime"] = benchmark::Counter(spoken, benchmark::Counter::kIsRate);
}

// A slice in the middle of speech without a pause; 3.1 s of it are pre-roll.
void slice(benchmark::State& state) {
    audio::Mp3Format format = state.range(0) == 64 ? audio::kTrackMp3 : audio::kMasterMp3;
    format.channels = static_cast<int>(state.range(1));
    const auto pcm = voice("en-libri2033-m.opus");
    const PcmSource source = [&](Samples first, std::span<float> out) {
        const auto channels = static_cast<std::size_t>(format.channels);
        for (std::size_t i = 0; i < out.size(); ++i) {
            out[i] = pcm[(static_cast<std::size_t>(first.count()) + i / channels) % pcm.size()];
        }
    };
    const SlicePlan plan(seconds(90));
    for ([[maybe_unused]] auto _ : state) {
        benchmark::DoNotOptimize(encode_slice(format, plan, plan.slice(1), source, [](std::span<float>) {}));
    }
    state.SetItemsProcessed(state.iterations());
    realtime(state, kSlice);
}
BENCHMARK(slice)
    ->ArgNames({"kbps", "channels"})
    ->Args({64, 1})
    ->Args({128, 1})
    ->Args({128, 2})
    ->Unit(benchmark::kMillisecond);

void silent_slice(benchmark::State& state) {
    const PcmSource source = [](Samples, std::span<float> out) { std::fill(out.begin(), out.end(), 0.0F); };
    const SlicePlan plan(seconds(90));
    for ([[maybe_unused]] auto _ : state) {
        benchmark::DoNotOptimize(encode_slice(audio::kTrackMp3, plan, plan.slice(1), source, [](std::span<float>) {}));
    }
    state.SetItemsProcessed(state.iterations());
    realtime(state, kSlice);
}
BENCHMARK(silent_slice)->Unit(benchmark::kMillisecond);

// The one sequential pass over somebody who never stops, levels measured on the way; then any slice of it again.
void connection_first_pass(benchmark::State& state) {
    const Session session(1, seconds(120), 0.9);
    for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(decode(session.timeline(), {}).value().size());
    realtime(state, session.timeline().end().time_since_epoch());
}
BENCHMARK(connection_first_pass)->Unit(benchmark::kMillisecond);

void connection_slice(benchmark::State& state) {
    const Session session(1, seconds(120), 0.9);
    const auto decoded = decode(session.timeline(), {}).value();
    const auto source = decoded.at(0).pcm.source();
    std::vector<float> pcm(static_cast<std::size_t>((kPreRoll + kSlice).count()));
    for ([[maybe_unused]] auto _ : state) {
        source(kSlice - kPreRoll, pcm);
        benchmark::DoNotOptimize(pcm.data());
    }
    realtime(state, kSlice);
}
BENCHMARK(connection_slice)->Unit(benchmark::kMillisecond);

// From a placed timeline to chunks, fragments and master; the time is that of one hour of session.
void hour_of_five(benchmark::State& state) {
    const Session session(5, seconds(3'600), 0.2);
    Work work;
    work.threads = static_cast<unsigned>(state.range(0));
    for ([[maybe_unused]] auto _ : state) {
        const auto decoded = decode(session.timeline(), work).value();
        std::vector<ChunkFile> chunks;
        std::vector<LeveledFile> files;
        std::vector<double> gains;
        for (const DecodedConnection& one : decoded) {
            const auto user = one.connection().user.text();
            for (const auto& window : chunk_windows(one.connection(), seconds(300))) {
                chunks.push_back({session.file(user + "-" + std::to_string(window.index) + ".mp3"), &one.pcm, window});
            }
            auto& file = files.emplace_back();
            file.path = session.file(user + ".mp3");
            file.format = audio::kTrackMp3;
            file.length = one.connection().length();
            file.source = one.pcm.source();
            file.gain_db = choose_gain(one.levels, kTrackTarget).gain_db;
            gains.push_back(file.gain_db);
        }
        auto& master = files.emplace_back();
        master.path = session.file("master.mp3");
        master.format = audio::kMasterMp3;
        master.length = session.timeline().end().time_since_epoch();
        master.source = mix(decoded, gains);
        master.limiter_db = -1.5;
        const auto heard = measure_source(master.source, 1, master.length, work);
        master.gain_db = kTrackTarget - heard.value().lufs.value_or(kTrackTarget);
        if (!make_chunks(chunks, work) || !make_leveled(files, work)) std::abort();
    }
    realtime(state, seconds(3'600));
}
BENCHMARK(hour_of_five)
    ->ArgName("threads")
    ->Arg(1)
    ->Arg(2)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->MeasureProcessCPUTime();

}  // namespace
}  // namespace lestapenna::render
