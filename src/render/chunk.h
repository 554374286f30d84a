// Chunks: the five-minute windows of a connection at gain 1, cut from one MP3 stream so that each plays alone and the
// decoded chunks laid end to end equal the decode of the whole stream bit for bit (docs/architecture.md section 7).
//
// A chunk is a pure function of its connection's packets in windows that are closed, so it may be made while the
// session runs.
#pragma once

#include <filesystem>
#include <vector>

#include "base/result.h"
#include "render/pcm.h"
#include "render/slices.h"
#include "render/work.h"

namespace lestapenna::render {

/// Frame range and place of one window of a connection.
struct ChunkWindow {
    std::int64_t index = 0;
    SamplePos start;  ///< on the session's clock, whole milliseconds
    Samples length{};
    Frames frames;      ///< of the connection's stream; the last one is also the next window's first
    bool last = false;  ///< its frames reach the end of the stream
};

/// The windows of a connection that hold at least one packet. `rotation` is a multiple of 30 s.
std::vector<ChunkWindow> chunk_windows(const timeline::Connection& connection, milliseconds rotation);

/// What of a connection is decoded to make a chunk: the encoder warms up before it and looks beyond its end.
struct Stretch {
    SamplePos from;
    SamplePos to;
};
Stretch stretch_of(const timeline::Connection& connection, const ChunkWindow& window);

struct ChunkFile {
    std::filesystem::path path;
    const ConnectionPcm* pcm = nullptr;
    ChunkWindow window;
};

/// Writes the files, slice by slice over the threads. Errors leave unfinished files at the paths.
Status make_chunks(const std::vector<ChunkFile>& chunks, const Work& work);

}  // namespace lestapenna::render
