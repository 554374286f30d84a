// What every long piece of rendering is given: how many threads, whom to tell, and when to stop.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <mutex>
#include <string_view>

#include "base/parallel.h"
#include "base/result.h"

namespace lestapenna::render {

/// What a long piece of work answers when a signal ended it.
Error stopped_error();

struct Work {
    unsigned threads = 1;
    /// Told from any thread, one call at a time.
    std::function<void(std::string_view stage, std::size_t done, std::size_t total)> progress;
    const std::atomic<bool>* stop = nullptr;  ///< set by a signal

    [[nodiscard]] bool stopped() const { return stop != nullptr && stop->load(std::memory_order_relaxed); }

    /// Runs `piece(i)` for each i in [0, count) over the threads; the first error, or being stopped, ends it early.
    Status each(std::string_view stage, std::size_t count, const std::function<Status(std::size_t)>& piece) const;
};

}  // namespace lestapenna::render
