// What doctor looks at. Each function asks what it needs to and returns lines; those that judge figures are pure.
// Thread: any but a loop's; each blocks for some seconds at most. Errors are lines that are not ok.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/config.h"
#include "base/time.h"
#include "catalog/catalog.h"
#include "discord/rest.h"

namespace lestapenna::cli {

struct Check {
    std::string name;  ///< one word
    bool ok = false;
    std::string message;  ///< one line: what is so, and, when it is not ok, what to do
};

/// token, clock, intents, and a `guild` for each. Without a token, or one that Discord does not take: that alone, and
/// the clock.
std::vector<Check> check_discord(const Config& config);

/// data, store, queue, jobs, disk, udp, web, links.
std::vector<Check> check_machine(const Config& config);

/// Of the transcription queue; without a catalog nothing was recorded yet.
Check queue_check(const Config& config, const catalog::Catalog* catalog);

/// mail: whether its server takes our name, and what waits to be sent. Nothing when none is configured.
std::vector<Check> check_mail(const Config& config);

// ---- what the figures mean

Check intents_check(const discord::OwnApplication& application);
/// One for each guild; a single one when the bot is in none.
std::vector<Check> guild_checks(const discord::OwnApplication& application,
                                const std::vector<discord::OwnGuild>& guilds);
/// Their Date header, and our clock when the question left and when the answer was there.
Check clock_check(UnixTime theirs, UnixTime asked, UnixTime answered);
Check disk_check(const std::filesystem::path& folder, std::uint64_t free_bytes);
Check udp_check(int granted_bytes, int wanted_bytes);

}  // namespace lestapenna::cli
