// One session's live life: announces itself, joins the channel, writes what it hears and what happens to the journal,
// leaves. Tells the rest of the program only through journal records and the catalog.
//
// Promises: the session stands in the catalog, with its time zero, before the first record; nothing is journaled before
// a visible sign of recording (a notice in the channel or the [REC] nickname) has succeeded; every packet Voice hands
// over becomes a record at once, without allocation, lock or wait; what is lost on the way is a Gap record. A clock
// record comes each second.
//
// Thread: the loop's; what may block (catalog, opening and closing the journal) is done by `tools.blocking`. Ownership:
// the tools outlive the Recorder; it is destroyed when neither start() nor stop() is under way. One that was not
// stopped then leaves the channel, and a journal that is durable but, as after a kill, without an End. Errors: before
// the first record a sentence for the game master; afterwards nothing ends a session but stop(), a kick, or the
// channel's end, and each ends it complete.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "base/ids.h"
#include "base/result.h"
#include "catalog/catalog.h"
#include "discord/guilds.h"
#include "discord/rest.h"
#include "discord/voice.h"
#include "journal/writer.h"
#include "net/blocking.h"
#include "net/loop.h"

namespace lestapenna::recorder {

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
    UserId self;  ///< the bot's own user
    /// Op 4 of the main gateway.
    std::function<void(GuildId, std::optional<ChannelId>)> ask_gateway;
};

struct Where {
    GuildId guild;
    ChannelId voice_channel;
    ChannelId notice_channel;  ///< where the sign of recording is posted
};

/// What $stato will show.
struct Report {
    std::uint64_t packets = 0;    ///< accepted by the journal
    std::uint64_t refused = 0;    ///< the journal's ring was full: a Gap says so
    std::uint64_t oversized = 0;  ///< longer than any Opus packet
    std::uint64_t durable_records = 0;
    discord::VoiceCounts voice;
};

enum class EndCause : std::uint8_t {
    stopped,  ///< by stop()
    removed,  ///< kicked from the channel, or channel or guild are gone
    refused,  ///< Discord does not let us go on, or start() failed
};

class Recorder {
  public:
    /// Draws the session's id and reads its time zero; nothing else happens before start().
    Recorder(Tools tools, Where where);
    ~Recorder();
    Recorder(const Recorder&) = delete;
    Recorder& operator=(const Recorder&) = delete;

    /// Announces, joins and records from the first packet on; returns once connected, or says why not (nothing is then
    /// left of the session but its row, failed). Once. on_event() must be fed meanwhile: the answers come that way.
    net::Task<Status> start();
    /// Events of the main gateway, after `guilds` has taken them.
    void on_event(const discord::Event& event);
    /// Leaves, ends the journal and marks the session as ending in the catalog; both are durable on return. Errors: the
    /// disk's; the session is over all the same.
    net::Task<Status> stop();
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
