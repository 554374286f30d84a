// What each durable job does: the one place where the workflows, which know no Discord, and the bot, which renders
// nothing, meet. Thread: handlers run on the runner's workers.
#pragma once

#include <functional>

#include "bot/bot.h"
#include "cli/mail.h"
#include "jobs/runner.h"
#include "journal/writer.h"
#include "net/loop.h"
#include "workflows/session.h"

namespace lestapenna::cli {

/// What the handlers work with; all of it outlives the runner's work.
struct JobTools {
    const Config& config;
    store::ObjectStore& store;
    journal::Committer& committer;
    net::Loop& loop;
    bot::Bot& bot;  ///< on the loop
    unsigned threads = 1;
    Mailer* mailer = nullptr;  ///< null: no mail is sent
};

/// Registers a handler for every name of workflows/job_names.h.
void handle_all(jobs::Runner& runner, const JobTools& tools);

}  // namespace lestapenna::cli
