// How a journal stands that nobody ended: what a recorder needs that goes on with it, and a recovery that finishes it.
// Thread: any; nobody may be writing the journal. Errors: those of Reader::open; damage inside is passed over, as
// everywhere.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "journal/writer.h"

namespace lestapenna::journal {

struct Unfinished {
    std::string session_id;
    UnixTime start;                         ///< time zero
    BootTime anchor;                        ///< of its last segment
    BootId boot;                            ///< of its last segment
    SessionTime until;                      ///< its last record: what happened later nobody knows
    bool ended = false;                     ///< it has its End: not unfinished at all
    bool paused = false;                    ///< a Pause without a Resume
    std::set<UserId> present;               ///< joined, not left
    std::set<UserId> known;                 ///< whoever was ever there
    std::map<std::uint32_t, UserId> bound;  ///< the latest owner of each SSRC

    [[nodiscard]] UnixTime last_alive() const;
    /// How long before `now` its last record was: by the boot clock as long as the machine has not been started anew,
    /// because the wall clock may have been set meanwhile.
    [[nodiscard]] nanoseconds silent_for(const ClockReading& now, const BootId& now_boot) const;
};
Result<Unfinished> read_unfinished(const std::filesystem::path& session_folder);

/// The head of the segment that goes on: on the same boot the clock goes on; after a reboot it is anchored anew from
/// the wall clock, never before `until`.
SessionHead head_to_go_on(const Unfinished& journal, const ClockReading& now, const BootId& boot);

/// Writes that whoever was present left at the last moment known, and no End: the journal may still be gone on with.
/// Durable on return. Nothing is written when nobody was there. Errors: locked while it is being recorded; failed.
Status close_connections(Committer& committer, const std::filesystem::path& journal_root, const Unfinished& journal);

}  // namespace lestapenna::journal
