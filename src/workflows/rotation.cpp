#include "workflows/rotation.h"

#include <algorithm>
#include <cassert>
#include <functional>
#include <map>
#include <optional>
#include <span>

#include "render/chunk.h"
#include "workflows/recipe.h"

namespace lestapenna::workflows {

namespace {

// Made, stored and noted together: each holds a file open, and what is stored is not lost when the work is interrupted.
constexpr std::size_t kBatch = 64;

struct Wanted {
    const timeline::Connection* connection;
    render::ChunkWindow window;
    store::Key key;
    catalog::Chunk row;
};

/// Rows, pending, of the chunks that could be there and are not, connection by connection.
Result<std::vector<Wanted>> missing_chunks(Session& session, const Closed& closed) {
    Tools& tools = session.tools();
    const auto rows = tools.catalog.chunks(session.id());
    if (!rows) return rows.error();
    std::map<std::string, catalog::Chunk> known;
    for (const auto& row : *rows) known.emplace(row.key, row);

    std::vector<Wanted> wanted;
    for (const timeline::Connection& connection : session.timeline().connections) {
        ChunkRecipes recipes(connection);
        for (const render::ChunkWindow& window : render::chunk_windows(connection, tools.config.capture.rotation)) {
            if (!closed.chunk(connection, window)) break;  // nor are those that follow
            const UnixTime start = session.timeline().unix_time(window.start);
            const store::Key key = store::key(store::ChunkKey{session.id(), connection.user, start});
            catalog::Chunk row{session.id(),
                               key.text(),
                               connection.user,
                               start,
                               catalog::FileStatus::pending,
                               std::chrono::floor<milliseconds>(window.length),
                               recipes.next(window)};
            const auto before = known.find(row.key);
            if (before != known.end() && before->second.status == catalog::FileStatus::expired) continue;
            if (before != known.end() && before->second.status == catalog::FileStatus::stored) {
                const auto there = session.up_to_date(row.key, before->second.recipe, row.recipe);
                if (!there) return there.error();
                if (*there) continue;
            }
            if (auto status = tools.catalog.upsert_chunk(row); !status) return status.error();
            wanted.push_back({&connection, window, key, std::move(row)});
        }
    }
    return wanted;
}

using PcmOf = std::function<const render::ConnectionPcm*(const timeline::Connection*)>;

Status make_batch(Session& session, std::span<Wanted> batch, const PcmOf& pcm_of) {
    std::vector<render::ChunkFile> files;
    for (const Wanted& one : batch) {
        const auto path = session.scratch(one.key.filename());
        if (!path) return path.error();
        files.push_back({*path, pcm_of(one.connection), one.window});
    }
    if (auto status = render::make_chunks(files, session.tools().work); !status) return status;
    for (std::size_t i = 0; i < batch.size(); ++i) {
        const auto kept = session.keep(files[i].path, batch[i].key);
        if (!kept) return kept.error();
        batch[i].row.status = catalog::FileStatus::stored;
        batch[i].row.content = *kept;
        if (auto status = session.tools().catalog.upsert_chunk(batch[i].row); !status) return status;
    }
    return Ok{};
}

Status make_all(Session& session, std::span<Wanted> wanted, const PcmOf& pcm_of) {
    while (!wanted.empty()) {
        const auto batch = wanted.first(std::min(kBatch, wanted.size()));
        if (auto status = make_batch(session, batch, pcm_of); !status) return status;
        wanted = wanted.subspan(batch.size());
    }
    return Ok{};
}

/// The wanted chunks of one connection, and what of it is decoded for them.
struct Part {
    const timeline::Connection* connection;
    render::ChunkWindow first;
    render::ChunkWindow last;
    std::optional<render::ConnectionPcm> pcm{};
};

std::vector<Part> parts_of(std::span<const Wanted> wanted) {
    std::vector<Part> parts;
    for (const Wanted& one : wanted) {
        if (parts.empty() || parts.back().connection != one.connection) {
            parts.push_back({one.connection, one.window, one.window});
        }
        parts.back().last = one.window;
    }
    return parts;
}

}  // namespace

Status make_chunks(Session& session) {
    const Closed closed(session.timeline(), session.tools().config.capture.rotation, false);
    auto wanted = missing_chunks(session, closed);
    if (!wanted) return wanted.error();
    if (wanted->empty()) return Ok{};
    const auto decoded = session.decoded();
    if (!decoded) return decoded.error();
    return make_all(session, *wanted, [&](const timeline::Connection* connection) {
        const auto found = std::ranges::find(**decoded, connection, [](const auto& one) { return &one.connection(); });
        assert(found != (*decoded)->end());
        return &found->pcm;
    });
}

Status make_chunks(Session& session, const Closed& closed, Growing& growing) {
    auto wanted = missing_chunks(session, closed);
    if (!wanted) return wanted.error();
    auto parts = parts_of(*wanted);
    const Status decoded = session.tools().work.each("decoding", parts.size(), [&](std::size_t i) -> Status {
        const timeline::Connection& connection = *parts[i].connection;
        const SamplePos from = render::stretch_of(connection, parts[i].first).from;
        parts[i].pcm.emplace(session.timeline(), connection, growing.decoders(session.id(), connection, from), from,
                             render::stretch_of(connection, parts[i].last).to);
        return Ok{};
    });
    if (!decoded) return decoded.error();
    const Status made = make_all(session, *wanted, [&](const timeline::Connection* connection) {
        return &*std::ranges::find(parts, connection, &Part::connection)->pcm;
    });
    if (!made) return made.error();
    for (const Part& part : parts) {
        if (closed.over(*part.connection)) {
            growing.forget(session.id(), *part.connection);
        } else {
            // Where the next window's encoder begins to warm up.
            const SamplePos next = part.last.start + part.last.length - render::kPreRoll;
            growing.keep(session.id(), *part.connection, part.pcm->decoders(next));
        }
    }
    return Ok{};
}

}  // namespace lestapenna::workflows
