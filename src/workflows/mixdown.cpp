#include "workflows/mixdown.h"

#include "render/leveled.h"
#include "workflows/master.h"

namespace lestapenna::workflows {

namespace {

constexpr double kBotsBelowSpeech = 12;  ///< LU

}  // namespace

double bots_in_mix_db(const Config& config) {
    return config.audio.bots == BotTracks::exclude ? kLeftOut : -kBotsBelowSpeech;
}

Status make_mixdown(const Tools& tools, const std::filesystem::path& scratch, const render::PcmSource& source,
                    Samples length, catalog::Master row) {
    const auto key = store::key(store::MasterKey{row.session});
    row.key = key.text();
    row.duration = std::chrono::floor<milliseconds>(length);
    render::LeveledFile file;
    file.path = scratch;
    file.format = audio::kMasterMp3;
    file.length = length;
    file.source = source;
    file.target_lufs = master_target(tools.config.audio.loudness);
    file.limiter_db = -1.5;  // 128 kbit/s overshoots by 0.23 dB at most (loudness.md section 6)
    const auto heard = render::measure_source(file.source, file.format.channels, length, tools.work);
    if (!heard) return heard.error();
    file.fixed_gain = !heard->lufs;
    file.gain_db = heard->lufs ? file.target_lufs - *heard->lufs : 0;
    std::vector<render::LeveledFile> files{std::move(file)};
    if (auto status = render::make_leveled(files, tools.work); !status) return status;
    // A master without a recipe is made again: that is what a kill between file and row leaves.
    if (auto status = tools.catalog.set_master({row.session, row.key}); !status) return status;
    const auto kept = keep_file(tools, files[0].path, key);
    if (!kept) return kept.error();
    row.content = *kept;
    row.levels = {files[0].measured.lufs, files[0].measured.true_peak_db};
    return tools.catalog.set_master(row);
}

}  // namespace lestapenna::workflows
