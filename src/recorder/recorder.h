// One session's live life: announces itself, joins the channel, writes what it hears and what happens to the journal,
// leaves. Tells the rest of the program only through journal records, the catalog, and `tools.tell`.
//
// Promises: the session stands in the catalog, with its time zero, before the first record, and a session that goes on
// keeps it; nothing is journaled before a visible sign of recording (a notice in the channel or the [REC] nickname) has
// succeeded; every packet Voice hands over becomes a record at once, without allocation, lock or wait; what is lost on
// the way is a Gap record; while it is paused no packet is stored. A clock record comes each second. A session in which
// no person is left for `empty_end` ends itself.
//
// Thread: the loop's; what may block (catalog, opening and closing the journal) is done by `tools.blocking`. Ownership:
// the tools outlive the Recorder; it is destroyed when neither start() nor stop() is under way. One that was not
// stopped then leaves the channel, and a journal that is durable but, as after a kill, without an End. Errors: before
// the first record a StartError; afterwards nothing ends a session but stop(), a kick, the channel's end or an empty
// channel, and each ends it complete.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "catalog/catalog.h"
#include "discord/guilds.h"
#include "discord/rest.h"
#include "discord/voice.h"
#include "journal/unfinished.h"
#include "journal/writer.h"
#include "net/blocking.h"
#include "net/loop.h"
#include "recorder/call.h"
#include "recorder/tally.h"

namespace lestapenna::recorder {

enum class EndCause : std::uint8_t {
    stopped,  ///< by stop()
    removed,  ///< kicked from the channel, or channel or guild are gone
    refused,  ///< Discord does not let us go on, or start() failed
    empty,    ///< no person was left for empty_end
};

/// Somebody came who has not been in this session before; not for who is there when it starts.
struct Joined {
    UserId user;
    std::string name;
    bool bot = false;
};
/// A connection is over: its last window closes kClosingDelay (timeline.h) later.
struct Left {
    UserId user;
};
/// What a user says can not be opened, although all of its keys should be here (discord/voice.h). At most once in ten
/// minutes of each user, and once more when it was given up.
struct CannotOpen {
    UserId user;  ///< 0: nobody said who it is
    std::string name;
    bool gave_up = false;
};
/// A moderator made us deaf, or undid it.
struct Deafened {
    bool deaf = false;
};
/// Nothing more is recorded; Ended follows when all of it is durable.
struct Ending {
    EndCause cause{};
};
/// The end can not be written: the disk is full, or broken. What was said is in memory, and it is tried again for as
/// long as the process lives. Once per session.
struct Unwritten {};
/// The session is over, all of it durable; comes for every way out of a session that had begun, stop() included.
struct Ended {
    EndCause cause{};
};
using Happening = std::variant<Joined, Left, CannotOpen, Deafened, Ending, Unwritten, Ended>;

/// Why a session did not begin; what a person can do about it depends on which.
enum class StartTrouble : std::uint8_t {
    no_sign,    ///< neither notice nor nickname could be put up
    no_answer,  ///< Discord does not answer the wish to join: the channel is full, or we may not connect
    refused,    ///< Discord says no
    recorded,   ///< another process records this session
    disk,       ///< catalog or journal can not be written
    stopped,    ///< by stop(), before it began
};
struct StartError {
    StartTrouble what{};
    std::string message;  ///< one sentence, in English, for the log and whoever wants details
};

/// What a Recorder works with; all of it outlives it.
struct Tools {
    net::Loop& loop;
    net::Blocking& blocking;
    discord::Rest& rest;
    discord::Guilds& guilds;    ///< who is where, kept current by the owner of the gateway
    catalog::Catalog& catalog;  ///< used by the blocking thread, and by nobody else meanwhile
    journal::Committer& committer;
    std::filesystem::path journal_root;
    journal::WriterOptions journal;
    discord::VoiceOptions voice;
    UserId self;                                       ///< the bot's own user
    milliseconds empty_end = std::chrono::minutes(5);  ///< not counted while the main gateway tells nothing
    /// Op 4 of the main gateway.
    std::function<void(GuildId, std::optional<ChannelId>)> ask_gateway;
    /// What people are told of, or what makes work. On the loop, after it is journaled. Empty: nobody listens.
    std::function<void(const Happening&)> tell{};
    /// Whether the main gateway is connected, so that `guilds` is true. Empty: always.
    std::function<bool()> gateway_is_up{};
};

struct Where {
    GuildId guild;
    ChannelId voice_channel;
    ChannelId text_channel;  ///< where the sign of recording is posted, and what people are told
    UserId started_by;
    std::string language;  ///< of the table: it, en
};

/// A user as the session has heard them so far, since this process records it.
struct Heard {
    UserId user;  ///< 0: packets of SSRCs that nobody claimed yet
    std::string name;
    bool bot = false;
    bool present = false;
    std::uint64_t packets = 0;
    std::uint64_t lost = 0;        ///< missing in the sequence between the first packet and the last
    std::optional<BootTime> last;  ///< when their last packet came
    Closed closed{};               ///< of the packets, those that could not be opened
};

/// What $stato shows, and the metrics.
struct Report {
    std::uint64_t packets = 0;    ///< accepted by the journal
    std::uint64_t refused = 0;    ///< the journal's ring was full: a Gap says so
    std::uint64_t oversized = 0;  ///< longer than any Opus packet
    std::uint64_t paused = 0;     ///< came during a pause: not stored
    std::uint64_t durable_records = 0;
    nanoseconds not_durable{0};  ///< age of the oldest record that is not durable yet; to a second or so
    nanoseconds last_sync{0};
    bool connected = false;
    bool is_paused = false;
    bool deaf = false;  ///< by a moderator: nothing is sent to us
    ChannelId channel;  ///< where we are
    Call call;          ///< its end-to-end encryption
    std::vector<Heard> heard;
    std::map<std::uint16_t, std::uint64_t> voice_closes;  ///< reconnects by close code
    discord::VoiceCounts voice;
};

class Recorder {
  public:
    /// A new session: draws its id and reads its time zero; nothing else happens before start().
    Recorder(Tools tools, Where where);
    /// Goes on with one that nobody ended: the same id and time zero; from its last record to the first packet is a
    /// Gap{restart}, and whoever is not there any more left at its last record. A pause goes on. Where the nickname can
    /// be put up again no second notice is posted: the first still stands.
    Recorder(Tools tools, Where where, journal::Unfinished unfinished);
    ~Recorder();
    Recorder(const Recorder&) = delete;
    Recorder& operator=(const Recorder&) = delete;

    /// Announces, joins and records from the first packet on; returns once connected, or says why not. Nothing is then
    /// left of a new session but its row, failed; one that was to go on is as it was found. Once. on_event() must be
    /// fed meanwhile: the answers come that way.
    net::Task<Result<Ok, StartError>> start();
    /// Events of the main gateway, after `guilds` has taken them.
    void on_event(const discord::Event& event);
    /// Leaves, ends the journal and marks the session as ending in the catalog; both are durable on return. Errors: the
    /// disk's; the session is over all the same.
    net::Task<Status> stop();
    /// From here on no packet is stored, until resume(). False when it is so already.
    bool pause();
    bool resume();
    /// A marker. False when it is longer than journal::kMaxMarkerBytes or there is no room.
    bool note(UserId user, std::string_view text);
    /// Returns when the session is over, by stop() or by itself.
    net::Task<EndCause> over();

    [[nodiscard]] const SessionId& session() const;
    [[nodiscard]] UnixTime start_time() const;
    [[nodiscard]] Report report() const;

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace lestapenna::recorder
