#include "workflows/fragment.h"

#include <cmath>
#include <map>

#include "render/leveled.h"
#include "workflows/ledger.h"
#include "workflows/recipe.h"

namespace lestapenna::workflows {

namespace {

struct Wanted {
    store::Key key;
    catalog::Recording row;
    const timeline::Connection* connection;
};

/// Rows, pending, of the fragments that could be there and are not.
Result<std::vector<Wanted>> missing_fragments(Session& session, const Closed& closed) {
    Tools& tools = session.tools();
    const auto rows = tools.catalog.recordings(session.id());
    if (!rows) return rows.error();
    std::map<std::string, catalog::Recording> known;
    for (const auto& row : *rows) known.emplace(row.key, row);

    std::vector<Wanted> wanted;
    for (const timeline::Connection& connection : session.timeline().connections) {
        if (!connection.has_audio() || !closed.over(connection)) continue;
        const store::Key key = fragment_key(session, connection);
        catalog::Recording row{session.id(), key.text(), connection.user,
                               session.timeline().unix_time(connection.start)};
        row.duration = std::chrono::floor<milliseconds>(connection.length());
        row.recipe = fragment_recipe(connection);
        const auto before = known.find(row.key);
        if (before != known.end() && before->second.status == catalog::FileStatus::expired) continue;
        if (before != known.end() && before->second.status == catalog::FileStatus::stored) {
            const auto there = session.up_to_date(row.key, before->second.recipe, row.recipe);
            if (!there) return there.error();
            if (*there) continue;
        }
        if (auto status = tools.catalog.upsert_recording(row); !status) return status.error();
        wanted.push_back({key, std::move(row), &connection});
    }
    return wanted;
}

render::LeveledFile plan(const render::DecodedConnection& decoded, const render::GainChoice& choice,
                         const std::filesystem::path& path) {
    render::LeveledFile file;
    file.path = path;
    file.format = audio::kTrackMp3;
    file.length = decoded.connection().length();
    file.source = decoded.pcm.source();
    file.target_lufs = render::kTrackTarget;
    file.gain_db = choice.gain_db;
    file.gain_limit_db = render::gain_limit(decoded.levels);
    file.fixed_gain = !choice.corrected();
    return file;
}

void fill_in(catalog::Recording& row, const render::LeveledFile& file, const render::Levels& levels,
             render::LevelFlag flag) {
    row.levels = {file.measured.lufs, file.measured.true_peak_db};
    row.gain_db = file.gain_db;
    // What limiter and codec took from the whole they took from the speech.
    if (levels.lufs && file.measured.lufs) row.speech_lufs = levels.speech_lufs + *file.measured.lufs - *levels.lufs;
    const bool missed = file.measured.lufs && std::fabs(*file.measured.lufs - file.target_lufs) > render::kTolerance;
    if (flag == render::LevelFlag::none && missed) flag = render::LevelFlag::capped;
    if (flag != render::LevelFlag::none) row.level_flag = std::string(to_string(flag));
}

/// The row says that it is stored, and the queue has it: both or neither.
Status note(Session& session, const catalog::Recording& row, bool person) {
    catalog::Catalog& catalog = session.tools().catalog;
    return catalog.together([&]() -> Status {
        if (auto status = catalog.upsert_recording(row); !status || !person) return status;
        return catalog.add_transcription({row.session, row.key, row.user, row.start});
    });
}

/// At the end all of the session is decoded anyway, for the master.
Result<const std::vector<render::DecodedConnection>*> decode(Session& session, const Closed& closed,
                                                             const std::vector<Wanted>& wanted,
                                                             std::vector<render::DecodedConnection>& some) {
    if (closed.everything()) return session.decoded();
    std::vector<const timeline::Connection*> connections;
    connections.reserve(wanted.size());
    for (const Wanted& one : wanted) connections.push_back(one.connection);
    auto decoded = render::decode(session.timeline(), connections, session.tools().work);
    if (!decoded) return decoded.error();
    some = std::move(*decoded);
    return &some;
}

}  // namespace

store::Key fragment_key(const Session& session, const timeline::Connection& connection) {
    return store::key(
        store::FragmentKey{session.id(), connection.user, session.timeline().unix_time(connection.start)});
}

Result<std::vector<RenderedFragment>> render_fragments(Session& session, const Closed& closed) {
    auto wanted = missing_fragments(session, closed);
    if (!wanted) return wanted.error();
    std::vector<RenderedFragment> rendered;
    if (wanted->empty()) return rendered;
    std::vector<render::DecodedConnection> some;
    const auto decoded = decode(session, closed, *wanted, some);
    if (!decoded) return decoded.error();

    std::vector<render::LeveledFile> files;
    std::vector<const render::DecodedConnection*> sources;
    std::vector<render::GainChoice> choices;
    for (const Wanted& one : *wanted) {
        const auto path = session.scratch(one.key.filename());
        if (!path) return path.error();
        for (const render::DecodedConnection& candidate : **decoded) {
            if (&candidate.connection() != one.connection) continue;
            choices.push_back(render::choose_gain(candidate.levels, render::kTrackTarget));
            files.push_back(plan(candidate, choices.back(), *path));
            sources.push_back(&candidate);
        }
    }
    if (auto status = render::make_leveled(files, session.tools().work); !status) return status.error();
    rendered.reserve(files.size());
    for (std::size_t i = 0; i < files.size(); ++i) {
        auto& [key, row, connection] = (*wanted)[i];
        fill_in(row, files[i], sources[i]->levels, choices[i].flag);
        rendered.push_back({std::move(key), std::move(row), files[i].path});
    }
    const Status noted = session.tools().catalog.together([&]() -> Status {
        for (const RenderedFragment& one : rendered) {
            if (auto status = session.tools().catalog.upsert_recording(one.row); !status) return status;
        }
        return Ok{};
    });
    if (!noted) return noted.error();
    return rendered;
}

Status store_fragments(Session& session, const std::vector<RenderedFragment>& rendered) {
    const auto bots = bots_of(session.tools(), session.id());
    if (!bots) return bots.error();
    for (const RenderedFragment& one : rendered) {
        const auto kept = session.keep(one.path, one.key);
        if (!kept) return kept.error();
        catalog::Recording row = one.row;
        row.status = catalog::FileStatus::stored;
        row.content = *kept;
        if (auto status = note(session, row, !bots->contains(row.user)); !status) return status;
    }
    return Ok{};
}

}  // namespace lestapenna::workflows
