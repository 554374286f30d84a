// What is to be transcribed, and what was said in it.
#include <array>
#include <utility>

#include "catalog/catalog.h"
#include "catalog/rows.h"

namespace lestapenna::catalog {

namespace {

constexpr std::array kTranscriptionWords{Words<TranscriptionStatus>{TranscriptionStatus::waiting, "waiting"},
                                         Words<TranscriptionStatus>{TranscriptionStatus::queued, "queued"},
                                         Words<TranscriptionStatus>{TranscriptionStatus::done, "done"},
                                         Words<TranscriptionStatus>{TranscriptionStatus::failed, "failed"}};

constexpr milliseconds kFarthest = std::chrono::minutes(15);  // of the 10 that a fragment is ever put off by

constexpr std::string_view kSelect =
    "SELECT session_id, file, user_id, timestamp, status, attempts, due, job, error FROM transcriptions ";

Transcription transcription_of_row(Row row) {
    return {.session = session_id(row.text(0)),
            .file = row.text(1),
            .user = user_id(row.text(2)),
            .timestamp = unix_time(row.integer(3)),
            .status = value_of(kTranscriptionWords, row.text(4)),
            .attempts = static_cast<int>(row.integer(5)),
            .due = unix_time(row.integer(6)),
            .job = row.text(7),
            .error = row.text(8)};
}

// A session s that waits for nobody any more.
constexpr std::string_view kTranscribed =
    "s.status = 'complete' AND EXISTS (SELECT 1 FROM transcriptions AS t WHERE t.session_id = s.session_id) AND "
    "NOT EXISTS (SELECT 1 FROM transcriptions AS t WHERE t.session_id = s.session_id AND "
    "t.status IN ('waiting', 'queued'))";

}  // namespace

std::string_view to_text(TranscriptionStatus status) {
    return word(kTranscriptionWords, status);
}

Status Catalog::add_transcription(const Transcription& entry) {
    return database_.run(
        "INSERT INTO transcriptions (session_id, file, user_id, timestamp) VALUES (?1, ?2, ?3, ?4) "
        "ON CONFLICT (file) DO UPDATE SET timestamp = ?4",
        entry.session.text(), entry.file, entry.user.text(), unix_ms(entry.timestamp));
}

Result<std::vector<Transcription>> Catalog::transcriptions(const SessionId& session) const {
    return database_.query(std::string(kSelect) + "WHERE session_id = ?1 ORDER BY timestamp, file",
                           transcription_of_row, session.text());
}

Result<std::vector<Transcription>> Catalog::transcriptions(TranscriptionStatus status, UnixTime now,
                                                           std::size_t most) const {
    return database_.query(
        std::string(kSelect) + "WHERE status = ?1 AND (due <= ?2 OR due - ?2 > ?4) ORDER BY due, id LIMIT ?3",
        transcription_of_row, to_text(status), unix_ms(now), static_cast<std::int64_t>(most),
        std::int64_t{kFarthest.count()});
}

Result<std::optional<Transcription>> Catalog::transcription_of(std::string_view job) const {
    auto found =
        database_.query(std::string(kSelect) + "WHERE job = ?1 AND job <> '' LIMIT 1", transcription_of_row, job);
    if (!found) return found.error();
    if (found->empty()) return std::optional<Transcription>{};
    return std::optional(std::move(found->front()));
}

Status Catalog::set_transcription(const Transcription& entry) {
    return database_.run(
        "UPDATE transcriptions SET status = ?2, attempts = ?3, due = ?4, job = ?5, error = ?6 WHERE file = ?1",
        entry.file, to_text(entry.status), std::int64_t{entry.attempts}, unix_ms(entry.due), entry.job, entry.error);
}

Status Catalog::set_transcription(const Transcription& entry, const std::vector<Segment>& segments) {
    if (auto set = set_transcription(entry); !set) return set;
    if (database_.changes() == 0) return Ok{};  // gone meanwhile: so are its words
    if (auto gone = database_.run("DELETE FROM segments WHERE file = ?1", entry.file); !gone) return gone;
    std::int64_t position = 0;
    for (const Segment& segment : segments) {
        auto added = database_.run(
            "INSERT INTO segments (file, position, start_ms, end_ms, text) VALUES (?1, ?2, ?3, ?4, ?5)", entry.file,
            position++, std::int64_t{segment.start.count()}, std::int64_t{segment.end.count()}, segment.text);
        if (!added) return added;
    }
    return Ok{};
}

Status Catalog::retry_transcriptions(const SessionId& session) {
    return database_.run(
        "UPDATE transcriptions SET status = 'waiting', attempts = 0, due = 0 WHERE session_id = ?1 AND status = "
        "'failed'",
        session.text());
}

Status Catalog::unqueue_transcriptions() {
    return database_.run(
        "UPDATE transcriptions SET status = 'waiting', attempts = 0, due = 0, job = '' WHERE status = 'queued'");
}

Result<std::vector<Segment>> Catalog::segments(std::string_view file) const {
    return database_.query(
        "SELECT start_ms, end_ms, text FROM segments WHERE file = ?1 ORDER BY position",
        [](Row row) {
            return Segment{milliseconds{row.integer(0)}, milliseconds{row.integer(1)}, row.text(2)};
        },
        file);
}

Result<bool> Catalog::transcribed(const SessionId& session) const {
    auto found = database_.query(
        "SELECT 1 FROM sessions AS s WHERE s.session_id = ?1 AND " + std::string(kTranscribed),
        [](Row row) { return row.integer(0); }, session.text());
    if (!found) return found.error();
    return !found->empty();
}

Result<std::vector<SessionId>> Catalog::without_transcript() const {
    return database_.query("SELECT session_id FROM sessions AS s WHERE " + std::string(kTranscribed) +
                               " AND NOT EXISTS (SELECT 1 FROM transcripts AS d WHERE d.session_id = s.session_id) "
                               "ORDER BY session_id",
                           [](Row row) { return session_id(row.text(0)); });
}

Result<std::map<TranscriptionStatus, std::int64_t>> Catalog::transcription_counts() const {
    const auto rows = database_.query("SELECT status, count(*) FROM transcriptions GROUP BY status", [](Row row) {
        return std::pair(value_of(kTranscriptionWords, row.text(0)), row.integer(1));
    });
    if (!rows) return rows.error();
    std::map<TranscriptionStatus, std::int64_t> counts;
    for (const auto& [status, count] : *rows) counts[status] += count;
    return counts;
}

Status Catalog::set_transcript(const SessionId& session, const Transcript& transcript) {
    return database_.run(
        "INSERT INTO transcripts (session_id, filepath, bytes, sha256) VALUES (?1, ?2, ?3, ?4) "
        "ON CONFLICT (session_id) DO UPDATE SET filepath = ?2, bytes = ?3, sha256 = ?4",
        session.text(), transcript.key, transcript.content.bytes, transcript.content.sha256);
}

Result<std::optional<Transcript>> Catalog::transcript(const SessionId& session) const {
    auto found = database_.query(
        "SELECT filepath, bytes, sha256 FROM transcripts WHERE session_id = ?1",
        [](Row row) {
            return Transcript{row.text(0), {row.integer(1), row.text(2)}};
        },
        session.text());
    if (!found) return found.error();
    if (found->empty()) return std::optional<Transcript>{};
    return std::optional(std::move(found->front()));
}

}  // namespace lestapenna::catalog
