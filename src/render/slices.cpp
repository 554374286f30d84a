#include "render/slices.h"

#include <algorithm>
#include <cassert>

namespace lestapenna::render {

namespace {

using audio::kMp3FrameSamples;

// A frame's sound reaches from 1105 samples before it to 623 behind its end (audio.md A1); two frames either side are
// on the safe side.
constexpr std::int64_t kReachFrames = 2;
// An encoder that was at rest needs no history but this.
constexpr std::int64_t kLeadInFrames = 4;

/// Which frames of the stretch beginning at `begin` have anything to encode.
std::vector<bool> active_frames(std::span<const float> pcm, std::size_t frame_floats) {
    const auto count = static_cast<std::int64_t>(pcm.size() / frame_floats);
    std::vector<bool> active(static_cast<std::size_t>(count));
    for (std::int64_t f = 0; f < count; ++f) {
        const auto frame = pcm.subspan(static_cast<std::size_t>(f) * frame_floats, frame_floats);
        if (std::all_of(frame.begin(), frame.end(), [](float x) { return x == 0.0F; })) continue;
        // Frame g carries samples of frames g - 2 to g + 1, so these samples wake frames f - 1 to f + 2.
        for (std::int64_t g = std::max<std::int64_t>(0, f - kReachFrames + 1);
             g <= std::min(count - 1, f + kReachFrames); ++g) {
            active[static_cast<std::size_t>(g)] = true;
        }
    }
    return active;
}

/// Encodes frames [from, to) of the stretch with an encoder of their own; what is active goes to its place in `out`.
class Island {
  public:
    Island(const audio::Mp3Format& format, std::span<const float> pcm) : encoder_(format), format_(format), pcm_(pcm) {}

    /// Bytes of the frames [from, to) of the stretch.
    std::vector<std::uint8_t> encode(std::int64_t from, std::int64_t to) {
        const auto frame_floats = static_cast<std::size_t>(kMp3FrameSamples * format_.channels);
        const std::vector<float> zeros(frame_floats);
        std::vector<std::uint8_t> bytes;
        const std::size_t wanted = static_cast<std::size_t>(to - from) * format_.frame_bytes();
        for (std::int64_t f = from; bytes.size() < wanted; ++f) {
            const std::size_t at = static_cast<std::size_t>(f) * frame_floats;
            encoder_.encode(at < pcm_.size() ? pcm_.subspan(at, frame_floats) : std::span<const float>(zeros), bytes);
        }
        bytes.resize(wanted);
        return bytes;
    }

  private:
    audio::Mp3Encoder encoder_;
    audio::Mp3Format format_;
    std::span<const float> pcm_;
};

}  // namespace

SlicePlan::SlicePlan(Samples length)
    : frames_(audio::mp3_frames(length)),
      count_(std::max<std::int64_t>(1, (frames_ - 1 + kSliceFrames - 1) / kSliceFrames)) {}

Frames SlicePlan::slice(std::int64_t index) const {
    assert(index >= 0 && index < count_);
    return {index * kSliceFrames, index + 1 == count_ ? frames_ : (index + 1) * kSliceFrames};
}

std::int64_t SlicePlan::slice_of(std::int64_t frame) const {
    return std::min(frame / kSliceFrames, count_ - 1);
}

std::vector<std::uint8_t> encode_slice(const audio::Mp3Format& format, const SlicePlan& plan, Frames wanted,
                                       const PcmSource& source, const Treatment& treat) {
    const std::int64_t index = plan.slice_of(wanted.begin);
    assert(wanted.size() > 0 && plan.slice_of(wanted.end - 1) == index);
    const std::int64_t begin = std::max<std::int64_t>(0, plan.slice(index).begin - kPreRollFrames);
    const std::int64_t end = wanted.end + kRunOverFrames;
    const auto frame_floats = static_cast<std::size_t>(kMp3FrameSamples * format.channels);
    std::vector<float> pcm(static_cast<std::size_t>(end - begin) * frame_floats);
    source(Samples{begin * kMp3FrameSamples}, pcm);
    treat(pcm);

    const auto& silence = audio::silent_frame(format);
    std::vector<std::uint8_t> out;
    out.reserve(static_cast<std::size_t>(wanted.size()) * format.frame_bytes());
    for (std::int64_t f = 0; f < wanted.size(); ++f) out.insert(out.end(), silence.begin(), silence.end());

    const std::vector<bool> active = active_frames(pcm, frame_floats);
    const auto count = static_cast<std::int64_t>(active.size());
    for (std::int64_t f = 0; f < count;) {
        if (!active[static_cast<std::size_t>(f)]) {
            ++f;
            continue;
        }
        // An island goes on until there are more than kPreRollFrames of silence: then the encoder has forgotten it
        // anyway.
        std::int64_t last = f;
        for (std::int64_t g = f; g < count && g - last <= kPreRollFrames; ++g) {
            if (active[static_cast<std::size_t>(g)]) last = g;
        }
        const std::int64_t from = std::max<std::int64_t>(0, f - kLeadInFrames);
        const std::int64_t to = std::min(last + 1, wanted.end - begin);
        if (to > wanted.begin - begin && to > from) {
            const std::vector<std::uint8_t> bytes = Island(format, pcm).encode(from, to);
            for (std::int64_t g = std::max(f, wanted.begin - begin); g < to; ++g) {
                if (!active[static_cast<std::size_t>(g)]) continue;
                const auto frame = bytes.begin() + (g - from) * static_cast<std::int64_t>(format.frame_bytes());
                std::copy_n(
                    frame, format.frame_bytes(),
                    out.begin() + (g - (wanted.begin - begin)) * static_cast<std::int64_t>(format.frame_bytes()));
            }
        }
        f = last + 1;
    }
    return out;
}

}  // namespace lestapenna::render
