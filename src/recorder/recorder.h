// One session's live life: announces itself, joins the channel, writes what it hears and what happens to the journal,
// leaves. Tells the rest of the program only through journal records and the catalog.
//
// Promises: the session stands in the catalog, with its time zero, before the first record; nothing is journaled before
// a visible sign of recording (a notice in the channel or the [REC] nickname) has succeeded; every packet Voice hands
// over becomes a record at once, without allocation, lock or wait; what is lost on the way is a Gap record. A clock
// record comes each second.
//
// Thread: the loop's; catalog and journal files are opened and closed by a thread of their own (`blocking`). Ownership:
// the tools outlive the Recorder. Errors: before the first record a sentence for the game master; afterwards nothing
// ends a session but stop(), a kick, or the channel's end, and each ends it complete.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "catalog/catalog.h"
#include "discord/guilds.h"
#include "discord/rest.h"
#include "discord/voice.h"
#include "journal/writer.h"
#include "net/loop.h"

namespace lestapenna::recorder {

/// What a Recorder works with; all of it outlives it.
struct Tools {
    net::Loop& loop;
    discord::Rest& rest;
    discord::Guilds& guilds;  ///< who is where, kept current by the owner of the gateway
    catalog::Catalog& catalog;
    journal::Committer& committer;
    std::filesystem::path journal_root;
    journal::WriterOptions journal;
    discord::VoiceOptions voice;
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
    SessionId session;
    UnixTime start;
    std::uint64_t packets = 0;  ///< accepted by the journal
    std::uint64_t refused = 0;  ///< the journal's ring was full: a Gap says so
    std::uint64_t durable_records = 0;
    discord::VoiceCounts voice;
};

enum class EndCause : std::uint8_t { stopped, removed, refused };

class Recorder {
  public:
    /// Announces, joins and records from the first packet on; returns once connected, or says why not (nothing is then
    /// left of the session but its row, failed).
    static net::Task<Result<std::unique_ptr<Recorder>>> start(Tools tools, Where where);
    ~Recorder();
    Recorder(const Recorder&) = delete;
    Recorder& operator=(const Recorder&) = delete;

    [[nodiscard]] const SessionId& session() const;
    [[nodiscard]] UnixTime start_time() const;
    [[nodiscard]] Report report() const;

    /// Events of the main gateway, after `guilds` has taken them.
    void on_event(const discord::Event& event);

    /// Leaves, ends the journal (durable on return) and marks the session as ending in the catalog.
    net::Task<Status> stop();
    /// Returns when the session is over, by stop() or by itself.
    net::Task<EndCause> over();

  private:
    struct Impl;
    explicit Recorder(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

}  // namespace lestapenna::recorder
