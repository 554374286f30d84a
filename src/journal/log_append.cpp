// The appender's side of a Log.
#include <algorithm>

#include "journal/log.h"

namespace lestapenna::journal {

namespace {

// Of a write or a sync, before one who waits is told; the pauses between them are 0.2 s in all for a new trouble, 10 s
// for an old one.
constexpr std::uint64_t kTries = 3;

}  // namespace

bool Log::append(const Record& record) noexcept {
    const std::size_t size = encoded_bytes(record);
    if (size == 0) {
        refused_.fetch_add(1, std::memory_order_acq_rel);
        return false;
    }
    if (refused_gap_.packets > 0) {
        // Only together: a ring that stays full would else be filled with gaps of one packet each.
        const std::size_t both = encoded_bytes(refused_gap_) + sizeof(std::uint64_t) + size;
        if (ring_.reserve(both).empty()) return refuse(record);
        push_gap();
    }
    return push(record, size, true) || refuse(record);
}

bool Log::push(const Record& record, std::size_t size, bool counted) noexcept {
    const auto place = ring_.reserve(size);
    if (place.empty()) return false;
    encode(record, place);
    // Before the record can be seen, so that durable() never passes it.
    if (counted) accepted_.fetch_add(1, std::memory_order_release);
    ring_.commit(place, counted);
    return true;
}

void Log::push_gap() noexcept {
    const Record gap = refused_gap_;
    if (push(gap, encoded_bytes(gap), false)) refused_gap_ = Gap{};
}

bool Log::refuse(const Record& record) noexcept {
    refused_.fetch_add(1, std::memory_order_acq_rel);
    const BootTime time = time_of(record);
    if (refused_gap_.packets == 0) refused_gap_ = Gap{time, time, GapReason::queue_full, 0};
    refused_gap_.from = std::min(refused_gap_.from, time);
    refused_gap_.to = std::max(refused_gap_.to, time);
    ++refused_gap_.packets;
    return false;
}

void Log::hurry() {
    if (refused_gap_.packets > 0) push_gap();
    hurry_to_.store(ring_.head(), std::memory_order_release);
    retry_now_.store(true, std::memory_order_release);
}

void Log::close() {
    closing_.store(true, std::memory_order_release);
}

Status Log::wait(const std::function<bool()>& done) {
    std::unique_lock lock(slow_);
    const std::uint64_t before = failures_;
    changed_.wait(lock, [&] { return done() || failures_ >= before + kTries; });
    if (done()) return Ok{};
    return Error{ErrorKind::failed, reason_};
}

void Log::wait_closed() {
    std::unique_lock lock(slow_);
    changed_.wait(lock, [this] { return closed(); });
}

}  // namespace lestapenna::journal
