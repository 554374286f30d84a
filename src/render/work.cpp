#include "render/work.h"

#include <optional>

namespace lestapenna::render {

Error stopped_error() {
    return {ErrorKind::interrupted, "stopped before it was done; start it again and it goes on from there"};
}

Status Work::each(std::string_view stage, std::size_t count, const std::function<Status(std::size_t)>& piece) const {
    std::mutex mutex;
    std::optional<Error> failure;
    std::size_t done = 0;
    std::atomic<bool> over{false};
    if (progress && count > 0) progress(stage, 0, count);
    parallel_for(count, threads, [&](std::size_t i) {
        if (over.load(std::memory_order_relaxed) || stopped()) return;
        Status result = piece(i);
        const std::lock_guard lock(mutex);
        if (!result) {
            over = true;
            if (!failure) failure = result.error();
        }
        ++done;
        if (progress) progress(stage, done, count);
    });
    if (failure) return *failure;
    if (stopped()) return stopped_error();
    return Ok{};
}

}  // namespace lestapenna::render
