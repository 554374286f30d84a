#include "journal/committer.h"

#include <algorithm>
#include <utility>

#include "journal/must.h"

namespace lestapenna::journal {

CommitThreads::CommitThreads(unsigned sync_threads) {
    threads_.emplace_back([this] { write_loop(); });
    for (unsigned i = 0; i < std::max(sync_threads, 1u); ++i) threads_.emplace_back([this] { sync_loop(); });
}

CommitThreads::~CommitThreads() {
    {
        const std::lock_guard lock(mutex_);
        must(std::ranges::all_of(*logs_, [](const auto& log) { return log->closed(); }));
        stop_ = true;
    }
    write_.notify_all();
    sync_.notify_all();
    for (std::thread& thread : threads_) thread.join();
}

void CommitThreads::add(std::shared_ptr<Log> log) {
    {
        const std::lock_guard lock(mutex_);
        auto logs = std::make_shared<Logs>(*logs_);
        logs->push_back(std::move(log));
        logs_ = std::move(logs);
        wake_ = true;
    }
    write_.notify_one();
}

void CommitThreads::wake() {
    {
        const std::lock_guard lock(mutex_);
        wake_ = true;
    }
    write_.notify_one();
}

void CommitThreads::write_loop() {
    std::vector<std::uint8_t> buffer;
    std::unique_lock lock(mutex_);
    while (!stop_) {
        wake_ = false;
        const auto logs = logs_;
        lock.unlock();
        const SteadyTime next = pump_all(*logs, buffer);
        lock.lock();
        const auto woken = [this] { return wake_ || stop_; };
        if (logs_->empty()) {
            write_.wait(lock, woken);
        } else {
            write_.wait_until(lock, next, woken);
        }
    }
}

// Returns when to come again. All logs go in one round, so that 200 of them wake the machine as often as one.
SteadyTime CommitThreads::pump_all(const Logs& logs, std::vector<std::uint8_t>& buffer) {
    const SteadyTime now = std::chrono::steady_clock::now();
    SteadyTime next = now + seconds{1};
    std::vector<std::shared_ptr<Log>> due;
    bool some_closed = false;
    for (const auto& log : logs) {
        if (log->pump(now, buffer)) due.push_back(log);
        some_closed = some_closed || log->closed();
        next = std::min(next, now + std::max(log->write_interval(), milliseconds{1}));
    }
    if (due.empty() && !some_closed) return next;
    {
        const std::lock_guard lock(mutex_);
        to_sync_.insert(to_sync_.end(), due.begin(), due.end());
        auto open = std::make_shared<Logs>(*logs_);
        std::erase_if(*open, [](const auto& log) { return log->closed(); });
        logs_ = std::move(open);
    }
    sync_.notify_all();
    return next;
}

void CommitThreads::sync_loop() {
    std::unique_lock lock(mutex_);
    for (;;) {
        sync_.wait(lock, [this] { return stop_ || !to_sync_.empty(); });
        if (to_sync_.empty()) return;
        const auto log = std::move(to_sync_.front());
        to_sync_.pop_front();
        lock.unlock();
        log->run_sync();
        lock.lock();
    }
}

Committer::Committer(unsigned sync_threads) : impl_(std::make_unique<Impl>(sync_threads)) {}
Committer::~Committer() = default;

}  // namespace lestapenna::journal
