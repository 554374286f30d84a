#include "catalog/catalog.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>

#include "base/files.h"
#include "base/text.h"
#include "catalog/schema.h"

namespace lestapenna::catalog {

namespace {

// A writer holds the lock for about one fsync; 10 s means that the disk hangs.
constexpr std::string_view kPragmas = R"sql(
PRAGMA busy_timeout = 10000;
PRAGMA foreign_keys = ON;
PRAGMA synchronous = FULL;
)sql";

constexpr std::size_t kShortestEnding = 6;

template <class E>
using Words = std::pair<E, std::string_view>;
constexpr std::array kSessionWords{Words<SessionStatus>{SessionStatus::recording, "recording"},
                                   Words<SessionStatus>{SessionStatus::ending, "ending"},
                                   Words<SessionStatus>{SessionStatus::complete, "complete"},
                                   Words<SessionStatus>{SessionStatus::interrupted, "interrupted"},
                                   Words<SessionStatus>{SessionStatus::failed, "failed"}};
constexpr std::array kFileWords{
    Words<FileStatus>{FileStatus::pending, "pending"}, Words<FileStatus>{FileStatus::stored, "stored"},
    Words<FileStatus>{FileStatus::failed, "failed"}, Words<FileStatus>{FileStatus::expired, "expired"}};

template <class Table, class E>
std::string_view word(const Table& table, E value) {
    const auto* const found = std::ranges::find(table, value, &Words<E>::first);
    assert(found != table.end());
    return found->second;
}

/// A word that a program newer than this one wrote counts as failed: it is shown, and nothing is done with it.
template <class Table>
auto value_of(const Table& table, std::string_view text) {
    using E = typename Table::value_type::first_type;
    const auto found = std::ranges::find(table, text, &Words<E>::second);
    return found == table.end() ? E::failed : found->first;
}

std::int64_t unix_ms(UnixTime time) {
    return time.time_since_epoch().count();
}
UnixTime unix_time(std::int64_t ms) {
    return UnixTime{milliseconds{ms}};
}

std::optional<std::int64_t> ms_of(const std::optional<UnixTime>& time) {
    return time ? std::optional(unix_ms(*time)) : std::nullopt;
}
std::optional<std::int64_t> ms_of(const std::optional<milliseconds>& length) {
    return length ? std::optional<std::int64_t>(length->count()) : std::nullopt;
}

std::optional<std::string> text_or_null(Row row, int column) {
    return row.is_null(column) ? std::nullopt : std::optional(row.text(column));
}
std::optional<double> real_or_null(Row row, int column) {
    return row.is_null(column) ? std::nullopt : std::optional(row.real(column));
}
std::optional<milliseconds> length_or_null(Row row, int column) {
    return row.is_null(column) ? std::nullopt : std::optional(milliseconds{row.integer(column)});
}

// Ids were checked when they were written. Should somebody else write odd ones, they become harmless ones here.
SessionId session_id(const std::string& text) {
    static const auto kOdd = *SessionId::parse("_");
    return SessionId::parse(text).value_or(kOdd);
}
UserId user_id(const std::string& text) {
    return UserId::parse(text).value_or(UserId{});
}

Error no_session(std::string_view id) {
    return {ErrorKind::not_found, "there is no session " + in_quotes(id) + "; `lestapenna sessions` lists them"};
}

constexpr std::string_view kSelectSession =
    "SELECT session_id, guild_id, channel_id, start_time, end_time, status FROM sessions ";

Session session_of(Row row) {
    Session session{.id = session_id(row.text(0)),
                    .guild_id = text_or_null(row, 1),
                    .channel_id = text_or_null(row, 2),
                    .start = unix_time(row.integer(3)),
                    .end = std::nullopt,
                    .status = value_of(kSessionWords, row.text(5))};
    if (!row.is_null(4)) session.end = unix_time(row.integer(4));
    return session;
}

}  // namespace

std::string_view to_text(SessionStatus status) {
    return word(kSessionWords, status);
}
std::string_view to_text(FileStatus status) {
    return word(kFileWords, status);
}

Result<Catalog> Catalog::open(const std::filesystem::path& file) {
    // One at a time: SQLite does not wait when two connections turn the same fresh file to WAL (busy_timeout does not
    // cover it). The lock is on the folder, since a second descriptor of the file itself would undo SQLite's own locks.
    const auto folder = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
    const Fd turn(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    while (turn && ::flock(turn.get(), LOCK_EX) != 0 && errno == EINTR) continue;

    auto database = Database::open(file);
    if (!database) return database.error();
    if (auto set = database->script(std::string(kPragmas)); !set) return set.error();
    if (auto known = check_schema(*database); !known) return known.error();
    if (auto set = database->script("PRAGMA journal_mode = WAL"); !set) return set.error();
    if (auto migrated = migrate(*database); !migrated) return migrated.error();
    return Catalog(std::move(*database));
}

Status Catalog::insert_session(const Session& session) {
    auto inserted = database_.run(
        "INSERT INTO sessions (session_id, guild_id, channel_id, start_time, end_time, status) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
        session.id.text(), session.guild_id, session.channel_id, unix_ms(session.start), ms_of(session.end),
        to_text(session.status));
    if (!inserted) return inserted;
    if (database_.changes() == 1) return Ok{};
    return Error{ErrorKind::failed,
                 "there is already a session " + in_quotes(session.id.text()) + ": choose another id"};
}

Status Catalog::set_status(const SessionId& id, SessionStatus status) {
    auto updated = database_.run("UPDATE sessions SET status = ?2 WHERE session_id = ?1", id.text(), to_text(status));
    if (updated && database_.changes() == 0) return no_session(id.text());
    return updated;
}

Status Catalog::set_end(const SessionId& id, UnixTime end) {
    auto updated = database_.run("UPDATE sessions SET end_time = ?2 WHERE session_id = ?1", id.text(), unix_ms(end));
    if (updated && database_.changes() == 0) return no_session(id.text());
    return updated;
}

Result<Session> Catalog::session(const SessionId& id) const {
    auto found = database_.query(std::string(kSelectSession) + "WHERE session_id = ?1", session_of, id.text());
    if (!found) return found.error();
    if (found->empty()) return no_session(id.text());
    return std::move(found->front());
}

Result<std::vector<Session>> Catalog::sessions() const {
    return database_.query(std::string(kSelectSession) + "ORDER BY start_time, session_id", session_of);
}

Result<SessionId> Catalog::resolve(std::string_view text) const {
    if (const auto whole = SessionId::parse(text)) {
        auto exact = session(*whole);
        if (exact) return *whole;
        if (exact.error().kind != ErrorKind::not_found) return exact.error();
    }
    if (text.size() < kShortestEnding) {
        return Error{ErrorKind::not_found,
                     "there is no session " + in_quotes(text) + "; give a whole id or its last six characters or more"};
    }
    auto found = database_.query(
        "SELECT session_id FROM sessions WHERE substr(session_id, -length(?1)) = ?1 COLLATE NOCASE ORDER BY session_id "
        "LIMIT 4",
        [](Row row) { return session_id(row.text(0)); }, text);
    if (!found) return found.error();
    if (found->empty()) return no_session(text);
    if (found->size() == 1) return std::move(found->front());
    std::string names;
    for (const auto& id : *found) names.append(names.empty() ? "" : ", ").append(id.text());
    return Error{ErrorKind::usage, in_quotes(text) + " could be any of " + names + ": write more of it"};
}

Status Catalog::upsert_recording(const Recording& r) {
    const auto filename = std::string_view(r.key).substr(r.key.rfind('/') + 1);
    return database_.run(
        "INSERT INTO recordings (session_id, filepath, filename, user_id, timestamp, status, duration_ms, "
        "loudness_lufs, "
        "true_peak_dbtp, gain_db, speech_lufs, level_flag, recipe) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) "
        "ON CONFLICT (session_id, filepath) DO UPDATE SET filename = ?3, user_id = ?4, timestamp = ?5, status = ?6, "
        "duration_ms = ?7, loudness_lufs = ?8, true_peak_dbtp = ?9, gain_db = ?10, speech_lufs = ?11, level_flag = "
        "?12, "
        "recipe = ?13",
        r.session.text(), r.key, filename, r.user.text(), unix_ms(r.start), to_text(r.status), ms_of(r.duration),
        r.levels.loudness_lufs, r.levels.true_peak_dbtp, r.gain_db, r.speech_lufs, r.level_flag, r.recipe);
}

Result<std::vector<Recording>> Catalog::recordings(const SessionId& session) const {
    return database_.query(
        "SELECT session_id, filepath, user_id, timestamp, status, duration_ms, loudness_lufs, true_peak_dbtp, gain_db, "
        "speech_lufs, level_flag, recipe FROM recordings WHERE session_id = ?1 "
        "ORDER BY length(user_id), user_id, timestamp, filepath",
        [](Row row) {
            return Recording{.session = session_id(row.text(0)),
                             .key = row.text(1),
                             .user = user_id(row.text(2)),
                             .start = unix_time(row.integer(3)),
                             .status = value_of(kFileWords, row.text(4)),
                             .duration = length_or_null(row, 5),
                             .levels = {real_or_null(row, 6), real_or_null(row, 7)},
                             .gain_db = real_or_null(row, 8),
                             .speech_lufs = real_or_null(row, 9),
                             .level_flag = text_or_null(row, 10),
                             .recipe = row.text(11)};
        },
        session.text());
}

Status Catalog::remove_recording(const SessionId& session, std::string_view key) {
    return database_.run("DELETE FROM recordings WHERE session_id = ?1 AND filepath = ?2", session.text(), key);
}

Status Catalog::upsert_chunk(const Chunk& c) {
    return database_.run(
        "INSERT INTO chunks (session_id, filepath, user_id, timestamp, status, duration_ms, recipe) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (session_id, filepath) DO UPDATE SET "
        "user_id = ?3, timestamp = ?4, status = ?5, duration_ms = ?6, recipe = ?7",
        c.session.text(), c.key, c.user.text(), unix_ms(c.start), to_text(c.status), ms_of(c.duration), c.recipe);
}

Result<std::vector<Chunk>> Catalog::chunks(const SessionId& session) const {
    return database_.query(
        "SELECT session_id, filepath, user_id, timestamp, status, duration_ms, recipe FROM chunks WHERE session_id = "
        "?1 "
        "ORDER BY length(user_id), user_id, timestamp, filepath",
        [](Row row) {
            return Chunk{.session = session_id(row.text(0)),
                         .key = row.text(1),
                         .user = user_id(row.text(2)),
                         .start = unix_time(row.integer(3)),
                         .status = value_of(kFileWords, row.text(4)),
                         .duration = length_or_null(row, 5),
                         .recipe = row.text(6)};
        },
        session.text());
}

Status Catalog::remove_chunk(const SessionId& session, std::string_view key) {
    return database_.run("DELETE FROM chunks WHERE session_id = ?1 AND filepath = ?2", session.text(), key);
}

Status Catalog::upsert_track(const Track& t) {
    return database_.run(
        "INSERT INTO tracks (session_id, user_id, name, packets_received, packets_lost, packets_undecryptable, "
        "packets_late, "
        "packets_duplicate, packets_parked, packets_concealed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) "
        "ON CONFLICT (session_id, user_id) DO UPDATE SET name = ?3, packets_received = ?4, packets_lost = ?5, "
        "packets_undecryptable = ?6, packets_late = ?7, packets_duplicate = ?8, packets_parked = ?9, packets_concealed "
        "= ?10",
        t.session.text(), t.user.text(), t.name, t.received, t.lost, t.undecryptable, t.late, t.duplicate, t.parked,
        t.concealed);
}

Result<std::vector<Track>> Catalog::tracks(const SessionId& session) const {
    return database_.query(
        "SELECT session_id, user_id, name, packets_received, packets_lost, packets_undecryptable, packets_late, "
        "packets_duplicate, packets_parked, packets_concealed FROM tracks WHERE session_id = ?1 "
        "ORDER BY length(user_id), user_id",
        [](Row row) {
            return Track{.session = session_id(row.text(0)),
                         .user = user_id(row.text(1)),
                         .name = row.text(2),
                         .received = row.integer(3),
                         .lost = row.integer(4),
                         .undecryptable = row.integer(5),
                         .late = row.integer(6),
                         .duplicate = row.integer(7),
                         .parked = row.integer(8),
                         .concealed = row.integer(9)};
        },
        session.text());
}

Status Catalog::set_master(const Master& m) {
    return database_.run(
        "INSERT INTO masters (session_id, filepath, duration_ms, loudness_lufs, true_peak_dbtp, recipe) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (session_id) DO UPDATE SET "
        "filepath = ?2, duration_ms = ?3, loudness_lufs = ?4, true_peak_dbtp = ?5, recipe = ?6",
        m.session.text(), m.key, ms_of(m.duration), m.levels.loudness_lufs, m.levels.true_peak_dbtp, m.recipe);
}

Result<std::optional<Master>> Catalog::master(const SessionId& session) const {
    auto found = database_.query(
        "SELECT session_id, filepath, duration_ms, loudness_lufs, true_peak_dbtp, recipe FROM masters WHERE session_id "
        "= ?1",
        [](Row row) {
            return Master{.session = session_id(row.text(0)),
                          .key = row.text(1),
                          .duration = length_or_null(row, 2),
                          .levels = {real_or_null(row, 3), real_or_null(row, 4)},
                          .recipe = row.text(5)};
        },
        session.text());
    if (!found) return found.error();
    if (found->empty()) return std::optional<Master>{};
    return std::optional(std::move(found->front()));
}

}  // namespace lestapenna::catalog
