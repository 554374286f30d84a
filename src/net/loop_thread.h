// A loop with a thread of its own, for who has other things to do meanwhile: a program's main thread, a test.
//
// Thread: every method from any thread but the loop's own. Ownership: what lives on the loop is made and destroyed by
// call() or wait(), or after stop().
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <thread>
#include <type_traits>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include "net/loop.h"

namespace lestapenna::net {

class LoopThread {
  public:
    LoopThread() : work_(asio::make_work_guard(loop_)), thread_([this] { loop_.run(); }) {}
    LoopThread(const LoopThread&) = delete;
    LoopThread& operator=(const LoopThread&) = delete;
    ~LoopThread() { stop(); }

    [[nodiscard]] Loop& loop() { return loop_; }

    /// Runs `task` on the loop and waits for what it returns.
    template <class T>
    T wait(Task<T> task) {
        auto promise = std::make_shared<std::promise<T>>();
        auto future = promise->get_future();
        spawn(loop_, fulfil(std::move(task), std::move(promise)));
        return future.get();
    }

    /// Calls `work` on the loop's thread and waits for what it returns.
    template <class Work>
    std::invoke_result_t<Work&> call(Work work) {
        std::packaged_task<std::invoke_result_t<Work&>()> task([&work]() { return work(); });
        auto future = task.get_future();
        asio::post(loop_, [&task] { task(); });
        return future.get();
    }

    /// Ends the loop where it stands; tasks under way go with it.
    void stop() {
        loop_.stop();
        if (thread_.joinable()) thread_.join();
    }

  private:
    template <class T>
    static Task<> fulfil(Task<T> task, std::shared_ptr<std::promise<T>> promise) {
        if constexpr (std::is_void_v<T>) {
            co_await std::move(task);
            promise->set_value();
        } else {
            T value = co_await std::move(task);
            promise->set_value(std::move(value));
        }
    }

    Loop loop_{1};
    asio::executor_work_guard<Loop::executor_type> work_;
    std::thread thread_;
};

}  // namespace lestapenna::net
