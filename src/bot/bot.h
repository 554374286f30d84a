// The bot: hears commands, runs a Recorder per guild, answers people, tells the table how a session ended, and after a
// restart goes on where the last process was cut off.
//
// Promises: every command gets an answer, or, when Discord takes none, the recording goes on untouched; a guild never
// sees another one's sessions; links reach only who may have them; one session per guild at a time.
//
// Thread: the loop's. Ownership: the tools outlive it; leave() is awaited before it is destroyed. Errors: people are
// told in their language; the log has the rest. Nothing ends the bot.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/config.h"
#include "base/metrics.h"
#include "discord/rest.h"
#include "discord/voice.h"
#include "jobs/runner.h"
#include "journal/writer.h"
#include "net/blocking.h"
#include "net/loop.h"
#include "recorder/recorder.h"
#include "store/links.h"
#include "workflows/session.h"

namespace lestapenna::bot {

struct Tools {
    net::Loop& loop;
    net::Blocking& blocking;
    discord::Rest& rest;
    workflows::Tools workflows;  ///< used by the blocking thread, and by nobody else meanwhile
    /// For what asks the store, which may hang: nothing else waits behind it. The same store, a catalog of its own.
    net::Blocking& asking;
    workflows::Tools asking_tools;
    const store::Links& links;
    jobs::Runner& jobs;
    journal::Committer& committer;
    journal::WriterOptions journal{};
    discord::VoiceOptions voice{};
    /// Op 4 of the main gateway.
    std::function<void(GuildId, std::optional<ChannelId>)> ask_gateway;
    /// Whether the main gateway is connected. Empty: always.
    std::function<bool()> gateway_is_up{};
};

class Bot {
  public:
    explicit Bot(Tools tools);
    ~Bot();
    Bot(const Bot&) = delete;
    Bot& operator=(const Bot&) = delete;

    /// Every event of the main gateway, in order.
    void on_event(const discord::Event& event);
    /// The process ends: leaves every channel. Sessions are left as by a kill, durable, so that the next process goes
    /// on with them.
    net::Task<> leave();

    // ---- jobs that need Discord; errors as jobs/runner.h reads them
    /// Tells the table how a session ended; the link goes to who ended or started it.
    net::Task<Status> report(SessionId session);
    /// Sends who asked the link to a session that is in the store by now; `payload` as the command made it.
    net::Task<Status> deliver(SessionId session, UserId user, std::string payload);
    /// The same when it could not be made.
    void could_not_make(const SessionId& session, const Error& error);

    // ---- questions
    [[nodiscard]] bool ready() const;  ///< logged in
    [[nodiscard]] std::size_t recording() const;
    [[nodiscard]] std::vector<Metric> metrics() const;

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace lestapenna::bot
