// The durable jobs' rows. Of one name and subject at most one waits, one runs, and the latest that ended is kept: that
// many rows there are per session, however often a job is wanted again.
#include <algorithm>
#include <array>
#include <utility>

#include "catalog/catalog.h"
#include "catalog/rows.h"

namespace lestapenna::catalog {

namespace {

constexpr std::array kJobWords{
    Words<JobStatus>{JobStatus::waiting, "waiting"}, Words<JobStatus>{JobStatus::running, "running"},
    Words<JobStatus>{JobStatus::done, "done"}, Words<JobStatus>{JobStatus::failed, "failed"}};

// A waiting job w that nothing running stands in the way of. (NULL equals nothing: a job without session waits for
// its like only.)
constexpr std::string_view kFree =
    "w.status = 'waiting' AND NOT EXISTS (SELECT 1 FROM jobs AS r WHERE r.status = 'running' AND "
    "(r.session_id = w.session_id OR (r.name = w.name AND r.subject = w.subject)))";

constexpr std::string_view kColumns = "id, name, subject, session_id, payload, due, attempts, error, deaths";

// Of those that are free, the ones that a JobChoice means (?1: its names, each between commas; ?2), and when it has
// them due (?3).
constexpr std::string_view kChosen = " AND (instr(?1, ',' || w.name || ',') > 0) <> ?2";
constexpr std::string_view kDue = "(CASE WHEN w.due > ?3 THEN 0 ELSE w.due END)";

std::string listed(const std::vector<std::string>& names) {
    std::string list = ",";
    for (const std::string& name : names) list += name + ",";
    return list;
}

// Files that are made, of a job's session and of all that are over. Whoever makes one of those has come nearer to an
// end, and so has everybody who waits for it; rotation at other tables goes on for ever, and says nothing.
constexpr std::string_view kMade =
    "(SELECT count(*) FROM (SELECT session_id FROM chunks WHERE status = 'stored' UNION ALL "
    "SELECT session_id FROM recordings WHERE status = 'stored' UNION ALL "
    "SELECT session_id FROM masters WHERE recipe <> '') AS f JOIN sessions AS s USING (session_id) "
    "WHERE s.status <> 'recording' OR s.session_id = jobs.session_id)";

Job job_of(Row row) {
    Job job{.id = row.integer(0),
            .name = row.text(1),
            .subject = row.text(2),
            .session = std::nullopt,
            .payload = row.text(4),
            .due = unix_time(row.integer(5)),
            .attempts = static_cast<int>(row.integer(6)),
            .error = row.text(7),
            .deaths = static_cast<int>(row.integer(8))};
    if (!row.is_null(3)) job.session = session_id(row.text(3));
    return job;
}

std::optional<std::string> text_of(const std::optional<SessionId>& session) {
    return session ? std::optional(session->text()) : std::nullopt;
}

Result<Job> running(const Database& database, std::int64_t id) {
    auto found = database.query("SELECT " + std::string(kColumns) + " FROM jobs WHERE id = ?1 AND status = 'running'",
                                job_of, id);
    if (!found) return found.error();
    if (found->empty()) return Error{ErrorKind::not_found, "there is no job " + std::to_string(id) + " that runs"};
    return std::move(found->front());
}

/// The running `job` waits as it is now given. One of its name and subject that has come to wait meanwhile stays, with
/// its payload, which is newer, and the earlier due of the two.
Status wait_again(const Database& database, const Job& job) {
    auto merged = database.run(
        "UPDATE jobs SET due = min(due, ?3), attempts = ?4, error = ?5, deaths = ?6 "
        "WHERE status = 'waiting' AND name = ?1 AND subject = ?2",
        job.name, job.subject, unix_ms(job.due), std::int64_t{job.attempts}, job.error, std::int64_t{job.deaths});
    if (!merged) return merged;
    if (database.changes() > 0) return database.run("DELETE FROM jobs WHERE id = ?1", job.id);
    return database.run(
        "UPDATE jobs SET status = 'waiting', due = ?2, attempts = ?3, error = ?4, deaths = ?5 WHERE id = ?1", job.id,
        unix_ms(job.due), std::int64_t{job.attempts}, job.error, std::int64_t{job.deaths});
}

/// The running `job` has come to its end, and takes the place of the one before it. Its payload goes: nobody needs it
/// any more, and it may hold a token.
Status end(const Database& database, const Job& job, JobStatus status, std::string_view error) {
    auto gone = database.run("DELETE FROM jobs WHERE status IN ('done', 'failed') AND name = ?1 AND subject = ?2",
                             job.name, job.subject);
    if (!gone) return gone;
    return database.run("UPDATE jobs SET status = ?2, error = ?3, payload = '{}' WHERE id = ?1", job.id,
                        to_text(status), error);
}

}  // namespace

std::string_view to_text(JobStatus status) {
    return word(kJobWords, status);
}

Status Catalog::add_job(const NewJob& job) {
    return database_.run(
        "INSERT INTO jobs (name, subject, session_id, payload, due, status, deaths) VALUES (?1, ?2, ?3, ?4, ?5, "
        "'waiting', "
        "ifnull((SELECT deaths FROM jobs WHERE status = 'failed' AND name = ?1 AND subject = ?2), 0)) "
        "ON CONFLICT (name, subject) WHERE status = 'waiting' DO UPDATE SET payload = ?4, due = min(due, ?5)",
        job.name, job.subject, text_of(job.session), job.payload, unix_ms(job.due));
}

Result<std::optional<Job>> Catalog::take_job(UnixTime now, const JobChoice& choice) {
    // One statement: SQLite takes its writer's lock before it looks.
    auto taken = database_.query(
        "UPDATE jobs SET status = 'running', attempts = attempts + 1 WHERE id = (SELECT id FROM jobs AS w WHERE " +
            std::string(kFree) + std::string(kChosen) + " AND " + std::string(kDue) + " <= ?4 ORDER BY " +
            std::string(kDue) + ", w.id LIMIT 1) RETURNING " + std::string(kColumns),
        job_of, listed(choice.names), std::int64_t{choice.others}, unix_ms(choice.latest), unix_ms(now));
    if (!taken) return taken.error();
    if (taken->empty()) return std::optional<Job>{};
    return std::optional(std::move(taken->front()));
}

Result<std::optional<UnixTime>> Catalog::next_job_due(const JobChoice& choice) const {
    auto due = database_.query(
        "SELECT min(" + std::string(kDue) + ") FROM jobs AS w WHERE " + std::string(kFree) + std::string(kChosen),
        [](Row row) { return time_or_null(row, 0); }, listed(choice.names), std::int64_t{choice.others},
        unix_ms(choice.latest));
    if (!due) return due.error();
    return due->front();
}

Status Catalog::finish_job(std::int64_t id, const std::vector<NewJob>& then, std::optional<UnixTime> again) {
    return together([&]() -> Status {
        auto job = running(database_, id);
        if (!job) return job.error();
        Status done = Ok{};
        if (again) {
            job->due = *again;
            job->attempts = 0;
            job->deaths = 0;
            job->error.clear();
            done = wait_again(database_, *job);
        } else {
            done = end(database_, *job, JobStatus::done, "");
        }
        for (auto next = then.begin(); done && next != then.end(); ++next) done = add_job(*next);
        return done;
    });
}

Status Catalog::return_job(std::int64_t id, UnixTime due, std::string_view error, bool counted) {
    return together([&]() -> Status {
        auto job = running(database_, id);
        if (!job) return job.error();
        job->due = due;
        job->error = error;
        job->deaths = 0;
        if (!counted) --job->attempts;
        return wait_again(database_, *job);
    });
}

Status Catalog::fail_job(std::int64_t id, std::string_view error) {
    return together([&]() -> Status {
        const auto job = running(database_, id);
        if (!job) return job.error();
        return end(database_, *job, JobStatus::failed, error);
    });
}

Status Catalog::requeue_running_jobs() {
    return together([&]() -> Status {
        auto died = database_.run("UPDATE jobs SET deaths = iif(files = " + std::string(kMade) +
                                  ", deaths + 1, 1), files = " + std::string(kMade) + " WHERE status = 'running'");
        if (!died) return died;
        auto jobs = database_.query("SELECT " + std::string(kColumns) + " FROM jobs WHERE status = 'running'", job_of);
        if (!jobs) return jobs.error();
        for (Job& job : *jobs) {
            --job.attempts;
            if (auto waits = wait_again(database_, job); !waits) return waits;
        }
        return Ok{};
    });
}

Result<std::map<JobStatus, std::int64_t>> Catalog::job_counts() const {
    const auto rows = database_.query("SELECT status, count(*) FROM jobs GROUP BY status", [](Row row) {
        return std::pair(value_of(kJobWords, row.text(0)), row.integer(1));
    });
    if (!rows) return rows.error();
    std::map<JobStatus, std::int64_t> counts;
    for (const auto& [status, count] : *rows) counts[status] += count;
    return counts;
}

Result<std::vector<std::pair<Job, JobStatus>>> Catalog::open_jobs(const std::optional<SessionId>& session) const {
    return database_.query(
        "SELECT " + std::string(kColumns) +
            ", status FROM jobs WHERE status <> 'done' AND (?1 IS NULL OR session_id = ?1) ORDER BY id",
        [](Row row) { return std::pair(job_of(row), value_of(kJobWords, row.text(9))); }, text_of(session));
}

}  // namespace lestapenna::catalog
