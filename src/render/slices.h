// An MP3 file is the encode of fixed slices: 1,250 frames (30 s) each, counted from the file's own frame 0. Every slice
// but the first starts its encoder 128 frames early, and all but the last run 4 frames over; what lies outside is
// dropped. So slices can be made in any order, on any number of cores, years apart, and give the same bytes; they join
// without a shift of a sample, at an SNR within 0.1 dB of one uncut encode (docs/architecture.md section 7).
//
// A frame around which there is nothing but zeros is one canonical frame, and no encoder runs for it.
// Pure functions; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "audio/mp3.h"
#include "base/time.h"
#include "render/pcm.h"

namespace lestapenna::render {

inline constexpr std::int64_t kSliceFrames = 1'250;
inline constexpr std::int64_t kPreRollFrames = 128;
inline constexpr std::int64_t kRunOverFrames = 4;
inline constexpr Samples kSlice{kSliceFrames * audio::kMp3FrameSamples};
inline constexpr Samples kPreRoll{kPreRollFrames * audio::kMp3FrameSamples};

/// A range of frames of a file.
struct Frames {
    std::int64_t begin = 0;
    std::int64_t end = 0;
    [[nodiscard]] std::int64_t size() const { return end - begin; }
};

/// How a file of `length` samples is cut. Its last frame (the one beyond ceil(n / 1152)) belongs to the last slice.
class SlicePlan {
  public:
    explicit SlicePlan(Samples length);
    [[nodiscard]] std::int64_t frames() const { return frames_; }
    [[nodiscard]] std::int64_t count() const { return count_; }
    [[nodiscard]] Frames slice(std::int64_t index) const;
    [[nodiscard]] std::int64_t slice_of(std::int64_t frame) const;

  private:
    std::int64_t frames_;
    std::int64_t count_;
};

/// What is done to a slice's PCM before it is encoded: gain, limiter. Gets the pre-roll and the run-over too.
using Treatment = std::function<void(std::span<float> interleaved)>;

/// The bytes of the frames `wanted`, which lie in one slice of `plan`.
std::vector<std::uint8_t> encode_slice(const audio::Mp3Format& format, const SlicePlan& plan, Frames wanted,
                                       const PcmSource& source, const Treatment& treat);

}  // namespace lestapenna::render
