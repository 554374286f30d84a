// The catalog: which sessions there are, and which files were made of them. SQLite in WAL mode; `sessions` and
// `recordings` keep the column names of the specification, because the rest of the bot reads them.
// It is a cache of what journals and store say: a lost catalog loses no audio.
//
// Durable on return (synchronous=FULL): a function that returned Ok survives a power cut; one that failed changed
// nothing. Errors are one sentence: damaged for a broken file, failed for a full or unwritable disk, a newer schema, or
// a row that contradicts another; not_found only where a function says so. Thread: one Catalog per thread; several may
// have the same file open, in one process or many. A writer waits up to 10 s for another.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "catalog/sqlite.h"

namespace lestapenna::catalog {

enum class SessionStatus { recording, ending, complete, interrupted, failed };
std::string_view to_text(SessionStatus status);

/// Of a fragment or chunk: its row is made before its file, and may outlive it.
enum class FileStatus {
    pending,  ///< to be made, or made and not yet in the store
    stored,   ///< in the store, verified
    failed,   ///< could not be made
    expired,  ///< removed by retention, or because something better supersedes it
};
std::string_view to_text(FileStatus status);

/// Whether a call was end-to-end encrypted while it was heard.
enum class Encryption { none, end_to_end, partly };
std::string_view to_text(Encryption encryption);
std::optional<Encryption> parse_encryption(std::string_view text);

struct Session {
    SessionId id;
    std::optional<std::string> guild_id{};    ///< nothing for an import
    std::optional<std::string> channel_id{};  ///< nothing for an import
    UnixTime start{};                         ///< time zero of all its audio
    std::optional<UnixTime> end{};  ///< of its last connection, on the session's clock; nothing while it is open
    SessionStatus status = SessionStatus::recording;
    std::optional<std::string> text_channel_id{};  ///< where it is announced and its end is told
    std::optional<std::string> started_by{};       ///< a user id
    std::string language{};                        ///< in which the table is spoken to: it, en; empty: unknown
    std::optional<Encryption> encryption{};        ///< nothing: not known
    std::string privacy_code{};                    ///< the last one: 30 digits; empty: there was none
    bool operator==(const Session&) const = default;
};

/// What was measured of a file; nothing for pure silence or what is not made yet.
struct Levels {
    std::optional<double> loudness_lufs{};
    std::optional<double> true_peak_dbtp{};
    bool operator==(const Levels&) const = default;
};

/// What lies under a row's key in the store.
struct Content {
    std::int64_t bytes = 0;
    std::string sha256{};  ///< 64 hexadecimal digits
    bool operator==(const Content&) const = default;
};

/// A fragment: a row of `recordings`. Its filename is the end of its key.
struct Recording {
    SessionId session;
    std::string key{};
    UserId user{};
    UnixTime start{};
    FileStatus status = FileStatus::pending;
    std::optional<milliseconds> duration{};
    Levels levels{};
    std::optional<double> gain_db{};
    std::optional<double> speech_lufs{};
    std::optional<std::string> level_flag{};  ///< open_mic, capped, too_short, no_speech
    std::string recipe{};                     ///< what it was made from and how: differs from today's, make it again
    std::optional<Content> content{};         ///< nothing until it is stored
    bool operator==(const Recording&) const = default;
};

struct Chunk {
    SessionId session;
    std::string key{};
    UserId user{};
    UnixTime start{};
    FileStatus status = FileStatus::pending;
    std::optional<milliseconds> duration{};
    std::string recipe{};
    std::optional<Content> content{};  ///< nothing until it is stored
    bool operator==(const Chunk&) const = default;
};

/// A user in a session, and what the ledger counted of them, in packets.
struct Track {
    SessionId session;
    UserId user{};
    std::string name{};  ///< as people see it, UTF-8; the user id when unknown
    bool bot = false;    ///< a music bot, say: recorded, but not transcribed. Once written so it stays so
    std::int64_t received = 0;
    std::int64_t lost = 0;
    std::int64_t undecryptable = 0;
    std::array<std::int64_t, 6> closed{};  ///< these, by journal::ClosedReason
    std::int64_t late = 0;                 ///< received, but not placed: too late, or far ahead of their time
    std::int64_t duplicate = 0;
    std::int64_t parked = 0;
    std::int64_t concealed = 0;
    bool operator==(const Track&) const = default;
};

/// What a master was mixed from, the best first: without its journal a session comes back from its finished files.
enum class MasterSource { journal, fragments, chunks };
std::string_view to_text(MasterSource source);
std::optional<MasterSource> parse_master_source(std::string_view text);

struct Master {
    SessionId session;
    std::string key{};
    std::optional<milliseconds> duration{};
    Levels levels{};
    std::string recipe{};
    std::optional<Content> content{};      ///< nothing until it is stored
    bool expired = false;                  ///< removed by retention: it is not made again
    std::optional<MasterSource> source{};  ///< nothing: not known
    bool operator==(const Master&) const = default;
};

/// How much of a tier is in the store.
struct Stored {
    std::int64_t objects = 0;
    std::int64_t bytes = 0;
    bool operator==(const Stored&) const = default;
};
struct Sizes {
    Stored chunks{};
    Stored fragments{};
    Stored masters{};
    bool operator==(const Sizes&) const = default;
};

/// Both clocks at one moment, and on which boot of the machine.
struct Moment {
    UnixTime wall{};
    BootTime boot{};
    BootId machine{};
    bool operator==(const Moment&) const = default;
};
/// What the next sweep of retention holds its clock against.
struct Sweeps {
    std::optional<Moment> believed{};  ///< the last one that removed what was due
    std::optional<Moment> doubted{};   ///< a later one whose clock made no sense so far
    bool operator==(const Sweeps&) const = default;
};

/// Of a fragment's transcript.
enum class TranscriptionStatus {
    waiting,  ///< to be transcribed, or to be handed to the queue on Redis
    queued,   ///< the queue on Redis has it
    done,     ///< its segments are there; none where nothing was said, or where who transcribed it kept the text
    failed,   ///< given up; `error` says why
};
std::string_view to_text(TranscriptionStatus status);

/// A person's fragment that is to be transcribed. `file` (a key of the store) is its identity.
struct Transcription {
    SessionId session;
    std::string file{};
    UserId user{};
    UnixTime timestamp{};  ///< of the file's first sample
    TranscriptionStatus status = TranscriptionStatus::waiting;
    int attempts = 0;     ///< begun, or handed over, so often
    UnixTime due{};       ///< not before then
    std::string job{};    ///< its id in the queue on Redis, once it is there
    std::string error{};  ///< what the last attempt said; of done: why there is no text
    bool operator==(const Transcription&) const = default;
};

/// What was said in one breath.
struct Segment {
    milliseconds start{};  ///< from the file's first sample
    milliseconds end{};
    std::string text{};  ///< UTF-8
    bool operator==(const Segment&) const = default;
};

/// A session's transcript in the store.
struct Transcript {
    std::string key{};
    Content content{};
    bool operator==(const Transcript&) const = default;
};

/// The report of a session to one address: what was tried, and whether it is sent.
struct Mail {
    SessionId session;
    std::string address{};
    UnixTime end{};                  ///< of the session, as it is reported: a session that went on has another one
    UnixTime since{};                ///< of the first attempt
    int attempts = 0;                ///< begun so far
    std::string reply{};             ///< what the last attempt brought, in a sentence
    std::optional<UnixTime> sent{};  ///< when the server took it; nothing: not as far as we know
    bool operator==(const Mail&) const = default;
};

/// Work that has to happen. Its row is made together with what makes it necessary, so no kill loses it.
struct NewJob {
    std::string name;                    ///< who does it: rotation, master, report...
    std::string subject;                 ///< to what; of one name and subject one row waits at most
    std::optional<SessionId> session{};  ///< jobs of one session are never done at the same time
    std::string payload = "{}";          ///< JSON, for its handler
    UnixTime due{};                      ///< not before then; the epoch: at once
};
struct Job {
    std::int64_t id = 0;
    std::string name{};
    std::string subject{};
    std::optional<SessionId> session{};
    std::string payload{};
    UnixTime due{};
    int attempts = 0;     ///< begun so far, this one included
    std::string error{};  ///< what the last attempt said
    int deaths = 0;       ///< in a row, of the process during it, while no file was made
    bool operator==(const Job&) const = default;
};
/// Which jobs one looks for.
struct JobChoice {
    std::vector<std::string> names{};  ///< these
    bool others = true;                ///< no: all but these
    /// One that is due later counts as due at the epoch: the clock that said so has been set back since.
    UnixTime latest = UnixTime::max();
};
enum class JobStatus { waiting, running, done, failed };
std::string_view to_text(JobStatus status);

/// A nickname that was changed for the sign of recording, and what it was before.
struct FormerNick {
    std::string guild_id;
    std::optional<std::string> nick;  ///< nothing: there was none
    bool operator==(const FormerNick&) const = default;
};

class Catalog {
  public:
    /// Opens or makes the file, whose folder exists, and brings its schema up to date.
    static Result<Catalog> open(const std::filesystem::path& file);

    // Several changes as one: nothing of them is seen, or survives, unless `work` returns Ok.
    template <class Work>
    Status together(Work work) {
        if (auto begun = database_.script("BEGIN IMMEDIATE"); !begun) return begun;
        Status done = work();
        if (done) done = database_.script("COMMIT");
        if (!done) (void)database_.script("ROLLBACK");
        return done;
    }

    /// Fails when the id is taken.
    Status insert_session(const Session& session);
    /// not_found when there is no such session; so do the next two.
    Status set_status(const SessionId& id, SessionStatus status);
    Status set_end(const SessionId& id, UnixTime end);
    /// It is recorded again: status recording, no end. Keeps its time zero and all else.
    Status reopen_session(const SessionId& id);
    /// What is known of its call's encryption: those columns of `row`.
    Status set_encryption(const Session& row);
    /// Where it is recorded, and where and in which language its table is told: those columns of `row`.
    Status set_place(const Session& row);
    Result<Session> session(const SessionId& id) const;
    /// All of them, by start time.
    Result<std::vector<Session>> sessions() const;
    /// Of one guild, the newest first.
    Result<std::vector<Session>> sessions_of(std::string_view guild_id, std::size_t most) const;
    /// The session that a person means: its whole id, or an ending of at least six characters in any case that only one
    /// has. not_found when none has it, usage when several have.
    Result<SessionId> resolve(std::string_view text) const;
    /// The same among the sessions of one guild: those of others are as if they were not.
    Result<SessionId> resolve_in(std::string_view guild_id, std::string_view text) const;

    // Rows of a session that must exist; a row with the same key (user, for tracks) is replaced, and keeps its id.
    Status upsert_recording(const Recording& recording);
    Status upsert_chunk(const Chunk& chunk);
    Status upsert_track(const Track& track);
    Status set_master(const Master& master);
    /// Ok also when there is no such row.
    Status remove_recording(const SessionId& session, std::string_view key);
    Status remove_chunk(const SessionId& session, std::string_view key);

    /// By user, then start.
    Result<std::vector<Recording>> recordings(const SessionId& session) const;
    Result<std::vector<Chunk>> chunks(const SessionId& session) const;
    Result<std::vector<Track>> tracks(const SessionId& session) const;
    Result<std::optional<Master>> master(const SessionId& session) const;

    // ---- retention (workflows/retention.h)

    /// Of one session, or of all.
    Result<Sizes> sizes(const std::optional<SessionId>& session = std::nullopt) const;
    Result<Sweeps> sweeps() const;
    /// Replaces what was known.
    Status set_sweeps(const Sweeps& sweeps);

    // ---- transcription (jobs/transcriber.h does it)

    /// Ok also when the file is in the queue already: it stays as it is, but for its times.
    Status add_transcription(const Transcription& entry);
    /// By session, then timestamp.
    Result<std::vector<Transcription>> transcriptions(const SessionId& session) const;
    /// Of one status, those that are due, the longest waiting first. One that is due in more than 15 min is due: it was
    /// given its time before the wall clock was set back.
    Result<std::vector<Transcription>> transcriptions(TranscriptionStatus status, UnixTime now, std::size_t most) const;
    /// The one whose id in the queue on Redis is `job`.
    Result<std::optional<Transcription>> transcription_of(std::string_view job) const;
    /// Writes status, attempts, due, job and error of `entry`'s file. Ok also when it is gone.
    Status set_transcription(const Transcription& entry);
    /// The same, and what was said in it, instead of what was known. Inside together().
    Status set_transcription(const Transcription& entry, const std::vector<Segment>& segments);
    /// Those of a session that were given up wait again, as if they were new.
    Status retry_transcriptions(const SessionId& session);
    /// Those that a queue on Redis has wait again, as if they were new.
    Status unqueue_transcriptions();
    /// In their order.
    Result<std::vector<Segment>> segments(std::string_view file) const;
    /// Whether the session is complete and all its fragments are done or failed; false where it has none.
    Result<bool> transcribed(const SessionId& session) const;
    /// The sessions that are, and of which no transcript is known.
    Result<std::vector<SessionId>> without_transcript() const;
    /// How many fragments, by status.
    Result<std::map<TranscriptionStatus, std::int64_t>> transcription_counts() const;
    /// The session must exist.
    Status set_transcript(const SessionId& session, const Transcript& transcript);
    Result<std::optional<Transcript>> transcript(const SessionId& session) const;

    // ---- jobs (jobs/runner.h does them)

    /// Where one of this name and subject waits already, the earlier due of the two counts and the payload is the new
    /// one. One that runs is no hindrance: the new one waits for it. The session, where one is named, must exist.
    Status add_job(const NewJob& job);
    /// The one that is due for the longest, now running and counted as an attempt; none of a session that has one
    /// running. Nothing when there is none.
    Result<std::optional<Job>> take_job(UnixTime now, const JobChoice& choice = {});
    /// When the next one is due, as far as it could be taken then.
    Result<std::optional<UnixTime>> next_job_due(const JobChoice& choice = {}) const;
    // The next three are of a job that runs, else not_found; with requeue_running_jobs() they are transactions of their
    // own, not to be called inside together().

    /// Done, and what follows from it waits; with `again`, it waits itself until then, as if it were new. One
    /// transaction. What came to its end before of the same name and subject gives way: so many rows there are at most.
    Status finish_job(std::int64_t id, const std::vector<NewJob>& then, std::optional<UnixTime> again = std::nullopt);
    /// It waits again, in one row with one that has come to wait meanwhile, as by add_job. `counted`: this was an
    /// attempt.
    Status return_job(std::int64_t id, UnixTime due, std::string_view error, bool counted);
    /// Given up: it stays as a row, failed, for people to see, until its like ends.
    Status fail_job(std::int64_t id, std::string_view error);
    /// What was running when the last process died waits again, at once: that a process was killed is no attempt. But
    /// it is counted: a job may be what kills it. A new one of the name and subject of one that was given up begins
    /// with its deaths. Only while no Runner is at work on this file.
    Status requeue_running_jobs();
    /// How many, by status.
    Result<std::map<JobStatus, std::int64_t>> job_counts() const;
    /// Those that wait, run or failed; of one session where one is named.
    Result<std::vector<std::pair<Job, JobStatus>>> open_jobs(const std::optional<SessionId>& session) const;

    // ---- mail

    /// Of a session that must exist; takes the place of the one to this address.
    Status upsert_mail(const Mail& mail);
    Result<std::optional<Mail>> mail(const SessionId& session, std::string_view address) const;
    /// Those that were tried and not sent.
    Result<std::vector<Mail>> unsent_mails() const;

    // ---- a person who is forgotten (workflows/forget.h)

    /// Has the session a row of theirs, or one that names them?
    Result<bool> knows(const SessionId& session, UserId user) const;
    /// Their rows in a session: files, ledger, transcriptions with their words, and that they started it. Several
    /// changes: within together().
    Status forget_user(const SessionId& session, UserId user);
    /// The jobs of a session, or of none, that name them in subject or payload, also one that runs; how many. What the
    /// others said of their last attempt goes where it names them. Within together().
    Result<std::int64_t> forget_jobs(const std::optional<SessionId>& session, UserId user);
    // Ok also when there is none.
    Status remove_master(const SessionId& session);
    Status remove_transcript(const SessionId& session);
    /// What was removed is in no file of the catalog any more: it is written anew and its log is emptied. Errors:
    /// locked while somebody reads it for long.
    Status scrub();

    // ---- nicknames to give back

    /// The first of a guild stays until it is forgotten: a later one may be the sign itself, left by a kill.
    Status remember_nick(const FormerNick& former);
    /// Ok also when there is none.
    Status forget_nick(std::string_view guild_id);
    Result<std::vector<FormerNick>> remembered_nicks() const;

  private:
    explicit Catalog(Database database) : database_(std::move(database)) {}
    Database database_;
};

}  // namespace lestapenna::catalog
