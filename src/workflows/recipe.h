// What a file was made from and how, as text: when it differs from what would be done today, the file is made anew.
// Pure functions; any thread.
#pragma once

#include <string>
#include <vector>

#include "base/config.h"
#include "catalog/catalog.h"
#include "render/chunk.h"
#include "timeline/timeline.h"

namespace lestapenna::workflows {

std::string chunk_recipe(const timeline::Connection& connection, const render::ChunkWindow& window);
std::string fragment_recipe(const timeline::Connection& connection);
std::string master_recipe(const timeline::Timeline& timeline, double target_lufs,
                          const std::vector<catalog::Recording>& fragments);

}  // namespace lestapenna::workflows
