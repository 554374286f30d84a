#include "catalog/catalog.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>

#include "base/files.h"
#include "base/text.h"
#include "catalog/rows.h"
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

constexpr std::array kSessionWords{Words<SessionStatus>{SessionStatus::recording, "recording"},
                                   Words<SessionStatus>{SessionStatus::ending, "ending"},
                                   Words<SessionStatus>{SessionStatus::complete, "complete"},
                                   Words<SessionStatus>{SessionStatus::interrupted, "interrupted"},
                                   Words<SessionStatus>{SessionStatus::failed, "failed"}};

constexpr std::array kEncryptionWords{Words<Encryption>{Encryption::none, "none"},
                                      Words<Encryption>{Encryption::end_to_end, "end_to_end"},
                                      Words<Encryption>{Encryption::partly, "partly"}};

std::optional<std::string> text_of(const std::optional<Encryption>& encryption) {
    return encryption ? std::optional<std::string>(to_text(*encryption)) : std::nullopt;
}

Error no_session(std::string_view id) {
    return {ErrorKind::not_found, "there is no session " + in_quotes(id) + "; `lestapenna sessions` lists them"};
}

constexpr std::string_view kSelectSession =
    "SELECT session_id, guild_id, channel_id, start_time, end_time, status, text_channel_id, started_by, language, "
    "encryption, privacy_code FROM sessions ";

Session session_of(Row row) {
    return {.id = session_id(row.text(0)),
            .guild_id = text_or_null(row, 1),
            .channel_id = text_or_null(row, 2),
            .start = unix_time(row.integer(3)),
            .end = time_or_null(row, 4),
            .status = value_of(kSessionWords, row.text(5)),
            .text_channel_id = text_or_null(row, 6),
            .started_by = text_or_null(row, 7),
            .language = row.text(8),
            .encryption = parse_encryption(row.text(9)),
            .privacy_code = row.text(10)};
}

/// A change of one row of `sessions`: not_found when there is none.
template <class... Values>
Status change_session(const Database& database, std::string_view sql, const SessionId& id, const Values&... values) {
    auto updated = database.run(sql, id.text(), values...);
    if (updated && database.changes() == 0) return no_session(id.text());
    return updated;
}

/// `guild`: only its sessions are looked at.
Result<SessionId> resolve_among(const Database& database, const std::optional<std::string_view>& guild,
                                std::string_view text) {
    const auto id_of = [](Row row) { return session_id(row.text(0)); };
    auto exact = database.query(
        "SELECT session_id FROM sessions WHERE session_id = ?1 AND (?2 IS NULL OR guild_id = ?2)", id_of, text, guild);
    if (!exact) return exact.error();
    if (!exact->empty()) return std::move(exact->front());
    if (text.size() < kShortestEnding) {
        return Error{ErrorKind::not_found,
                     "there is no session " + in_quotes(text) + "; give a whole id or its last six characters or more"};
    }
    auto found = database.query(
        "SELECT session_id FROM sessions WHERE substr(session_id, -length(?1)) = ?1 COLLATE NOCASE "
        "AND (?2 IS NULL OR guild_id = ?2) ORDER BY session_id LIMIT 4",
        id_of, text, guild);
    if (!found) return found.error();
    if (found->empty()) return no_session(text);
    if (found->size() == 1) return std::move(found->front());
    std::string names;
    for (const auto& id : *found) names.append(names.empty() ? "" : ", ").append(id.text());
    return Error{ErrorKind::usage, in_quotes(text) + " could be any of " + names + ": write more of it"};
}

}  // namespace

std::string_view to_text(SessionStatus status) {
    return word(kSessionWords, status);
}

std::string_view to_text(Encryption encryption) {
    return word(kEncryptionWords, encryption);
}

std::optional<Encryption> parse_encryption(std::string_view text) {
    const auto* const found = std::ranges::find(kEncryptionWords, text, &Words<Encryption>::second);
    return found == kEncryptionWords.end() ? std::nullopt : std::optional(found->first);
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
        "INSERT INTO sessions (session_id, guild_id, channel_id, start_time, end_time, status, text_channel_id, "
        "started_by, language, encryption, privacy_code) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) "
        "ON CONFLICT DO NOTHING",
        session.id.text(), session.guild_id, session.channel_id, unix_ms(session.start), ms_of(session.end),
        to_text(session.status), session.text_channel_id, session.started_by, session.language,
        text_of(session.encryption), session.privacy_code);
    if (!inserted) return inserted;
    if (database_.changes() == 1) return Ok{};
    return Error{ErrorKind::failed,
                 "there is already a session " + in_quotes(session.id.text()) + ": choose another id"};
}

Status Catalog::set_status(const SessionId& id, SessionStatus status) {
    return change_session(database_, "UPDATE sessions SET status = ?2 WHERE session_id = ?1", id, to_text(status));
}

Status Catalog::set_end(const SessionId& id, UnixTime end) {
    return change_session(database_, "UPDATE sessions SET end_time = ?2 WHERE session_id = ?1", id, unix_ms(end));
}

Status Catalog::reopen_session(const SessionId& id) {
    return change_session(database_, "UPDATE sessions SET status = ?2, end_time = NULL WHERE session_id = ?1", id,
                          to_text(SessionStatus::recording));
}

Status Catalog::set_encryption(const Session& row) {
    return change_session(database_, "UPDATE sessions SET encryption = ?2, privacy_code = ?3 WHERE session_id = ?1",
                          row.id, text_of(row.encryption), row.privacy_code);
}

Status Catalog::set_place(const Session& row) {
    return change_session(
        database_, "UPDATE sessions SET channel_id = ?2, text_channel_id = ?3, language = ?4 WHERE session_id = ?1",
        row.id, row.channel_id, row.text_channel_id, row.language);
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

Result<std::vector<Session>> Catalog::sessions_of(std::string_view guild_id, std::size_t most) const {
    return database_.query(
        std::string(kSelectSession) + "WHERE guild_id = ?1 ORDER BY start_time DESC, session_id DESC LIMIT ?2",
        session_of, guild_id, static_cast<std::int64_t>(most));
}

Result<SessionId> Catalog::resolve(std::string_view text) const {
    return resolve_among(database_, std::nullopt, text);
}

Result<SessionId> Catalog::resolve_in(std::string_view guild_id, std::string_view text) const {
    return resolve_among(database_, guild_id, text);
}

Status Catalog::remember_nick(const FormerNick& former) {
    return database_.run("INSERT INTO former_nicks (guild_id, nick) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                         former.guild_id, former.nick);
}

Status Catalog::forget_nick(std::string_view guild_id) {
    return database_.run("DELETE FROM former_nicks WHERE guild_id = ?1", guild_id);
}

Result<std::vector<FormerNick>> Catalog::remembered_nicks() const {
    return database_.query("SELECT guild_id, nick FROM former_nicks ORDER BY guild_id",
                           [](Row row) { return FormerNick{.guild_id = row.text(0), .nick = text_or_null(row, 1)}; });
}

}  // namespace lestapenna::catalog
