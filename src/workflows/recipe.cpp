#include "workflows/recipe.h"

#include <fmt/format.h>

#include "render/levels.h"

namespace lestapenna::workflows {

namespace {

// Raised whenever rendering the same packets gives other bytes.
constexpr int kRenderVersion = 1;

std::size_t packets(const timeline::Connection& connection) {
    std::size_t count = 0;
    for (const timeline::Stream& stream : connection.streams) count += stream.packets.size();
    return count;
}

}  // namespace

std::string chunk_recipe(const timeline::Connection& connection, const render::ChunkWindow& window) {
    return fmt::format("v{} frames {}-{} of {} samples, {} packets", kRenderVersion, window.frames.begin,
                       window.frames.end, connection.length().count(), packets(connection));
}

std::string fragment_recipe(const timeline::Connection& connection) {
    return fmt::format("v{} {:.1f} LUFS, {} samples, {} packets", kRenderVersion, render::kTrackTarget,
                       connection.length().count(), packets(connection));
}

std::string master_recipe(const timeline::Timeline& timeline, double target_lufs,
                          const std::vector<catalog::Recording>& fragments) {
    std::string text = fmt::format("v{} {:.1f} LUFS, {} samples", kRenderVersion, target_lufs,
                                   timeline.end().time_since_epoch().count());
    for (const catalog::Recording& fragment : fragments) {
        text += fmt::format("; {} at {:.3f} dB of {}", fragment.key, fragment.gain_db.value_or(0), fragment.recipe);
    }
    return text;
}

}  // namespace lestapenna::workflows
