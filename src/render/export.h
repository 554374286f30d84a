// Exports: one file per user at gain 1, all beginning at the same instant, so that an editor lines them up by itself.
// Opus goes out as it came in, never decoded. Pure but for the files written; the caller picks temporary names and
// renames.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "audio/files.h"
#include "base/result.h"
#include "render/pcm.h"
#include "render/work.h"
#include "timeline/timeline.h"

namespace lestapenna::render {

/// A stretch of the session's clock.
struct Range {
    SamplePos from;
    SamplePos to;
    [[nodiscard]] Samples length() const { return to - from; }
};

/// Ogg Opus from a user's own packets. Silence between talk runs is made of 3-byte silence packets, lost packets of
/// empty ones that make a decoder conceal. Packets lie on a grid of 2.5 ms, so a run begins within 1.25 ms of its
/// place; nothing accumulates. The 80 ms before `range` are in the file too, as pre-skip, for the decoder to settle.
Status export_opus(const timeline::Timeline& timeline, UserId user, Range range, const std::filesystem::path& path);

/// Decoded: 16 bit WAV (RF64 beyond 4 GiB) or FLAC, of one or more connections of one user.
Status export_pcm(const std::vector<const ConnectionPcm*>& connections, Range range, audio::SampleFormat format,
                  const std::filesystem::path& path, const Work& work);

/// The table's notes as Audacity labels: start, end, text, tab separated, seconds from range.from.
std::string audacity_labels(const timeline::Timeline& timeline, Range range);

}  // namespace lestapenna::render
