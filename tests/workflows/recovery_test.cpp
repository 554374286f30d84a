// Sessions that nobody ended, however they were left.
#include "workflows/recovery.h"

#include <fstream>

#include <gmock/gmock.h>

#include "growing_table.h"
#include "workflows/job_names.h"
#include "workflows/manifest.h"

namespace lestapenna::workflows {
namespace {

using catalog::SessionStatus;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr seconds kLength{100};
const SessionId kId = *SessionId::parse("orphan");

/// Two people, recorded just now until something happened.
class Recovery : public ::testing::Test {
  protected:
    SessionStatus status() { return desk_.catalog().session(kId)->status; }
    std::vector<Orphan> orphans() {
        auto found = find_orphans(desk_.tools());
        EXPECT_TRUE(found.ok()) << found.error().message;
        return std::move(*found);
    }
    Status finish() { return finish_orphan(desk_.tools(), journal_.committer(), kId); }
    std::filesystem::path folder() { return journal_folder(desk_.config(), kId); }

    BuzzingTable table_{2, kLength, unix_now() - kLength};
    Desk desk_{kId, table_.simulated.start_time};
    test::GrowingJournal journal_ = desk_.journal(table_.simulated.start_time, table_.records());
};

TEST_F(Recovery, WhatAKillLeftIsFinishedOnce) {
    Growing growing;
    for (const seconds s : {seconds(50), seconds(80), kLength}) {
        ASSERT_TRUE(journal_.grow_to(s).ok());
        ASSERT_TRUE(keep_up(desk_.tools(), kId, growing).ok());
    }
    EXPECT_THAT(orphans(), IsEmpty()) << "it is being recorded";
    EXPECT_EQ(finish().error().kind, ErrorKind::locked);
    journal_.cut_off();

    auto found = orphans();
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].session.id, kId);
    EXPECT_FALSE(found[0].in_hand);
    const auto left = to_go_on(desk_.tools(), kId);
    ASSERT_TRUE(left);
    EXPECT_THAT(left->present, SizeIs(2));

    ASSERT_TRUE(finish().ok());
    EXPECT_EQ(status(), SessionStatus::complete);
    EXPECT_THAT(*desk_.catalog().transcriptions(kId), SizeIs(2));
    EXPECT_TRUE(*is_finished(desk_.tools(), kId));
    const auto puts = desk_.store().puts;
    expect_each_once(puts);
    const auto journal = journal::read_unfinished(folder());
    ASSERT_TRUE(journal.ok());
    EXPECT_THAT(journal->present, IsEmpty());

    EXPECT_THAT(orphans(), IsEmpty());
    EXPECT_TRUE(to_go_on(desk_.tools(), kId)) << "complete, but nobody ended it";
    desk_.config().capture.resume_within = milliseconds(1);
    EXPECT_FALSE(to_go_on(desk_.tools(), kId)) << "not so late any more";

    ASSERT_TRUE(finish().ok());
    EXPECT_EQ(desk_.store().puts, puts) << "again is the same";
}

TEST_F(Recovery, WhatCameToItsEndIsNoOrphanOnceItIsComplete) {
    ASSERT_TRUE(journal_.end().ok());
    ASSERT_TRUE(desk_.catalog().set_status(kId, SessionStatus::ending).ok());
    EXPECT_FALSE(to_go_on(desk_.tools(), kId)) << "somebody ended it";
    ASSERT_THAT(orphans(), SizeIs(1));
    EXPECT_FALSE(orphans()[0].in_hand);
    ASSERT_TRUE(desk_.catalog().add_job(finish_job(kId)).ok());
    EXPECT_TRUE(orphans()[0].in_hand);
    ASSERT_TRUE(finish().ok());
    EXPECT_THAT(orphans(), IsEmpty());
}

TEST_F(Recovery, OneWithoutAJournalHasFailedWhichIsNoError) {
    const auto found = orphans();
    ASSERT_EQ(found.size(), 1U);
    EXPECT_FALSE(to_go_on(desk_.tools(), kId));
    ASSERT_TRUE(finish().ok());
    EXPECT_EQ(status(), SessionStatus::failed);
    EXPECT_THAT(orphans(), IsEmpty());
    EXPECT_THAT(desk_.store().puts, IsEmpty());
}

TEST_F(Recovery, OneInWhichNobodyWasHasFailed) {
    auto empty = desk_.journal(table_.simulated.start_time, {journal::Clock{BootTime{}, unix_now()}});
    ASSERT_TRUE(empty.grow_to(seconds(1)).ok());
    empty.cut_off();
    ASSERT_TRUE(finish().ok());
    EXPECT_EQ(status(), SessionStatus::failed);
}

TEST_F(Recovery, WhatIsCompleteStaysSoWithoutItsJournal) {
    ASSERT_TRUE(journal_.end().ok());
    desk_.finish();
    std::filesystem::remove_all(folder());
    ASSERT_TRUE(finish().ok());
    EXPECT_EQ(status(), SessionStatus::complete);
    EXPECT_THAT(orphans(), IsEmpty());
}

TEST_F(Recovery, AJournalWithoutARowGetsOneByTheManifest) {
    const UserId first = table_.simulated.senders[0].user;
    ASSERT_TRUE(desk_.catalog().upsert_track({.session = kId, .user = first, .name = "Anna", .bot = true}).ok());
    ASSERT_TRUE(write_manifest(desk_.tools(), kId).ok());
    ASSERT_TRUE(journal_.grow_to(kLength).ok());
    journal_.cut_off();
    desk_.lose_catalog();
    ASSERT_FALSE(desk_.catalog().session(kId).ok());

    const auto found = orphans();
    ASSERT_EQ(found.size(), 1U);
    const auto row = *desk_.catalog().session(kId);
    EXPECT_EQ(found[0].session, row);
    EXPECT_EQ(row.guild_id, "7");
    EXPECT_EQ(row.channel_id, "8");
    EXPECT_EQ(row.language, "it");
    EXPECT_EQ(row.start, table_.simulated.start_time);
    EXPECT_EQ(row.status, SessionStatus::interrupted);
    ASSERT_TRUE(finish().ok());
    const auto tracks = *desk_.catalog().tracks(kId);
    ASSERT_EQ(tracks.size(), 2U);
    const auto anna = std::ranges::find(tracks, first, &catalog::Track::user);
    ASSERT_NE(anna, tracks.end());
    EXPECT_EQ(anna->name, "Anna");
    EXPECT_TRUE(anna->bot);
    EXPECT_GT(anna->received, 0);
}

TEST_F(Recovery, AJournalWithoutARowGetsAllRowsOfItsManifest) {
    ASSERT_TRUE(journal_.end().ok());
    desk_.finish();
    const auto session = *desk_.catalog().session(kId);
    const auto fragments = *desk_.catalog().recordings(kId);
    const auto chunks = *desk_.catalog().chunks(kId);
    const auto master = *desk_.catalog().master(kId);
    ASSERT_THAT(fragments, SizeIs(2));
    desk_.lose_catalog();
    EXPECT_THAT(orphans(), IsEmpty()) << "it is complete";
    EXPECT_EQ(*desk_.catalog().session(kId), session);
    EXPECT_EQ(*desk_.catalog().recordings(kId), fragments);
    EXPECT_EQ(*desk_.catalog().chunks(kId), chunks);
    EXPECT_EQ(*desk_.catalog().master(kId), master);
    EXPECT_THAT(*desk_.catalog().transcriptions(kId), SizeIs(2)) << "nobody has read them";
    EXPECT_TRUE(*is_finished(desk_.tools(), kId));

    ASSERT_TRUE(desk_.store().remove(*store::Key::parse(master->key)));
    ASSERT_TRUE(desk_.store().remove(*store::Key::parse(fragments[0].key)));
    desk_.lose_catalog();
    EXPECT_THAT(orphans(), IsEmpty());
    EXPECT_EQ(status(), SessionStatus::complete);
    EXPECT_EQ(desk_.catalog().recordings(kId)->front().status, catalog::FileStatus::pending);
    EXPECT_FALSE(*is_finished(desk_.tools(), kId)) << "the journal makes it again";
    desk_.finish();
    EXPECT_EQ((*desk_.catalog().master(kId))->content, master->content);
}

TEST_F(Recovery, WhoGoesOnMeanwhileKeepsItsRowOpen) {
    ASSERT_TRUE(journal_.grow_to(seconds(20)).ok());
    journal_.cut_off();
    auto session = Session::open(desk_.tools(), kId);
    ASSERT_TRUE(session.ok());
    ASSERT_TRUE(journal_.grow_to(seconds(40)).ok());
    ASSERT_TRUE(desk_.catalog().reopen_session(kId).ok());
    EXPECT_EQ(finish_session(*session).error().kind, ErrorKind::locked);
    EXPECT_EQ(desk_.catalog().session(kId)->end, std::nullopt);
    EXPECT_THAT(*desk_.catalog().tracks(kId), IsEmpty());
    EXPECT_EQ(status(), SessionStatus::recording);
}

/// What this thread has read so far.
std::uint64_t bytes_read() {
    std::ifstream io("/proc/thread-self/io");
    std::string key;
    std::uint64_t value = 0;
    while (io >> key >> value) {
        if (key == "rchar:") return value;
    }
    return 0;
}

TEST_F(Recovery, FindingReadsNoJournalToItsEnd) {
    if (bytes_read() == 0) GTEST_SKIP() << "this kernel does not count what is read";
    ASSERT_TRUE(journal_.grow_to(kLength).ok());
    journal_.cut_off();
    std::uintmax_t journal_bytes = 0;
    for (const auto& segment : std::filesystem::directory_iterator(folder())) journal_bytes += segment.file_size();
    ASSERT_GT(journal_bytes, 200'000U);
    for (const bool with_row : {true, false}) {
        if (!with_row) desk_.lose_catalog();
        const auto before = bytes_read();
        EXPECT_THAT(orphans(), SizeIs(1));
        EXPECT_LT(bytes_read() - before, 150'000U) << (with_row ? "with" : "without") << " a row";
    }
    const auto before = bytes_read();
    EXPECT_TRUE(to_go_on(desk_.tools(), kId));
    EXPECT_GE(bytes_read() - before, journal_bytes) << "that does";
}

TEST_F(Recovery, OneThatIsBrokenKeepsNobodyElseWaiting) {
    ASSERT_TRUE(journal_.grow_to(seconds(5)).ok());
    journal_.cut_off();
    desk_.lose_catalog();
    // Before it and after it in every order: a session whose manifest can not be read.
    for (const char* name : {"a-broken-one", "z-broken-one"}) {
        const auto id = *SessionId::parse(name);
        auto other = test::GrowingJournal(journal_root(desk_.config()), id, table_.simulated.start_time,
                                          {journal::Clock{BootTime{}, unix_now()}});
        ASSERT_TRUE(other.grow_to(seconds(1)).ok());
        other.cut_off();
        const auto manifest = desk_.config().data.dir / "store" / store::key(store::ManifestKey{id}).text();
        std::filesystem::create_directories(manifest.parent_path());
        std::filesystem::create_symlink(manifest.filename(), manifest);
    }
    const auto found = orphans();
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].session.id, kId);
}

TEST_F(Recovery, AJournalWithoutARowOrManifestGetsWhatItKnowsItself) {
    ASSERT_TRUE(journal_.grow_to(seconds(20)).ok());
    journal_.cut_off();
    desk_.lose_catalog();
    std::filesystem::create_directories(journal_root(desk_.config()) / "not a session");
    std::filesystem::create_directories(journal_root(desk_.config()) / "empty");
    ASSERT_THAT(orphans(), SizeIs(1));
    const auto row = *desk_.catalog().session(kId);
    EXPECT_EQ(row.guild_id, std::nullopt);
    EXPECT_EQ(row.start, table_.simulated.start_time);
}

}  // namespace
}  // namespace lestapenna::workflows
