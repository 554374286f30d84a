#include "jobs/runner.h"

#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "support.h"

namespace lestapenna::jobs {
namespace {

using catalog::Catalog;
using catalog::Job;
using catalog::JobStatus;
using catalog::NewJob;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// What threads tell a test, which waits until enough has been told.
template <class T>
class Told {
  public:
    void tell(T value) {
        const std::scoped_lock lock(mutex_);
        values_.push_back(std::move(value));
        more_.notify_all();
    }
    /// All so far, at least `count` of them: or as many as came within a minute, which fails the test.
    std::vector<T> wait(std::size_t count) {
        std::unique_lock lock(mutex_);
        EXPECT_TRUE(more_.wait_for(lock, std::chrono::minutes(1), [&] { return values_.size() >= count; }));
        return values_;
    }

  private:
    std::mutex mutex_;
    std::condition_variable more_;
    std::vector<T> values_;
};

/// A wall clock that stands still but for the test.
class Clock {
  public:
    [[nodiscard]] UnixTime now() const { return UnixTime{milliseconds{ms_}}; }
    void advance(milliseconds by) { ms_ += by.count(); }
    RunnerOptions options() {
        RunnerOptions options;
        options.now = [this] { return now(); };
        return options;
    }

  private:
    std::atomic<std::int64_t> ms_{1'000'000};
};

class RunnerTest : public ::testing::Test {
  protected:
    /// The only open job once it waits, not before `due` could be read.
    Job wait_until_waiting(int attempts) {
        const auto until = std::chrono::steady_clock::now() + std::chrono::minutes(1);
        while (std::chrono::steady_clock::now() < until) {
            const auto jobs = *catalog_.open_jobs(std::nullopt);
            if (jobs.size() == 1 && jobs[0].second == JobStatus::waiting && jobs[0].first.attempts == attempts) {
                return jobs[0].first;
            }
            std::this_thread::yield();
        }
        ADD_FAILURE() << "the job did not come to wait after " << attempts << " attempts";
        return {};
    }
    SessionId session(const std::string& name) {
        auto id = *SessionId::parse(name);
        EXPECT_TRUE(catalog_.insert_session({.id = id}));
        return id;
    }

    test::TempDir folder_;
    std::filesystem::path file_ = folder_ / "catalog.sqlite";
    Catalog catalog_ = std::move(*Catalog::open(file_));
    Clock clock_;
    Told<Finished> finished_;
    const std::function<void(const Finished&)> tell_ = [this](const Finished& what) { finished_.tell(what); };
};

TEST_F(RunnerTest, DoesWhatIsDueAndWhatFollowsFromIt) {
    const auto id = session("one");
    ASSERT_TRUE(catalog_.add_job({.name = "first", .subject = "x", .session = id, .payload = R"({"a":1})"}));
    Runner runner(file_);
    runner.on_finished(tell_);
    runner.handle("first", [&](const Job& job, Catalog& catalog) -> Result<Done> {
        EXPECT_EQ(job.payload, R"({"a":1})");
        EXPECT_EQ(job.session, id);
        EXPECT_TRUE(catalog.session(id)) << "a catalog of the worker's own";
        return Done{.then = {{.name = "second", .subject = "y", .session = id}}};
    });
    runner.handle("second", [](const Job&, Catalog&) -> Result<Done> { return Done{}; });
    ASSERT_TRUE(runner.start());
    const auto done = finished_.wait(2);
    EXPECT_EQ(done[0].job.name, "first");
    EXPECT_EQ(done[1].job.name, "second");
    EXPECT_TRUE(done[1].status);
    EXPECT_THAT(*catalog_.open_jobs(std::nullopt), IsEmpty());
    EXPECT_EQ(catalog_.job_counts()->at(JobStatus::done), 2);
}

TEST_F(RunnerTest, AJobAddedLaterIsDoneWhenItIsWokenFor) {
    Runner runner(file_);
    runner.on_finished(tell_);
    runner.handle("a", [](const Job&, Catalog&) -> Result<Done> { return Done{}; });
    ASSERT_TRUE(runner.start());
    for (std::size_t i = 0; i < 20; ++i) {
        ASSERT_TRUE(catalog_.add_job({.name = "a", .subject = std::to_string(i)}));
        runner.wake();
        finished_.wait(i + 1);
    }
}

}  // namespace
}  // namespace lestapenna::jobs
