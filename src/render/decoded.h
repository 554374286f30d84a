// A session's connections, decoded once: how loud they are, and the decoders' states to start from anywhere.
#pragma once

#include <memory>
#include <vector>

#include "base/result.h"
#include "render/levels.h"
#include "render/pcm.h"
#include "render/work.h"
#include "timeline/timeline.h"

namespace lestapenna::render {

struct DecodedConnection {
    ConnectionPcm pcm;
    Levels levels;
    [[nodiscard]] const timeline::Connection& connection() const { return pcm.connection(); }
};

/// Decodes every connection that has audio, one per thread, in the timeline's order. `timeline` must outlive the
/// result.
Result<std::vector<DecodedConnection>> decode(const timeline::Timeline& timeline, const Work& work);
/// The same of some, in their order; they are the timeline's.
Result<std::vector<DecodedConnection>> decode(const timeline::Timeline& timeline,
                                              const std::vector<const timeline::Connection*>& connections,
                                              const Work& work);

/// All of them summed on the session's clock, each at its own gain. `connections` must outlive the source.
PcmSource mix(const std::vector<DecodedConnection>& connections, const std::vector<double>& gains_db);

}  // namespace lestapenna::render
