#include "timeline/timeline.h"

#include <algorithm>

namespace lestapenna::timeline {

Counts& Counts::operator+=(const Counts& other) {
    received += other.received;
    lost += other.lost;
    late += other.late;
    duplicate += other.duplicate;
    parked += other.parked;
    undecryptable += other.undecryptable;
    for (std::size_t reason = 0; reason < closed.size(); ++reason) closed[reason] += other.closed[reason];
    concealed += other.concealed;
    runaway += other.runaway;
    stray += other.stray;
    unplaceable_runs += other.unplaceable_runs;
    return *this;
}

bool Connection::has_audio() const {
    return std::any_of(streams.begin(), streams.end(), [](const Stream& s) { return !s.packets.empty(); });
}

SamplePos Timeline::end() const {
    SamplePos last{};
    for (const Connection& connection : connections) last = std::max(last, connection.end);
    return last;
}

Counts Timeline::counts_of(UserId user) const {
    Counts sum;
    for (const Connection& connection : connections) {
        if (connection.user != user) continue;
        for (const Stream& stream : connection.streams) sum += stream.counts;
    }
    return sum;
}

bool Timeline::has_gaps() const {
    const auto gap = [](const Connection& connection) {
        return std::any_of(connection.streams.begin(), connection.streams.end(), [](const Stream& stream) {
            const Counts& c = stream.counts;
            return c.lost + c.undecryptable + c.late + c.runaway > 0;
        });
    };
    return !outages.empty() || !damages.empty() || std::any_of(connections.begin(), connections.end(), gap);
}

Result<Timeline> read(const std::filesystem::path& session_folder, milliseconds rotation) {
    auto reader = journal::Reader::open(session_folder);
    if (!reader) return reader.error();
    Builder builder(rotation);
    std::vector<journal::Damage> damages;
    for (;;) {
        auto outcome = reader->next();
        if (const auto* item = std::get_if<journal::Item>(&outcome)) {
            builder.add(item->record, item->time, item->payload);
        } else if (auto* damage = std::get_if<journal::Damage>(&outcome)) {
            damages.push_back(std::move(*damage));
        } else {
            break;
        }
    }
    Timeline timeline = builder.finish();
    timeline.session_id = reader->session_id();
    timeline.segments = reader->segments();
    if (!timeline.segments.empty()) timeline.start = timeline.segments.front().session_start;
    timeline.damages = std::move(damages);
    return timeline;
}

}  // namespace lestapenna::timeline
