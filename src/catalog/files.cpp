// What was made of a session: fragments, chunks, the master, who is heard in them, and what waits to be transcribed.
#include <algorithm>
#include <array>
#include <utility>

#include "catalog/catalog.h"
#include "catalog/rows.h"

namespace lestapenna::catalog {

namespace {

constexpr std::array kFileWords{
    Words<FileStatus>{FileStatus::pending, "pending"}, Words<FileStatus>{FileStatus::stored, "stored"},
    Words<FileStatus>{FileStatus::failed, "failed"}, Words<FileStatus>{FileStatus::expired, "expired"}};

constexpr std::array kSourceWords{Words<MasterSource>{MasterSource::journal, "journal"},
                                  Words<MasterSource>{MasterSource::fragments, "fragments"},
                                  Words<MasterSource>{MasterSource::chunks, "chunks"}};

std::optional<std::int64_t> bytes_of(const std::optional<Content>& content) {
    return content ? std::optional(content->bytes) : std::nullopt;
}
std::optional<std::string> sha256_of(const std::optional<Content>& content) {
    return content ? std::optional(content->sha256) : std::nullopt;
}
/// Of two columns: bytes, sha256.
std::optional<Content> content_or_null(Row row, int column) {
    if (row.is_null(column) || row.is_null(column + 1)) return std::nullopt;
    return Content{row.integer(column), row.text(column + 1)};
}

}  // namespace

std::string_view to_text(FileStatus status) {
    return word(kFileWords, status);
}

std::string_view to_text(MasterSource source) {
    return word(kSourceWords, source);
}

std::optional<MasterSource> parse_master_source(std::string_view text) {
    const auto* const found = std::ranges::find(kSourceWords, text, &Words<MasterSource>::second);
    return found == kSourceWords.end() ? std::nullopt : std::optional(found->first);
}

Status Catalog::upsert_recording(const Recording& r) {
    const auto filename = std::string_view(r.key).substr(r.key.rfind('/') + 1);
    return database_.run(
        "INSERT INTO recordings (session_id, filepath, filename, user_id, timestamp, status, duration_ms, "
        "loudness_lufs, true_peak_dbtp, gain_db, speech_lufs, level_flag, recipe, bytes, sha256) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) "
        "ON CONFLICT (session_id, filepath) DO UPDATE SET filename = ?3, user_id = ?4, timestamp = ?5, status = ?6, "
        "duration_ms = ?7, loudness_lufs = ?8, true_peak_dbtp = ?9, gain_db = ?10, speech_lufs = ?11, "
        "level_flag = ?12, recipe = ?13, bytes = ?14, sha256 = ?15",
        r.session.text(), r.key, filename, r.user.text(), unix_ms(r.start), to_text(r.status), ms_of(r.duration),
        r.levels.loudness_lufs, r.levels.true_peak_dbtp, r.gain_db, r.speech_lufs, r.level_flag, r.recipe,
        bytes_of(r.content), sha256_of(r.content));
}

Result<std::vector<Recording>> Catalog::recordings(const SessionId& session) const {
    return database_.query(
        "SELECT session_id, filepath, user_id, timestamp, status, duration_ms, loudness_lufs, true_peak_dbtp, gain_db, "
        "speech_lufs, level_flag, recipe, bytes, sha256 FROM recordings WHERE session_id = ?1 "
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
                             .recipe = row.text(11),
                             .content = content_or_null(row, 12)};
        },
        session.text());
}

Status Catalog::remove_recording(const SessionId& session, std::string_view key) {
    return database_.run("DELETE FROM recordings WHERE session_id = ?1 AND filepath = ?2", session.text(), key);
}

Status Catalog::upsert_chunk(const Chunk& c) {
    return database_.run(
        "INSERT INTO chunks (session_id, filepath, user_id, timestamp, status, duration_ms, recipe, bytes, sha256) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (session_id, filepath) DO UPDATE SET "
        "user_id = ?3, timestamp = ?4, status = ?5, duration_ms = ?6, recipe = ?7, bytes = ?8, sha256 = ?9",
        c.session.text(), c.key, c.user.text(), unix_ms(c.start), to_text(c.status), ms_of(c.duration), c.recipe,
        bytes_of(c.content), sha256_of(c.content));
}

Result<std::vector<Chunk>> Catalog::chunks(const SessionId& session) const {
    return database_.query(
        "SELECT session_id, filepath, user_id, timestamp, status, duration_ms, recipe, bytes, sha256 FROM chunks "
        "WHERE session_id = ?1 "
        "ORDER BY length(user_id), user_id, timestamp, filepath",
        [](Row row) {
            return Chunk{.session = session_id(row.text(0)),
                         .key = row.text(1),
                         .user = user_id(row.text(2)),
                         .start = unix_time(row.integer(3)),
                         .status = value_of(kFileWords, row.text(4)),
                         .duration = length_or_null(row, 5),
                         .recipe = row.text(6),
                         .content = content_or_null(row, 7)};
        },
        session.text());
}

Status Catalog::remove_chunk(const SessionId& session, std::string_view key) {
    return database_.run("DELETE FROM chunks WHERE session_id = ?1 AND filepath = ?2", session.text(), key);
}

Status Catalog::upsert_track(const Track& t) {
    return database_.run(
        "INSERT INTO tracks (session_id, user_id, name, packets_received, packets_lost, packets_undecryptable, "
        "packets_late, packets_duplicate, packets_parked, packets_concealed, bot, undecryptable_no_user, "
        "undecryptable_no_key, undecryptable_forged, undecryptable_plain, undecryptable_overflow) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16) "
        "ON CONFLICT (session_id, user_id) DO UPDATE SET name = ?3, packets_received = ?4, packets_lost = ?5, "
        "packets_undecryptable = ?6, packets_late = ?7, packets_duplicate = ?8, packets_parked = ?9, "
        "packets_concealed = ?10, bot = max(bot, ?11), undecryptable_no_user = ?12, undecryptable_no_key = ?13, "
        "undecryptable_forged = ?14, undecryptable_plain = ?15, undecryptable_overflow = ?16",
        t.session.text(), t.user.text(), t.name, t.received, t.lost, t.undecryptable, t.late, t.duplicate, t.parked,
        t.concealed, std::int64_t{t.bot}, t.closed[1], t.closed[2], t.closed[3], t.closed[4], t.closed[5]);
}

Result<std::vector<Track>> Catalog::tracks(const SessionId& session) const {
    return database_.query(
        "SELECT session_id, user_id, name, packets_received, packets_lost, packets_undecryptable, packets_late, "
        "packets_duplicate, packets_parked, packets_concealed, bot, undecryptable_no_user, undecryptable_no_key, "
        "undecryptable_forged, undecryptable_plain, undecryptable_overflow FROM tracks WHERE session_id = ?1 "
        "ORDER BY length(user_id), user_id",
        [](Row row) {
            Track track{.session = session_id(row.text(0)),
                        .user = user_id(row.text(1)),
                        .name = row.text(2),
                        .bot = row.integer(10) != 0,
                        .received = row.integer(3),
                        .lost = row.integer(4),
                        .undecryptable = row.integer(5),
                        .late = row.integer(6),
                        .duplicate = row.integer(7),
                        .parked = row.integer(8),
                        .concealed = row.integer(9)};
            track.closed.front() = track.undecryptable;
            for (std::size_t reason = 1; reason < track.closed.size(); ++reason) {
                track.closed[reason] = row.integer(static_cast<int>(10 + reason));
                track.closed.front() -= track.closed[reason];
            }
            return track;
        },
        session.text());
}

Status Catalog::set_master(const Master& m) {
    return database_.run(
        "INSERT INTO masters (session_id, filepath, duration_ms, loudness_lufs, true_peak_dbtp, recipe, bytes, sha256, "
        "expired, source) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (session_id) DO UPDATE SET "
        "filepath = ?2, "
        "duration_ms = ?3, loudness_lufs = ?4, true_peak_dbtp = ?5, recipe = ?6, bytes = ?7, sha256 = ?8, "
        "expired = ?9, source = ?10",
        m.session.text(), m.key, ms_of(m.duration), m.levels.loudness_lufs, m.levels.true_peak_dbtp, m.recipe,
        bytes_of(m.content), sha256_of(m.content), std::int64_t{m.expired},
        m.source ? std::optional(to_text(*m.source)) : std::nullopt);
}

Result<std::optional<Master>> Catalog::master(const SessionId& session) const {
    auto found = database_.query(
        "SELECT session_id, filepath, duration_ms, loudness_lufs, true_peak_dbtp, recipe, bytes, sha256, expired, "
        "source FROM masters WHERE session_id = ?1",
        [](Row row) {
            return Master{.session = session_id(row.text(0)),
                          .key = row.text(1),
                          .duration = length_or_null(row, 2),
                          .levels = {real_or_null(row, 3), real_or_null(row, 4)},
                          .recipe = row.text(5),
                          .content = content_or_null(row, 6),
                          .expired = row.integer(8) != 0,
                          .source = parse_master_source(row.text(9))};
        },
        session.text());
    if (!found) return found.error();
    if (found->empty()) return std::optional<Master>{};
    return std::optional(std::move(found->front()));
}

}  // namespace lestapenna::catalog
