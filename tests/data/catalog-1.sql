-- A catalog of schema 1, dumped from what a demo of that program left: two players, five seconds.
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE sessions (
    session_id TEXT PRIMARY KEY NOT NULL,
    guild_id   TEXT,
    channel_id TEXT,
    start_time INTEGER NOT NULL,
    end_time   INTEGER,
    status     TEXT NOT NULL
) STRICT;
INSERT INTO sessions VALUES('01M81Z9ZA7EZJ3V1P4BP91V0XB','1458631405056218471','1458631434827447892',1795362716999,1795362723030,'complete');
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
INSERT INTO recordings VALUES(1,'01M81Z9ZA7EZJ3V1P4BP91V0XB','FULL-1458631447877420331-1795362717031.mp3','recordings/01M81Z9ZA7EZJ3V1P4BP91V0XB/full/FULL-1458631447877420331-1795362717031.mp3','1458631447877420331',1795362717031,'stored',5999,-23.011961035923228281,-2.900515953910346667,2.5911591177097577087,-23.011961035923228281,NULL,'v1 -23.0 LUFS, 287988 samples, 202 packets');
INSERT INTO recordings VALUES(2,'01M81Z9ZA7EZJ3V1P4BP91V0XB','FULL-1458631466949515397-1795362718030.mp3','recordings/01M81Z9ZA7EZJ3V1P4BP91V0XB/full/FULL-1458631466949515397-1795362718030.mp3','1458631466949515397',1795362718030,'stored',5000,-22.966677166558127965,-2.5237114147558652454,3.136323838647843587,-22.966677166558124411,NULL,'v1 -23.0 LUFS, 240042 samples, 145 packets');
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
INSERT INTO chunks VALUES('01M81Z9ZA7EZJ3V1P4BP91V0XB','recordings/01M81Z9ZA7EZJ3V1P4BP91V0XB/chunks/1458631447877420331-1795362717031.mp3','1458631447877420331',1795362717031,'stored',5999,'v1 frames 0-251 of 287988 samples, 202 packets');
INSERT INTO chunks VALUES('01M81Z9ZA7EZJ3V1P4BP91V0XB','recordings/01M81Z9ZA7EZJ3V1P4BP91V0XB/chunks/1458631466949515397-1795362718030.mp3','1458631466949515397',1795362718030,'stored',5000,'v1 frames 0-210 of 240042 samples, 145 packets');
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
INSERT INTO tracks VALUES('01M81Z9ZA7EZJ3V1P4BP91V0XB','1458631447877420331','Aldo',202,0,0,0,0,0,0);
INSERT INTO tracks VALUES('01M81Z9ZA7EZJ3V1P4BP91V0XB','1458631466949515397','Bice',145,0,0,0,0,0,0);
CREATE TABLE masters (
    session_id     TEXT PRIMARY KEY NOT NULL REFERENCES sessions ON DELETE CASCADE,
    filepath       TEXT NOT NULL,
    duration_ms    INTEGER,
    loudness_lufs  REAL,
    true_peak_dbtp REAL,
    recipe         TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
INSERT INTO masters VALUES('01M81Z9ZA7EZJ3V1P4BP91V0XB','recordings/01M81Z9ZA7EZJ3V1P4BP91V0XB/master/MASTER-01M81Z9ZA7EZJ3V1P4BP91V0XB.mp3',6031,-22.999331284606725489,-3.9033006362045985504,'v1 -23.0 LUFS, 289530 samples; recordings/01M81Z9ZA7EZJ3V1P4BP91V0XB/full/FULL-1458631447877420331-1795362717031.mp3 at 2.591 dB of v1 -23.0 LUFS, 287988 samples, 202 packets; recordings/01M81Z9ZA7EZJ3V1P4BP91V0XB/full/FULL-1458631466949515397-1795362718030.mp3 at 3.136 dB of v1 -23.0 LUFS, 240042 samples, 145 packets');
COMMIT;
PRAGMA application_id = 1279611732; -- .dump leaves these two out
PRAGMA user_version = 1;
