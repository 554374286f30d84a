#include "jobs/runner.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include <sys/resource.h>

#include "base/log.h"
#include "base/text.h"
#include "jobs/backoff.h"

namespace lestapenna::jobs {

namespace {

// So often a worker looks although nobody woke it: for jobs that another process added, for a wall clock that was set,
// and after the catalog did not answer. A look that finds nothing is one read of an index.
constexpr nanoseconds kLook = seconds(10);

/// Of the calling thread, and of those it starts.
void be_nice(int nice) {
    if (::getpriority(PRIO_PROCESS, 0) < nice) (void)::setpriority(PRIO_PROCESS, 0, nice);
}

Result<Done> call(const Handler& handler, const catalog::Job& job, catalog::Catalog& catalog) {
    // Handlers do not throw, but memory may run out in one, and other threads of this process are recording.
    try {
        return handler(job, catalog);
    } catch (const std::exception& exception) {
        return Error{ErrorKind::failed, std::string("stopped by an exception: ") + exception.what()};
    }
}

}  // namespace

struct Runner::Impl {
    Impl(std::filesystem::path catalog_file, RunnerOptions with)
        : file(std::move(catalog_file)), options(std::move(with)) {}

    void work(catalog::Catalog& catalog, catalog::JobChoice mine);
    Result<nanoseconds> do_one(catalog::Catalog& catalog, catalog::JobChoice& mine);
    [[nodiscard]] std::vector<catalog::JobChoice> choices() const;
    Result<Done> perform(const catalog::Job& job, catalog::Catalog& catalog) const;
    void settle(const catalog::Job& job, const Result<Done>& outcome, catalog::Catalog& catalog);
    Status settled(const catalog::Job& job, const Error& error, bool given_up, catalog::Catalog& catalog) const;
    template <class Write>
    bool written(const catalog::Job& job, Write write);

    [[nodiscard]] bool gives_up(const catalog::Job& job, const Error& error) const;
    [[nodiscard]] nanoseconds backoff(int attempts) const {
        return jobs::backoff(options.backoff_first, options.backoff_most, attempts);
    }
    [[nodiscard]] UnixTime in(nanoseconds time) const { return options.now() + std::chrono::ceil<milliseconds>(time); }
    void wake();
    void ask_to_stop();
    void stop();

    const std::filesystem::path file;
    const RunnerOptions options;
    struct Handled {
        Handler handler;
        unsigned own_workers = 0;
    };
    std::map<std::string, Handled, std::less<>> handlers;
    std::function<void(const Finished&)> tell;

    std::mutex mutex;
    std::condition_variable changed;  // wakes or stopping
    std::uint64_t wakes = 0;
    std::atomic<bool> stopping{false};
    std::vector<std::thread> workers;
};

/// One for each worker.
std::vector<catalog::JobChoice> Runner::Impl::choices() const {
    std::vector<catalog::JobChoice> all;
    catalog::JobChoice rest;
    for (const auto& [name, handled] : handlers) {
        if (handled.own_workers == 0) continue;
        all.insert(all.end(), handled.own_workers, catalog::JobChoice{{name}, false});
        rest.names.push_back(name);
    }
    all.insert(all.end(), std::max(1U, options.workers), rest);
    return all;
}

void Runner::Impl::work(catalog::Catalog& catalog, catalog::JobChoice mine) {
    be_nice(options.nice);
    std::unique_lock lock(mutex);
    while (!stopping) {
        const auto seen = wakes;
        lock.unlock();
        auto idle = do_one(catalog, mine);
        if (!idle) log().error("jobs wait: {}", idle.error().message);
        lock.lock();
        changed.wait_for(lock, idle ? *idle : kLook, [&] { return stopping || wakes != seen; });
    }
}

/// Does one job if one is due. Returns for how long there is nothing to do.
Result<nanoseconds> Runner::Impl::do_one(catalog::Catalog& catalog, catalog::JobChoice& mine) {
    const UnixTime now = options.now();
    mine.latest = now + std::chrono::ceil<milliseconds>(options.farthest);
    const auto due = catalog.next_job_due(mine);
    if (!due) return due.error();
    if (!*due || **due > now) return *due ? std::min<nanoseconds>(**due - now, kLook) : kLook;
    const auto job = catalog.take_job(now, mine);
    if (!job) return job.error();
    if (*job) settle(**job, perform(**job, catalog), catalog);
    return nanoseconds(0);
}

Result<Done> Runner::Impl::perform(const catalog::Job& job, catalog::Catalog& catalog) const {
    const auto handler = handlers.find(job.name);
    if (job.deaths >= options.deaths) {
        return Error{ErrorKind::usage, "the program died " + std::to_string(job.deaths) +
                                           " times in a row while it did this, perhaps for want of memory: what it "
                                           "recorded is safe, try \"lestapenna recover\" where there is more"};
    }
    if (handler != handlers.end()) return call(handler->second.handler, job, catalog);
    return Error{ErrorKind::usage,
                 "this program does no jobs called " + in_quotes(job.name) + ": use the newer one that made it"};
}

void Runner::Impl::settle(const catalog::Job& job, const Result<Done>& outcome, catalog::Catalog& catalog) {
    bool over = false;
    bool stands = false;
    if (outcome) {
        over = !outcome->again;
        auto again = outcome->again;
        if (again) again = std::min(*again, in(options.farthest));
        stands = written(job, [&] { return catalog.finish_job(job.id, outcome->then, again); });
    } else {
        over = gives_up(job, outcome.error());
        stands = written(job, [&] { return settled(job, outcome.error(), over, catalog); });
    }
    wake();  // what follows, and what waited for this one
    if (over && stands && tell) tell({job, outcome ? Status(Ok{}) : Status(outcome.error())});
}

bool Runner::Impl::gives_up(const catalog::Job& job, const Error& error) const {
    if (error.kind == ErrorKind::locked || error.kind == ErrorKind::interrupted) return false;
    return error.kind != ErrorKind::failed || job.attempts >= options.attempts;
}

Status Runner::Impl::settled(const catalog::Job& job, const Error& error, bool given_up,
                             catalog::Catalog& catalog) const {
    if (given_up) {
        log().error("job {} of {} is given up: {}", job.name, one_line(job.subject), error.message);
        return catalog.fail_job(job.id, error.message);
    }
    switch (error.kind) {
        case ErrorKind::interrupted:
            // Who says so although nobody asked is asked again a little later.
            return catalog.return_job(job.id, stopping ? job.due : in(options.locked_wait), job.error, false);
        case ErrorKind::locked:
            return catalog.return_job(job.id, in(options.locked_wait), error.message, false);
        default:
            log().warn("job {} of {} failed, attempt {}: {}", job.name, one_line(job.subject), job.attempts,
                       error.message);
            return catalog.return_job(job.id, in(backoff(job.attempts)), error.message, true);
    }
}

/// Writes what came of a job, again and again while the catalog can not be written: until then no other job of this
/// session begins. Given up only by stop(): the next process does the job once more. False then.
template <class Write>
bool Runner::Impl::written(const catalog::Job& job, Write write) {
    for (int attempts = 1;; ++attempts) {
        const Status done = write();
        if (done) return true;
        log().error("what came of job {} of {} is not written: {}", job.name, one_line(job.subject),
                    done.error().message);
        if (done.error().kind == ErrorKind::not_found) return false;  // somebody took it from us
        std::unique_lock lock(mutex);
        if (changed.wait_for(lock, backoff(attempts), [this] { return stopping.load(); })) return false;
    }
}

void Runner::Impl::wake() {
    {
        const std::scoped_lock lock(mutex);
        ++wakes;
    }
    changed.notify_all();
}

void Runner::Impl::ask_to_stop() {
    {
        const std::scoped_lock lock(mutex);
        stopping = true;
    }
    changed.notify_all();
}

void Runner::Impl::stop() {
    ask_to_stop();
    for (auto& worker : workers) worker.join();
    workers.clear();
}

Runner::Runner(std::filesystem::path catalog_file, RunnerOptions options)
    : impl_(std::make_unique<Impl>(std::move(catalog_file), std::move(options))) {}

Runner::~Runner() {
    impl_->stop();
}

void Runner::handle(std::string name, Handler handler, unsigned own_workers) {
    impl_->handlers.insert_or_assign(std::move(name), Impl::Handled{std::move(handler), own_workers});
}

void Runner::on_finished(std::function<void(const Finished&)> tell) {
    impl_->tell = std::move(tell);
}

Status Runner::start() {
    auto choices = impl_->choices();
    std::vector<catalog::Catalog> catalogs;
    for (std::size_t i = 0; i < choices.size(); ++i) {
        auto opened = catalog::Catalog::open(impl_->file);
        if (!opened) return opened.error();
        catalogs.push_back(std::move(*opened));
    }
    if (auto waits = catalogs.front().requeue_running_jobs(); !waits) return waits;
    for (std::size_t i = 0; i < choices.size(); ++i) {
        impl_->workers.emplace_back(
            [impl = impl_.get(), mine = std::move(catalogs[i]), choice = std::move(choices[i])]() mutable {
                impl->work(mine, std::move(choice));
            });
    }
    return Ok{};
}

void Runner::wake() {
    impl_->wake();
}

void Runner::ask_to_stop() {
    impl_->ask_to_stop();
}

void Runner::stop() {
    impl_->stop();
}

const std::atomic<bool>& Runner::stopping() const {
    return impl_->stopping;
}

}  // namespace lestapenna::jobs
