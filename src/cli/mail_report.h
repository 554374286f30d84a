// What a session's report by mail says, gathered from catalog and store.
// Thread: any but a loop's. Errors: the catalog's and the store's; not_found for an unknown session.
#pragma once

#include "notify/report.h"
#include "store/links.h"
#include "workflows/session.h"

namespace lestapenna::cli {

/// `links`: null: the report has none.
Result<notify::Report> mail_report(const workflows::Tools& tools, const SessionId& id, const store::Links* links,
                                   UnixTime now);

}  // namespace lestapenna::cli
