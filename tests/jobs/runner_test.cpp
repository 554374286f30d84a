#include "jobs/runner.h"

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <new>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/base_sink.h>
#include <sys/resource.h>

#include "base/log.h"
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
    /// The only open job, once it waits and is `wanted`.
    template <class Wanted>
    Job wait_for_job(Wanted wanted) {
        const auto until = std::chrono::steady_clock::now() + std::chrono::minutes(1);
        while (std::chrono::steady_clock::now() < until) {
            const auto jobs = *catalog_.open_jobs(std::nullopt);
            if (jobs.size() == 1 && jobs[0].second == JobStatus::waiting && wanted(jobs[0].first)) return jobs[0].first;
            std::this_thread::yield();
        }
        ADD_FAILURE() << "no such job came to wait";
        return {};
    }
    Job wait_until_waiting(int attempts) {
        return wait_for_job([&](const Job& job) { return job.attempts == attempts; });
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

TEST_F(RunnerTest, WhatIsNotDueYetWaits) {
    ASSERT_TRUE(catalog_.add_job({.name = "a", .subject = "later", .due = clock_.now() + milliseconds(1)}));
    ASSERT_TRUE(catalog_.add_job({.name = "a", .subject = "now", .due = clock_.now()}));
    Runner runner(file_, clock_.options());
    runner.on_finished(tell_);
    runner.handle("a", [](const Job&, Catalog&) -> Result<Done> { return Done{}; });
    ASSERT_TRUE(runner.start());
    EXPECT_EQ(finished_.wait(1)[0].job.subject, "now");
    clock_.advance(milliseconds(1));
    runner.wake();
    EXPECT_EQ(finished_.wait(2)[1].job.subject, "later");
}

TEST_F(RunnerTest, TriesAgainLaterAndLaterAndGivesUp) {
    ASSERT_TRUE(catalog_.add_job({.name = "a", .subject = "x"}));
    auto options = clock_.options();
    options.workers = 1;  // another one may still have the time of two leaps before, from where 10 min look like 20
    Runner runner(file_, options);
    runner.on_finished(tell_);
    runner.handle("a", [](const Job& job, Catalog&) -> Result<Done> {
        return Error{ErrorKind::failed, "no disk " + std::to_string(job.attempts)};
    });
    ASSERT_TRUE(runner.start());
    std::vector<std::int64_t> delays_s;
    for (int attempt = 1; attempt < 30; ++attempt) {
        const Job job = wait_until_waiting(attempt);
        EXPECT_EQ(job.error, "no disk " + std::to_string(attempt));
        const auto delay = job.due - clock_.now();
        delays_s.push_back(std::chrono::duration_cast<seconds>(delay).count());
        clock_.advance(delay);
        runner.wake();
    }
    delays_s.resize(12);
    EXPECT_THAT(delays_s, ElementsAre(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600));
    const auto given_up = finished_.wait(1)[0];
    EXPECT_EQ(given_up.job.attempts, 30);
    EXPECT_EQ(given_up.status.error().message, "no disk 30");
    const auto rows = *catalog_.open_jobs(std::nullopt);
    ASSERT_THAT(rows, SizeIs(1));
    EXPECT_EQ(rows[0].second, JobStatus::failed);
    EXPECT_EQ(rows[0].first.error, "no disk 30");
}

TEST_F(RunnerTest, WaitsForALockAsOftenAsItTakes) {
    ASSERT_TRUE(catalog_.add_job({.name = "a", .subject = "x"}));
    std::atomic<int> calls{0};
    Runner runner(file_, clock_.options());
    runner.on_finished(tell_);
    runner.handle("a", [&](const Job& job, Catalog&) -> Result<Done> {
        EXPECT_EQ(job.attempts, 1) << "none of those before counts";
        if (++calls > 40) return Done{};
        return Error{ErrorKind::locked, "recorded " + std::to_string(calls)};
    });
    ASSERT_TRUE(runner.start());
    for (int i = 1; i <= 40; ++i) {
        const Job job = wait_for_job([&](const Job& one) { return one.error == "recorded " + std::to_string(i); });
        EXPECT_EQ(job.attempts, 0);
        EXPECT_EQ(job.due, clock_.now() + seconds(2));
        clock_.advance(seconds(2));
        runner.wake();
    }
    EXPECT_TRUE(finished_.wait(1)[0].status);
}

TEST_F(RunnerTest, WhatNothingWillChangeIsGivenUpAtOnce) {
    const ErrorKind kinds[] = {ErrorKind::usage, ErrorKind::damaged, ErrorKind::not_found};
    for (const ErrorKind kind : kinds) {
        ASSERT_TRUE(catalog_.add_job({.name = "a", .subject = std::to_string(static_cast<int>(kind))}));
    }
    Runner runner(file_);
    runner.on_finished(tell_);
    runner.handle("a", [](const Job& job, Catalog&) -> Result<Done> {
        return Error{static_cast<ErrorKind>(std::stoi(job.subject)), "hopeless"};
    });
    ASSERT_TRUE(runner.start());
    const auto finished = finished_.wait(3);
    for (const auto& one : finished) {
        EXPECT_EQ(one.status.error().message, "hopeless");
        EXPECT_EQ(one.job.attempts, 1);
    }
    EXPECT_EQ(catalog_.job_counts()->at(JobStatus::failed), 3);
}

TEST_F(RunnerTest, AJobThatNobodyDoesIsGivenUp) {
    ASSERT_TRUE(catalog_.add_job({.name = "dance", .subject = "x"}));
    Runner runner(file_);
    runner.on_finished(tell_);
    ASSERT_TRUE(runner.start());
    EXPECT_THAT(finished_.wait(1)[0].status.error().message, HasSubstr("does no jobs called \"dance\""));
}

TEST_F(RunnerTest, AHandlerThatThrowsHasFailed) {
    ASSERT_TRUE(catalog_.add_job({.name = "a", .subject = "x"}));
    Runner runner(file_, clock_.options());
    runner.handle("a", [](const Job&, Catalog&) -> Result<Done> { throw std::bad_alloc(); });
    ASSERT_TRUE(runner.start());
    EXPECT_THAT(wait_until_waiting(1).error, HasSubstr("bad_alloc"));
}

TEST_F(RunnerTest, WhatIsWantedAgainIsNotFinished) {
    ASSERT_TRUE(catalog_.add_job({.name = "keep_up", .subject = "x", .payload = "p"}));
    Told<int> calls;
    std::atomic<int> count{0};
    Runner runner(file_, clock_.options());
    runner.on_finished(tell_);
    runner.handle("keep_up", [&](const Job& job, Catalog&) -> Result<Done> {
        EXPECT_EQ(job.payload, "p");
        EXPECT_EQ(job.attempts, 1);
        calls.tell(++count);
        if (count == 3) return Done{};
        return Done{.then = {}, .again = clock_.now() + std::chrono::minutes(5)};
    });
    ASSERT_TRUE(runner.start());
    for (std::size_t i = 1; i < 3; ++i) {
        calls.wait(i);
        EXPECT_EQ(wait_until_waiting(0).due, clock_.now() + std::chrono::minutes(5));
        clock_.advance(std::chrono::minutes(5));
        runner.wake();
    }
    EXPECT_EQ(finished_.wait(1).size(), 1U);
    EXPECT_EQ(count, 3);
}

TEST_F(RunnerTest, JobsOfOneSessionAreNeverDoneAtTheSameTimeOthersAre) {
    constexpr int kSessions = 3;
    constexpr int kJobs = 15;
    for (int i = 0; i < kSessions; ++i) {
        const auto id = session("s" + std::to_string(i));
        for (int j = 0; j < kJobs; ++j) {
            ASSERT_TRUE(catalog_.add_job({.name = "a", .subject = std::to_string(i * kJobs + j), .session = id}));
        }
    }
    std::mutex mutex;
    std::condition_variable changed;
    std::set<std::string> under_way;
    bool two_at_once = false;
    RunnerOptions options;
    options.workers = 4;
    Runner runner(file_, options);
    runner.on_finished(tell_);
    runner.handle("a", [&](const Job& job, Catalog&) -> Result<Done> {
        std::unique_lock lock(mutex);
        EXPECT_TRUE(under_way.insert(job.session->text()).second) << "twice in " << job.session->text();
        if (under_way.size() > 1) two_at_once = true;
        changed.notify_all();
        // The first jobs wait for company: it comes, because other sessions have jobs too.
        EXPECT_TRUE(changed.wait_for(lock, std::chrono::minutes(1), [&] { return two_at_once; }));
        under_way.erase(job.session->text());
        return Done{};
    });
    ASSERT_TRUE(runner.start());
    finished_.wait(std::size_t{kSessions * kJobs});
    EXPECT_TRUE(two_at_once);
}

TEST_F(RunnerTest, StopAsksHandlersAndWhatTheyLeftIsDoneByTheNext) {
    ASSERT_TRUE(catalog_.add_job({.name = "long", .subject = "x", .due = UnixTime{milliseconds{5}}}));
    Told<int> begun;
    std::atomic<bool> let_go{false};
    {
        Runner runner(file_);
        runner.on_finished(tell_);
        runner.handle("long", [&](const Job&, Catalog&) -> Result<Done> {
            begun.tell(1);
            while (!runner.stopping() || !let_go) std::this_thread::yield();
            return Error{ErrorKind::interrupted, "stopped"};
        });
        ASSERT_TRUE(runner.start());
        begun.wait(1);
        runner.ask_to_stop();
        let_go = true;  // it did not wait
        runner.stop();
        runner.stop();
    }
    const Job left = wait_until_waiting(0);
    EXPECT_EQ(left.due, UnixTime{milliseconds{5}});
    EXPECT_EQ(left.error, "");
    Runner next(file_);
    next.on_finished(tell_);
    next.handle("long", [&](const Job&, Catalog&) -> Result<Done> { return Done{}; });
    ASSERT_TRUE(next.start());
    EXPECT_THAT(finished_.wait(1), SizeIs(1));
}

TEST_F(RunnerTest, WhoIsInterruptedUnaskedIsAskedAgainALittleLater) {
    ASSERT_TRUE(catalog_.add_job({.name = "a", .subject = "x"}));
    Runner runner(file_, clock_.options());
    runner.handle("a", [&](const Job&, Catalog&) -> Result<Done> { return Error{ErrorKind::interrupted, "leaving"}; });
    ASSERT_TRUE(runner.start());
    const Job job = wait_for_job([](const Job& one) { return one.due != UnixTime{}; });
    EXPECT_EQ(job.attempts, 0);
    EXPECT_EQ(job.due, clock_.now() + seconds(2));
}

TEST_F(RunnerTest, WhatRanWhenTheLastProcessDiedIsDone) {
    const auto id = session("one");
    ASSERT_TRUE(catalog_.add_job({.name = "a", .subject = "x", .session = id}));
    ASSERT_TRUE(*catalog_.take_job(unix_now())) << "and nobody says how it ended";
    Runner runner(file_);
    runner.on_finished(tell_);
    runner.handle("a", [&](const Job&, Catalog&) -> Result<Done> { return Done{}; });
    ASSERT_TRUE(runner.start());
    EXPECT_EQ(finished_.wait(1)[0].job.attempts, 1);
}

TEST_F(RunnerTest, WhatKillsTheProcessIsGivenUp) {
    const auto id = session("one");
    const NewJob poison{.name = "a", .subject = "x", .session = id};
    ASSERT_TRUE(catalog_.add_job(poison));
    for (int deaths = 0; deaths < 5; ++deaths) {
        ASSERT_TRUE(catalog_.requeue_running_jobs());
        ASSERT_TRUE(*catalog_.take_job(unix_now())) << "and the process dies";
    }
    Runner runner(file_);
    runner.on_finished(tell_);
    runner.handle("a", [](const Job& job, Catalog&) -> Result<Done> {
        EXPECT_EQ(job.subject, "y");
        return Done{};
    });
    ASSERT_TRUE(runner.start());
    EXPECT_THAT(finished_.wait(1)[0].status.error().message, HasSubstr("died 5 times in a row"));
    ASSERT_TRUE(catalog_.add_job(poison)) << "who goes on with it wants it again";
    ASSERT_TRUE(catalog_.add_job({.name = "a", .subject = "y", .session = id}));
    runner.wake();
    const auto finished = finished_.wait(3);
    EXPECT_FALSE(finished[1].status);
    EXPECT_TRUE(finished[2].status);
}

TEST_F(RunnerTest, WhatHasWorkersOfItsOwnWaitsForNobodyElse) {
    Told<std::string> begun;
    Runner runner(file_);  // two workers for the rest
    runner.on_finished(tell_);
    const auto stay = [&](const Job& job, Catalog&) -> Result<Done> {
        begun.tell(job.name);
        while (!runner.stopping()) std::this_thread::yield();
        return Error{ErrorKind::interrupted, "stopped"};
    };
    runner.handle("finish", stay);
    runner.handle("report", stay, 1);
    runner.handle(
        "keep_up", [](const Job&, Catalog&) -> Result<Done> { return Done{}; }, 1);
    for (const char* subject : {"a", "b", "c"}) ASSERT_TRUE(catalog_.add_job({.name = "finish", .subject = subject}));
    ASSERT_TRUE(catalog_.add_job({.name = "report", .subject = "a"}));
    ASSERT_TRUE(runner.start());
    begun.wait(3);
    ASSERT_TRUE(catalog_.add_job({.name = "keep_up", .subject = "a"}));
    runner.wake();
    EXPECT_EQ(finished_.wait(1)[0].job.name, "keep_up");
    EXPECT_THAT(begun.wait(3), SizeIs(3)) << "and none of the other two did the third";
}

TEST_F(RunnerTest, AWallClockThatIsSetBackHoldsNothingUp) {
    ASSERT_TRUE(catalog_.add_job({.name = "a", .subject = "x", .due = clock_.now() + std::chrono::hours(1)}));
    ASSERT_TRUE(catalog_.add_job({.name = "a", .subject = "soon", .due = clock_.now() + std::chrono::minutes(10)}));
    Runner runner(file_, clock_.options());
    runner.on_finished(tell_);
    runner.handle("a", [](const Job&, Catalog&) -> Result<Done> { return Done{}; });
    ASSERT_TRUE(runner.start());
    EXPECT_EQ(finished_.wait(1)[0].job.subject, "x");
    EXPECT_EQ(wait_until_waiting(0).subject, "soon");
}

TEST_F(RunnerTest, WhatIsWantedMuchLaterIsAskedAgainEarlier) {
    ASSERT_TRUE(catalog_.add_job({.name = "a", .subject = "x"}));
    Runner runner(file_, clock_.options());
    runner.handle("a", [&](const Job&, Catalog&) -> Result<Done> {
        return Done{.then = {}, .again = clock_.now() + std::chrono::hours(1)};
    });
    ASSERT_TRUE(runner.start());
    const Job job = wait_for_job([](const Job& one) { return one.due != UnixTime{}; });
    EXPECT_EQ(job.due, clock_.now() + std::chrono::minutes(15));
}

TEST_F(RunnerTest, WorkersAndTheirThreadsAreNicerThanWhoRecords) {
    if (::getpriority(PRIO_PROCESS, 0) > 10) GTEST_SKIP() << "the tests themselves are nicer than that";
    ASSERT_TRUE(catalog_.add_job({.name = "a", .subject = "x"}));
    Told<int> nice;
    Runner runner(file_);
    runner.handle("a", [&](const Job&, Catalog&) -> Result<Done> {
        nice.tell(::getpriority(PRIO_PROCESS, 0));
        const std::jthread helper([&] { nice.tell(::getpriority(PRIO_PROCESS, 0)); });
        return Done{};
    });
    const int before = ::getpriority(PRIO_PROCESS, 0);
    ASSERT_TRUE(runner.start());
    EXPECT_THAT(nice.wait(2), ElementsAre(10, 10));
    EXPECT_EQ(::getpriority(PRIO_PROCESS, 0), before);
}

TEST_F(RunnerTest, ACatalogThatCanNotBeOpenedIsOneSentence) {
    Runner runner(folder_ / "no/such/catalog.sqlite");
    EXPECT_THAT(runner.start().error().message, HasSubstr("see that its folder exists"));
}

/// What is logged while it lives.
class Logged : public spdlog::sinks::base_sink<std::mutex> {
  public:
    Told<std::string> told;

  private:
    void sink_it_(const spdlog::details::log_msg& message) override {
        told.tell({message.payload.data(), message.payload.size()});
    }
    void flush_() override {}
};

TEST_F(RunnerTest, WhatCameOfAJobIsWrittenOnceTheCatalogCanBeWritten) {
    const auto logged = std::make_shared<Logged>();
    log().sinks().push_back(logged);
    ASSERT_TRUE(catalog_.add_job({.name = "a", .subject = "x", .payload = R"({"token":"hush"})"}));
    std::atomic<int> calls{0};
    {
        RunnerOptions options;
        options.backoff_first = milliseconds(1);
        options.backoff_most = milliseconds(20);
        Runner runner(file_, options);
        runner.on_finished(tell_);
        // A catalog that refuses: what follows is of a session that is not there yet.
        const auto missing = *SessionId::parse("missing");
        runner.handle("a", [&](const Job&, Catalog&) -> Result<Done> {
            ++calls;
            return Done{.then = {{.name = "b", .subject = "y", .session = missing}}};
        });
        runner.handle("b", [](const Job&, Catalog&) -> Result<Done> { return Done{}; });
        ASSERT_TRUE(runner.start());
        const auto lines = logged->told.wait(3);
        for (const auto& line : lines) {
            EXPECT_THAT(line, HasSubstr("what came of job a of x is not written"));
            EXPECT_THAT(line, ::testing::Not(HasSubstr("hush")));
        }
        session("missing");
        EXPECT_EQ(finished_.wait(2)[1].job.name, "b");
    }
    log().sinks().pop_back();
    EXPECT_EQ(calls, 1) << "its work was not done twice";
}

}  // namespace
}  // namespace lestapenna::jobs
