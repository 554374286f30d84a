#include "workflows/growing.h"

#include <optional>

#include "workflows/recipe.h"

namespace lestapenna::workflows {

std::vector<render::StreamDecoder> Growing::decoders(const SessionId& session, const timeline::Connection& connection,
                                                     SamplePos before) {
    std::map<Source, Kept> known;
    {
        const std::lock_guard lock(mutex_);
        const auto& connections = sessions_[session];
        const auto found = connections.find({connection.user, connection.start});
        if (found != connections.end()) known = found->second;
    }
    std::vector<render::StreamDecoder> all;
    for (const timeline::Stream& stream : connection.streams) {
        auto& decoder = all.emplace_back(stream);
        if (stream.packets.empty()) continue;
        const auto found = known.find({stream.ssrc, stream.packets.front().at});
        if (found == known.end()) continue;
        const auto& [count, packets, kept] = found->second;
        if (count > stream.packets.size() || fingerprint(stream, count) != packets) continue;
        if (stream.packets[count - 1].end() <= before) decoder = kept.in(stream);
    }
    return all;
}

void Growing::keep(const SessionId& session, const timeline::Connection& connection,
                   std::vector<render::StreamDecoder> decoders) {
    std::map<Source, Kept> known;
    for (render::StreamDecoder& decoder : decoders) {
        const timeline::Stream& stream = decoder.stream();
        const std::size_t count = decoder.decoded();
        if (count == 0) continue;
        known.emplace(Source{stream.ssrc, stream.packets.front().at},
                      Kept{count, fingerprint(stream, count), std::move(decoder)});
    }
    const std::lock_guard lock(mutex_);
    sessions_[session].insert_or_assign({connection.user, connection.start}, std::move(known));
}

void Growing::forget(const SessionId& session, const timeline::Connection& connection) {
    const std::lock_guard lock(mutex_);
    const auto found = sessions_.find(session);
    if (found != sessions_.end()) found->second.erase({connection.user, connection.start});
}

void Growing::forget(const SessionId& session) {
    const std::lock_guard lock(mutex_);
    sessions_.erase(session);
}

}  // namespace lestapenna::workflows
