// Blocking work beside the loop: one thread that opens files, talks to SQLite, waits for a disk, in the order it was
// asked to, so that the loop never does.
//
// Thread: run() and post() on the loop; the work itself on the thread. Ownership: the loop outlives this; destroying it
// waits until everything that was handed over is done. Work must not throw.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <boost/asio/thread_pool.hpp>

#include "net/loop.h"

namespace lestapenna::net {

class Blocking {
  public:
    Blocking() = default;
    Blocking(const Blocking&) = delete;
    Blocking& operator=(const Blocking&) = delete;
    ~Blocking() { thread_.join(); }

    /// Does `work` on the thread and returns what it returned, on the loop.
    template <class Work>
    Task<std::invoke_result_t<Work&>> run(Work work);

    /// Does `work` on the thread; nobody waits for it.
    void post(std::function<void()> work);

  private:
    Task<> perform(std::function<void()> work);

    asio::thread_pool thread_{1};
};

template <class Work>
Task<std::invoke_result_t<Work&>> Blocking::run(Work work) {
    // Shared: when the loop goes while the work is under way, the waiting coroutine goes with it.
    struct State {
        explicit State(Work with) : work(std::move(with)) {}
        Work work;
        std::optional<std::invoke_result_t<Work&>> result;
    };
    auto state = std::make_shared<State>(std::move(work));
    std::function<void()> job = [state] { state->result.emplace(state->work()); };
    co_await perform(std::move(job));
    co_return std::move(*state->result);
}

}  // namespace lestapenna::net
