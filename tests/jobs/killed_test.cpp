// A process whose Runner does an evening's jobs is killed at random moments, and started again: every job comes to its
// end once, and so does what follows from it.
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/files.h"
#include "jobs/runner.h"
#include "support.h"

namespace lestapenna::jobs {
namespace {

using catalog::Catalog;
using catalog::Job;
using catalog::JobStatus;

constexpr int kSessions = 120;
constexpr int kKills = 30;

SessionId session(int number) {
    return *SessionId::parse("session" + std::to_string(100 + number));
}

struct Where {
    std::filesystem::path catalog;
    std::filesystem::path files;  ///< what the jobs make
    std::filesystem::path told;   ///< a line for each job whose end was told
};

/// One line with one write(): it is there whole, or not at all.
void append(const std::filesystem::path& file, const std::string& line) {
    const Fd fd(::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
    if (::write(fd.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) _exit(3);
}

/// A process that does jobs until it is killed. rotation is wanted twice, then comes the file and its place in the
/// transcription queue, as one, then the report.
pid_t worker(const Where& where) {
    const pid_t child = ::fork();
    if (child != 0) return child;
    Runner runner(where.catalog);
    runner.on_finished(
        [&](const Finished& what) { append(where.told, what.job.name + " " + what.job.subject + "\n"); });
    runner.handle("rotation", [&](const Job& job, Catalog&) -> Result<Done> {
        const bool first = !std::filesystem::exists(where.files / job.subject);
        append(where.files / job.subject, ".");
        if (first) return Done{.then = {}, .again = unix_now()};
        return Done{.then = {{.name = "finish", .subject = job.subject, .session = job.session}}};
    });
    runner.handle("finish", [](const Job& job, Catalog& catalog) -> Result<Done> {
        const auto queued = catalog.add_transcription({.session = *job.session, .file = "full/" + job.subject});
        if (!queued) return queued.error();
        return Done{.then = {{.name = "report", .subject = job.subject, .session = job.session}}};
    });
    runner.handle("report", [](const Job&, Catalog&) -> Result<Done> { return Done{}; });
    if (!runner.start()) _exit(4);
    for (;;) ::pause();
}

template <class Condition>
bool comes_true(Condition condition) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::minutes(5);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > until) return false;
        std::this_thread::yield();
    }
    return true;
}

std::uintmax_t size_of(const std::filesystem::path& file) {
    std::error_code missing;
    const auto size = std::filesystem::file_size(file, missing);
    return missing ? 0 : size;
}

void kill_and_reap(pid_t pid) {
    ASSERT_EQ(::kill(pid, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    ASSERT_TRUE(WIFSIGNALED(status)) << "it ended by itself with " << WEXITSTATUS(status);
}

TEST(KilledTest, EveryJobComesToItsEndOnce) {
    const std::uint64_t seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    const test::TempDir folder;
    const Where where{folder / "catalog.sqlite", folder / "files", folder / "told"};
    std::filesystem::create_directory(where.files);
    {
        auto catalog = std::move(*Catalog::open(where.catalog));
        for (int i = 0; i < kSessions; ++i) {
            const auto id = session(i);
            ASSERT_TRUE(catalog.insert_session({.id = id}));
            ASSERT_TRUE(catalog.add_job({.name = "rotation", .subject = id.text(), .session = id}));
        }
    }
    for (int kills = 0; kills < kKills; ++kills) {
        const auto before = size_of(where.told);
        const pid_t pid = worker(where);  // while no Catalog is open here: SQLite's locks do not survive a fork
        EXPECT_TRUE(comes_true([&] { return size_of(where.told) > before; })) << "nothing gets done";
        // Anywhere in what follows: a job takes about a millisecond.
        const auto moment = std::chrono::steady_clock::now() +
                            std::chrono::microseconds(std::uniform_int_distribution(0, 3000)(random));
        while (std::chrono::steady_clock::now() < moment) continue;
        kill_and_reap(pid);
        if (HasFatalFailure()) return;
    }
    const auto told_when_killed = size_of(where.told);
    const pid_t last = worker(where);
    auto catalog = std::move(*Catalog::open(where.catalog));
    EXPECT_TRUE(comes_true([&] {
        const auto open = *catalog.open_jobs(std::nullopt);
        return open.empty();
    })) << "jobs are left";
    kill_and_reap(last);

    EXPECT_LT(told_when_killed,
              kSessions * std::string("rotation session100\nfinish session100\nreport session100\n").size())
        << "all was done before the last kill: give it more to do";
    EXPECT_EQ(*catalog.job_counts(), (std::map<JobStatus, std::int64_t>{{JobStatus::done, kSessions * 3}}));
    for (int i = 0; i < kSessions; ++i) {
        const auto queued = *catalog.transcriptions(session(i));
        ASSERT_EQ(queued.size(), 1U) << session(i).text();
        EXPECT_GE(size_of(where.files / session(i).text()), 2U) << "rotation was done twice or more";
    }
    std::multiset<std::string> told;
    std::ifstream lines(where.told);
    for (std::string line; std::getline(lines, line);) told.insert(line);
    for (const auto& line : told) EXPECT_EQ(told.count(line), 1U) << line << " came to its end more than once";
    // A kill between an end and its line leaves the line out: once per worker and kill at most.
    EXPECT_GE(told.size(), std::size_t{kSessions * 3 - 2 * (kKills + 1)});
}

}  // namespace
}  // namespace lestapenna::jobs
