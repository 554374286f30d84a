// The event loop: all network work of the process runs on the one thread that calls Loop::run(). What runs there never
// waits for a disk, a codec, SQLite, or a lock that any of them may hold.
//
// Work is written as coroutines (g++ 12: never a braced temporary inside a co_await expression; name it first and move
// it in). Objects of this and the rooms above belong to the loop's thread unless their header says otherwise.
#pragma once

#include <chrono>
#include <memory>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include "base/result.h"
#include "base/time.h"

namespace lestapenna::net {

namespace asio = boost::asio;

using Loop = asio::io_context;
template <class T = void>
using Task = asio::awaitable<T>;

/// Starts `task` at a later turn of the loop; from any thread. What it throws ends the process with a message: our
/// tasks do not throw.
void spawn(Loop& loop, Task<> task);

Task<> sleep_for(nanoseconds time);

/// A wait that somebody else can end: a flag with waiters. wait() returns at once when set() was called before; reset()
/// makes it wait again. Thread: the loop's.
class Signal {
  public:
    explicit Signal(Loop& loop);
    ~Signal();
    Signal(const Signal&) = delete;
    Signal& operator=(const Signal&) = delete;
    void set();
    void reset();
    [[nodiscard]] bool is_set() const;
    Task<> wait();
    /// True when it was set within `time`. Several may wait at once.
    Task<bool> wait_for(nanoseconds time);

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;  // a waiter may outlive the Signal; it then wakes as if set
};

}  // namespace lestapenna::net
