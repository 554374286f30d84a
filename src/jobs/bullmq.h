// A queue of BullMQ, as its producer sees it: leaves on Redis exactly the keys that BullMQ's own Queue.add leaves, for
// workers of BullMQ 5 and 6, and hears which jobs came to their end.
//
// Nothing is remembered but the connection, and where in the stream of events we are: from the moment of connect() on.
// So look() at what is awaited after each connect(). Thread: one at a time; calls block. Durable: what add() returned
// for is with Redis, which may forget it all the same: who adds must be able to add again. Errors: as of redis.h; after
// any of them, connect anew.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "jobs/redis.h"

namespace lestapenna::jobs {

struct BullJob {
    std::string id;    ///< is_job_id()
    std::string name;  ///< which of a worker's functions it is for
    std::string data;  ///< a JSON text: with anything else a worker hangs
};

/// What BullMQ allows as an id that we choose, and what is no name of a key of the queue itself.
bool is_job_id(std::string_view id);
/// What a queue can be called: not nothing, no colon.
bool is_queue_name(std::string_view name);

enum class BullState {
    gone,  ///< nothing is known of it
    open,  ///< waits, or is worked on, or will be tried again
    completed,
    failed,  ///< for good
};
struct BullLook {
    BullState state = BullState::gone;
    std::uint64_t bytes = 0;  ///< of what ended() can fetch
};

class BullQueue {
  public:
    /// Fails where something else lies in the place of the queue's keys.
    static Result<BullQueue> connect(const RedisPlace& place, std::string_view queue, const std::atomic<bool>& stop);

    /// An error when Redis would throw jobs away for want of memory.
    Status check_memory();

    /// Five attempts, 2, 4, 8 and 16 s apart; a job that is completed stays for a week, a failed one for ever. False: a
    /// job of this id exists, whatever became of it, and is as it was.
    Result<bool> add(const BullJob& job, UnixTime now);
    /// The data of a job; empty when it is gone.
    Result<std::string> data(const std::string& id);

    /// What became of each.
    Result<std::vector<BullLook>> look(const std::vector<std::string>& ids);
    /// Of a completed job what the worker returned, as JSON, of a failed one why.
    Result<std::string> returned(const std::string& id);
    Result<std::string> reason(const std::string& id);

    /// The ids that were completed, or failed for good, since the last call; waits for one, at most so long.
    Result<std::vector<std::string>> ended(milliseconds wait);

  private:
    BullQueue(Redis redis, std::string prefix) : redis_(std::move(redis)), prefix_(std::move(prefix)) {}
    Status fits();
    Result<std::string> field(const std::string& id, const char* name);
    Status note(const Reply& entry, std::vector<std::string>& ids);

    Redis redis_;
    std::string prefix_;      ///< "bull:NAME:"
    std::string script_sha_;  ///< as Redis knows our script
    std::string last_;        ///< entry of the stream that was read
};

}  // namespace lestapenna::jobs
