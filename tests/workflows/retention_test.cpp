// The sweep: what has lived its time goes, and only that, whatever happens on the way.
#include "workflows/retention.h"

#include <fstream>

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include "growing_table.h"
#include "journal/folder.h"
#include "workflows/job_names.h"
#include "workflows/manifest.h"
#include "workflows/recovery.h"

namespace lestapenna::workflows {
namespace {

using catalog::FileStatus;
using std::chrono::days;
using std::chrono::hours;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

constexpr seconds kLength{100};
constexpr std::size_t kPlayers = 2;
constexpr std::size_t kChunks = kPlayers * 4;  // windows of 30 s
const SessionId kId = *SessionId::parse("table");
const UnixTime kStart{milliseconds(1'760'000'000'000)};

/// So long after the session's end, by clocks that run as they should.
SweepOptions after(nanoseconds time) {
    SweepOptions options;
    options.now.wall = kStart + kLength + std::chrono::floor<milliseconds>(time) + seconds(1);
    options.now.boot = BootTime{time};
    options.now.machine.bytes[0] = 1;
    return options;
}

std::map<std::string, std::size_t> removed(const SweepReport& report) {
    std::map<std::string, std::size_t> by_tier;
    for (const auto& one : report.removals) by_tier[std::string(to_text(one.tier))] += one.keys.size();
    return by_tier;
}
std::vector<std::string> kept(const SweepReport& report) {
    std::vector<std::string> all;
    for (const auto& one : report.kept) all.push_back(std::string(to_text(one.tier)) + ": " + one.why);
    return all;
}

/// A session that came to its end, and its files; rendered once for all tests.
class Retention : public ::testing::Test {
  protected:
    static void SetUpTestSuite() {
        const BuzzingTable table(kPlayers, kLength, kStart);
        finished_ = new Desk(kId, kStart);
        auto journal = finished_->journal(kStart, table.records());
        ASSERT_TRUE(journal.end().ok());
        finished_->finish();
    }
    static void TearDownTestSuite() { delete std::exchange(finished_, nullptr); }
    void SetUp() override {
        ASSERT_THAT(names("chunks/"), SizeIs(kChunks));
        ASSERT_THAT(names("full/"), SizeIs(kPlayers));
    }
    SweepReport sweep(const SweepOptions& options) {
        auto report = workflows::sweep(desk_.tools(), options);
        EXPECT_TRUE(report.ok()) << report.error().message;
        return std::move(*report);
    }
    std::vector<std::string> names(const std::string& tier = "") {
        std::vector<std::string> all;
        const auto objects = desk_.store().list(store::session_prefix(kId) + tier);
        for (const auto& object : *objects) all.push_back(object.key.text());
        return all;
    }
    std::filesystem::path stored(const std::string& key) { return desk_.config().data.dir / "store" / key; }
    std::string fragment(std::size_t index = 0) { return (*desk_.catalog().recordings(kId))[index].key; }
    std::string master() { return (*desk_.catalog().master(kId))->key; }
    bool finished() { return *is_finished(desk_.tools(), kId); }
    bool journal_is_there() { return std::filesystem::exists(journal_folder(desk_.config(), kId)); }

    Desk desk_{*finished_};

  private:
    static inline Desk* finished_ = nullptr;
};

TEST_F(Retention, EachTierGoesAtItsAgeAndWhatIsFinishedStaysFinished) {
    const auto before = desk_.objects();
    EXPECT_THAT(sweep(after(days(6))).removals, IsEmpty());
    EXPECT_EQ(desk_.store().finds, 0) << "nothing to do costs nothing";

    auto report = sweep(after(days(7)));
    EXPECT_EQ(removed(report), (std::map<std::string, std::size_t>{{"chunks", kChunks}}));
    EXPECT_THAT(names("chunks/"), IsEmpty());
    const auto chunks = *desk_.catalog().chunks(kId);
    for (const auto& chunk : chunks) {
        EXPECT_EQ(chunk.status, FileStatus::expired);
        EXPECT_FALSE(chunk.content);
    }
    EXPECT_EQ(desk_.catalog().sizes()->chunks, catalog::Stored{});
    EXPECT_EQ(**stored_manifest(desk_.tools(), kId), *manifest_text(desk_.catalog(), kId));
    EXPECT_THAT(**stored_manifest(desk_.tools(), kId), Not(HasSubstr("/chunks/")));
    EXPECT_TRUE(finished());
    desk_.store().puts.clear();
    desk_.finish();
    EXPECT_THAT(desk_.store().puts, IsEmpty()) << "what expired is not made again";

    report = sweep(after(days(30)));
    EXPECT_EQ(removed(report), (std::map<std::string, std::size_t>{{"journal", 1}}));
    EXPECT_FALSE(journal_is_there());
    EXPECT_TRUE(std::filesystem::is_empty(journal_root(desk_.config())));
    EXPECT_TRUE(finished());
    EXPECT_THAT(*find_orphans(desk_.tools()), IsEmpty());

    report = sweep(after(days(90)));
    EXPECT_EQ(removed(report), (std::map<std::string, std::size_t>{{"fragments", kPlayers}}));
    EXPECT_TRUE(finished());
    report = sweep(after(days(20'000)));
    EXPECT_TRUE(report.removals.empty());
    const auto left = desk_.objects();
    EXPECT_EQ(left.size(), 2U) << "master and manifest";
    EXPECT_EQ(left.at(master()), before.at(master()));
}

TEST_F(Retention, MastersGoOnlyWhereTheyAreGivenAnAge) {
    desk_.config().retention.masters = days(365);
    EXPECT_EQ(removed(sweep(after(days(365)))),
              (std::map<std::string, std::size_t>{
                  {"chunks", kChunks}, {"fragments", kPlayers}, {"journal", 1}, {"master", 1}}));
    EXPECT_THAT(names(), ElementsAre(store::key(store::ManifestKey{kId}).text()));
    EXPECT_TRUE(finished());
    EXPECT_THAT(sweep(after(days(366))).removals, IsEmpty());
}

TEST_F(Retention, OneSweepThatComesLateDoesAllAndAsksForEachObjectOnce) {
    desk_.store().remote = true;
    const auto report = sweep(after(days(100)));
    EXPECT_EQ(removed(report),
              (std::map<std::string, std::size_t>{{"chunks", kChunks}, {"fragments", kPlayers}, {"journal", 1}}));
    EXPECT_EQ(desk_.store().finds, static_cast<int>(kChunks + kPlayers + 1 + 1)) << "all that is needed, and manifest";
    EXPECT_EQ(desk_.store().removes, static_cast<int>(kChunks + 4 * kPlayers)) << "a fragment, and words beside it";
    EXPECT_EQ(desk_.store().puts.size(), 1U) << "the manifest";
}

TEST_F(Retention, ManyNeedsAreListed) {
    desk_.store().remote = true;
    desk_.config().retention.chunks.reset();
    for (int extra = 0; extra < 10; ++extra) {
        const auto key = store::key(store::ChunkKey{kId, UserId{9}, kStart + seconds(extra)});
        const auto file = desk_.config().data.dir / "extra";
        ASSERT_TRUE(write_file(file, std::string_view("sound")));
        ASSERT_TRUE(desk_.store().put(file, key));
        catalog::Chunk chunk{kId, key.text(), UserId{9}, kStart + seconds(extra), FileStatus::stored};
        chunk.content = *content_of(file);
        ASSERT_TRUE(desk_.catalog().upsert_chunk(chunk));
    }
    const int lists = desk_.store().lists;
    EXPECT_EQ(removed(sweep(after(days(30)))), (std::map<std::string, std::size_t>{{"journal", 1}}));
    EXPECT_EQ(desk_.store().lists, lists + 1);
    EXPECT_EQ(desk_.store().finds, 0);
}

class RetentionDamage : public Retention, public ::testing::WithParamInterface<const char*> {
  protected:
    void damage(const std::string& key) {
        const std::string how = GetParam();
        if (how == "gone") {
            ASSERT_TRUE(std::filesystem::remove(stored(key)));
        } else if (how == "shorter") {
            std::filesystem::resize_file(stored(key), std::filesystem::file_size(stored(key)) - 1);
        } else {
            std::fstream file(stored(key), std::ios::in | std::ios::out | std::ios::binary);
            file.seekg(1000);
            const auto byte = static_cast<char>(file.get() ^ 1);
            file.seekp(1000);
            file.put(byte);
        }
    }
};

TEST_P(RetentionDamage, NothingGoesWhoseSuccessorTheStoreDoesNotBearOut) {
    damage(fragment(1));
    damage(master());
    auto report = sweep(after(days(100)));
    EXPECT_EQ(removed(report), (std::map<std::string, std::size_t>{{"chunks", kChunks / 2}}));
    EXPECT_THAT(kept(report), Contains(HasSubstr("fragments: the store does not have " + master())));
    EXPECT_THAT(kept(report), Contains(HasSubstr("chunks: the store does not have " + fragment(1))));
    EXPECT_THAT(kept(report), Contains(HasSubstr("journal: the store does not have " + master())));
    EXPECT_TRUE(journal_is_there());

    // From the journal, which was kept, all of it can be made again; then it may go.
    for (const auto& key : {fragment(1), master()}) std::filesystem::remove(stored(key));
    desk_.finish();
    report = sweep(after(days(100)));
    EXPECT_EQ(removed(report),
              (std::map<std::string, std::size_t>{{"chunks", kChunks / 2}, {"fragments", kPlayers}, {"journal", 1}}));
}

INSTANTIATE_TEST_SUITE_P(Ways, RetentionDamage, ::testing::Values("gone", "shorter", "other bytes"));

TEST_F(Retention, FragmentsWaitForWhoTranscribesThem) {
    EXPECT_THAT(*desk_.catalog().transcriptions(kId), SizeIs(kPlayers));
    desk_.config().queue.command = {"whisper", "{file}"};
    EXPECT_THAT(kept(sweep(after(days(90)))), ElementsAre("fragments: they are still to be transcribed"));
    auto rows = *desk_.catalog().transcriptions(kId);
    rows[0].status = catalog::TranscriptionStatus::done;
    ASSERT_TRUE(desk_.catalog().set_transcription(rows[0]));
    rows[1].status = catalog::TranscriptionStatus::queued;
    ASSERT_TRUE(desk_.catalog().set_transcription(rows[1]));
    EXPECT_EQ(removed(sweep(after(days(91)))), (std::map<std::string, std::size_t>{{"fragments", 1}}));
    rows[1].status = catalog::TranscriptionStatus::failed;
    ASSERT_TRUE(desk_.catalog().set_transcription(rows[1]));
    EXPECT_EQ(removed(sweep(after(days(92)))), (std::map<std::string, std::size_t>{{"fragments", 1}}));
}

TEST_F(Retention, WhoWorksOnASessionIsNotDisturbed) {
    const auto untouched = desk_.objects();
    {
        const auto maker = Scratch::take(desk_.config().data.dir / "cache", kId);
        ASSERT_TRUE(maker.ok());
        EXPECT_THAT(kept(sweep(after(days(100)))), Contains("chunks: its files are being made"));
    }
    {
        const auto writer = journal::SessionLock::take(journal_folder(desk_.config(), kId));
        ASSERT_TRUE(writer.ok());
        EXPECT_THAT(kept(sweep(after(days(100)))), Contains("chunks: the session is being recorded"));
    }
    ASSERT_TRUE(desk_.catalog().add_job(download_job(kId, UserId{5}, "{}")));
    EXPECT_THAT(kept(sweep(after(days(100)))), Contains("journal: a job of the session waits or runs"));
    EXPECT_EQ(desk_.objects(), untouched);
    const auto job = *desk_.catalog().take_job(UnixTime::max());
    ASSERT_TRUE(desk_.catalog().fail_job(job->id, "given up"));
    EXPECT_THAT(removed(sweep(after(days(100)))), SizeIs(3)) << "a job that was given up holds up nothing";
}

TEST_F(Retention, ADryRunTellsAndChangesNothing) {
    const auto before = desk_.objects();
    auto options = after(days(100));
    options.dry_run = true;
    const auto told = sweep(options);
    EXPECT_EQ(desk_.objects(), before);
    EXPECT_TRUE(journal_is_there());
    EXPECT_EQ(*desk_.catalog().sweeps(), catalog::Sweeps{});
    EXPECT_EQ(sweep(after(days(100))).removals, told.removals);
}

TEST_F(Retention, AClockThatJumpsRemovesNothing) {
    EXPECT_FALSE(sweep(after(days(1))).doubt);
    auto jumped = after(days(2));
    jumped.now.wall += days(3000);
    const auto report = sweep(jumped);
    ASSERT_TRUE(report.doubt);
    EXPECT_THAT(report.removals, IsEmpty());
    EXPECT_THAT(names("chunks/"), SizeIs(kChunks));
    EXPECT_EQ(desk_.catalog().sweeps()->doubted, jumped.now);
    EXPECT_FALSE(sweep(after(days(3))).doubt) << "it came home";
}

TEST_F(Retention, WhatTheStoreRefusesIsTriedAgain) {
    desk_.store().failing_removes = 1;
    auto report = sweep(after(days(8)));
    ASSERT_THAT(report.failures, SizeIs(1));
    EXPECT_THAT(report.failures[0].message, HasSubstr("told to fail"));
    EXPECT_THAT(report.removals, IsEmpty());
    EXPECT_TRUE(finished()) << "they are on their way out, and nobody makes them again";
    report = sweep(after(days(8)));
    EXPECT_THAT(report.failures, IsEmpty());
    EXPECT_EQ(removed(report), (std::map<std::string, std::size_t>{{"chunks", kChunks}}));
    EXPECT_THAT(names("chunks/"), IsEmpty());
}

TEST_F(Retention, OldSessionsInTroubleDoNotKeepTheLaterOnes) {
    const auto file = desk_.config().data.dir / "sound";
    for (int i = 1; i <= 3; ++i) {
        const auto id = *SessionId::parse("trouble-" + std::to_string(i));
        const auto start = kStart - hours(i);
        catalog::Session session{.id = id, .start = start, .end = start + kLength};
        session.status = catalog::SessionStatus::complete;
        ASSERT_TRUE(desk_.catalog().insert_session(session));
        catalog::Recording fragment{id, store::key(store::FragmentKey{id, UserId{9}, start}).text(), UserId{9}, start,
                                    FileStatus::stored};
        catalog::Chunk chunk{id, store::key(store::ChunkKey{id, UserId{9}, start}).text(), UserId{9}, start,
                             FileStatus::stored};
        fragment.duration = kLength;
        ASSERT_TRUE(write_file(file, std::string_view("sound")));
        fragment.content = chunk.content = *content_of(file);
        for (const auto& key : {fragment.key, chunk.key}) {
            ASSERT_TRUE(desk_.store().put(file, *store::Key::parse(key)));
        }
        ASSERT_TRUE(desk_.catalog().upsert_recording(fragment));
        ASSERT_TRUE(desk_.catalog().upsert_chunk(chunk));
    }
    desk_.store().failing_removes = 3;
    const auto report = sweep(after(days(8)));
    EXPECT_THAT(report.failures, SizeIs(3));
    EXPECT_EQ(removed(report), (std::map<std::string, std::size_t>{{"chunks", kChunks}}));
}

TEST_F(Retention, AMasterThatIsLostIsMadeAgainFromTheJournalWithoutWhatExpired) {
    const auto before = desk_.objects();
    desk_.config().retention.fragments = days(8);
    sweep(after(days(8)));
    ASSERT_THAT(names(), SizeIs(2));
    std::filesystem::remove(stored(master()));
    EXPECT_FALSE(finished());
    desk_.store().puts.clear();
    desk_.finish();
    EXPECT_EQ(desk_.objects().at(master()), before.at(master()));
    EXPECT_THAT(desk_.store().puts, SizeIs(1));
}

TEST_F(Retention, WhatKilledWorkLeftIsCleanedUp) {
    const auto cache = desk_.config().data.dir / "cache";
    const auto make = [](const std::filesystem::path& file, hours old) {
        std::filesystem::create_directories(file.parent_path());
        std::ofstream(file) << "half a file";
        std::filesystem::last_write_time(file, std::filesystem::file_time_type::clock::now() - old);
    };
    make(cache / "other-session" / "MASTER.mp3", hours(1));
    make(cache / "held" / "MASTER.mp3", hours(1));
    make(cache / "attached-x.mp3", hours(25));
    make(cache / ".tmp-young", hours(1));
    make(journal_root(desk_.config()) / ".leaving-old" / "000002.log", hours(1));
    const auto held = Scratch::take(cache, *SessionId::parse("held"));
    ASSERT_TRUE(held.ok());
    make(cache / "held" / "MASTER.mp3", hours(1));
    sweep(after(hours(1)));
    std::vector<std::string> left;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(cache)) {
        left.push_back(entry.path().lexically_relative(cache).string());
    }
    EXPECT_THAT(left, UnorderedElementsAre("held", "held/MASTER.mp3", ".tmp-young"));
    EXPECT_FALSE(std::filesystem::exists(journal_root(desk_.config()) / ".leaving-old"));
    EXPECT_TRUE(journal_is_there());
}

/// Ends the process when it is asked for the k-th time.
class DeadlyStore final : public store::ObjectStore {
  public:
    DeadlyStore(std::unique_ptr<store::ObjectStore> inner, int deadly) : inner_(std::move(inner)), left_(deadly) {}
    Status put(const std::filesystem::path& file, const store::Key& key) override {
        return count(), inner_->put(file, key);
    }
    Status get(const store::Key& key, const std::filesystem::path& file) override {
        return count(), inner_->get(key, file);
    }
    Result<std::optional<store::ObjectInfo>> find(const store::Key& key) override { return count(), inner_->find(key); }
    Status remove(const store::Key& key) override { return count(), inner_->remove(key); }
    Result<std::vector<store::ObjectInfo>> list(std::string_view prefix) override {
        return count(), inner_->list(prefix);
    }
    [[nodiscard]] std::optional<std::filesystem::path> local_path(const store::Key& key) const override {
        return inner_->local_path(key);
    }
    [[nodiscard]] bool same_device(const std::filesystem::path& path) const override {
        return inner_->same_device(path);
    }

  private:
    void count() {
        if (--left_ == 0) ::_exit(9);
    }
    std::unique_ptr<store::ObjectStore> inner_;
    int left_;
};

/// A whole sweep in a process of its own. False: it was killed.
bool sweep_elsewhere(const Config& config, int deadly) {
    const pid_t child = ::fork();
    if (child == 0) {
        auto catalog = catalog::Catalog::open(config.data.dir / "catalog.sqlite");
        auto store = store::open_store(config);
        if (!catalog || !store) ::_exit(1);
        DeadlyStore mortal(std::move(*store), deadly);
        const auto report = sweep(Tools{config, *catalog, mortal, {}}, after(days(100)));
        ::_exit(report && report->failures.empty() ? 0 : 1);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 9)) << status;
    return WEXITSTATUS(status) == 0;
}

TEST_F(Retention, KilledAnywhereItGoesOnAndNothingIsCalledThereThatIsNot) {
    int kills = 0;
    for (int deadly = 1;; ++deadly) {
        SCOPED_TRACE("killed at the store's operation " + std::to_string(deadly));
        const test::TempDir copy;
        std::filesystem::copy(desk_.config().data.dir, copy.path(), std::filesystem::copy_options::recursive);
        Config config = desk_.config();
        config.data.dir = copy.path();
        config.retention.masters = days(99);
        const bool survived = sweep_elsewhere(config, deadly);
        {
            auto catalog = std::move(*catalog::Catalog::open(copy / "catalog.sqlite"));
            auto store = std::move(*store::open_store(config));
            const Tools tools{config, catalog, *store, {}};
            EXPECT_TRUE(*is_finished(tools, kId)) << "what the catalog calls stored is stored";
            const auto manifest = *stored_manifest(tools, kId);
            ASSERT_TRUE(manifest);
            for (std::size_t at = 0; (at = manifest->find("\"key\": \"", at)) != std::string::npos; ++at) {
                const auto from = at + 8;
                const auto key = manifest->substr(from, manifest->find('"', from) - from);
                EXPECT_TRUE(*in_store(tools, key)) << key << " is named, and is not there";
            }
        }
        EXPECT_TRUE(sweep_elsewhere(config, -1));
        auto catalog = std::move(*catalog::Catalog::open(copy / "catalog.sqlite"));
        auto store = std::move(*store::open_store(config));
        EXPECT_THAT(*store->list(""), SizeIs(1)) << "the manifest";
        EXPECT_EQ(**stored_manifest(Tools{config, catalog, *store, {}}, kId), *manifest_text(catalog, kId));
        EXPECT_EQ(*catalog.sizes(), catalog::Sizes{});
        EXPECT_FALSE(std::filesystem::exists(journal_folder(config, kId)));
        if (survived) break;
        ++kills;
    }
    EXPECT_GE(kills, static_cast<int>(kChunks + 2 * kPlayers + 4));
}

}  // namespace
}  // namespace lestapenna::workflows
