// The queue on Redis: a job `transcribe-job` of BullMQ for each fragment, whose workers are elsewhere.
//
// The job's id is the fragment's file name; where another session has a file of the same name (two imports of one
// capture), the session's id follows it. Its data:
//   sessionId, userId, timestamp (Unix ms), delay (ms from the session's start), duration (ms, or null)
//   fileName   the whole key in the bucket
//   filePath   {data}/cache/queue/{file name}: today's worker takes that file when it exists on its machine, and then
//              deletes it. There never is one, so that nothing of ours can be; the worker fetches fileName instead
//   link       to the fragment, for a worker without access to the bucket; null where links are not given out
// A transcript comes back as what the worker returned, or as an object beside the fragment: its key with .json, .srt or
// .txt instead of .mp3.
#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/log.h"
#include "base/text.h"
#include "jobs/bullmq.h"
#include "jobs/desk.h"
#include "jobs/recognised.h"
#include "store/s3_place.h"

namespace lestapenna::jobs {

namespace {

using catalog::Transcription;
using catalog::TranscriptionStatus;
using Segments = std::vector<catalog::Segment>;

constexpr const char* kJobName = "transcribe-job";
constexpr std::size_t kAtOnce = 100;        ///< commands in one go
constexpr std::size_t kMostRows = 100'000;  ///< that are asked about: years of tables
constexpr std::uint64_t kMostReasonBytes = 1 << 16;

class RedisQueue final : public TranscriptionQueue {
  public:
    RedisQueue(Desk desk, RedisPlace place, std::string bucket_prefix)
        : desk_(desk), place_(std::move(place)), bucket_prefix_(std::move(bucket_prefix)) {}

    Result<bool> round() override;

  private:
    Status work();
    Status hand_over_all();
    Status hand_over(Transcription row);
    Result<std::optional<bool>> add(const std::string& id, const Transcription& row, const std::string& data);
    Result<std::string> data_of(const Transcription& row);
    Status reconcile();
    Status hear();
    Status settle(std::span<const Transcription> rows);
    Status settle(const Transcription& row, const BullLook& look);
    Status settle_completed(const Transcription& row, const BullLook& look);
    Status settle_gone(const Transcription& row);
    Result<std::optional<Segments>> beside(const Transcription& row);

    Desk desk_;
    RedisPlace place_;
    std::string bucket_prefix_;
    std::optional<BullQueue> bull_;
    BootTime next_reconcile_{};
};

Result<bool> RedisQueue::round() {
    if (!bull_) {
        auto connected = BullQueue::connect(place_, desk_.tools.config.queue.name, desk_.stop);
        if (!connected) return connected.error();
        bull_.emplace(std::move(*connected));
        next_reconcile_ = BootTime{};
    }
    if (auto done = work(); !done) {
        bull_.reset();
        return done.error();
    }
    return true;  // hear() has waited
}

Status RedisQueue::work() {
    if (auto handed = hand_over_all(); !handed) return handed;
    if (BootClock::now() >= next_reconcile_) {
        if (auto known = reconcile(); !known) return known;
        next_reconcile_ = BootClock::now() + desk_.options.reconcile;
    }
    return hear();
}

// ---- to Redis

Status RedisQueue::hand_over_all() {
    for (;;) {
        auto rows = desk_.catalog.transcriptions(TranscriptionStatus::waiting, unix_now(), kAtOnce);
        if (!rows) return rows.error();
        for (Transcription& row : *rows) {
            if (auto handed = hand_over(std::move(row)); !handed) return handed;
        }
        if (rows->size() < kAtOnce) return Ok{};
    }
}

Status RedisQueue::hand_over(Transcription row) {
    if (row.attempts >= desk_.options.attempts) {
        return desk_.fail(row, "its job vanished from the queue " + std::to_string(row.attempts) + " times");
    }
    const auto data = data_of(row);
    if (!data) return data.error();
    const std::string name(store::filename_of(row.file));
    for (const auto& id : {name, name + "-" + row.session.text()}) {
        if (!is_job_id(id)) continue;
        const auto added = add(id, row, *data);
        if (!added) return added.error();
        if (!*added) continue;  // another one's
        // Added before this is written: a kill in between adds once more, which changes nothing.
        row.status = TranscriptionStatus::queued;
        row.job = id;
        ++row.attempts;
        row.error.clear();
        if (auto set = desk_.catalog.set_transcription(row); !set) return set;
        return **added ? Ok{} : settle({&row, 1});  // it may be done already
    }
    return desk_.fail(std::move(row), "the queue has other jobs of its name");
}

/// Whether it is new; nothing when the job of that id is about something else.
Result<std::optional<bool>> RedisQueue::add(const std::string& id, const Transcription& row, const std::string& data) {
    const auto added = bull_->add({id, kJobName, data}, unix_now());
    if (!added) return added.error();
    if (*added) return std::optional(true);
    const auto known = bull_->data(id);
    if (!known) return known.error();
    const auto theirs = nlohmann::json::parse(*known, nullptr, false);
    const auto file = theirs.is_object() ? theirs.find("fileName") : theirs.end();
    const bool ours = theirs.is_object() && file != theirs.end() && *file == bucket_prefix_ + row.file;
    return ours ? std::optional(false) : std::nullopt;
}

Result<std::string> RedisQueue::data_of(const Transcription& row) {
    const auto session = desk_.catalog.session(row.session);
    if (!session) return session.error();
    const auto recordings = desk_.catalog.recordings(row.session);
    if (!recordings) return recordings.error();
    nlohmann::ordered_json duration;
    for (const auto& recording : *recordings) {
        if (recording.key == row.file && recording.duration) duration = recording.duration->count();
    }
    nlohmann::ordered_json link;
    if (const auto key = store::Key::parse(row.file)) {
        if (auto made = desk_.tools.links.make(*key, key->filename(), unix_now())) link = std::move(*made);
    }
    const auto folder = std::filesystem::absolute(desk_.tools.config.data.dir) / "cache" / "queue";
    return nlohmann::ordered_json{{"sessionId", row.session.text()},
                                  {"fileName", bucket_prefix_ + row.file},
                                  {"filePath", (folder / store::filename_of(row.file)).native()},
                                  {"userId", row.user.text()},
                                  {"timestamp", row.timestamp.time_since_epoch().count()},
                                  {"delay", (row.timestamp - session->start).count()},
                                  {"duration", duration},
                                  {"link", link}}
        .dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

// ---- and back

/// All that should be there: events may have been missed, and Redis may have been emptied.
Status RedisQueue::reconcile() {
    const auto rows = desk_.catalog.transcriptions(TranscriptionStatus::queued, UnixTime::max(), kMostRows);
    if (!rows) return rows.error();
    for (std::size_t at = 0; at < rows->size(); at += kAtOnce) {
        const auto some = std::span(*rows).subspan(at, std::min(kAtOnce, rows->size() - at));
        if (auto settled = settle(some); !settled) return settled;
    }
    return Ok{};
}

/// Waits for what comes to its end.
Status RedisQueue::hear() {
    const auto ids = bull_->ended(desk_.options.look);
    if (!ids) return ids.error();
    std::vector<Transcription> rows;
    for (const std::string& id : *ids) {
        auto row = desk_.catalog.transcription_of(id);
        if (!row) return row.error();
        // One that was given up may be tried again by people over there.
        if (*row && (*row)->status != TranscriptionStatus::done) rows.push_back(std::move(**row));
    }
    return settle(rows);
}

Status RedisQueue::settle(std::span<const Transcription> rows) {
    std::vector<std::string> ids;
    ids.reserve(rows.size());
    for (const Transcription& row : rows) ids.push_back(row.job);
    if (ids.empty()) return Ok{};
    const auto looks = bull_->look(ids);
    if (!looks) return looks.error();
    for (std::size_t i = 0; i < rows.size(); ++i) {
        if (auto settled = settle(rows[i], (*looks)[i]); !settled) return settled;
    }
    return Ok{};
}

Status RedisQueue::settle(const Transcription& row, const BullLook& look) {
    switch (look.state) {
        case BullState::open:
            return Ok{};
        case BullState::gone:
            return settle_gone(row);
        case BullState::completed:
            return settle_completed(row, look);
        case BullState::failed:
            break;
    }
    if (row.status == TranscriptionStatus::failed) return Ok{};
    if (look.bytes > kMostReasonBytes) return desk_.fail(row, "the worker gave up, at length");
    const auto reason = bull_->reason(row.job);
    if (!reason) return reason.error();
    return desk_.fail(row, "the worker gave up: " + one_line(*reason, 500));
}

Status RedisQueue::settle_completed(const Transcription& row, const BullLook& look) {
    if (look.bytes > kMostTranscriptBytes) {
        return desk_.fail(row, "the worker returned " + std::to_string(look.bytes >> 20) + " MiB, more than the " +
                                   std::to_string(kMostTranscriptBytes >> 20) + " of any transcript");
    }
    const auto json = bull_->returned(row.job);
    if (!json) return json.error();
    const auto returned = read_returned(*json);
    if (!returned) return desk_.fail(row, returned.error().message);
    if (returned->segments) return desk_.done(row, *returned->segments, returned->note);
    const auto stored = beside(row);
    if (!stored && stored.error().kind == ErrorKind::damaged) return desk_.fail(row, stored.error().message);
    if (!stored) return stored.error();
    if (*stored) return desk_.done(row, **stored);
    return desk_.done(row, {}, "the worker kept the text");
}

/// Finished and removed, or never there: Redis was emptied.
Status RedisQueue::settle_gone(const Transcription& row) {
    if (row.status == TranscriptionStatus::failed) return Ok{};
    const auto stored = beside(row);
    if (!stored && stored.error().kind == ErrorKind::damaged) return desk_.fail(row, stored.error().message);
    if (!stored) return stored.error();
    if (*stored) return desk_.done(row, **stored);
    log().info("the job of {} is not in the queue any more: it is added again", row.file);
    auto again = row;
    again.status = TranscriptionStatus::waiting;
    return desk_.catalog.set_transcription(again);
}

/// What a worker put into the store; nothing: nothing.
Result<std::optional<Segments>> RedisQueue::beside(const Transcription& row) {
    for (const store::Key& key : store::words_beside(row.file)) {
        const auto text = desk_.text_in_store(key, row.user);
        if (!text) return text.error();
        if (!*text) continue;
        auto segments = read_transcript(**text);
        if (!segments) return segments.error();
        return std::optional(std::move(*segments));
    }
    return std::optional<Segments>{};
}

}  // namespace

Result<std::unique_ptr<TranscriptionQueue>> redis_queue(Desk desk) {
    auto place = RedisPlace::of(desk.tools.config);
    if (!place) return place.error();
    std::string prefix;
    if (!desk.tools.config.store_folder()) {
        const auto bucket = store::S3Place::of(desk.tools.config);
        if (!bucket) return bucket.error();
        prefix = bucket->prefix;
    }
    std::unique_ptr<TranscriptionQueue> queue =
        std::make_unique<RedisQueue>(desk, std::move(*place), std::move(prefix));
    return queue;
}

}  // namespace lestapenna::jobs
