#include "cli/service_jobs.h"

#include <future>
#include <utility>

#include <boost/asio/post.hpp>

#include "base/log.h"
#include "cli/after_end.h"
#include "cli/mail.h"
#include "workflows/forget.h"
#include "workflows/job_names.h"
#include "workflows/keep_up.h"
#include "workflows/manifest.h"
#include "workflows/master.h"
#include "workflows/rebuild.h"
#include "workflows/recovery.h"
#include "workflows/retention.h"
#include "workflows/transcript.h"

namespace lestapenna::cli {

namespace {

using jobs::Done;

constexpr milliseconds kLook{100};
// Of their own, so that neither rotation nor a link waits while 20 evenings are rendered, nor one for the other while
// Discord does not answer.
constexpr unsigned kKeepUpWorkers = 1;  ///< the rendering inside uses all the threads there are
constexpr unsigned kReportWorkers = 2;  ///< they only wait
constexpr unsigned kMailWorkers = 1;    ///< so does this one, for a server that may be silent
constexpr unsigned kSweepWorkers = 1;   ///< it waits for the store, too

/// Runs `task` on the loop and waits for it on a worker's thread, but not beyond the end of the program: the job is
/// then as if it had not begun.
Status wait_on_loop(net::Loop& loop, net::Task<Status> task, const std::atomic<bool>& stopping) {
    auto promise = std::make_shared<std::promise<Status>>();
    auto future = promise->get_future();
    const auto fulfil = [](net::Task<Status> work, std::shared_ptr<std::promise<Status>> to) -> net::Task<> {
        Status done = co_await std::move(work);
        to->set_value(std::move(done));
    };
    net::spawn(loop, fulfil(std::move(task), std::move(promise)));
    while (future.wait_for(kLook) != std::future_status::ready) {
        if (stopping.load(std::memory_order_relaxed)) return render::stopped_error();
    }
    return future.get();
}

Error not_a_job(const catalog::Job& job) {
    return {ErrorKind::usage, "job " + job.name + " of \"" + job.subject + "\" names no session"};
}

/// The user of "session/user".
std::optional<UserId> user_of(const catalog::Job& job) {
    return UserId::parse(std::string_view(job.subject).substr(job.subject.find('/') + 1));
}

/// Of keep_up. While somebody records, a segment may vanish or be half there under the reader, and what is wrong now
/// may be right at the next window: given up, there would be no chunk for the rest of the evening.
Error again_while_recorded(const workflows::Tools& tools, const SessionId& id, Error error) {
    const bool asked = error.kind == ErrorKind::interrupted || error.kind == ErrorKind::locked;
    if (!asked && journal::is_locked(workflows::journal_folder(tools.config, id))) error.kind = ErrorKind::failed;
    return error;
}

/// All that an end does; what is finished already is left alone. Without its journal it comes back from the store.
Status finish(const workflows::Tools& tools, const SessionId& id) {
    const auto finished = workflows::is_finished(tools, id);
    if (!finished) return finished.error();
    if (*finished) return workflows::write_manifest(tools, id);  // a kill may have come before it
    auto session = workflows::Session::open(tools, id);
    if (session) return workflows::finish_session(*session);
    const auto kind = session.error().kind;
    if (kind != ErrorKind::not_found && kind != ErrorKind::damaged) return session.error();
    const auto restored = workflows::restore(tools, id);
    return restored ? Status(Ok{}) : restored.error();
}

Result<Done> then_report(const Config& config, const catalog::Catalog& catalog, const SessionId& id) {
    const auto session = catalog.session(id);
    if (!session) return session.error();
    return Done{jobs_after_end(config, *session, unix_now()), {}};
}

/// A download's part of it: an end that was given up, and is made only now, is followed by what follows an end. Added
/// at once, because whoever asked may not be to be reached, and the next attempt finds a session that is complete.
Status finish_in_passing(const workflows::Tools& tools, const SessionId& id) {
    const auto before = tools.catalog.session(id);
    if (!before) return before.error();
    if (auto finished = finish(tools, id); !finished) return finished;
    return add_jobs_after_end(tools.config, tools.catalog, *before);
}

/// One sweep of retention. What the store refuses is tried again as every job is.
Result<Done> sweep(const workflows::Tools& tools) {
    const auto report = workflows::sweep(tools, {.dry_run = false, .now = workflows::this_moment()});
    if (!report) return report.error();
    if (report->doubt) log().warn("retention: {}", *report->doubt);
    for (const auto& removal : report->removals) {
        log().info("retention: {} of session {} removed ({} objects, {} bytes): {}", to_text(removal.tier),
                   removal.session.text(), removal.keys.size(), removal.bytes, removal.why);
    }
    if (!report->failures.empty()) return report->failures.front();
    return Done{};
}

}  // namespace

void handle_all(jobs::Runner& runner, const JobTools& tools) {
    const auto with = [tools, &runner](catalog::Catalog& catalog) {
        render::Work work;
        work.threads = tools.threads;
        work.stop = &runner.stopping();
        return workflows::Tools{tools.config, catalog, tools.store, std::move(work)};
    };
    const auto growing = std::make_shared<workflows::Growing>();
    runner.handle(
        workflows::kKeepUpJob,
        [with, growing](const catalog::Job& job, catalog::Catalog& catalog) -> Result<Done> {
            if (!job.session) return not_a_job(job);
            const auto here = with(catalog);
            const auto next = workflows::keep_up(here, *job.session, *growing);
            if (!next) return again_while_recorded(here, *job.session, next.error());
            return Done{{}, *next};
        },
        kKeepUpWorkers);
    runner.handle(workflows::kFinishJob,
                  [with, tools](const catalog::Job& job, catalog::Catalog& catalog) -> Result<Done> {
                      if (!job.session) return not_a_job(job);
                      if (auto finished = finish(with(catalog), *job.session); !finished) return finished.error();
                      return then_report(tools.config, catalog, *job.session);
                  });
    runner.handle(workflows::kRecoverJob,
                  [with, tools](const catalog::Job& job, catalog::Catalog& catalog) -> Result<Done> {
                      if (!job.session) return not_a_job(job);
                      auto finished = workflows::finish_orphan(with(catalog), tools.committer, *job.session);
                      if (!finished) return finished.error();
                      return then_report(tools.config, catalog, *job.session);
                  });
    runner.handle(
        workflows::kReportJob,
        [tools, &runner](const catalog::Job& job, catalog::Catalog&) -> Result<Done> {
            if (!job.session) return not_a_job(job);
            auto told = wait_on_loop(tools.loop, tools.bot.report(*job.session), runner.stopping());
            if (!told) return told.error();
            return Done{};
        },
        kReportWorkers);
    runner.handle(
        workflows::kMailJob,
        [with, tools, &runner](const catalog::Job& job, catalog::Catalog& catalog) -> Result<Done> {
            if (tools.mailer == nullptr) return Done{};  // [mail] was emptied since
            return tools.mailer->send(job, with(catalog), runner.stopping());
        },
        kMailWorkers);
    runner.handle(workflows::kTranscriptJob,
                  [with](const catalog::Job& job, catalog::Catalog& catalog) -> Result<Done> {
                      if (!job.session) return not_a_job(job);
                      if (auto made = workflows::make_transcript(with(catalog), *job.session); !made)
                          return made.error();
                      return Done{};
                  });
    runner.handle(workflows::kDownloadJob,
                  [with, tools, &runner](const catalog::Job& job, catalog::Catalog& catalog) -> Result<Done> {
                      const auto user = user_of(job);
                      if (!job.session || !user) return not_a_job(job);
                      if (auto done = finish_in_passing(with(catalog), *job.session); !done) return done.error();
                      auto sent = wait_on_loop(tools.loop, tools.bot.deliver(*job.session, *user, job.payload),
                                               runner.stopping());
                      if (!sent) return sent.error();
                      return Done{};
                  });
    runner.handle(workflows::kForgetJob, [with](const catalog::Job&, catalog::Catalog& catalog) -> Result<Done> {
        if (auto done = workflows::forget_the_rest(with(catalog)); !done) return done.error();
        return Done{};
    });
    runner.handle(
        workflows::kRetentionJob,
        [with](const catalog::Job&, catalog::Catalog& catalog) { return sweep(with(catalog)); }, kSweepWorkers);
    runner.on_finished([tools](const jobs::Finished& finished) {
        const bool makes = finished.job.name != workflows::kKeepUpJob && finished.job.name != workflows::kReportJob &&
                           finished.job.name != workflows::kTranscriptJob;
        if (finished.status || !makes || !finished.job.session) return;
        net::asio::post(tools.loop, [&bot = tools.bot, session = *finished.job.session,
                                     error = finished.status.error()] { bot.could_not_make(session, error); });
    });
}

}  // namespace lestapenna::cli
