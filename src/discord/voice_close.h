// What a voice close code makes us do (discord-voice.md section 4). A pure table; any thread.
#pragma once

#include <cstdint>

namespace lestapenna::discord {

enum class CloseAction : std::uint8_t {
    resume,  ///< the session stands: go on with it, and rejoin where that fails
    rejoin,  ///< the session is over: op 4 of the main gateway, then identify
    wait,    ///< moved or removed: the main gateway will say which
    end,     ///< going on is pointless until a person mends something
};

struct CloseRule {
    CloseAction action{};
    int tries = 0;        ///< of rejoining in a row, then it ends; 0: as long as it takes
    bool slowly = false;  ///< wait VoiceTiming::rate_limited first
    const char* meaning = "";
};
/// `code` 0: lost without one. Codes nobody knows: below 4000 a resume, else a rejoin.
CloseRule close_rule(std::uint16_t code);

}  // namespace lestapenna::discord
