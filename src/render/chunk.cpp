#include "render/chunk.h"

#include <algorithm>
#include <cassert>
#include <set>

#include "render/frame_file.h"

namespace lestapenna::render {

std::vector<ChunkWindow> chunk_windows(const timeline::Connection& connection, milliseconds rotation) {
    const Samples window = std::chrono::duration_cast<Samples>(rotation);
    assert(window.count() > 0 && window % kSlice == Samples{0});
    std::set<std::int64_t> used;
    for (const timeline::Stream& stream : connection.streams) {
        for (const timeline::PlacedPacket& packet : stream.packets) {
            used.insert((packet.at - connection.start) / window);
            used.insert((packet.end() - Samples{1} - connection.start) / window);  // it may sound into the next one
        }
    }
    const std::int64_t window_frames = window.count() / audio::kMp3FrameSamples;
    const std::int64_t last_frame = audio::mp3_frames(connection.length()) - 1;
    std::vector<ChunkWindow> windows;
    for (const std::int64_t index : used) {
        const Samples begin = index * window;
        if (begin >= connection.length()) continue;  // a packet of no length at the very end
        const Samples end = std::min(begin + window, connection.length());
        const bool last = (index + 1) * window_frames >= last_frame;
        const Frames frames{index * window_frames, (last ? last_frame : (index + 1) * window_frames) + 1};
        windows.push_back({index, connection.start + begin, end - begin, frames, last});
    }
    return windows;
}

Stretch stretch_of(const timeline::Connection& connection, const ChunkWindow& window) {
    const auto place = [&](std::int64_t frame) { return connection.start + Samples{frame * audio::kMp3FrameSamples}; };
    return {place(std::max<std::int64_t>(0, window.frames.begin - kPreRollFrames)),
            place(window.frames.end + kRunOverFrames)};
}

Status make_chunks(const std::vector<ChunkFile>& chunks, const Work& work) {
    struct Piece {
        std::size_t chunk;
        Frames frames;
    };
    std::vector<FrameFile> files;
    std::vector<SlicePlan> plans;
    std::vector<Piece> pieces;
    for (std::size_t c = 0; c < chunks.size(); ++c) {
        const ChunkWindow& window = chunks[c].window;
        const SlicePlan plan(chunks[c].pcm->connection().length());
        auto file = FrameFile::create(chunks[c].path, audio::kTrackMp3, window.frames, window.length);
        if (!file) return file.error();
        files.push_back(std::move(*file));
        plans.push_back(plan);
        for (std::int64_t at = window.frames.begin; at < window.frames.end;) {
            const std::int64_t end = std::min(window.frames.end, plan.slice(plan.slice_of(at)).end);
            pieces.push_back({c, {at, end}});
            at = end;
        }
    }
    const auto as_it_is = [](std::span<float>) {};
    return work.each("chunks", pieces.size(), [&](std::size_t i) {
        const auto& [chunk, frames] = pieces[i];
        return files[chunk].put(
            frames.begin, encode_slice(audio::kTrackMp3, plans[chunk], frames, chunks[chunk].pcm->source(), as_it_is));
    });
}

}  // namespace lestapenna::render
