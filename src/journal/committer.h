// The threads behind a Committer: one calls pump() of every log each write interval, the others run the syncs.
// Thread: all methods from any.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "journal/log.h"

namespace lestapenna::journal {

class CommitThreads {
  public:
    explicit CommitThreads(unsigned sync_threads);
    /// No log may be left.
    ~CommitThreads();
    CommitThreads(const CommitThreads&) = delete;
    CommitThreads& operator=(const CommitThreads&) = delete;

    /// Until it is closed().
    void add(std::shared_ptr<Log> log);
    /// Pumps all logs now.
    void wake();

  private:
    using Logs = std::vector<std::shared_ptr<Log>>;
    void write_loop();
    void sync_loop();
    SteadyTime pump_all(const Logs& logs, std::vector<std::uint8_t>& buffer);

    std::mutex mutex_;
    std::condition_variable write_;
    std::condition_variable sync_;
    bool wake_ = false;
    bool stop_ = false;
    std::shared_ptr<const Logs> logs_ = std::make_shared<const Logs>();  ///< replaced, never changed
    std::deque<std::shared_ptr<Log>> to_sync_;
    std::vector<std::thread> threads_;
};

struct Committer::Impl {
    explicit Impl(unsigned sync_threads) : threads(sync_threads) {}
    CommitThreads threads;
};

}  // namespace lestapenna::journal
