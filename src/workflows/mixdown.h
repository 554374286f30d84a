// How a master is made of whatever it is mixed from: journal or files of the store.
#pragma once

#include <limits>

#include "render/pcm.h"
#include "workflows/session.h"

namespace lestapenna::workflows {

inline constexpr double kLeftOut = -std::numeric_limits<double>::infinity();

/// How much a music bot stands back behind the people; kLeftOut where it is not to be heard at all.
double bots_in_mix_db(const Config& config);

/// Brings `source`, mono, to the target of the configuration as MP3 at `scratch` (removed on return), puts it into the
/// store and writes `row`, completed with what it measures. A kill in between leaves a row without a recipe.
Status make_mixdown(const Tools& tools, const std::filesystem::path& scratch, const render::PcmSource& source,
                    Samples length, catalog::Master row);

}  // namespace lestapenna::workflows
