// Hears a finished session back and measures it against what was said: where each talk run of each player sits in the
// master, whether anything is missing of the player's own export, and the levels. Thread: one.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "audio/files.h"
#include "audio/mp3.h"
#include "base/files.h"
#include "judge.h"
#include "render/export.h"
#include "support.h"
#include "workflows/master.h"

namespace lestapenna::test {

/// One player: the truth from session start, and the talk runs that can be placed.
struct Said {
    UserId user;
    std::vector<float> truth;
    std::vector<Interval> runs;
};

struct Heard {
    std::vector<double> offsets_ms;  ///< absolute ones of all runs found in the master, sorted
    std::size_t masked = 0;          ///< runs that could not be told from the others in the master
    std::size_t missing = 0;         ///< runs that are not in the player's own export
    double worst_energy = 0;         ///< largest |ratio - 1| of a track

    [[nodiscard]] double median_ms() const { return offsets_ms.empty() ? NAN : offsets_ms[offsets_ms.size() / 2]; }
    [[nodiscard]] double max_ms() const { return offsets_ms.empty() ? NAN : offsets_ms.back(); }
};

/// A player's WAV export, as an editor would get it: from session start, at gain 1.
inline std::vector<float> exported(workflows::Session& session, UserId user) {
    const auto decoded = session.decoded();
    EXPECT_TRUE(decoded.ok());
    std::vector<const render::ConnectionPcm*> connections;
    for (const auto& one : **decoded) {
        if (one.connection().user == user) connections.push_back(&one.pcm);
    }
    const TempDir folder;
    const render::Range all{SamplePos{}, session.timeline().end()};
    const auto path = folder / "track.wav";
    EXPECT_TRUE(render::export_pcm(connections, all, audio::SampleFormat::wav_16, path, {}).ok());
    return *audio::read_mono_48k(path);
}

inline std::vector<float> master_of(const workflows::Tools& tools, const SessionId& id) {
    const auto path = tools.store.local_path(store::key(store::MasterKey{id}));
    const auto bytes = read_file(*path, std::size_t{1} << 30);
    EXPECT_TRUE(bytes.ok());
    auto audio = audio::decode_mp3(*bytes);
    EXPECT_TRUE(audio.ok());
    return std::move(audio->pcm);
}

/// Of a session that is complete. Prints what it measures.
inline Heard listen(const workflows::Tools& tools, const SessionId& id, std::span<const Said> table) {
    const std::vector<float> master = master_of(tools, id);
    const Judge mix(master);
    auto session = workflows::Session::open(tools, id);
    EXPECT_TRUE(session.ok());
    Heard heard;
    for (const Said& said : table) {
        const auto in_mix = mix.listen(said.truth, said.runs);
        for (const auto& run : in_mix.runs) {
            if (run.found) heard.offsets_ms.push_back(std::fabs(run.offset_ms));
        }
        heard.masked += in_mix.missing;
        const std::vector<float> alone = exported(*session, said.user);
        const auto own = Judge(alone).listen(said.truth, said.runs);
        heard.missing += own.missing;
        heard.worst_energy = std::max(heard.worst_energy, std::fabs(own.energy_ratio - 1));
        std::printf(
            "  %s: %zu runs; in the master median %.3f max %.3f ms, %zu masked; alone max %.3f ms, %zu missing, energy "
            "%.4f\n",
            said.user.text().c_str(), said.runs.size(), in_mix.median_ms, in_mix.max_ms, in_mix.missing, own.max_ms,
            own.missing, own.energy_ratio);
    }
    std::ranges::sort(heard.offsets_ms);
    std::printf("  %zu runs, median %.3f ms, max %.3f ms\n", heard.offsets_ms.size(), heard.median_ms(),
                heard.max_ms());
    return heard;
}

/// Fragments and master are at target and clip nowhere, without a flag.
inline void expect_levels(const catalog::Catalog& catalog, const SessionId& id) {
    const auto rows = catalog.recordings(id);
    ASSERT_TRUE(rows.ok());
    for (const auto& row : *rows) {
        std::printf("  fragment %s: %.2f LUFS %.2f dBTP, gain %.2f dB, speech %.2f, flag %s\n", row.user.text().c_str(),
                    row.levels.loudness_lufs.value_or(0), row.levels.true_peak_dbtp.value_or(0),
                    row.gain_db.value_or(0), row.speech_lufs.value_or(0), row.level_flag.value_or("-").c_str());
        EXPECT_FALSE(row.level_flag.has_value());
        EXPECT_NEAR(row.levels.loudness_lufs.value_or(0), -23, 0.2);
        EXPECT_LE(row.levels.true_peak_dbtp.value_or(0), -1.0);
    }
    const auto master = catalog.master(id);
    ASSERT_TRUE(master.ok() && *master);
    EXPECT_NEAR((*master)->levels.loudness_lufs.value_or(0), -23, 0.2);
    EXPECT_LE((*master)->levels.true_peak_dbtp.value_or(0), -1.0);
    std::printf("  master: %.2f LUFS %.2f dBTP\n", (*master)->levels.loudness_lufs.value_or(0),
                (*master)->levels.true_peak_dbtp.value_or(0));
}

/// Six real speakers in English and Italian (test_data()/speech).
inline const std::vector<std::string>& six_speakers() {
    static const std::vector<std::string> names{"en-libri1688-m.opus", "en-libri1998-f.opus",    "en-libri2414-m.opus",
                                                "en-libri367-f.opus",  "it-customspeech-f.opus", "en-libri2033-m.opus"};
    return names;
}
/// The first `count` of them, as samples.
inline std::vector<std::vector<float>> voices(const std::filesystem::path& speech, std::size_t count) {
    std::vector<std::vector<float>> all;
    for (std::size_t i = 0; i < count; ++i) {
        auto voice = audio::read_mono_48k(speech / six_speakers()[i]);
        EXPECT_TRUE(voice.ok()) << six_speakers()[i];
        all.push_back(std::move(*voice));
    }
    return all;
}

}  // namespace lestapenna::test
