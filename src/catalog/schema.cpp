#include "catalog/schema.h"

#include <array>

namespace lestapenna::catalog {

namespace {

// "LEST", so that we never migrate a database that somebody else made.
constexpr std::int64_t kApplicationId = 0x4C455354;

// Step n takes a database from user_version n to n + 1. A step that was released is never edited: add another.
//
// Ids of people and guilds are text: they are 64 bits unsigned, SQLite's integers are signed. Times are Unix ms.
// `recipe` is what a file was made from and how, as text: when it differs from today's, the file is made again.
constexpr std::array kSteps{
    R"sql(
CREATE TABLE sessions (
    session_id TEXT PRIMARY KEY NOT NULL,
    guild_id   TEXT,
    channel_id TEXT,
    start_time INTEGER NOT NULL,
    end_time   INTEGER,
    status     TEXT NOT NULL
) STRICT;

CREATE TABLE recordings (                  -- fragments: one connection of one user
    id             INTEGER PRIMARY KEY,
    session_id     TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
    filename       TEXT NOT NULL,
    filepath       TEXT NOT NULL,          -- the key in the store
    user_id        TEXT NOT NULL,
    timestamp      INTEGER NOT NULL,
    status         TEXT NOT NULL,
    duration_ms    INTEGER,
    loudness_lufs  REAL,
    true_peak_dbtp REAL,
    gain_db        REAL,
    speech_lufs    REAL,
    level_flag     TEXT,
    recipe         TEXT NOT NULL DEFAULT '',
    UNIQUE (session_id, filepath)
) STRICT;

CREATE TABLE chunks (                      -- windows of a connection
    session_id  TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
    filepath    TEXT NOT NULL,
    user_id     TEXT NOT NULL,
    timestamp   INTEGER NOT NULL,
    status      TEXT NOT NULL,
    duration_ms INTEGER,
    recipe      TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (session_id, filepath)
) STRICT, WITHOUT ROWID;

CREATE TABLE tracks (                      -- what the ledger says of a user, in packets
    session_id            TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
    user_id               TEXT NOT NULL,
    name                  TEXT NOT NULL,
    packets_received      INTEGER NOT NULL,
    packets_lost          INTEGER NOT NULL,
    packets_undecryptable INTEGER NOT NULL,
    packets_late          INTEGER NOT NULL,
    packets_duplicate     INTEGER NOT NULL,
    packets_parked        INTEGER NOT NULL,
    packets_concealed     INTEGER NOT NULL,
    PRIMARY KEY (session_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE masters (
    session_id     TEXT PRIMARY KEY NOT NULL REFERENCES sessions ON DELETE CASCADE,
    filepath       TEXT NOT NULL,
    duration_ms    INTEGER,
    loudness_lufs  REAL,
    true_peak_dbtp REAL,
    recipe         TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
)sql",
    R"sql(
ALTER TABLE sessions ADD COLUMN text_channel_id TEXT;
ALTER TABLE sessions ADD COLUMN started_by TEXT;             -- a user id
ALTER TABLE sessions ADD COLUMN language TEXT NOT NULL DEFAULT '';

ALTER TABLE tracks ADD COLUMN bot INTEGER NOT NULL DEFAULT 0;

CREATE TABLE transcriptions (              -- the embedded queue
    id         INTEGER PRIMARY KEY,
    session_id TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
    file       TEXT NOT NULL UNIQUE,       -- the key in the store
    user_id    TEXT NOT NULL,
    timestamp  INTEGER NOT NULL
) STRICT;
CREATE INDEX transcriptions_of ON transcriptions (session_id);

CREATE TABLE jobs (                        -- an id is never given twice: who was late finishes no other job
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT NOT NULL,
    subject    TEXT NOT NULL,
    session_id TEXT REFERENCES sessions ON DELETE CASCADE,
    payload    TEXT NOT NULL,
    due        INTEGER NOT NULL,
    status     TEXT NOT NULL,              -- waiting, running, done, failed
    attempts   INTEGER NOT NULL DEFAULT 0,
    error      TEXT NOT NULL DEFAULT ''
) STRICT;
-- Of one name and subject one waits, one runs and the latest that ended is kept, at most.
CREATE UNIQUE INDEX waiting_jobs ON jobs (name, subject) WHERE status = 'waiting';
CREATE UNIQUE INDEX running_jobs ON jobs (name, subject) WHERE status = 'running';
CREATE UNIQUE INDEX ended_jobs ON jobs (name, subject) WHERE status IN ('done', 'failed');
-- Of one session one runs.
CREATE UNIQUE INDEX running_sessions ON jobs (session_id) WHERE status = 'running';

CREATE TABLE former_nicks (                -- to give back, once the sign of recording comes down
    guild_id TEXT PRIMARY KEY NOT NULL,
    nick     TEXT
) STRICT, WITHOUT ROWID;
)sql",
    R"sql(
ALTER TABLE recordings ADD COLUMN bytes INTEGER;   -- of what is in the store
ALTER TABLE recordings ADD COLUMN sha256 TEXT;
ALTER TABLE chunks ADD COLUMN bytes INTEGER;
ALTER TABLE chunks ADD COLUMN sha256 TEXT;
ALTER TABLE masters ADD COLUMN bytes INTEGER;
ALTER TABLE masters ADD COLUMN sha256 TEXT;
)sql",
    R"sql(
ALTER TABLE jobs ADD COLUMN deaths INTEGER NOT NULL DEFAULT 0;  -- of the process during it, in a row, for nothing
ALTER TABLE jobs ADD COLUMN files INTEGER NOT NULL DEFAULT 0;   -- that were made at the last of them
)sql",
    R"sql(
ALTER TABLE sessions ADD COLUMN encryption TEXT;             -- end to end: none, end_to_end, partly; null: not known
ALTER TABLE sessions ADD COLUMN privacy_code TEXT NOT NULL DEFAULT '';  -- the last one: 30 digits

-- Why packets were undecryptable; what these do not explain is of before they were kept.
ALTER TABLE tracks ADD COLUMN undecryptable_no_user INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tracks ADD COLUMN undecryptable_no_key INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tracks ADD COLUMN undecryptable_forged INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tracks ADD COLUMN undecryptable_plain INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tracks ADD COLUMN undecryptable_overflow INTEGER NOT NULL DEFAULT 0;
)sql",
    R"sql(
-- The row of a fragment is the truth about its transcript, whatever a queue on another machine remembers.
ALTER TABLE transcriptions ADD COLUMN status TEXT NOT NULL DEFAULT 'waiting';  -- waiting, queued, done, failed
ALTER TABLE transcriptions ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;     -- begun, or handed over, so often
ALTER TABLE transcriptions ADD COLUMN due INTEGER NOT NULL DEFAULT 0;          -- not before then
ALTER TABLE transcriptions ADD COLUMN job TEXT NOT NULL DEFAULT '';            -- its id in the queue on Redis
ALTER TABLE transcriptions ADD COLUMN error TEXT NOT NULL DEFAULT '';
CREATE INDEX transcriptions_open ON transcriptions (status, due);
CREATE INDEX transcriptions_job ON transcriptions (job);

CREATE TABLE segments (                    -- what was said in a fragment
    file     TEXT NOT NULL REFERENCES transcriptions (file) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    start_ms INTEGER NOT NULL,             -- from the file's first sample
    end_ms   INTEGER NOT NULL,
    text     TEXT NOT NULL,
    PRIMARY KEY (file, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE transcripts (                 -- transcript-{sessionId}.txt, once it is in the store
    session_id TEXT PRIMARY KEY NOT NULL REFERENCES sessions ON DELETE CASCADE,
    filepath   TEXT NOT NULL,
    bytes      INTEGER NOT NULL,
    sha256     TEXT NOT NULL
) STRICT, WITHOUT ROWID;
)sql",
    R"sql(
ALTER TABLE masters ADD COLUMN expired INTEGER NOT NULL DEFAULT 0;  -- removed by its age: not to be made again

CREATE TABLE sweeps (                      -- of retention: what its next one holds its clock against
    name    TEXT PRIMARY KEY NOT NULL,     -- believed, doubted
    wall    INTEGER NOT NULL,
    boot    INTEGER NOT NULL,              -- CLOCK_BOOTTIME, ns
    machine TEXT NOT NULL                  -- the id of that boot, 32 hexadecimal digits
) STRICT, WITHOUT ROWID;
)sql",
    R"sql(
ALTER TABLE masters ADD COLUMN source TEXT;  -- what it was mixed from: journal, fragments, chunks; null: not known
UPDATE masters SET source = 'journal' WHERE recipe <> '';
)sql",
    R"sql(
CREATE TABLE mails (                       -- a session's report to one address
    session_id TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
    address    TEXT NOT NULL,
    end_time   INTEGER NOT NULL,           -- of the session, as it was reported
    since      INTEGER NOT NULL,           -- when it was first tried
    attempts   INTEGER NOT NULL,
    reply      TEXT NOT NULL,              -- what the last one brought
    sent       INTEGER,                    -- when the server took it; null: not yet
    PRIMARY KEY (session_id, address)
) STRICT, WITHOUT ROWID;
)sql",
};

Result<std::int64_t> integer(const Database& database, std::string_view sql) {
    auto rows = database.query(sql, [](Row row) { return row.integer(0); });
    if (!rows) return rows.error();
    return rows->empty() ? 0 : rows->front();
}

Result<std::int64_t> schema_of(const Database& database) {
    return integer(database, "PRAGMA user_version");
}

/// Inside a transaction: takes every step that is still missing.
Status take_steps(const Database& database) {
    const auto schema = schema_of(database);
    if (!schema) return schema.error();
    if (*schema >= newest_schema()) return Ok{};  // somebody was faster
    for (auto step = static_cast<std::size_t>(*schema); step < kSteps.size(); ++step) {
        if (auto taken = database.script(kSteps[step]); !taken) return taken;
    }
    return database.script("PRAGMA user_version = " + std::to_string(kSteps.size()) +
                           "; PRAGMA application_id = " + std::to_string(kApplicationId));
}

}  // namespace

int newest_schema() {
    return static_cast<int>(kSteps.size());
}

Status check_schema(const Database& database) {
    const auto application = integer(database, "PRAGMA application_id");
    if (!application) return application.error();
    const auto tables = integer(database, "SELECT count(*) FROM sqlite_schema");
    if (!tables) return tables.error();
    if (*application != kApplicationId && (*application != 0 || *tables != 0)) {
        return Error{ErrorKind::damaged, database.name() + " is a database of another program: move it away"};
    }
    const auto schema = schema_of(database);
    if (!schema) return schema.error();
    if (*schema > newest_schema() || *schema < 0) {
        return Error{ErrorKind::failed, database.name() + " has schema " + std::to_string(*schema) +
                                            ", this program knows up to " + std::to_string(newest_schema()) +
                                            ": use the newer program that made it"};
    }
    return Ok{};
}

Status migrate(const Database& database) {
    const auto schema = schema_of(database);
    if (!schema) return schema.error();
    if (*schema == newest_schema()) return Ok{};
    if (auto begun = database.script("BEGIN IMMEDIATE"); !begun) return begun;
    if (auto taken = take_steps(database); !taken) {
        (void)database.script("ROLLBACK");
        return taken;
    }
    return database.script("COMMIT");
}

}  // namespace lestapenna::catalog
