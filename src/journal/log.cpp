#include "journal/log.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "journal/folder.h"

namespace lestapenna::journal {

namespace {

constexpr std::size_t kBatchBytes = 4 * kBlockBytes;  // of one write(2); a busy table fills 200 bytes in 10 ms
constexpr milliseconds kFirstBackoff{100};
constexpr milliseconds kLongestBackoff{5'000};
constexpr int kNameTries = 16;

// The disk is full, and a file that is not yet damaged: the same bytes can go to the same place later. Repeating them
// in a new segment would need room that is not there.
bool waits_for_space(int error_number) {
    return error_number == ENOSPC || error_number == EDQUOT;
}

}  // namespace

Log::Log(std::filesystem::path folder, Fd folder_fd, SessionHead head, const WriterOptions& options, JournalEnd end)
    : folder_(std::move(folder)),
      folder_fd_(std::move(folder_fd)),
      head_(std::move(head)),
      options_(options),
      files_(options.files != nullptr ? *options.files : Files::system()),
      ring_(options.ring_bytes),
      tip_(end.mark),
      mark_(std::move(end.mark)),
      highest_number_(end.highest_number),
      last_time_(head_.anchor) {}

Status Log::open_first() {
    const SteadyTime now = std::chrono::steady_clock::now();
    if (open_segment(mark_, now)) {
        begin_sync(now);
        run_sync();
        if (job_.error_number != 0) files_.remove(segment_->path.c_str());
        collect_sync();
    }
    if (segment_ && mark_.segment == tip_.segment) return Ok{};
    const std::lock_guard lock(slow_);
    return Error{ErrorKind::failed, reason_};
}

// ---- the write thread

bool Log::pump(SteadyTime now, std::vector<std::uint8_t>& buffer) {
    collect_sync();
    if (may_write(now) && (segment_ || reopen(now))) store(now, buffer);
    if (closing_.load(std::memory_order_acquire) && finish_closing(now, buffer)) return false;
    if (!sync_due(now)) return false;
    begin_sync(now);
    return true;
}

void Log::collect_sync() {
    if (sync_.load(std::memory_order_acquire) != Sync::done) return;
    job_.files.clear();
    sync_.store(Sync::idle, std::memory_order_relaxed);
    if (job_.error_number != 0) {
        give_up_segment();
        failed("sync", job_.failed_path, job_.error_number, std::chrono::steady_clock::now());
        return;
    }
    mark_ = job_.mark;
    backoff_ = milliseconds{0};
    std::erase_if(since_mark_, [this](const Written& written) { return written.number <= mark_.segment; });
}

bool Log::may_write(SteadyTime now) {
    if (retry_now_.exchange(false, std::memory_order_acq_rel)) retry_at_ = now;
    return now >= retry_at_ && !sealed_;
}

// After a failure, once no sync is under way that could still move the mark.
bool Log::reopen(SteadyTime now) {
    if (sync_.load(std::memory_order_relaxed) != Sync::idle) return false;
    for (Written& written : since_mark_) {
        written.records = tip_.records;
        void_.push_back(std::move(written));
    }
    since_mark_.clear();
    tip_ = mark_;
    return open_segment(mark_, now);
}

bool Log::open_segment(const Mark& follows, SteadyTime now) {
    auto opened = std::make_shared<OpenSegment>();
    std::uint32_t number = highest_number_;
    for (int tries = 0; !opened->fd; ++tries) {
        opened->path = folder_ / segment_name(++number);
        opened->fd = Fd(files_.create(opened->path.c_str()));
        if (opened->fd || (errno == EEXIST && tries < kNameTries)) continue;
        failed("create", opened->path, errno, now);
        return false;
    }
    SegmentHeader header;
    header.session_id = head_.id.text();
    header.number = number;
    header.previous_number = follows.segment;
    header.previous_length = follows.length;
    if (follows.segment != 0) header.previous_hash = follows.hash.digest();
    header.first_record = follows.records;
    header.session_start = head_.start;
    header.anchor = head_.anchor;
    header.boot = head_.boot;
    const auto area = encode_header(header);

    segment_ = opened;
    tip_.segment = number;
    tip_.length = 0;
    tip_.hash = Sha256();
    crc_.emplace(header.session_id, number);
    if (!write(area, now)) {
        files_.remove(opened->path.c_str());  // it never was a segment; its name is free again
        give_up_segment();
        return false;
    }
    highest_number_ = number;
    first_record_ = follows.records;
    slot_.reset();
    folder_dirty_ = true;
    since_mark_.push_back({number, opened->path, 0});
    return true;
}

void Log::store(SteadyTime now, std::vector<std::uint8_t>& buffer) {
    for (bool more = true; more;) {
        const Batch batch = stage(buffer);
        if (!buffer.empty() && !write(buffer, now)) return;
        tip_.records = batch.end.records;
        tip_.accepted = batch.end.accepted;
        tip_.ring = batch.end.ring;
        last_time_ = batch.last;
        if (tip_.accepted > stored_.load(std::memory_order_relaxed)) {
            stored_.store(tip_.accepted, std::memory_order_release);
        }
        if (batch.roll) {
            store_seal(now, buffer);
            if (!segment_) return;
            const Mark full = tip_;
            if (!open_segment(full, now)) return give_up_segment();
        }
        more = batch.full || batch.roll;
    }
    remove_void();
}

Log::Batch Log::stage(std::vector<std::uint8_t>& buffer) {
    buffer.clear();
    Batch batch{{}, last_time_, false, false};
    batch.end.records = tip_.records;
    batch.end.accepted = tip_.accepted;
    batch.end.ring = tip_.ring;
    while (const auto entry = ring_.at(batch.end.ring)) {
        const BootTime time = encoded_time(entry->record);
        batch.full = buffer.size() + kBlockBytes > kBatchBytes;
        if (batch.full) break;
        batch.roll = (tip_.length + buffer.size() >= options_.segment_bytes && batch.end.records > first_record_) ||
                     rolls_at(time);
        if (batch.roll) break;
        place(buffer, tip_.length, *crc_, entry->record);
        ++batch.end.records;
        batch.end.accepted += entry->counted ? 1u : 0u;
        batch.end.ring = entry->next;
        batch.last = time;
    }
    return batch;
}

// Segments lie on a grid of session time that begins with the segment's first record; a record that is late does not
// close one.
bool Log::rolls_at(BootTime time) {
    const auto slot = std::chrono::floor<nanoseconds>(time - head_.anchor) / nanoseconds{options_.segment_span};
    if (!slot_) slot_ = slot;
    return slot > *slot_;
}

// All of it or nothing: what was not written completely stands after the tip, where the same bytes go next time.
bool Log::write(std::span<const std::uint8_t> bytes, SteadyTime now) {
    std::size_t have = 0;
    while (have < bytes.size()) {
        const ssize_t wrote = files_.write_at(segment_->fd.get(), bytes.subspan(have), tip_.length + have);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) {
            const int reason = wrote < 0 ? errno : ENOSPC;
            const auto path = segment_->path;
            if (!waits_for_space(reason)) give_up_segment();
            failed("write", path, reason, now);
            return false;
        }
        have += static_cast<std::size_t>(wrote);
    }
    tip_.hash.update(bytes);
    tip_.length += bytes.size();
    if (dirty_.empty() || dirty_.back() != segment_) dirty_.push_back(segment_);
    return true;
}

void Log::store_seal(SteadyTime now, std::vector<std::uint8_t>& buffer) {
    buffer.clear();
    place(buffer, tip_.length, *crc_, encode_seal(last_time_, tip_.records - first_record_));
    if (!write(buffer, now)) give_up_segment();
}

// Files that another one has replaced, once that one holds what they held; nobody reads them any more.
void Log::remove_void() {
    std::erase_if(void_, [this](const Written& written) {
        if (written.records > tip_.records) return false;
        files_.remove(written.path.c_str());
        return true;
    });
}

bool Log::sync_due(SteadyTime now) const {
    if (dirty_.empty() || sync_.load(std::memory_order_relaxed) != Sync::idle) return false;
    const bool wanted = ring_.released() < hurry_to_.load(std::memory_order_acquire) || sealed_ || !has_room();
    return wanted || now - synced_at_ >= options_.sync_interval;
}

void Log::begin_sync(SteadyTime now) {
    job_.mark = tip_;
    job_.files = std::exchange(dirty_, {});
    job_.folder = std::exchange(folder_dirty_, false);
    job_.error_number = 0;
    synced_at_ = now;
    sync_.store(Sync::running, std::memory_order_relaxed);  // the Committer's queue hands it over
}

// True when there is nothing more to do for a Writer that is going.
bool Log::finish_closing(SteadyTime now, std::vector<std::uint8_t>& buffer) {
    if (sync_.load(std::memory_order_relaxed) != Sync::idle) return false;
    if (segment_ && !sealed_ && dirty_.empty() && all_durable()) {
        sealed_ = true;
        store_seal(now, buffer);
        if (segment_) return false;
    } else if (sealed_ && !dirty_.empty()) {
        return false;
    }
    segment_.reset();
    closed_.store(true, std::memory_order_release);
    notify();
    return true;
}

void Log::give_up_segment() {
    segment_.reset();
    dirty_.clear();
    folder_dirty_ = false;
}

void Log::failed(std::string_view doing, const std::filesystem::path& path, int error_number, SteadyTime now) {
    backoff_ = std::clamp(2 * backoff_, kFirstBackoff, kLongestBackoff);
    retry_at_ = now + backoff_;
    {
        const std::lock_guard lock(slow_);
        ++failures_;
        reason_ = io_error(doing, path, error_number).message;
    }
    changed_.notify_all();
}

void Log::notify() {
    { const std::lock_guard lock(slow_); }  // a waiter is either before its check or asleep
    changed_.notify_all();
}

// ---- a sync thread

void Log::run_sync() {
    const SteadyTime began = std::chrono::steady_clock::now();
    for (const auto& file : job_.files) {
        if (files_.sync_data(file->fd.get()) == 0) continue;
        job_.error_number = errno;
        job_.failed_path = file->path;
        break;
    }
    if (job_.error_number == 0 && job_.folder && files_.sync_folder(folder_fd_.get()) != 0) {
        job_.error_number = errno;
        job_.failed_path = folder_;
    }
    if (job_.error_number == 0) {
        last_sync_.store(nanoseconds(std::chrono::steady_clock::now() - began).count(), std::memory_order_release);
        durable_.store(job_.mark.accepted, std::memory_order_release);
        ring_.release(job_.mark.ring);
    }
    sync_.store(Sync::done, std::memory_order_release);
    notify();
}

}  // namespace lestapenna::journal
