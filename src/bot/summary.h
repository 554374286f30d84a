// What people are told of sessions, gathered from catalog, journal and store.
//
// Thread: the blocking one, through off_loop(), but what asks the store where that may hang: that is said. What takes
// no tools is pure. Errors: the catalog's and the store's; not_found for an unknown session.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bot/text.h"
#include "journal/unfinished.h"
#include "workflows/session.h"

namespace lestapenna::bot {

/// A session that is over.
struct Summary {
    catalog::Session row;
    std::vector<catalog::Track> tracks;
    text::Finished finished;
    std::optional<store::Key> master;  ///< in the store by now; of a bucket, as the catalog has it
    std::uint64_t bytes = 0;           ///< of the master
    bool expired = false;              ///< retention has removed the master, by its age
};
Result<Summary> summarise(const workflows::Tools& tools, const SessionId& id);

/// Why a session that is finished has no master to hand over: a sentence.
std::string no_master(Language language, const Summary& summary);

/// Through ask_store(): has the store all that can be made of a session that is over? Of a bucket only the master is
/// asked for: a link needs no more, and an evening has hundreds of chunks.
Result<bool> is_whole(const workflows::Tools& tools, const Summary& summary);

/// The master as bytes, of a store that is a folder. Errors: damaged when it is longer than `limit`.
Result<std::string> master_bytes(const workflows::Tools& tools, const Summary& summary, std::uint64_t limit);

/// The session that a person means: by its id or the ending of it, else the last one of these channels. Nothing: there
/// is none, or it is of another guild. usage: several have that ending.
Result<std::optional<catalog::Session>> find_session(const workflows::Tools& tools, GuildId guild,
                                                     const std::string& argument,
                                                     const std::vector<ChannelId>& channels);

/// What the store has of a session that is being recorded, as far as those who are there now were heard.
Result<text::Safety> safety_of(const workflows::Tools& tools, const SessionId& id,
                               const std::vector<recorder::Heard>& heard);

/// The newest, with how many people were in each.
Result<std::vector<text::Listed>> list_sessions(const workflows::Tools& tools, GuildId guild, std::size_t most);

/// The last session of a voice channel, when nobody ended it and its last record is younger than `resume_within`.
struct GoingOn {
    catalog::Session row;
    journal::Unfinished journal;
};
Result<std::optional<GoingOn>> to_go_on_with(const workflows::Tools& tools, GuildId guild, ChannelId voice);

}  // namespace lestapenna::bot
