// The durable jobs' rows, as one process sees them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalog/catalog.h"
#include "support.h"

namespace lestapenna::catalog {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

UnixTime at(std::int64_t ms) {
    return UnixTime{milliseconds{ms}};
}

class JobsTest : public ::testing::Test {
  protected:
    JobsTest() {
        EXPECT_TRUE(catalog_.insert_session({.id = one_}));
        EXPECT_TRUE(catalog_.insert_session({.id = two_}));
    }
    void add(const NewJob& job) {
        const auto added = catalog_.add_job(job);
        EXPECT_TRUE(added) << added.error().message;
    }
    Job take(std::int64_t now = 1'000'000) {
        auto job = catalog_.take_job(at(now));
        EXPECT_TRUE(job && *job);
        return job && *job ? **job : Job{};
    }
    bool nothing_to_take(std::int64_t now = 1'000'000) {
        const auto job = catalog_.take_job(at(now));
        return job && !*job;
    }
    /// The only row that waits, runs or failed.
    std::pair<Job, JobStatus> only() {
        const auto jobs = *catalog_.open_jobs(std::nullopt);
        EXPECT_THAT(jobs, SizeIs(1));
        return jobs.empty() ? std::pair<Job, JobStatus>{} : jobs.front();
    }

    test::TempDir folder_;
    Catalog catalog_ = std::move(*Catalog::open(folder_ / "catalog.sqlite"));
    const SessionId one_ = *SessionId::parse("one");
    const SessionId two_ = *SessionId::parse("two");
};

TEST_F(JobsTest, ComeWhenTheyAreDueTheLongestWaitingFirst) {
    EXPECT_EQ(*catalog_.next_job_due(), std::nullopt);
    EXPECT_TRUE(nothing_to_take());
    add({.name = "late", .subject = "x", .due = at(300)});
    add({.name = "soon", .subject = "x", .payload = R"({"a":[1]})", .due = at(200)});
    EXPECT_EQ(*catalog_.next_job_due(), at(200));
    EXPECT_TRUE(nothing_to_take(199));
    const Job soon = take(300);
    const Job wanted{
        .id = soon.id, .name = "soon", .subject = "x", .payload = R"({"a":[1]})", .due = at(200), .attempts = 1};
    EXPECT_EQ(soon, wanted);
    EXPECT_EQ(take(300).name, "late");
    EXPECT_TRUE(nothing_to_take());
}

TEST_F(JobsTest, OfOneNameAndSubjectOneWaits) {
    add({.name = "a", .subject = "x", .payload = "1", .due = at(20)});
    add({.name = "a", .subject = "x", .payload = "2", .due = at(30)});
    EXPECT_EQ(only().first.payload, "2");
    EXPECT_EQ(only().first.due, at(20)) << "the earlier of the two";
    add({.name = "a", .subject = "x", .payload = "3", .due = at(10)});
    EXPECT_EQ(only().first.due, at(10));
    add({.name = "a", .subject = "y"});
    add({.name = "b", .subject = "x"});
    EXPECT_THAT(*catalog_.open_jobs(std::nullopt), SizeIs(3));
}

TEST_F(JobsTest, OfOneSessionOneRuns) {
    add({.name = "a", .subject = "1", .session = one_, .due = at(1)});
    add({.name = "b", .subject = "1", .session = one_, .due = at(2)});
    add({.name = "a", .subject = "2", .session = two_, .due = at(3)});
    add({.name = "a", .subject = "3", .due = at(4)});
    add({.name = "a", .subject = "4", .due = at(5)});
    const Job first = take();
    EXPECT_EQ(first.subject, "1");
    EXPECT_EQ(*catalog_.next_job_due(), at(3)) << "what the running one stands in the way of does not count";
    EXPECT_EQ(take().subject, "2");
    EXPECT_EQ(take().subject, "3");
    EXPECT_EQ(take().subject, "4") << "jobs without a session do not wait for each other";
    EXPECT_TRUE(nothing_to_take());
    ASSERT_TRUE(catalog_.finish_job(first.id, {}));
    EXPECT_EQ(take().name, "b");
}

TEST_F(JobsTest, WhatIsWantedWhileItsLikeRunsWaitsForIt) {
    add({.name = "a", .subject = "x"});
    const Job first = take();
    add({.name = "a", .subject = "x", .payload = "again"});
    EXPECT_TRUE(nothing_to_take());
    ASSERT_TRUE(catalog_.finish_job(first.id, {}));
    EXPECT_EQ(take().payload, "again");
}

TEST_F(JobsTest, AnEndAndWhatFollowsAreOne) {
    add({.name = "a", .subject = "x", .session = one_});
    const Job job = take();
    const NewJob impossible{.name = "c", .subject = "x", .session = *SessionId::parse("unknown")};
    EXPECT_EQ(catalog_.finish_job(job.id, {{.name = "b", .subject = "x"}, impossible}).error().kind, ErrorKind::failed);
    EXPECT_EQ(only().second, JobStatus::running) << "neither done nor followed by b";
    ASSERT_TRUE(
        catalog_.finish_job(job.id, {{.name = "b", .subject = "x", .session = one_}, {.name = "c", .subject = "x"}}));
    EXPECT_THAT(*catalog_.job_counts(), ElementsAre(Pair(JobStatus::waiting, 2), Pair(JobStatus::done, 1)));
    EXPECT_EQ(take().name, "b");
    EXPECT_EQ(take().name, "c");
}

TEST_F(JobsTest, OnlyWhatRunsComesToAnEnd) {
    add({.name = "a", .subject = "x"});
    const Job job = take();
    ASSERT_TRUE(catalog_.finish_job(job.id, {}));
    EXPECT_EQ(catalog_.finish_job(job.id, {{.name = "b", .subject = "x"}}).error().kind, ErrorKind::not_found);
    EXPECT_EQ(catalog_.return_job(job.id, at(1), "", true).error().kind, ErrorKind::not_found);
    EXPECT_EQ(catalog_.fail_job(job.id, "x").error().kind, ErrorKind::not_found);
    EXPECT_EQ(catalog_.finish_job(job.id + 1, {}).error().kind, ErrorKind::not_found);
    EXPECT_THAT(*catalog_.open_jobs(std::nullopt), IsEmpty()) << "nothing followed either";
    add({.name = "a", .subject = "x"});
    EXPECT_GT(take().id, job.id) << "an id is not given twice";
}

TEST_F(JobsTest, AJobThatIsWantedAgainStartsAnew) {
    add({.name = "a", .subject = "x", .payload = "p"});
    ASSERT_TRUE(catalog_.return_job(take().id, at(5), "no disk", true));
    ASSERT_TRUE(catalog_.finish_job(take().id, {{.name = "b", .subject = "x"}}, at(70)));
    const auto jobs = *catalog_.open_jobs(std::nullopt);
    ASSERT_THAT(jobs, SizeIs(2));
    const Job again{.id = jobs[0].first.id, .name = "a", .subject = "x", .payload = "p", .due = at(70)};
    EXPECT_EQ(jobs[0].first, again);
    EXPECT_EQ(jobs[0].second, JobStatus::waiting);
    EXPECT_EQ(jobs[1].first.name, "b");
}

TEST_F(JobsTest, AJobThatIsWantedAgainAndWasAskedForMeanwhileIsOne) {
    add({.name = "a", .subject = "x", .payload = "old"});
    const Job job = take();
    add({.name = "a", .subject = "x", .payload = "new", .due = at(60)});
    ASSERT_TRUE(catalog_.finish_job(job.id, {}, at(70)));
    EXPECT_EQ(only().first.payload, "new");
    EXPECT_EQ(only().first.due, at(60));
}

TEST_F(JobsTest, WhatIsReturnedKeepsItsAttemptsAndWhy) {
    add({.name = "a", .subject = "x"});
    ASSERT_TRUE(catalog_.return_job(take().id, at(5000), "no disk", true));
    EXPECT_EQ(only().first.attempts, 1);
    EXPECT_EQ(only().first.error, "no disk");
    EXPECT_EQ(only().first.due, at(5000));
    ASSERT_TRUE(catalog_.return_job(take().id, at(6000), "locked", false));
    EXPECT_EQ(only().first.attempts, 1);
    EXPECT_EQ(take().attempts, 2);
}

TEST_F(JobsTest, WhatIsReturnedAndWasAskedForMeanwhileIsOne) {
    add({.name = "a", .subject = "x", .payload = "old"});
    const Job job = take();
    add({.name = "a", .subject = "x", .payload = "new", .due = at(60)});
    ASSERT_TRUE(catalog_.return_job(job.id, at(5000), "no disk", true));
    const auto [one, status] = only();
    EXPECT_EQ(status, JobStatus::waiting);
    EXPECT_EQ(one.payload, "new");
    EXPECT_EQ(one.due, at(60));
    EXPECT_EQ(one.attempts, 1);
    EXPECT_EQ(one.error, "no disk");
}

TEST_F(JobsTest, WhatIsGivenUpStaysToBeSeenUntilItsLikeEnds) {
    add({.name = "a", .subject = "x", .session = one_, .payload = "a token"});
    ASSERT_TRUE(catalog_.fail_job(take().id, "no such session"));
    EXPECT_EQ(only().second, JobStatus::failed);
    EXPECT_EQ(only().first.error, "no such session");
    EXPECT_EQ(only().first.payload, "{}");
    EXPECT_TRUE(nothing_to_take());
    add({.name = "a", .subject = "x", .session = one_});
    EXPECT_THAT(*catalog_.open_jobs(one_), SizeIs(2));
    EXPECT_THAT(*catalog_.open_jobs(two_), IsEmpty());
    ASSERT_TRUE(catalog_.finish_job(take().id, {}));
    EXPECT_THAT(*catalog_.open_jobs(one_), IsEmpty());
    EXPECT_THAT(*catalog_.job_counts(), ElementsAre(Pair(JobStatus::done, 1)));
}

TEST_F(JobsTest, HoweverOftenAJobIsDoneItsRowsAreFew) {
    for (int i = 0; i < 50; ++i) {
        add({.name = "a", .subject = "x", .session = one_});
        ASSERT_TRUE(i % 2 == 0 ? catalog_.finish_job(take().id, {}) : catalog_.fail_job(take().id, "x"));
    }
    EXPECT_THAT(*catalog_.job_counts(), ElementsAre(Pair(JobStatus::failed, 1)));
}

TEST_F(JobsTest, WhatRanWhenTheProcessDiedWaitsAsIfItHadNotBegun) {
    add({.name = "a", .subject = "x", .session = one_, .due = at(7)});
    add({.name = "b", .subject = "x", .session = two_, .payload = "old", .due = at(8)});
    ASSERT_EQ(take().name, "a");
    ASSERT_EQ(take().name, "b");
    add({.name = "b", .subject = "x", .session = two_, .payload = "new", .due = at(9)});
    ASSERT_TRUE(catalog_.requeue_running_jobs());
    const Job first = take(8);
    EXPECT_EQ(first.name, "a");
    EXPECT_EQ(first.attempts, 1);
    const Job second = take(8);
    EXPECT_EQ(second.payload, "new");
    EXPECT_EQ(second.attempts, 1);
    EXPECT_TRUE(nothing_to_take()) << "b is one row";
}

TEST_F(JobsTest, DeathsInARowAreCountedUntilSomethingIsMade) {
    add({.name = "finish", .subject = "x", .session = one_});
    for (int deaths = 0; deaths < 4; ++deaths) {
        EXPECT_EQ(take().deaths, deaths);
        const auto rotation = std::to_string(deaths);  // at a table that is being recorded
        ASSERT_TRUE(catalog_.upsert_chunk({.session = two_, .key = rotation, .status = FileStatus::stored}));
        ASSERT_TRUE(catalog_.requeue_running_jobs());
    }
    EXPECT_EQ(take().deaths, 4);
    ASSERT_TRUE(catalog_.upsert_chunk({.session = one_, .key = "a", .status = FileStatus::stored}));
    ASSERT_TRUE(catalog_.requeue_running_jobs());
    EXPECT_EQ(only().first.deaths, 1) << "the one before made a file";
    ASSERT_TRUE(catalog_.return_job(take().id, at(1), "no disk", true));
    EXPECT_EQ(take().deaths, 0) << "it came to an end of its own";
}

TEST_F(JobsTest, WhatWasGivenUpIsRememberedWhenItIsWantedAgain) {
    add({.name = "finish", .subject = "x", .session = one_});
    take();
    ASSERT_TRUE(catalog_.requeue_running_jobs());
    ASSERT_TRUE(catalog_.fail_job(take().id, "it kills"));
    add({.name = "finish", .subject = "x", .session = one_});
    add({.name = "finish", .subject = "y", .session = two_});
    EXPECT_EQ(take().deaths, 1);
    EXPECT_EQ(take().deaths, 0);
}

TEST_F(JobsTest, OneMayLookForSomeOnly) {
    add({.name = "finish", .subject = "x"});
    add({.name = "keep_up", .subject = "x", .due = at(5)});
    add({.name = "keep", .subject = "x", .due = at(6)});
    const JobChoice keep_up{.names = {"keep_up", "report"}, .others = false};
    const JobChoice rest{.names = {"keep_up", "report"}};
    EXPECT_EQ(*catalog_.next_job_due(keep_up), at(5));
    EXPECT_EQ(*catalog_.next_job_due(rest), at(0));
    EXPECT_EQ((*catalog_.take_job(at(9), keep_up))->name, "keep_up");
    EXPECT_EQ(*catalog_.take_job(at(9), keep_up), std::nullopt);
    EXPECT_EQ((*catalog_.take_job(at(9), rest))->name, "finish");
    EXPECT_EQ((*catalog_.take_job(at(9), rest))->name, "keep");
}

TEST_F(JobsTest, OneOfAClockThatWasSetBackIsDue) {
    add({.name = "later", .subject = "x", .due = at(20)});
    add({.name = "far", .subject = "x", .due = at(21)});
    const JobChoice choice{.latest = at(20)};
    EXPECT_EQ(*catalog_.next_job_due(choice), at(0));
    EXPECT_EQ((*catalog_.take_job(at(10), choice))->name, "far");
    EXPECT_EQ(*catalog_.next_job_due(choice), at(20));
    EXPECT_EQ(*catalog_.take_job(at(10), choice), std::nullopt);
}

TEST_F(JobsTest, AStatusOfANewerProgramIsShownAndNotTaken) {
    {
        const auto database = std::move(*Database::open(folder_ / "catalog.sqlite"));
        ASSERT_TRUE(
            database.script("INSERT INTO jobs (name, subject, payload, due, status) "
                            "VALUES ('a', 'x', '{}', 0, 'paused')"));
    }
    EXPECT_EQ(only().second, JobStatus::failed);
    EXPECT_TRUE(nothing_to_take());
}

}  // namespace
}  // namespace lestapenna::catalog
