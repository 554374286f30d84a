// Several processes do jobs of one catalog and are killed in the middle of it. What each has been told is written down
// outside, with one write() per line, which survives a kill: what was committed is never lost and never done twice.
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/files.h"
#include "catalog/catalog.h"
#include "support.h"

namespace lestapenna::catalog {
namespace {

constexpr int kChains = 5;  // each a session: step n is followed by step n + 1
constexpr int kRounds = 50;

SessionId chain(int number) {
    return *SessionId::parse("chain" + std::to_string(number));
}
NewJob step(const SessionId& chain, int number) {
    return {.name = "step", .subject = chain.text(), .session = chain, .payload = std::to_string(number)};
}
/// Wanted beside the steps, of the same session: they must not be done at the same time as a step.
NewJob aside(const SessionId& chain) {
    return {.name = "aside", .subject = chain.text(), .session = chain};
}

struct Where {
    std::filesystem::path catalog;
    std::filesystem::path told;   ///< a line for each step whose end was committed
    std::filesystem::path locks;  ///< a file for each session, locked by whoever does a job of it
};

enum ExitCode { kFine = 0, kTwoOfOneSession = 3, kCatalogError = 4 };

/// Up to so long, of the CPU: what a job takes, or until something is killed.
void some_time(std::mt19937_64& random, int most_us) {
    const auto moment =
        std::chrono::steady_clock::now() + std::chrono::microseconds(std::uniform_int_distribution(0, most_us)(random));
    while (std::chrono::steady_clock::now() < moment) continue;
}

/// One job, if there is one. Ends the process at anything wrong: that is what the parent looks at.
bool do_one(Catalog& catalog, const Where& where, std::mt19937_64& random) {
    const auto job = catalog.take_job(unix_now());
    if (!job) _exit(kCatalogError);
    if (!*job) return false;
    const Fd lock(::open((where.locks / (*job)->subject).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) _exit(kTwoOfOneSession);
    some_time(random, 2000);
    Status ended = Ok{};
    if ((*job)->name == "aside") {
        ended = catalog.finish_job((*job)->id, {});
    } else if (random() % 4 == 0) {
        ended = catalog.return_job((*job)->id, unix_now(), "on purpose", true);
    } else {
        const int number = std::atoi((*job)->payload.c_str());
        ended = catalog.finish_job((*job)->id, {step(*(*job)->session, number + 1), aside(*(*job)->session)});
        const std::string line = (*job)->subject + " " + (*job)->payload + "\n";
        const Fd told(::open(where.told.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
        if (ended && ::write(told.get(), line.data(), line.size()) < 0) _exit(kCatalogError);
    }
    if (!ended) _exit(kCatalogError);
    return true;
}

/// A process that does jobs until it is killed.
pid_t worker(const Where& where, std::uint64_t seed) {
    const pid_t child = ::fork();
    if (child != 0) return child;
    auto catalog = Catalog::open(where.catalog);
    if (!catalog) _exit(kCatalogError);
    std::mt19937_64 random(seed);
    for (;;) (void)do_one(*catalog, where, random);
}

using Steps = std::map<std::string, std::vector<int>>;
Steps told_so_far(const Where& where) {
    Steps steps;
    std::ifstream lines(where.told);
    std::string subject;
    int number = 0;
    while (lines >> subject >> number) steps[subject].push_back(number);
    return steps;
}

/// Waits until the processes have got further by `more` steps, or one of them has ended by itself.
void wait_for_steps(const Where& where, std::uintmax_t more) {
    std::error_code missing;
    const auto size = [&] { return missing.clear(), std::filesystem::file_size(where.told, missing); };
    const auto before = size();
    const auto until = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    const auto wanted = (missing ? 0 : before) + more * std::string("chain0 0\n").size();
    while (size(), missing || size() < wanted) {
        ASSERT_LT(std::chrono::steady_clock::now(), until) << "the processes got no further";
        std::this_thread::yield();
    }
}

TEST(JobsKillTest, NothingIsLostOrDoneTwiceWhenProcessesAreKilled) {
    const std::uint64_t seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    const test::TempDir folder;
    const Where where{folder / "catalog.sqlite", folder / "told", folder.path()};
    {
        auto catalog = std::move(*Catalog::open(where.catalog));
        for (int i = 0; i < kChains; ++i) {
            ASSERT_TRUE(catalog.insert_session({.id = chain(i)}));
            ASSERT_TRUE(catalog.add_job(step(chain(i), 0)));
        }
    }
    for (int round = 0; round < kRounds; ++round) {
        // No Catalog is open here: SQLite's locks do not survive a fork.
        const pid_t workers[] = {worker(where, random()), worker(where, random())};
        wait_for_steps(where, 1 + random() % 4);
        some_time(random, 3000);
        for (const pid_t pid : workers) ASSERT_EQ(::kill(pid, SIGKILL), 0);
        for (const pid_t pid : workers) {
            int status = 0;
            ASSERT_EQ(::waitpid(pid, &status, 0), pid);
            ASSERT_TRUE(WIFSIGNALED(status)) << "a worker ended by itself with " << WEXITSTATUS(status);
        }

        auto catalog = std::move(*Catalog::open(where.catalog));
        ASSERT_TRUE(catalog.requeue_running_jobs());
        auto steps = told_so_far(where);
        for (int i = 0; i < kChains; ++i) {
            const auto& done = steps[chain(i).text()];
            EXPECT_EQ(std::set<int>(done.begin(), done.end()).size(), done.size()) << "a step was done twice";
            const int newest = done.empty() ? -1 : *std::max_element(done.begin(), done.end());
            // A kill between the commit and the line leaves one line out: once per kill at most, so once per round.
            int waiting = 0;
            const auto open = *catalog.open_jobs(chain(i));
            for (const auto& [job, status] : open) {
                EXPECT_EQ(status, JobStatus::waiting);
                if (job.name != "step") continue;
                ++waiting;
                const int next = std::atoi(job.payload.c_str());
                EXPECT_GE(next, newest + 1) << "a committed step was lost";
                EXPECT_LE(next, newest + 2) << "a step was left out";
                EXPECT_LE(next - static_cast<int>(done.size()), round + 1) << "steps were left out";
            }
            EXPECT_EQ(waiting, 1) << "of chain " << i << " in round " << round;
        }
    }
    std::size_t all = 0;
    const auto steps = told_so_far(where);
    for (const auto& [subject, done] : steps) all += done.size();
    RecordProperty("steps", static_cast<int>(all));
    EXPECT_GE(all, std::size_t{kRounds});
}

}  // namespace
}  // namespace lestapenna::catalog
