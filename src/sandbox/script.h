// What simulated players say, and when: scripts for the simulated line (line.h).
//
// The same seed gives the same script on every machine, as far as the same espeak-ng speaks the same way. Talk runs of
// one player do not overlap and stand at least kLeastPause apart; each begins and ends at a quiet place with a 5 ms
// fade, so that none starts mid-vowel with a click. Thread: pure functions; spoken_table also runs a program and uses
// the temporary folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"

namespace lestapenna::sandbox {

/// Room for the five silence frames after a run (100 ms) and some more, so that a pause is a pause.
inline constexpr Samples kLeastPause{milliseconds(300)};

/// One talk run: mono, 48 kHz, in the speaker's own samples.
struct Talk {
    SamplePos start;
    std::vector<float> pcm;
};

struct Player {
    UserId user;
    SamplePos join;
    SamplePos leave;
    std::vector<Talk> talks;  ///< in order, within join and leave
};

struct Script {
    std::vector<Player> players;
    Samples length{0};
};

struct SpokenTable {
    int speakers = 4;
    Samples length{seconds(60)};
    std::uint64_t seed = 1;
    std::string program = "espeak-ng";  ///< looked up on PATH
};
struct SpokenScript {
    Script script;
    bool spoken = true;  ///< false: the program is missing, a speech-like buzz stands in for each line
};
/// A D&D table in Italian: turns, pauses, overlaps, one voice each; with two or more the last player joins late, with
/// three or more the last but one leaves early. Everyone says something when there are at least 2 s for each.
/// Errors: usage (fewer than 1 or more than 100 speakers, shorter than 1 s), failed (the program is there and fails).
Result<SpokenScript> spoken_table(const SpokenTable& options);

/// What player number `index` of a generated table is called: a plausible snowflake.
UserId player_id(std::size_t index);

struct CutTable {
    Samples length{seconds(600)};
    double share = 0.2;  ///< of its time that each player talks, 0 to 0.9
    std::uint64_t seed = 1;
    Samples join_spread{0};  ///< players join up to this much late (uniform); the first at 0
};
/// One player per voice (mono, 48 kHz, at least 10 s each): talk runs of 1.5 to 6 s cut from it in order (over again
/// where it ends), with exponential gaps (../shared/speech/README.md, "Session recipes").
Script cut_table(std::span<const std::vector<float>> voices, const CutTable& options);

}  // namespace lestapenna::sandbox
