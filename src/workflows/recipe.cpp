#include "workflows/recipe.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <span>

#include <fmt/format.h>

#include "render/levels.h"

namespace lestapenna::workflows {

namespace {

// Raised whenever rendering the same packets gives other bytes.
constexpr int kRenderVersion = 2;

// 64 bits: nobody wants two to be alike.
constexpr std::size_t kSumBytes = 8;

template <class T>
std::uint8_t* put(std::uint8_t* to, T value) {
    std::memcpy(to, &value, sizeof value);
    return to + sizeof value;
}

}  // namespace

void PlacedSoFar::take(std::size_t packets) {
    constexpr std::size_t kPlaceBytes = 16;
    std::array<std::uint8_t, 256 * kPlaceBytes> buffer{};
    auto* to = buffer.data();
    for (; taken_ < packets; ++taken_) {
        const timeline::PlacedPacket& packet = stream_->packets[taken_];
        to = put(to, packet.at.time_since_epoch().count());
        to = put(to, packet.payload.size);
        to = put(to, packet.duration);
        to = put(to, packet.missing);
        to = put(to, packet.slip);
        to = put(to, packet.silence);
        if (to != buffer.data() + buffer.size()) continue;
        sum_.update(buffer);
        to = buffer.data();
    }
    sum_.update({buffer.data(), to});
}

void PlacedSoFar::take_before(SamplePos end) {
    const auto& packets = stream_->packets;
    const auto after =
        std::partition_point(packets.begin(), packets.end(), [end](const auto& p) { return p.at < end; });
    take(static_cast<std::size_t>(after - packets.begin()));
}

std::string PlacedSoFar::text() const {
    const Digest sum = sum_.digest();
    return fmt::format("{} packets {}", taken_, hex(std::span(sum).first(kSumBytes)));
}

std::string fingerprint(const timeline::Stream& stream, std::size_t packets) {
    PlacedSoFar placed(stream);
    placed.take(packets);
    return placed.text();
}

ChunkRecipes::ChunkRecipes(const timeline::Connection& connection) {
    for (const timeline::Stream& stream : connection.streams) sources_.emplace_back(stream);
}

std::string ChunkRecipes::next(const render::ChunkWindow& window) {
    std::string text = fmt::format("v{} frames {}-{}{}, {} samples", kRenderVersion, window.frames.begin,
                                   window.frames.end, window.last ? " (the last)" : "", window.length.count());
    const SamplePos end = window.start + window.length + std::chrono::floor<Samples>(timeline::kClosingGuard);
    for (PlacedSoFar& source : sources_) {
        source.take_before(end);
        if (source.taken() > 0) text += ", " + source.text();  // a source that begins later changes nothing
    }
    return text;
}

std::string fragment_recipe(const timeline::Connection& connection) {
    std::string text =
        fmt::format("v{} {:.1f} LUFS, {} samples", kRenderVersion, render::kTrackTarget, connection.length().count());
    for (const timeline::Stream& stream : connection.streams) {
        if (!stream.packets.empty()) text += ", " + fingerprint(stream, stream.packets.size());
    }
    return text;
}

std::string master_recipe(const timeline::Timeline& timeline, double target_lufs,
                          const std::vector<catalog::Recording>& fragments, const std::vector<double>& gains_db) {
    assert(fragments.size() == gains_db.size());
    std::string text = fmt::format("v{} {:.1f} LUFS, {} samples", kRenderVersion, target_lufs,
                                   timeline.end().time_since_epoch().count());
    for (std::size_t i = 0; i < fragments.size(); ++i) {
        text += fmt::format("; {} at {:.3f} dB of {}", fragments[i].key, gains_db[i], fragments[i].recipe);
    }
    return text;
}

}  // namespace lestapenna::workflows
