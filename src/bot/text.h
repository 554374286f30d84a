// Every sentence the bot says to people, in Italian and in English: the only place with words. In a game master's
// words: what happened, and what to do. Names of people are escaped for Discord here (no pings, no formatting).
// Pure; any thread. Nothing is longer than Discord's 2,000 characters: lists are cut, and say that they are.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "bot/command.h"
#include "bot/language.h"
#include "bot/permissions.h"
#include "catalog/catalog.h"
#include "recorder/recorder.h"

namespace lestapenna::bot::text {

/// The last six characters of a session's id, which people use as its name.
std::string short_id(const SessionId& session);

// ---- a session begins, goes on, ends
std::string listening(Language language, const SessionId& session, ChannelId voice, std::string_view prefix);
std::string listening_again(Language language, const SessionId& session, ChannelId voice, UnixTime start);
std::string already_listening(Language language, const SessionId& session, ChannelId voice, UnixTime start);
std::string could_not_start(Language language, const recorder::StartError& error, const Obstacles& obstacles,
                            ChannelId voice);
std::string stopped(Language language, const SessionId& session, milliseconds length);
/// To the table, when it ended by itself.
std::string ended(Language language, const SessionId& session, recorder::EndCause cause, milliseconds length);
std::string paused(Language language, std::string_view prefix);
std::string already_paused(Language language, std::string_view prefix);
std::string resumed(Language language);
std::string not_paused(Language language);
std::string noted(Language language, milliseconds at);
std::string note_is_empty(Language language, std::string_view prefix);
std::string note_is_too_long(Language language);
/// "Anna è arrivata: questa partita viene registrata." Once per person and session.
std::string newcomer(Language language, std::string_view name);
std::string deafened(Language language);
/// What somebody says can not be opened. Empty name: nobody said who it is.
std::string cannot_open(Language language, std::string_view name, bool gave_up, std::string_view prefix);
/// The end of the session can not be written: the disk is full.
std::string unwritten(Language language);
std::string no_longer_deaf(Language language);
/// The bot was restarted and records again; `outage` is how long nothing was heard.
std::string back_again(Language language, const SessionId& session, milliseconds outage);
/// It was restarted, and can not record again yet; it keeps trying.
std::string not_back_yet(Language language, const SessionId& session, recorder::StartTrouble why, ChannelId voice);
/// `said`, and of a session on a break that it still is, and how to end that.
std::string with_break(Language language, std::string said, bool paused, std::string_view prefix);

// ---- what there is
struct Safety {
    bool other_device = false;             ///< the store is on another disk or machine than the journals
    std::size_t chunks = 0;                ///< in the store
    std::optional<UnixTime> chunks_until;  ///< what is in the store of everybody, up to here
};
struct Live {
    SessionId session;
    UnixTime start;
    milliseconds length{};
    BootTime now;  ///< when the report was made
    recorder::Report report;
    Safety safety;
    bool stage = false;  ///< the channel is one
};
std::string status(Language language, const Live& live);
/// Nothing is being recorded: what the last session is, where there is one.
std::string idle(Language language, const std::optional<catalog::Session>& last, std::string_view prefix);
struct Listed {
    catalog::Session session;
    std::size_t people = 0;
};
std::string sessions(Language language, const std::vector<Listed>& sessions, std::string_view prefix);

// ---- the end of the work
/// Of one person in the finished session.
struct Person {
    std::string name;
    std::int64_t received = 0;
    std::int64_t lost = 0;
    recorder::Closed closed{};  ///< of those received
    bool open_mic = false;
    bool capped = false;  ///< so quiet that it could not be brought to the target
    UserId user{};
};
struct Finished {
    SessionId session;
    UnixTime start;
    milliseconds length{};
    bool has_audio = false;
    std::vector<Person> people;
    std::optional<catalog::Encryption> encryption{};
    std::string privacy_code{};
    bool stage = false;                             ///< the channel was one
    std::optional<catalog::MasterSource> source{};  ///< what the master was mixed from
};
/// To everybody at the table: no link in it. Also when there is no audio.
std::string report(Language language, const Finished& finished, std::string_view prefix);
/// What is missing of what somebody said and what their microphone needs, in a line without any name or formatting.
std::string losses(Language language, const Person& person);
/// To whoever may have it. `expires`: when the link does.
std::string link(Language language, const Finished& finished, std::string_view link, UnixTime expires);
std::string attached(Language language, const Finished& finished);
/// No link can be made, and the file is too big to be attached.
std::string no_link(Language language, const Finished& finished, std::uint64_t bytes);
std::string no_audio(Language language, const SessionId& session);
/// Retention has removed the master: its time was over.
std::string audio_expired(Language language, const SessionId& session);
std::string preparing(Language language, const SessionId& session);
/// By the kind of trouble: what exactly it was is for the log.
std::string could_not_make(Language language, const SessionId& session, ErrorKind why);
/// The private message could not be delivered: use the slash command.
std::string direct_messages_closed(Language language, const SessionId& session);
std::string see_direct_message(Language language);

// ---- recovery
std::string recovering(Language language, const std::vector<SessionId>& sessions);
std::string nothing_to_recover(Language language);

// ---- no
std::string refusal(Language language, Refusal refusal, std::string_view prefix);
/// The same for what is unknown and for what is another guild's.
std::string unknown_session(Language language, std::string_view prefix);
std::string ambiguous_session(Language language);
std::string nothing_recorded_here(Language language, std::string_view prefix);
std::string not_recording(Language language, std::string_view prefix);
std::string only_in_a_guild(Language language);
std::string not_there_yet(Language language);  ///< Discord does not show us this guild
std::string busy(Language language);           ///< the same is under way already
std::string something_broke(Language language);
std::string help(Language language, std::string_view prefix);

}  // namespace lestapenna::bot::text
