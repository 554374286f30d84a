// MP3 files laid on the session's clock: what a master is mixed from when there is no journal. Pure functions; any
// thread.
#pragma once

#include <span>
#include <vector>

#include "audio/mp3_file.h"
#include "render/levels.h"
#include "render/pcm.h"
#include "render/work.h"

namespace lestapenna::render {

struct Clip {
    audio::Mp3File file;
    SamplePos start;   ///< of its first sample
    Samples length{};  ///< of it that is used, from its first sample on
    double gain_db = 0;
    [[nodiscard]] SamplePos end() const { return start + length; }
};

/// All of them summed on the session's clock, each at its own gain. `clips` must outlive the source.
PcmSource mix(const std::vector<Clip>& clips);

/// How loud a connection is whose clips follow one another, at gain 1. Where nothing was received they are silent:
/// packets are where they are not.
Result<Levels> measure_clips(std::span<const Clip> connection, const Work& work);

}  // namespace lestapenna::render
