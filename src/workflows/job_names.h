// The names of the durable jobs, and what their subjects are. The handlers are registered by the composition root
// (cli/service.cpp), because some of them need Discord.
#pragma once

#include "catalog/catalog.h"

namespace lestapenna::workflows {

inline constexpr const char* kKeepUpJob = "keep_up";  ///< subject: session. Rotation and fragments while it is recorded
inline constexpr const char* kFinishJob = "finish";   ///< subject: session. Everything, then kReportJob
inline constexpr const char* kRecoverJob = "recover";  ///< subject: session. An orphan's end, then kReportJob
inline constexpr const char* kReportJob = "report";    ///< subject: session. Tells the table, with the link
inline constexpr const char* kForgetJob = "forget";    ///< no subject. Whose forgetting a kill has cut off
inline constexpr const char* kMailJob = "mail";        ///< subject: session/address. Its report by mail, once
inline constexpr const char* kDownloadJob =
    "download";  ///< subject: session/user. Makes what is missing; sends the link
inline constexpr const char* kTranscriptJob = "transcript";  ///< subject: session. Its text, once all of it is there
inline constexpr const char* kRetentionJob = "retention";    ///< subject: all. Removes what has lived its time

catalog::NewJob keep_up_job(const SessionId& session, UnixTime due);
catalog::NewJob retention_job();
catalog::NewJob finish_job(const SessionId& session);
catalog::NewJob recover_job(const SessionId& session);
catalog::NewJob report_job(const SessionId& session);
catalog::NewJob transcript_job(const SessionId& session);
/// Not tied to its session: a mail server that is silent for a minute holds up nothing of it.
catalog::NewJob mail_job(const SessionId& session, std::string_view address);
/// `payload` is for whoever delivers it.
catalog::NewJob download_job(const SessionId& session, UserId user, std::string payload);

}  // namespace lestapenna::workflows
