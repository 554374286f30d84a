#include "render/clips.h"

#include <algorithm>
#include <cmath>

#include "audio/loudness.h"

namespace lestapenna::render {

namespace {

constexpr Samples kPiece{30 * kSampleRate};
constexpr std::size_t kBlock = 960;  // a packet of 20 ms
// Between packets there are exact zeros but for what the encoder spreads around a sound: below -90 dBFS nobody speaks.
constexpr float kSilence = 3.2e-5F;

bool silent(std::span<const float> block) {
    return std::all_of(block.begin(), block.end(), [](float x) { return std::fabs(x) < kSilence; });
}

/// Shows the meter what is not silent of a piece that begins at `at` of the connection.
void meter_sound(LevelMeter& meter, SamplePos at, std::span<const float> piece) {
    for (std::size_t begin = 0; begin < piece.size();) {
        std::size_t end = begin;
        while (end < piece.size() && !silent(piece.subspan(end, std::min(kBlock, piece.size() - end)))) {
            end = std::min(end + kBlock, piece.size());
        }
        if (end > begin) meter.add(at + Samples{static_cast<std::int64_t>(begin)}, piece.subspan(begin, end - begin));
        begin = end > begin ? end : std::min(begin + kBlock, piece.size());
    }
}

}  // namespace

PcmSource mix(const std::vector<Clip>& clips) {
    std::vector<float> gains;
    gains.reserve(clips.size());
    for (const Clip& clip : clips) gains.push_back(static_cast<float>(audio::from_db(clip.gain_db)));
    return [&clips, gains = std::move(gains)](Samples first, std::span<float> out) {
        std::ranges::fill(out, 0.0F);
        const SamplePos begin{first};
        const SamplePos end = begin + Samples{static_cast<std::int64_t>(out.size())};
        std::vector<float> pcm;
        for (std::size_t i = 0; i < clips.size(); ++i) {
            const SamplePos from = std::max(begin, clips[i].start);
            const SamplePos to = std::min(end, clips[i].end());
            if (from >= to) continue;
            pcm.resize(static_cast<std::size_t>((to - from).count()));
            clips[i].file.read(from - clips[i].start, pcm);
            float* const target = out.data() + (from - begin).count();
            for (std::size_t n = 0; n < pcm.size(); ++n) target[n] += gains[i] * pcm[n];
        }
    };
}

Result<Levels> measure_clips(std::span<const Clip> connection, const Work& work) {
    LevelMeter meter;
    std::vector<float> piece;
    for (const Clip& clip : connection) {
        for (Samples at{}; at < clip.length; at += kPiece) {
            if (work.stopped()) return stopped_error();
            piece.resize(static_cast<std::size_t>(std::min(kPiece, clip.length - at).count()));
            clip.file.read(at, piece);
            meter_sound(meter, SamplePos{clip.start - connection.front().start + at}, piece);
        }
    }
    return meter.finish(connection.empty() ? Samples{} : connection.back().end() - connection.front().start);
}

}  // namespace lestapenna::render
