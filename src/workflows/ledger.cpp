#include "workflows/ledger.h"

#include <algorithm>
#include <array>
#include <map>

namespace lestapenna::workflows {

Status write_tracks(const Tools& tools, const SessionId& id, const timeline::Timeline& timeline) {
    const auto rows = tools.catalog.tracks(id);
    if (!rows) return rows.error();
    std::map<UserId, catalog::Track> known;
    for (const auto& row : *rows) known.emplace(row.user, row);
    std::set<UserId> users;
    for (const timeline::Connection& connection : timeline.connections) users.insert(connection.user);
    for (const UserId user : users) {
        const timeline::Counts counts = timeline.counts_of(user);
        catalog::Track row = known.try_emplace(user, catalog::Track{id, user, user.text()}).first->second;
        row.received = static_cast<std::int64_t>(counts.received);
        row.lost = static_cast<std::int64_t>(counts.lost);
        row.undecryptable = static_cast<std::int64_t>(counts.undecryptable);
        static_assert(std::tuple_size_v<decltype(row.closed)> == journal::kClosedReasons);
        std::ranges::copy(counts.closed, row.closed.begin());
        row.late = static_cast<std::int64_t>(counts.late + counts.runaway);
        row.duplicate = static_cast<std::int64_t>(counts.duplicate);
        row.parked = static_cast<std::int64_t>(counts.parked);
        row.concealed = static_cast<std::int64_t>(counts.concealed);
        if (auto status = tools.catalog.upsert_track(row); !status) return status;
    }
    return Ok{};
}

Result<std::set<UserId>> bots_of(const Tools& tools, const SessionId& id) {
    const auto rows = tools.catalog.tracks(id);
    if (!rows) return rows.error();
    std::set<UserId> bots;
    for (const auto& row : *rows) {
        if (row.bot) bots.insert(row.user);
    }
    return bots;
}

}  // namespace lestapenna::workflows
