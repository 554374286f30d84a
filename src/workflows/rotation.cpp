#include "workflows/rotation.h"

#include <algorithm>
#include <map>
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

/// Rows, pending, of the chunks that are not there yet.
Result<std::vector<Wanted>> missing_chunks(Session& session) {
    Tools& tools = session.tools();
    const auto rows = tools.catalog.chunks(session.id());
    if (!rows) return rows.error();
    std::map<std::string, catalog::Chunk> known;
    for (const auto& row : *rows) known.emplace(row.key, row);

    std::vector<Wanted> wanted;
    for (const timeline::Connection& connection : session.timeline().connections) {
        for (const render::ChunkWindow& window : render::chunk_windows(connection, tools.config.capture.rotation)) {
            const UnixTime start = session.timeline().unix_time(window.start);
            const store::Key key = store::key(store::ChunkKey{session.id(), connection.user, start});
            catalog::Chunk row{session.id(),
                               key.text(),
                               connection.user,
                               start,
                               catalog::FileStatus::pending,
                               std::chrono::floor<milliseconds>(window.length),
                               chunk_recipe(connection, window)};
            const auto before = known.find(row.key);
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

Status make_batch(Session& session, std::span<Wanted> batch) {
    const auto decoded = session.decoded();
    if (!decoded) return decoded.error();
    std::vector<render::ChunkFile> files;
    for (const Wanted& one : batch) {
        const auto path = session.scratch(one.key.filename());
        if (!path) return path.error();
        for (const render::DecodedConnection& candidate : **decoded) {
            if (&candidate.connection() == one.connection) files.push_back({*path, &candidate.pcm, one.window});
        }
    }
    if (auto status = render::make_chunks(files, session.tools().work); !status) return status;
    for (std::size_t i = 0; i < batch.size(); ++i) {
        if (auto status = session.keep(files[i].path, batch[i].key); !status) return status;
        batch[i].row.status = catalog::FileStatus::stored;
        if (auto status = session.tools().catalog.upsert_chunk(batch[i].row); !status) return status;
    }
    return Ok{};
}

}  // namespace

Status make_chunks(Session& session) {
    auto wanted = missing_chunks(session);
    if (!wanted) return wanted.error();
    for (std::span<Wanted> left(*wanted); !left.empty();) {
        const auto batch = left.first(std::min(kBatch, left.size()));
        if (auto status = make_batch(session, batch); !status) return status;
        left = left.subspan(batch.size());
    }
    return Ok{};
}

}  // namespace lestapenna::workflows
