#include "render/decoded.h"

#include <algorithm>
#include <cassert>
#include <optional>

namespace lestapenna::render {

Result<std::vector<DecodedConnection>> decode(const timeline::Timeline& timeline, const Work& work) {
    std::vector<const timeline::Connection*> sounding;
    for (const timeline::Connection& connection : timeline.connections) {
        if (connection.has_audio()) sounding.push_back(&connection);
    }
    return decode(timeline, sounding, work);
}

Result<std::vector<DecodedConnection>> decode(const timeline::Timeline& timeline,
                                              const std::vector<const timeline::Connection*>& connections,
                                              const Work& work) {
    std::vector<std::optional<DecodedConnection>> decoded(connections.size());
    const Status status = work.each("decoding", connections.size(), [&](std::size_t i) -> Status {
        const timeline::Connection& connection = *connections[i];
        LevelMeter meter;
        ConnectionPcm pcm(timeline, connection, [&](SamplePos at, std::span<const float> audio) {
            meter.add(SamplePos{at - connection.start}, audio);
        });
        decoded[i].emplace(DecodedConnection{std::move(pcm), meter.finish(connection.length())});
        return Ok{};
    });
    if (!status) return status.error();
    std::vector<DecodedConnection> out;
    out.reserve(decoded.size());
    for (auto& one : decoded) out.push_back(std::move(*one));
    return out;
}

PcmSource mix(const std::vector<DecodedConnection>& connections, const std::vector<double>& gains_db) {
    assert(connections.size() == gains_db.size());
    std::vector<float> gains;
    gains.reserve(gains_db.size());
    for (const double db : gains_db) gains.push_back(static_cast<float>(audio::from_db(db)));
    return [&connections, gains](Samples first, std::span<float> out) {
        std::fill(out.begin(), out.end(), 0.0F);
        for (std::size_t i = 0; i < connections.size(); ++i) connections[i].pcm.add(SamplePos{first}, out, gains[i]);
    };
}

}  // namespace lestapenna::render
