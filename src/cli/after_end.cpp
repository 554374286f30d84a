#include "cli/after_end.h"

#include <algorithm>
#include <iterator>

#include "cli/mail.h"
#include "workflows/job_names.h"

namespace lestapenna::cli {

namespace {

using catalog::SessionStatus;

/// A job that will see to the end by itself.
bool sees_to_end(const std::pair<catalog::Job, catalog::JobStatus>& open) {
    const auto& [job, status] = open;
    return status != catalog::JobStatus::failed &&
           (job.name == workflows::kFinishJob || job.name == workflows::kRecoverJob);
}

}  // namespace

std::vector<catalog::NewJob> jobs_after_end(const Config& config, const catalog::Session& session, UnixTime now) {
    std::vector<catalog::NewJob> jobs{workflows::transcript_job(session.id)};
    if (session.guild_id) jobs.push_back(workflows::report_job(session.id));
    std::ranges::move(mail_jobs(config, session, now), std::back_inserter(jobs));
    return jobs;
}

Status add_jobs_after_end(const Config& config, catalog::Catalog& catalog, const catalog::Session& before) {
    if (before.status == SessionStatus::complete) return Ok{};
    return catalog.together([&]() -> Status {
        const auto session = catalog.session(before.id);
        if (!session) return session.error();
        if (session->status != SessionStatus::complete || !session->guild_id) return Ok{};
        const auto open = catalog.open_jobs(before.id);
        if (!open) return open.error();
        if (std::ranges::any_of(*open, sees_to_end)) return Ok{};
        for (const auto& job : jobs_after_end(config, *session, unix_now())) {
            if (auto added = catalog.add_job(job); !added) return added;
        }
        return Ok{};
    });
}

}  // namespace lestapenna::cli
