// Lines from a file descriptor, as they come, read on a thread of its own: a terminal or a pipe can not be read on the
// event loop without making it non-blocking for everybody who shares it.
//
// Thread: `on_line` is called on the reader's own. Ownership: the descriptor is the caller's and stays open; destroying
// the reader waits for the thread, which ends at once. The end of the input, or an error, ends the reading and nothing
// else. A line longer than 1 MB is handed over in pieces of that size.
#pragma once

#include <functional>
#include <string>
#include <thread>

#include "base/files.h"
#include "base/result.h"

namespace lestapenna::cli {

class LineReader {
  public:
    using OnLine = std::function<void(std::string)>;
    static Result<LineReader> start(int fd, OnLine on_line);
    LineReader(LineReader&&) noexcept = default;
    LineReader& operator=(LineReader&&) = delete;
    ~LineReader();

  private:
    LineReader(std::thread thread, Fd stop) : thread_(std::move(thread)), stop_(std::move(stop)) {}
    std::thread thread_;
    Fd stop_;  ///< closing it is the sign
};

}  // namespace lestapenna::cli
