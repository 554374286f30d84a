// Reports by mail: who gets one, and the job that sends one to one address, once.
//
// Sent once: what was sent stands in the catalog (and, should that not be writable just then, in memory), with the end
// of the session that it reports; a session that went on is reported again at its next end. Before each attempt the
// catalog remembers that there was one. A mail comes twice only where SMTP itself can not know (notify/smtp.h): the
// connection or this process ended after all of it was sent and before the server's answer was written down. It has
// the same Message-ID then.
//
// Thread: any; send() is the mail worker's, and blocks for a minute at most. Errors: see each.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "base/time.h"
#include "catalog/catalog.h"
#include "jobs/runner.h"
#include "notify/smtp.h"
#include "store/links.h"
#include "workflows/session.h"

namespace lestapenna::cli {

/// A report is news for so long after its session's end. Evenings that come back later (a catalog that was lost, a
/// bucket of years) are mailed to nobody, and what was given up is not tried again.
inline constexpr milliseconds kNews = std::chrono::days(7);

/// A job for each address that gets the report of a session of this guild, while that is news.
std::vector<catalog::NewJob> mail_jobs(const Config& config, const catalog::Session& session, UnixTime now);

class Mailer {
  public:
    /// Links as the bot gives them; both outlive it.
    Mailer(const Config& config, notify::Server server, const store::Links& links);

    /// The handler of workflows::kMailJob. What the server puts off, or does not answer, is tried again for a day
    /// (after 1 min, doubled up to 15 min). Errors: usage, when that is over or the server refuses it for good; of
    /// catalog and store as they come, which the runner tries again as it does for every job.
    Result<jobs::Done> send(const catalog::Job& job, const workflows::Tools& tools, const std::atomic<bool>& stop);
    /// What came of all attempts since the start.
    [[nodiscard]] std::vector<Metric> metrics() const;

  private:
    Result<jobs::Done> settle(catalog::Mail row, const notify::Reply& reply, catalog::Catalog& catalog);
    void remember(const std::string& message_id);
    [[nodiscard]] bool remembers(const std::string& message_id) const;
    [[nodiscard]] std::string message_id(const catalog::Mail& row) const;

    const Config& config_;
    notify::Server server_;
    const store::Links& links_;
    std::atomic<std::uint64_t> sent_{0};
    std::atomic<std::uint64_t> deferred_{0};
    std::atomic<std::uint64_t> refused_{0};
    mutable std::mutex mutex_;
    std::set<std::string> message_ids_;  ///< of what was sent; guarded by mutex_
};

/// Mails that were given up are tried once more while they are news, for people who have mended [mail] and started
/// anew. Before the runner starts.
Status try_mails_again(catalog::Catalog& catalog, UnixTime now);

}  // namespace lestapenna::cli
