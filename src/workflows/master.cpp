#include "workflows/master.h"

#include <algorithm>
#include <map>

#include "journal/writer.h"
#include "workflows/fragment.h"
#include "workflows/ledger.h"
#include "workflows/manifest.h"
#include "workflows/mixdown.h"
#include "workflows/recipe.h"
#include "workflows/rotation.h"

namespace lestapenna::workflows {

namespace {

/// Each fragment's gain in the mix: its own, before the fragment's limiter; bots stand back, or are left out.
Result<std::vector<double>> mix_gains_db(const Tools& tools, const SessionId& id,
                                         const std::vector<catalog::Recording>& fragments) {
    const auto bots = bots_of(tools, id);
    if (!bots) return bots.error();
    const double of_bots = bots_in_mix_db(tools.config);
    std::vector<double> gains;
    gains.reserve(fragments.size());
    for (const auto& fragment : fragments) {
        gains.push_back(fragment.gain_db.value_or(0) + (bots->contains(fragment.user) ? of_bots : 0));
    }
    return gains;
}

bool heard(double gain_db) {
    return gain_db > kLeftOut;
}

}  // namespace

Result<bool> is_mixed(const Tools& tools, const SessionId& id, const std::vector<catalog::Recording>& fragments) {
    const auto gains = mix_gains_db(tools, id, fragments);
    if (!gains) return gains.error();
    return std::ranges::any_of(*gains, heard);
}

double master_target(LoudnessPreset preset) {
    switch (preset) {
        case LoudnessPreset::ebu_r128:
            return -23;
        case LoudnessPreset::podcast:
            return -16;
        case LoudnessPreset::streaming:
            return -14;
    }
    return -23;
}

Status make_master(Session& session) {
    Tools& tools = session.tools();
    const auto fragments = tools.catalog.recordings(session.id());
    if (!fragments) return fragments.error();
    const store::Key key = store::key(store::MasterKey{session.id()});
    catalog::Master row{session.id(), key.text()};
    const Samples length = session.timeline().end().time_since_epoch();
    row.source = catalog::MasterSource::journal;
    const double target = master_target(tools.config.audio.loudness);
    const auto gains = mix_gains_db(tools, session.id(), *fragments);
    if (!gains) return gains.error();
    if (std::ranges::none_of(*gains, heard)) return Ok{};
    row.recipe = master_recipe(session.timeline(), target, *fragments, *gains);

    const auto before = tools.catalog.master(session.id());
    if (!before) return before.error();
    if (*before) {
        if ((*before)->expired) return Ok{};
        const auto there = session.up_to_date(key.text(), (*before)->recipe, row.recipe);
        if (!there) return there.error();
        if (*there) return Ok{};
    }
    const auto decoded = session.decoded();
    if (!decoded) return decoded.error();
    std::map<std::string, double> gain_of;
    for (std::size_t i = 0; i < gains->size(); ++i) gain_of[(*fragments)[i].key] = (*gains)[i];
    std::vector<double> by_connection;
    for (const render::DecodedConnection& one : **decoded) {
        by_connection.push_back(gain_of[fragment_key(session, one.connection()).text()]);
    }
    const auto path = session.scratch(key.filename());
    if (!path) return path.error();
    return make_mixdown(tools, *path, render::mix(**decoded, by_connection), length, std::move(row));
}

Result<bool> is_finished(const Tools& tools, const SessionId& id) {
    const auto session = tools.catalog.session(id);
    if (!session) return session.error();
    const auto chunks = tools.catalog.chunks(id);
    if (!chunks) return chunks.error();
    const auto fragments = tools.catalog.recordings(id);
    if (!fragments) return fragments.error();
    const auto master = tools.catalog.master(id);
    if (!master) return master.error();
    const auto mixed = is_mixed(tools, id, *fragments);
    if (!mixed) return mixed.error();
    if (session->status != catalog::SessionStatus::complete || (!*master && *mixed)) return false;

    std::vector<std::string> keys;
    if (*master && !(*master)->expired) keys.push_back((*master)->key);
    const auto expect = [&keys](const auto& row) {
        if (row.status != catalog::FileStatus::expired) keys.push_back(row.key);
    };
    std::ranges::for_each(*chunks, expect);
    std::ranges::for_each(*fragments, expect);
    for (const std::string& key : keys) {
        auto there = in_store(tools, key);
        if (!there || !*there) return there;
    }
    return true;
}

namespace {

/// Unless somebody goes on with it meanwhile: then its end has the rest.
Status complete(const Tools& tools, const SessionId& id) {
    return tools.catalog.together([&]() -> Status {
        if (journal::is_locked(journal_folder(tools.config, id))) return recorded_error(id);
        return tools.catalog.set_status(id, catalog::SessionStatus::complete);
    });
}

}  // namespace

Status finish_session(Session& session) {
    Tools& tools = session.tools();
    if (!session.timeline().damages.empty()) {
        const auto finished = is_finished(tools, session.id());
        if (!finished) return finished.error();
        if (*finished) return write_manifest(tools, session.id());  // a kill may have come before it
    }
    if (const auto ours = session.scratch(""); !ours)
        return ours.error();  // nobody else makes files of this session now
    const timeline::Timeline& timeline = session.timeline();
    const auto ledger = [&]() -> Status {
        // Somebody who goes on with it since we looked has taken its end out of the row: it stays out.
        if (journal::is_locked(journal_folder(tools.config, session.id()))) return recorded_error(session.id());
        if (auto status = write_tracks(tools, session.id(), timeline); !status) return status;
        return tools.catalog.set_end(session.id(), timeline.unix_time(timeline.end()));
    };
    if (auto status = tools.catalog.together(ledger); !status) return status;
    const Closed all(timeline, tools.config.capture.rotation, false);
    const auto fragments = render_fragments(session, all);
    if (!fragments) return fragments.error();
    if (auto status = make_master(session); !status) return status;
    if (auto status = store_fragments(session, *fragments); !status) return status;
    if (auto status = make_chunks(session); !status) return status;
    if (auto status = complete(tools, session.id()); !status) return status;
    return write_manifest(tools, session.id());
}

}  // namespace lestapenna::workflows
