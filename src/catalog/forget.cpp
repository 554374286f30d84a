// A person leaves the catalog.
#include <array>
#include <utility>

#include "catalog/catalog.h"
#include "catalog/rows.h"

namespace lestapenna::catalog {

namespace {

/// Whole, not inside a longer number.
bool names(std::string_view text, const std::string& id) {
    return find_number(text, id) != std::string_view::npos;
}

struct Said {
    std::int64_t id;
    std::string subject;
    std::string payload;
    std::string error;
};

}  // namespace

Result<bool> Catalog::knows(const SessionId& session, UserId user) const {
    const auto id = user.text();
    const auto rows = database_.query(
        "SELECT 1 FROM tracks WHERE session_id = ?1 AND user_id = ?2 UNION ALL "
        "SELECT 1 FROM recordings WHERE session_id = ?1 AND (user_id = ?2 OR instr(filepath, ?2) > 0) UNION ALL "
        "SELECT 1 FROM chunks WHERE session_id = ?1 AND (user_id = ?2 OR instr(filepath, ?2) > 0) UNION ALL "
        "SELECT 1 FROM transcriptions WHERE session_id = ?1 AND user_id = ?2 UNION ALL "
        "SELECT 1 FROM masters WHERE session_id = ?1 AND instr(recipe, ?2) > 0 UNION ALL "
        "SELECT 1 FROM sessions WHERE session_id = ?1 AND started_by = ?2 LIMIT 1",
        [](Row) { return true; }, session.text(), id);
    if (!rows) return rows.error();
    return !rows->empty();
}

Status Catalog::forget_user(const SessionId& session, UserId user) {
    constexpr std::array kDelete{"DELETE FROM transcriptions WHERE session_id = ?1 AND user_id = ?2",
                                 "DELETE FROM recordings WHERE session_id = ?1 AND user_id = ?2",
                                 "DELETE FROM chunks WHERE session_id = ?1 AND user_id = ?2",
                                 "DELETE FROM tracks WHERE session_id = ?1 AND user_id = ?2",
                                 "UPDATE sessions SET started_by = NULL WHERE session_id = ?1 AND started_by = ?2"};
    for (const char* const sql : kDelete) {
        if (auto gone = database_.run(sql, session.text(), user.text()); !gone) return gone;
    }
    return Ok{};
}

Result<std::int64_t> Catalog::forget_jobs(const std::optional<SessionId>& session, UserId user) {
    const auto id = user.text();
    const auto jobs = database_.query(
        "SELECT id, subject, payload, error FROM jobs WHERE session_id IS ?1",
        [](Row row) {
            return Said{row.integer(0), row.text(1), row.text(2), row.text(3)};
        },
        session ? std::optional(session->text()) : std::nullopt);
    if (!jobs) return jobs.error();
    std::int64_t removed = 0;
    for (const Said& job : *jobs) {
        const bool theirs = names(job.subject, id) || names(job.payload, id);
        if (!theirs && !names(job.error, id)) continue;
        auto done = theirs ? database_.run("DELETE FROM jobs WHERE id = ?1", job.id)
                           : database_.run("UPDATE jobs SET error = '' WHERE id = ?1", job.id);
        if (!done) return done.error();
        removed += theirs ? 1 : 0;
    }
    return removed;
}

Status Catalog::remove_master(const SessionId& session) {
    return database_.run("DELETE FROM masters WHERE session_id = ?1", session.text());
}

Status Catalog::remove_transcript(const SessionId& session) {
    return database_.run("DELETE FROM transcripts WHERE session_id = ?1", session.text());
}

Status Catalog::scrub() {
    // Not by way of a temporary file.
    if (auto set = database_.script("PRAGMA temp_store = MEMORY"); !set) return set;
    if (auto packed = database_.script("VACUUM"); !packed) return packed;
    const auto busy = database_.query("PRAGMA wal_checkpoint(TRUNCATE)", [](Row row) { return row.integer(0) != 0; });
    if (!busy) return busy.error();
    if (!busy->empty() && !busy->front()) return Ok{};
    return Error{ErrorKind::locked, database_.name() + " is being read: what was removed is still in its log"};
}

}  // namespace lestapenna::catalog
