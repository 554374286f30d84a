// The sweep on a bucket: what goes is gone there, and what it costs.
#include "growing_table.h"
#include "s3_server.h"
#include "workflows/manifest.h"
#include "workflows/retention.h"

namespace lestapenna::workflows {
namespace {

constexpr seconds kLength{40};
const UnixTime kStart{milliseconds(1'760'000'000'000)};

TEST(RetentionOnS3, RemovesFromTheBucketWhatHasLivedItsTime) {
    std::string why;
    const auto server = store::S3Server::start("ceph", why);
    if (!server) GTEST_SKIP() << why;
    const auto id = *SessionId::parse("in-the-bucket");
    const test::TempDir folder;
    Config config = server->config("lestapenna");
    config.data.dir = folder.path();
    config.capture.rotation = seconds(30);
    auto catalog = std::move(*catalog::Catalog::open(folder / "catalog.sqlite"));
    auto bucket = store::open_store(config);
    ASSERT_TRUE(bucket.ok()) << bucket.error().message;
    CountingStore store(std::move(*bucket));
    const Tools tools{config, catalog, store, {}};
    ASSERT_TRUE(catalog.insert_session({.id = id, .guild_id = "7", .start = kStart}));
    const BuzzingTable table(2, kLength, kStart);
    test::GrowingJournal journal(journal_root(config), id, kStart, table.records());
    ASSERT_TRUE(journal.end().ok());
    {
        auto session = Session::open(tools, id);
        ASSERT_TRUE(session.ok()) << session.error().message;
        const auto finished = finish_session(*session);
        ASSERT_TRUE(finished.ok()) << finished.error().message;
    }
    ASSERT_EQ(store.list("")->size(), 4U + 2U + 1U + 1U) << "chunks, fragments, master, manifest";
    const auto words = folder / "words.txt";
    ASSERT_TRUE(write_file(words, std::string_view("what was said")));
    ASSERT_TRUE(store.put(words, store::words_beside((*catalog.recordings(id))[0].key).front()).ok());

    // A fragment of another length, as if somebody had meddled: what it superseded stays.
    const auto fragment = *store::Key::parse((*catalog.recordings(id))[0].key);
    const auto whole = folder / "whole.mp3";
    const auto other = folder / "other.mp3";
    ASSERT_TRUE(store.get(fragment, whole).ok());
    ASSERT_TRUE(write_file(other, std::string_view("not this")));
    ASSERT_TRUE(store.put(other, fragment).ok());
    SweepOptions late{.now = {.wall = kStart + std::chrono::days(8)}};
    auto report = sweep(tools, late);
    ASSERT_TRUE(report.ok()) << report.error().message;
    ASSERT_EQ(report->removals.size(), 1U);
    EXPECT_EQ(report->removals[0].keys.size(), 2U);
    ASSERT_EQ(report->kept.size(), 1U);
    EXPECT_NE(report->kept[0].why.find(fragment.text()), std::string::npos) << report->kept[0].why;
    EXPECT_EQ(store.list("")->size(), 6U + 1U);

    ASSERT_TRUE(store.put(whole, fragment).ok());
    store.finds = store.removes = store.lists = 0;
    for (const int day : {9, 15, 22, 29, 36, 43, 50, 57, 64, 71, 78, 85, 92}) {  // a week is believed without a boot id
        late.now.wall = kStart + std::chrono::days(day);
        report = sweep(tools, late);
        ASSERT_TRUE(report.ok() && !report->doubt && report->failures.empty());
    }
    EXPECT_EQ(store.removes, 2 + 2 * (1 + 3)) << "of a fragment the words beside it, too";
    EXPECT_EQ(store.finds, (1 + 1) + 3 + (1 + 1)) << "what is needed, and the manifest where it changes";
    EXPECT_EQ(store.lists, 0);
    EXPECT_EQ(store.list("")->size(), 2U) << "master and manifest";
    EXPECT_EQ(**stored_manifest(tools, id), *manifest_text(catalog, id));
    EXPECT_TRUE(*is_finished(tools, id));
}

}  // namespace
}  // namespace lestapenna::workflows
