// What all sessions of one Voice share. References: they outlive the sessions, or those are abandoned before.
#pragma once

#include <memory>

#include "discord/voice.h"
#include "net/loop.h"

namespace lestapenna::discord {

struct VoiceSetting {
    net::Loop& loop;
    const VoiceOptions& options;
    Listener& listener;
    VoiceCounts& counts;
    Encryption& encryption;  ///< as the listener was told last
    int& deaf_steps;         ///< of the watchdog, since the last voice packet
};

}  // namespace lestapenna::discord
