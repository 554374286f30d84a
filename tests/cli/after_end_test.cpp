// What follows an end that no job of its own will see to.
#include "cli/after_end.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support.h"
#include "workflows/job_names.h"

namespace lestapenna::cli {
namespace {

using catalog::SessionStatus;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class AfterEnd : public ::testing::Test {
  protected:
    AfterEnd() {
        config_.mail.smtp_url = Secret("smtp://127.0.0.1:25");
        config_.mail.guilds = {{"77", {"anna@example.org"}}};
    }
    void expect_no_jobs(const catalog::Session& before) {
        ASSERT_TRUE(add_jobs_after_end(config_, catalog_, before));
        EXPECT_THAT(waiting(), IsEmpty());
    }
    /// It is `status` now, and was ending before somebody finished it in passing.
    catalog::Session session(const char* id, SessionStatus status, std::optional<std::string> guild = "77") {
        const auto now = unix_now();
        catalog::Session row{.id = *SessionId::parse(id),
                             .guild_id = std::move(guild),
                             .start = now - std::chrono::hours(1),
                             .end = now,
                             .status = status};
        EXPECT_TRUE(catalog_.insert_session(row));
        row.status = SessionStatus::ending;
        return row;
    }
    std::vector<std::string> waiting() {
        std::vector<std::string> names;
        const auto open = catalog_.open_jobs(std::nullopt);
        EXPECT_TRUE(open);
        for (const auto& [job, status] : *open) {
            if (status == catalog::JobStatus::waiting) names.push_back(job.name);
        }
        return names;
    }

    test::TempDir folder_;
    Config config_;
    catalog::Catalog catalog_ = *catalog::Catalog::open(folder_ / "catalog.sqlite");
};

TEST_F(AfterEnd, OneThatWasGivenUpIsFollowedByTranscriptReportAndMail) {
    const auto before = session("evening", SessionStatus::complete);
    ASSERT_TRUE(catalog_.add_job(workflows::finish_job(before.id)));
    const auto job = catalog_.take_job(unix_now());
    ASSERT_TRUE(job && *job);
    ASSERT_TRUE(catalog_.fail_job((*job)->id, "the store is away"));
    ASSERT_TRUE(add_jobs_after_end(config_, catalog_, before));
    EXPECT_THAT(waiting(), ElementsAre("transcript", "report", "mail"));
}

TEST_F(AfterEnd, WhoseOwnJobStillWaitsIsLeftToIt) {
    const auto before = session("evening", SessionStatus::complete);
    ASSERT_TRUE(catalog_.add_job(workflows::finish_job(before.id)));
    ASSERT_TRUE(add_jobs_after_end(config_, catalog_, before));
    EXPECT_THAT(waiting(), ElementsAre("finish"));
}

TEST_F(AfterEnd, NothingFollowsWhatWasCompleteIsNotYetOrIsAnImport) {
    auto complete = session("complete", SessionStatus::complete);
    complete.status = SessionStatus::complete;
    expect_no_jobs(complete);
    expect_no_jobs(session("ending", SessionStatus::ending));
    expect_no_jobs(session("import", SessionStatus::complete, std::nullopt));
}

}  // namespace
}  // namespace lestapenna::cli
