// The sweep and `forget` on a real bucket: what goes is gone there, and what it costs.
#include <gmock/gmock.h>

#include "growing_table.h"
#include "s3_server.h"
#include "traces.h"
#include "workflows/forget.h"
#include "workflows/manifest.h"
#include "workflows/retention.h"

namespace lestapenna::workflows {
namespace {

using ::testing::IsEmpty;

constexpr seconds kLength{40};
const UnixTime kStart{milliseconds(1'760'000'000'000)};
const SessionId kId = *SessionId::parse("in-the-bucket");

/// A finished session in the bucket of such a server, and the words of its first fragment beside it.
class InBucket : public ::testing::TestWithParam<const char*> {
  protected:
    void SetUp() override {
        std::string why;
        server_ = store::S3Server::start(GetParam(), why);
        if (!server_) GTEST_SKIP() << why;
        config_ = server_->config("lestapenna");
        config_.data.dir = folder_.path() / "data";
        config_.capture.rotation = seconds(30);
        ASSERT_TRUE(std::filesystem::create_directory(config_.data.dir));
        auto catalog = catalog::Catalog::open(config_.data.dir / "catalog.sqlite");
        ASSERT_TRUE(catalog) << catalog.error().message;
        catalog_.emplace(std::move(*catalog));
        auto bucket = store::open_store(config_);
        ASSERT_TRUE(bucket.ok()) << bucket.error().message;
        store_.emplace(std::move(*bucket));
        ASSERT_TRUE(catalog_->insert_session({.id = kId, .guild_id = "7", .start = kStart}));
        const BuzzingTable table(2, kLength, kStart);
        test::GrowingJournal journal(journal_root(config_), kId, kStart, table.records());
        ASSERT_TRUE(journal.end().ok());
        auto session = Session::open(tools(), kId);
        ASSERT_TRUE(session.ok()) << session.error().message;
        const auto finished = finish_session(*session);
        ASSERT_TRUE(finished.ok()) << finished.error().message;
        ASSERT_EQ(store_->list("")->size(), 4U + 2U + 1U + 1U) << "chunks, fragments, master, manifest";
        first_ = (*catalog_->recordings(kId))[0];
        const auto words = folder_ / "words.txt";
        ASSERT_TRUE(write_file(words, "what " + first_.user.text() + " said"));
        ASSERT_TRUE(store_->put(words, store::words_beside(first_.key).front()).ok());
    }
    [[nodiscard]] Tools tools() { return {config_, *catalog_, *store_, {}}; }
    /// All that is in the bucket, in files of the keys' names.
    [[nodiscard]] std::filesystem::path fetched(const std::string& to) {
        const auto folder = folder_ / to;
        const auto objects = store_->list("");
        EXPECT_TRUE(objects.ok());
        for (const auto& object : *objects) {
            const auto file = folder / object.key.text();
            std::filesystem::create_directories(file.parent_path());
            EXPECT_TRUE(store_->get(object.key, file).ok());
        }
        return folder;
    }

    test::TempDir folder_;
    std::unique_ptr<store::S3Server> server_;
    Config config_;
    std::optional<catalog::Catalog> catalog_;
    std::optional<CountingStore> store_;
    catalog::Recording first_{kId};
};

TEST_P(InBucket, ASweepRemovesWhatHasLivedItsTime) {
    // A fragment of another length, as if somebody had meddled: what it superseded stays.
    const auto fragment = *store::Key::parse(first_.key);
    const auto whole = folder_ / "whole.mp3";
    const auto other = folder_ / "other.mp3";
    ASSERT_TRUE(store_->get(fragment, whole).ok());
    ASSERT_TRUE(write_file(other, std::string_view("not this")));
    ASSERT_TRUE(store_->put(other, fragment).ok());
    SweepOptions late{.now = {.wall = kStart + std::chrono::days(8)}};
    auto report = sweep(tools(), late);
    ASSERT_TRUE(report.ok()) << report.error().message;
    ASSERT_EQ(report->removals.size(), 1U);
    EXPECT_EQ(report->removals[0].keys.size(), 2U);
    ASSERT_EQ(report->kept.size(), 1U);
    EXPECT_NE(report->kept[0].why.find(fragment.text()), std::string::npos) << report->kept[0].why;
    EXPECT_EQ(store_->list("")->size(), 6U + 1U);

    ASSERT_TRUE(store_->put(whole, fragment).ok());
    store_->finds = store_->removes = store_->lists = 0;
    for (const int day : {9, 15, 22, 29, 36, 43, 50, 57, 64, 71, 78, 85, 92}) {  // a week is believed without a boot id
        late.now.wall = kStart + std::chrono::days(day);
        report = sweep(tools(), late);
        ASSERT_TRUE(report.ok() && !report->doubt && report->failures.empty());
    }
    EXPECT_EQ(store_->removes, 2 + 2 * (1 + 3)) << "of a fragment the words beside it, too";
    EXPECT_EQ(store_->finds, (1 + 1) + 3 + (1 + 1)) << "what is needed, and the manifest where it changes";
    EXPECT_EQ(store_->lists, 0);
    EXPECT_EQ(store_->list("")->size(), 2U) << "master and manifest";
    EXPECT_EQ(**stored_manifest(tools(), kId), *manifest_text(*catalog_, kId));
    EXPECT_TRUE(*is_finished(tools(), kId));
}

TEST_P(InBucket, AForgottenPersonIsInNoObject) {
    const UserId gone = first_.user;
    const auto before = fetched("before");
    ASSERT_EQ(test::traces_of(gone, before).size(), 2U + 1U + 1U + 1U) << "chunks, fragment, words, manifest";
    auto wishes = Wishes::open(config_.data.dir);
    ASSERT_TRUE(wishes.ok());
    const auto done = forget(tools(), *wishes, gone);
    ASSERT_TRUE(done.ok()) << done.error().message;
    EXPECT_THAT(done->undone, IsEmpty());

    const auto after = fetched("after");
    EXPECT_THAT(test::traces_of(gone, folder_ / "data"), IsEmpty());
    EXPECT_THAT(test::traces_of(gone, after), IsEmpty());
    EXPECT_EQ(**stored_manifest(tools(), kId), *manifest_text(*catalog_, kId));
    EXPECT_TRUE(*is_finished(tools(), kId)) << "with a master of who is left";
    const auto is_as_before = [&](const std::string& key) {
        return *read_file(before / key, 1U << 20) == *read_file(after / key, 1U << 20);
    };
    const auto chunks = *catalog_->chunks(kId);
    const auto fragments = *catalog_->recordings(kId);
    EXPECT_EQ(chunks.size() + fragments.size(), 3U) << "of who is left";
    for (const auto& chunk : chunks) EXPECT_TRUE(is_as_before(chunk.key)) << chunk.key;
    for (const auto& fragment : fragments) EXPECT_TRUE(is_as_before(fragment.key)) << fragment.key;
    EXPECT_FALSE(is_as_before(store::key(store::MasterKey{kId}).text()));
}

INSTANTIATE_TEST_SUITE_P(S3Real, InBucket, ::testing::Values("ceph", "swift"),
                         [](const auto& server) { return std::string(server.param); });

}  // namespace
}  // namespace lestapenna::workflows
