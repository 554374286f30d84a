// What was mailed.
#include <utility>

#include "catalog/catalog.h"
#include "catalog/rows.h"

namespace lestapenna::catalog {

namespace {

constexpr std::string_view kSelectMail =
    "SELECT session_id, address, end_time, since, attempts, reply, sent FROM mails WHERE ";

Mail mail_of(Row row) {
    return {.session = session_id(row.text(0)),
            .address = row.text(1),
            .end = unix_time(row.integer(2)),
            .since = unix_time(row.integer(3)),
            .attempts = static_cast<int>(row.integer(4)),
            .reply = row.text(5),
            .sent = time_or_null(row, 6)};
}

}  // namespace

Status Catalog::upsert_mail(const Mail& mail) {
    return database_.run(
        "INSERT INTO mails (session_id, address, end_time, since, attempts, reply, sent) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (session_id, address) DO UPDATE SET end_time = ?3, "
        "since = ?4, attempts = ?5, reply = ?6, sent = ?7",
        mail.session.text(), mail.address, unix_ms(mail.end), unix_ms(mail.since), std::int64_t{mail.attempts},
        mail.reply, ms_of(mail.sent));
}

Result<std::optional<Mail>> Catalog::mail(const SessionId& session, std::string_view address) const {
    auto found = database_.query(std::string(kSelectMail) + "session_id = ?1 AND address = ?2", mail_of, session.text(),
                                 address);
    if (!found) return found.error();
    if (found->empty()) return std::optional<Mail>{};
    return std::optional(std::move(found->front()));
}

Result<std::vector<Mail>> Catalog::unsent_mails() const {
    return database_.query(std::string(kSelectMail) + "sent IS NULL ORDER BY since, session_id, address", mail_of);
}

}  // namespace lestapenna::catalog
