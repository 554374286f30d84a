#include "catalog/schema.h"

#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "catalog/catalog.h"
#include "small_filesystem.h"

namespace lestapenna::catalog {
namespace {

using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

const SessionId kOne = *SessionId::parse("one");

Session session(std::string_view id) {
    return {.id = *SessionId::parse(id)};
}

class SchemaTest : public ::testing::Test {
  protected:
    /// Runs SQL on the file with nothing of ours in between.
    void raw(const std::string& sql) {
        const auto database = std::move(*Database::open(file_));
        const auto done = database.script(sql);
        EXPECT_TRUE(done) << done.error().message;
    }
    std::vector<std::string> texts(const std::string& sql, int column = 0) {
        const auto database = std::move(*Database::open(file_));
        return *database.query(sql, [column](Row row) { return row.text(column); });
    }
    std::string bytes() { return *read_text_file(file_, 1 << 24); }

    test::TempDir folder_;
    std::filesystem::path file_ = folder_ / "catalog.sqlite";
};

TEST_F(SchemaTest, MakesTheNewestFromNothingWithTheSpecificationsNames) {
    ASSERT_TRUE(Catalog::open(file_));
    EXPECT_EQ(texts("PRAGMA user_version").front(), std::to_string(newest_schema()));
    EXPECT_EQ(texts("PRAGMA journal_mode").front(), "wal");
    EXPECT_THAT(texts("PRAGMA table_info(sessions)", 1),
                IsSupersetOf({"session_id", "guild_id", "channel_id", "start_time", "end_time", "status"}));
    EXPECT_THAT(texts("PRAGMA table_info(recordings)", 1),
                IsSupersetOf({"id", "session_id", "filename", "filepath", "user_id", "timestamp", "status"}));
}

TEST_F(SchemaTest, AnOlderCatalogIsBroughtUpToDateWithAllItHolds) {
    raw(*read_text_file(std::filesystem::path(LESTAPENNA_TESTS_DIR) / "data" / "catalog-1.sql", 1 << 20));
    ASSERT_EQ(texts("PRAGMA user_version").front(), "1");
    const std::string kept =
        "SELECT session_id || start_time || end_time || status FROM sessions UNION ALL "
        "SELECT filepath || timestamp || status || loudness_lufs || recipe FROM recordings UNION ALL "
        "SELECT filepath || duration_ms || recipe FROM chunks UNION ALL "
        "SELECT user_id || name || packets_received FROM tracks UNION ALL "
        "SELECT filepath || true_peak_dbtp FROM masters";
    const auto before = texts(kept);
    ASSERT_EQ(before.size(), 8U);

    auto catalog = std::move(*Catalog::open(file_));
    EXPECT_EQ(texts("PRAGMA user_version").front(), std::to_string(newest_schema()));
    EXPECT_EQ(texts(kept), before);
    const auto sessions = *catalog.sessions();
    ASSERT_EQ(sessions.size(), 1U);
    EXPECT_EQ(sessions[0].text_channel_id, std::nullopt);
    EXPECT_EQ(sessions[0].started_by, std::nullopt);
    EXPECT_EQ(sessions[0].language, "");
    const auto tracks = *catalog.tracks(sessions[0].id);
    for (const auto& track : tracks) {
        EXPECT_FALSE(track.bot);
        EXPECT_EQ(track.closed.front(), track.undecryptable) << "why is not known";
    }
    EXPECT_EQ(sessions[0].encryption, std::nullopt);
    EXPECT_EQ(sessions[0].privacy_code, "");
    EXPECT_TRUE(catalog.add_job({.name = "finish", .subject = "x", .session = sessions[0].id}));
    EXPECT_TRUE(catalog.add_transcription({.session = sessions[0].id, .file = "f"}));
}

TEST_F(SchemaTest, AMigrationThatIsCutOffLeavesTheOldCatalog) {
    raw(*read_text_file(std::filesystem::path(LESTAPENNA_TESTS_DIR) / "data" / "catalog-1.sql", 1 << 20));
    raw("CREATE TABLE former_nicks (in_the_way)");  // the last that step 2 makes
    const auto opened = Catalog::open(file_);
    ASSERT_FALSE(opened);
    EXPECT_EQ(texts("PRAGMA user_version").front(), "1");
    EXPECT_THAT(texts("SELECT name FROM sqlite_schema WHERE name = 'jobs'"), ::testing::IsEmpty());
    raw("DROP TABLE former_nicks");
    EXPECT_EQ(Catalog::open(file_)->sessions()->size(), 1U);
}

TEST_F(SchemaTest, OpeningAgainChangesNothing) {
    {
        auto catalog = std::move(*Catalog::open(file_));
        ASSERT_TRUE(catalog.insert_session(session("one")));
    }
    const auto before = bytes();
    for (int i = 0; i < 3; ++i) {
        const auto catalog = std::move(*Catalog::open(file_));
        EXPECT_EQ(*catalog.session(kOne), session("one"));
    }
    EXPECT_EQ(bytes(), before);
}

TEST_F(SchemaTest, AnEmptyFileIsAFreshCatalog) {
    ASSERT_TRUE(write_file(file_, std::string_view()));
    auto catalog = Catalog::open(file_);
    ASSERT_TRUE(catalog) << catalog.error().message;
    EXPECT_TRUE(catalog->insert_session(session("one")));
}

TEST_F(SchemaTest, AFilesNameIsTheEndOfItsKey) {
    auto catalog = std::move(*Catalog::open(file_));
    ASSERT_TRUE(catalog.insert_session(session("one")));
    ASSERT_TRUE(catalog.upsert_recording({.session = kOne, .key = "recordings/one/full/FULL-1-2.mp3"}));
    ASSERT_TRUE(catalog.upsert_recording({.session = kOne, .key = "bare"}));
    EXPECT_THAT(texts("SELECT filename FROM recordings ORDER BY id"), ::testing::ElementsAre("FULL-1-2.mp3", "bare"));
}

TEST_F(SchemaTest, ANewerSchemaIsRefusedAndUntouched) {
    raw("PRAGMA application_id = 1279611732; PRAGMA user_version = 1000; CREATE TABLE sessions (x)");
    const auto before = bytes();
    const auto opened = Catalog::open(file_);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().kind, ErrorKind::failed);
    EXPECT_THAT(opened.error().message, HasSubstr("has schema 1000"));
    EXPECT_THAT(opened.error().message, HasSubstr("use the newer program"));
    EXPECT_EQ(bytes(), before);
}

TEST_F(SchemaTest, AnotherProgramsDatabaseIsRefusedAndUntouched) {
    raw("CREATE TABLE theirs (x)");
    const auto before = bytes();
    const auto opened = Catalog::open(file_);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().kind, ErrorKind::damaged);
    EXPECT_THAT(opened.error().message, HasSubstr("another program"));
    EXPECT_EQ(bytes(), before);
}

TEST_F(SchemaTest, WhatIsNoDatabaseIsDamaged) {
    ASSERT_TRUE(write_file(file_, std::string(5000, 'x')));
    const auto opened = Catalog::open(file_);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().kind, ErrorKind::damaged);
    EXPECT_THAT(opened.error().message, HasSubstr(file_.string() + " is damaged: move it away"));
    EXPECT_EQ(bytes(), std::string(5000, 'x'));
}

TEST_F(SchemaTest, ABrokenPageIsDamageAndNotACrash) {
    {
        auto catalog = std::move(*Catalog::open(file_));
        for (int i = 0; i < 500; ++i) ASSERT_TRUE(catalog.insert_session(session("session-" + std::to_string(i))));
    }
    auto damaged = bytes();
    ASSERT_GT(damaged.size(), 8192U);
    std::fill(damaged.begin() + 4096, damaged.end(), '\x5a');  // all but the first page, which holds the schema
    ASSERT_TRUE(write_file(file_, std::string_view(damaged)));
    auto catalog = Catalog::open(file_);
    const auto error = catalog ? catalog->sessions().error() : catalog.error();
    EXPECT_EQ(error.kind, ErrorKind::damaged) << error.message;
}

TEST_F(SchemaTest, ManyMayOpenAFreshOneAtOnce) {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t) {
        threads.emplace_back([this, t] {
            auto catalog = Catalog::open(file_);
            ASSERT_TRUE(catalog) << catalog.error().message;
            const auto inserted = catalog->insert_session(session("s" + std::to_string(t)));
            EXPECT_TRUE(inserted) << inserted.error().message;
        });
    }
    threads.clear();
    EXPECT_EQ(Catalog::open(file_)->sessions()->size(), 8U);
}

TEST_F(SchemaTest, AMissingFolderIsOneSentence) {
    const auto opened = Catalog::open(folder_ / "no/such/catalog.sqlite");
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().kind, ErrorKind::failed);
    EXPECT_THAT(opened.error().message, HasSubstr("see that its folder exists"));
}

TEST_F(SchemaTest, AFullDiskIsOneSentenceAndHarmsNothing) {
    const test::SmallFilesystem disk(512 << 10);
    if (!disk.mounted()) GTEST_SKIP() << test::kNeedsRoot;
    auto catalog = std::move(*Catalog::open(disk / "catalog.sqlite"));
    int stored = 0;
    Status last = Ok{};
    while (last && stored < 100'000) {
        last = catalog.insert_session(session("session-" + std::to_string(stored)));
        if (last) ++stored;
    }
    ASSERT_FALSE(last) << "a disk of 512 KiB took " << stored << " sessions";
    EXPECT_EQ(last.error().kind, ErrorKind::failed);
    EXPECT_THAT(last.error().message, HasSubstr("no space left on device; free some space"));
    EXPECT_EQ(catalog.sessions()->size(), static_cast<std::size_t>(stored));
    const auto opened = Catalog::open(disk / "other.sqlite");
    ASSERT_FALSE(opened);
    EXPECT_THAT(opened.error().message, HasSubstr("no space left on device; free some space"));
}

TEST_F(SchemaTest, AReadOnlyDiskIsOneSentence) {
    const test::SmallFilesystem disk(512 << 10);
    if (!disk.mounted()) GTEST_SKIP() << test::kNeedsRoot;
    disk.make_read_only();
    const auto opened = Catalog::open(disk / "catalog.sqlite");
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().kind, ErrorKind::failed);
    EXPECT_THAT(opened.error().message,
                HasSubstr("see that its folder exists, has space, and that this user may write"));
}

}  // namespace
}  // namespace lestapenna::catalog
