#include "workflows/rotation.h"

#include <map>

#include <fmt/format.h>

#include "render/chunk.h"
#include "workflows/recipe.h"

namespace lestapenna::workflows {

Status make_chunks(Session& session) {
    Tools& tools = session.tools();
    const auto rows = tools.catalog.chunks(session.id());
    if (!rows) return rows.error();
    std::map<std::string, catalog::Chunk> known;
    for (const auto& row : *rows) known.emplace(row.key, row);

    struct Wanted {
        const timeline::Connection* connection;
        render::ChunkWindow window;
        store::Key key;
        catalog::Chunk row;
    };
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
            if (before != known.end() && before->second.status == catalog::FileStatus::stored &&
                before->second.recipe == row.recipe) {
                const auto there = session.in_store(row.key);
                if (!there) return there.error();
                if (*there) continue;
            }
            if (auto status = tools.catalog.upsert_chunk(row); !status) return status;
            wanted.push_back({&connection, window, key, std::move(row)});
        }
    }
    if (wanted.empty()) return Ok{};

    const auto decoded = session.decoded();
    if (!decoded) return decoded.error();
    std::vector<render::ChunkFile> files;
    for (const Wanted& one : wanted) {
        const auto path = session.scratch(one.key.filename());
        if (!path) return path.error();
        for (const render::DecodedConnection& candidate : **decoded) {
            if (&candidate.connection() == one.connection) files.push_back({*path, &candidate.pcm, one.window});
        }
    }
    if (auto status = render::make_chunks(files, tools.work); !status) return status;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        if (auto status = session.keep(files[i].path, wanted[i].key); !status) return status;
        wanted[i].row.status = catalog::FileStatus::stored;
        if (auto status = tools.catalog.upsert_chunk(wanted[i].row); !status) return status;
    }
    return Ok{};
}

}  // namespace lestapenna::workflows
