#include "workflows/master.h"

#include <algorithm>
#include <map>

#include "render/leveled.h"
#include "workflows/fragment.h"
#include "workflows/ledger.h"
#include "workflows/recipe.h"
#include "workflows/rotation.h"

namespace lestapenna::workflows {

namespace {

/// Each connection's gain in the mix: that of its fragment, before the fragment's limiter.
std::vector<double> mix_gains_db(Session& session, const std::vector<render::DecodedConnection>& decoded,
                                 const std::vector<catalog::Recording>& fragments) {
    std::map<std::string, double> by_key;
    for (const auto& fragment : fragments) by_key[fragment.key] = fragment.gain_db.value_or(0);
    std::vector<double> gains;
    gains.reserve(decoded.size());
    for (const render::DecodedConnection& one : decoded) {
        gains.push_back(by_key[fragment_key(session, one.connection()).text()]);
    }
    return gains;
}

}  // namespace

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
    row.duration = std::chrono::floor<milliseconds>(length);
    const double target = master_target(tools.config.audio.loudness);
    row.recipe = master_recipe(session.timeline(), target, *fragments);

    const auto before = tools.catalog.master(session.id());
    if (!before) return before.error();
    if (*before) {
        const auto there = session.up_to_date(key.text(), (*before)->recipe, row.recipe);
        if (!there) return there.error();
        if (*there) return Ok{};
    }
    const auto decoded = session.decoded();
    if (!decoded) return decoded.error();
    if ((*decoded)->empty()) return Ok{};

    const std::vector<double> gains = mix_gains_db(session, **decoded, *fragments);
    render::LeveledFile file;
    const auto path = session.scratch(key.filename());
    if (!path) return path.error();
    file.path = *path;
    file.format = audio::kMasterMp3;
    file.length = length;
    file.source = render::mix(**decoded, gains);
    file.target_lufs = target;
    file.limiter_db = -1.5;  // 128 kbit/s overshoots by 0.23 dB at most (loudness.md section 6)
    const auto heard = render::measure_source(file.source, file.format.channels, length, tools.work);
    if (!heard) return heard.error();
    file.fixed_gain = !heard->lufs;
    file.gain_db = heard->lufs ? target - *heard->lufs : 0;
    std::vector<render::LeveledFile> files{std::move(file)};
    if (auto status = render::make_leveled(files, tools.work); !status) return status;
    // A master without a recipe is made again: that is what a kill between file and row leaves.
    if (auto status = tools.catalog.set_master({session.id(), key.text()}); !status) return status;
    if (auto status = session.keep(files[0].path, key); !status) return status;
    row.levels = {files[0].measured.lufs, files[0].measured.true_peak_db};
    return tools.catalog.set_master(row);
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
    if (session->status != catalog::SessionStatus::complete || (!*master && !fragments->empty())) return false;

    std::vector<std::string> keys;
    if (*master) keys.push_back((*master)->key);
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

Status finish_session(Session& session) {
    Tools& tools = session.tools();
    if (!session.timeline().damages.empty()) {
        const auto finished = is_finished(tools, session.id());
        if (!finished) return finished.error();
        if (*finished) return Ok{};
    }
    if (const auto ours = session.scratch(""); !ours)
        return ours.error();  // nobody else makes files of this session now
    const auto ledger = [&] { return write_tracks(tools, session.id(), session.timeline()); };
    if (auto status = tools.catalog.together(ledger); !status) return status;
    if (auto status = tools.catalog.set_end(session.id(), session.timeline().unix_time(session.timeline().end()));
        !status)
        return status;
    if (auto status = make_chunks(session); !status) return status;
    if (auto status = make_fragments(session); !status) return status;
    if (auto status = make_master(session); !status) return status;
    return tools.catalog.set_status(session.id(), catalog::SessionStatus::complete);
}

}  // namespace lestapenna::workflows
