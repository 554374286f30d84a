// Does the durable jobs of the catalog: takes what is due, calls its handler, and writes down what came of it together
// with what follows from it. A process that is killed anywhere leaves a job that will be done again, so a handler must
// be idempotent.
//
// Threads: a few workers of its own, at the lowest priority that still gets the work done (nice 10: capture comes
// first), each with a Catalog of its own; handlers run there and may take hours. Jobs of one session are never done at
// the same time. Ownership: destroying it asks the work to stop and waits for it. Errors: of a handler, by kind:
//   failed       again after 1 s, doubled up to 10 min; given up after 30 attempts
//   locked       again after 2 s, as often as it takes
//   interrupted  waits as if it had not begun (2 s, unless this is stop())
//   all others   given up at once: nothing will change them
// So is a job during which the process has died 5 times in a row without a file made meanwhile: it must not take the
// recordings down with it for ever.
// What is given up stays in the catalog as failed, and is logged. While the catalog can not be written, what came of a
// job is kept and tried again. Payloads are never logged: they may hold tokens.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "catalog/catalog.h"

namespace lestapenna::jobs {

/// What a handler that did its work says.
struct Done {
    std::vector<catalog::NewJob> then{};  ///< what follows from it
    std::optional<UnixTime> again{};      ///< the same job is wanted again, then, but in RunnerOptions::farthest
};
/// `catalog` is the worker's own. Must not throw; one that does has failed.
using Handler = std::function<Result<Done>(const catalog::Job& job, catalog::Catalog& catalog)>;

struct RunnerOptions {
    unsigned workers = 2;  ///< for the jobs without workers of their own
    nanoseconds backoff_first = seconds(1);
    nanoseconds backoff_most = std::chrono::minutes(10);
    nanoseconds locked_wait = seconds(2);
    int attempts = 30;
    int deaths = 5;
    /// Nothing waits longer: a job that is due later was given its time before the wall clock was set back, and is due.
    nanoseconds farthest = std::chrono::minutes(15);
    int nice = 10;
    std::function<UnixTime()> now = unix_now;  ///< the clock that says what is due; any thread
};

/// A job came to its end, by being done or given up.
struct Finished {
    catalog::Job job;
    Status status = Ok{};
};

class Runner {
  public:
    explicit Runner(std::filesystem::path catalog_file, RunnerOptions options = {});
    ~Runner();
    Runner(const Runner&) = delete;
    Runner& operator=(const Runner&) = delete;

    // Before start(). A job whose name nobody handles is given up.
    /// `own_workers`: so many do nothing else, and no other does it: for what must not wait behind long work.
    void handle(std::string name, Handler handler, unsigned own_workers = 0);
    /// Called on a worker's thread after the end stands in the catalog; not for a job that is wanted again.
    void on_finished(std::function<void(const Finished&)> tell);

    /// What was under way when the last process died waits again; the workers begin. Once. Errors: the catalog's;
    /// nothing has begun then.
    Status start();
    /// There may be something to do now. Any thread. (Without it a new job is found within 10 s.)
    void wake();
    /// Asks handlers to stop and returns at once; nothing is begun any more. Any thread.
    void ask_to_stop();
    /// The same, and waits for them. Not from a handler.
    void stop();
    /// For a handler's render::Work.
    [[nodiscard]] const std::atomic<bool>& stopping() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace lestapenna::jobs
