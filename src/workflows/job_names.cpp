#include "workflows/job_names.h"

#include <utility>

namespace lestapenna::workflows {

namespace {

catalog::NewJob of_session(const char* name, const SessionId& session) {
    return {.name = name, .subject = session.text(), .session = session};
}

}  // namespace

catalog::NewJob keep_up_job(const SessionId& session, UnixTime due) {
    auto job = of_session(kKeepUpJob, session);
    job.due = due;
    return job;
}

catalog::NewJob retention_job() {
    return {.name = kRetentionJob, .subject = "all"};
}

catalog::NewJob finish_job(const SessionId& session) {
    return of_session(kFinishJob, session);
}

catalog::NewJob recover_job(const SessionId& session) {
    return of_session(kRecoverJob, session);
}

catalog::NewJob report_job(const SessionId& session) {
    return of_session(kReportJob, session);
}

catalog::NewJob transcript_job(const SessionId& session) {
    return of_session(kTranscriptJob, session);
}

catalog::NewJob mail_job(const SessionId& session, std::string_view address) {
    return {.name = kMailJob, .subject = std::string(session.text()).append("/").append(address)};
}

catalog::NewJob download_job(const SessionId& session, UserId user, std::string payload) {
    return {.name = kDownloadJob,
            .subject = session.text() + "/" + user.text(),
            .session = session,
            .payload = std::move(payload)};
}

}  // namespace lestapenna::workflows
