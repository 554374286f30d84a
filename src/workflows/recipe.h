// What a file was made from and how, as text: when it differs from what would be done today, the file is made anew.
// Pure functions; any thread.
#pragma once

#include <string>
#include <vector>

#include "base/config.h"
#include "base/hash.h"
#include "catalog/catalog.h"
#include "render/chunk.h"
#include "timeline/timeline.h"

namespace lestapenna::workflows {

/// The packets of a stream and how they are placed, as a checksum that grows with them.
class PlacedSoFar {
  public:
    explicit PlacedSoFar(const timeline::Stream& stream) : stream_(&stream) {}
    void take(std::size_t packets);
    void take_before(SamplePos end);
    [[nodiscard]] std::size_t taken() const { return taken_; }
    /// "250 packets 0123456789abcdef"
    [[nodiscard]] std::string text() const;

  private:
    const timeline::Stream* stream_;
    std::size_t taken_ = 0;
    Sha256 sum_;
};

/// What the sound of the first `packets` of a stream depends on, but their payloads: as many, and a checksum of how
/// they are placed.
std::string fingerprint(const timeline::Stream& stream, std::size_t packets);

/// Of one connection's chunks. A recipe tells all that is placed until the end of its window, because a decoder never
/// forgets, and nothing of what comes later: a chunk that was made while the session ran stays as it is.
class ChunkRecipes {
  public:
    explicit ChunkRecipes(const timeline::Connection& connection);
    /// In the order of the windows.
    std::string next(const render::ChunkWindow& window);

  private:
    std::vector<PlacedSoFar> sources_;
};

std::string fragment_recipe(const timeline::Connection& connection);
/// `gains_db`: of each of `fragments` in the mix; -infinity: it is left out.
std::string master_recipe(const timeline::Timeline& timeline, double target_lufs,
                          const std::vector<catalog::Recording>& fragments, const std::vector<double>& gains_db);

}  // namespace lestapenna::workflows
