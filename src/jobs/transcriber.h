// Has the fragments transcribed that wait in the catalog, by the queue that queue.url names, and writes down there what
// was said in them:
//   embedded  queue.command is run for one fragment after the other (see embedded_queue.cpp for its placeholders)
//   redis://  each becomes a job of a BullMQ queue, whose workers are elsewhere (redis_queue.cpp)
//   embedded without queue.command: they wait.
// What Redis had when queue.url is changed to embedded, waits again.
//
// The catalog's row is the truth: waiting, (queued,) done or failed. Whatever a kill, a worker or an emptied Redis
// does, a fragment is handed over again until it is done or given up. When the last one of a complete session is, the
// job that makes the session's transcript is added in the same transaction. What is wrong with one fragment is tried
// again for that one: after 1 s, doubled up to 10 min, 30 times. What is wrong with the queue itself (Redis away, no
// such program) holds all of them up, for as long as it takes, and counts for none: one line in the log, and a metric.
// A fragment that the store can not give out now is tried again after 10 min, as often as it takes; the others go on.
//
// Thread: one of its own, with a catalog of its own. Ownership: the tools outlive it; destroying it asks the work to
// stop and waits for it (a fragment under way then waits again). Errors: start() says what is wrong with the
// configuration (usage) or the catalog.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "base/config.h"
#include "base/metrics.h"
#include "base/result.h"
#include "base/time.h"
#include "catalog/catalog.h"
#include "store/links.h"
#include "store/store.h"

namespace lestapenna::jobs {

struct TranscriberTools {
    const Config& config;
    std::filesystem::path catalog_file;
    store::ObjectStore& store;
    const store::Links& links;  ///< for the workers
    /// The job that follows when all of a session is transcribed; and that one was added.
    std::function<catalog::NewJob(const SessionId&)> then;
    std::function<void()> wake;
};

struct TranscriberOptions {
    nanoseconds backoff_first = seconds(1);
    nanoseconds backoff_most = std::chrono::minutes(10);
    int attempts = 30;
    /// So often the catalog is looked at for what has come to wait.
    milliseconds look = seconds(1);
    /// So often Redis is asked for all that it has, because events may be missed.
    milliseconds reconcile = std::chrono::minutes(5);
    /// What a command may take: this, and ten times the length of the fragment. (A large model on a small machine takes
    /// five times.)
    milliseconds command_time = std::chrono::minutes(10);
};

/// Is there anybody who transcribes? Not by the embedded queue without a command.
bool transcribes(const Config& config);
/// What is wrong with section [queue], and with nothing else: usage.
Status check_queue(const Config& config);

class Transcriber {
  public:
    static Result<std::unique_ptr<Transcriber>> start(TranscriberTools tools, const TranscriberOptions& options = {});
    ~Transcriber();
    Transcriber(const Transcriber&) = delete;
    Transcriber& operator=(const Transcriber&) = delete;

    /// Of the queue itself. Any thread.
    [[nodiscard]] std::vector<Metric> metrics() const;

  private:
    struct Impl;
    explicit Transcriber(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace lestapenna::jobs
