// The catalog is gone with all of the data folder but the store, or the store is all there ever was.
#include "workflows/scan_store.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "growing_table.h"
#include "workflows/manifest.h"
#include "workflows/rebuild.h"

namespace lestapenna::workflows {
namespace {

using catalog::FileStatus;
using catalog::SessionStatus;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const SessionId kId = *SessionId::parse("scanned");
const std::string kManifest = "recordings/scanned/session.json";

/// What the catalog knows of a session, but for what only a journal tells.
struct Rows {
    catalog::Session session;
    std::vector<catalog::Track> tracks;
    std::vector<catalog::Recording> recordings;
    std::vector<catalog::Chunk> chunks;
    std::optional<catalog::Master> master;
    std::vector<catalog::Transcription> transcriptions;
    bool operator==(const Rows&) const = default;
};

class ScanStore : public ::testing::Test {
  protected:
    Rows rows(const SessionId& id = kId) {
        const auto& catalog = desk_.catalog();
        return {*catalog.session(id), *catalog.tracks(id), *catalog.recordings(id),
                *catalog.chunks(id),  *catalog.master(id), *catalog.transcriptions(id)};
    }
    void record() {
        ASSERT_TRUE(desk_.journal(table_.simulated.start_time, table_.records()).end().ok());
        desk_.finish();
    }
    void lose_all_but_the_store() {
        desk_.lose_catalog();
        std::filesystem::remove_all(journal_root(desk_.config()));
        desk_.store().remote = true;
        desk_.store().gets.clear();
    }
    Scan scanned() {
        auto scan = scan_store(desk_.tools());
        EXPECT_TRUE(scan.ok()) << scan.error().message;
        return scan ? std::move(*scan) : Scan{};
    }
    void put(const std::string& key, std::string_view text) {
        ASSERT_TRUE(write_file(folder_ / "object", text).ok());
        ASSERT_TRUE(desk_.store().put(folder_ / "object", *store::Key::parse(key)).ok());
    }
    std::string manifest() { return *read_text_file(desk_.config().data.dir / "store" / kManifest, 1U << 20); }
    static std::string key(const char* form, UserId user, milliseconds at) {
        return fmt::format(fmt::runtime(form), user.text(), (kStart + at).time_since_epoch().count());
    }

    static constexpr UnixTime kStart{milliseconds(1'760'000'000'000)};
    test::TempDir folder_;
    BuzzingTable table_{2, seconds(65)};
    Desk desk_{kId, table_.simulated.start_time};
};

TEST_F(ScanStore, BringsBackAllThatTheCatalogKnewWithoutFetchingAudio) {
    record();
    const Rows before = rows();
    lose_all_but_the_store();
    const Scan scan = scanned();
    EXPECT_THAT(scan.sessions, ElementsAre(kId));
    EXPECT_THAT(scan.foreign, IsEmpty());
    EXPECT_THAT(scan.damaged, IsEmpty());
    EXPECT_THAT(scan.lost, IsEmpty());
    EXPECT_EQ(rows(), before);
    EXPECT_EQ(desk_.store().gets, (std::map<std::string, int>{{kManifest, 1}})) << "one GET a session";
    EXPECT_TRUE(*is_finished(desk_.tools(), kId));

    EXPECT_THAT(scanned().sessions, ElementsAre(kId)) << "once more changes nothing";
    EXPECT_EQ(rows(), before);
}

TEST_F(ScanStore, ATranscriptIsNotMadeAgain) {
    record();
    put("recordings/scanned/transcript-scanned.txt", "[0:00:01] Zoe: hello\n");
    lose_all_but_the_store();
    (void)scanned();
    const auto queue = rows().transcriptions;
    ASSERT_THAT(queue, SizeIs(2));
    for (const auto& entry : queue) EXPECT_EQ(entry.status, catalog::TranscriptionStatus::done);
    const auto transcript = *desk_.catalog().transcript(kId);
    ASSERT_TRUE(transcript);
    EXPECT_EQ(transcript->key, "recordings/scanned/transcript-scanned.txt");
}

TEST_F(ScanStore, AManifestThatIsNoneGivesWayToTheNames) {
    record();
    const Rows before = rows();
    const std::string good = manifest();
    for (const std::string& text : {std::string("{"), std::string(R"({"manifest": 2, "session": "scanned"})"),
                                    std::string("{\"manifest\": 1, \"session\": \"another\"") + good.substr(29)}) {
        SCOPED_TRACE(text.substr(0, 60));
        put(kManifest, text);
        lose_all_but_the_store();
        const Scan scan = scanned();
        EXPECT_THAT(scan.damaged, ElementsAre(HasSubstr(kManifest)));
        const Rows after = rows();
        EXPECT_EQ(after.session.start, before.session.start);
        EXPECT_EQ(after.session.status, SessionStatus::complete) << "its master is there";
        ASSERT_THAT(after.recordings, SizeIs(2));
        for (std::size_t i = 0; i < 2; ++i) {
            EXPECT_EQ(after.recordings[i].key, before.recordings[i].key);
            EXPECT_EQ(after.recordings[i].start, before.recordings[i].start);
            EXPECT_EQ(after.recordings[i].content->bytes, before.recordings[i].content->bytes);
        }
        EXPECT_EQ(after.chunks.size(), before.chunks.size());
        EXPECT_THAT(after.transcriptions, IsEmpty());
    }
}

TEST_F(ScanStore, AManifestThatContradictsTheListIsNamed) {
    record();
    const Rows before = rows();
    ASSERT_TRUE(desk_.store().remove(*store::Key::parse(before.recordings[0].key)).ok());
    put(before.recordings[1].key, "shorter");
    put(key("recordings/scanned/full/FULL-{}-{}.mp3", UserId{77}, seconds(5)), "came later");
    ASSERT_TRUE(desk_.store().remove(*store::Key::parse(before.master->key)).ok());
    lose_all_but_the_store();
    const Scan scan = scanned();
    EXPECT_THAT(scan.lost,
                ElementsAre(HasSubstr(before.recordings[0].key + " is not in"), HasSubstr(before.master->key)));
    EXPECT_THAT(scan.damaged, ElementsAre(HasSubstr(before.recordings[1].key + " has 7 bytes")));
    const Rows after = rows();
    ASSERT_THAT(after.recordings, SizeIs(3));
    EXPECT_EQ(after.recordings[0].user, UserId{77});
    EXPECT_EQ(after.recordings[0].status, FileStatus::stored);
    EXPECT_EQ(after.recordings[1].status, FileStatus::pending);
    EXPECT_EQ(after.master, std::nullopt);
    EXPECT_FALSE(*is_finished(desk_.tools(), kId));
    const auto rebuilt = restore(desk_.tools(), kId);
    ASSERT_TRUE(rebuilt.ok()) << rebuilt.error().message;
    EXPECT_EQ(rebuilt->source, catalog::MasterSource::chunks);
    EXPECT_EQ((**desk_.catalog().master(kId)).duration, before.master->duration);
}

TEST_F(ScanStore, WhatAManifestSaysOfOthersIsNotBelieved) {
    record();
    auto text = manifest();
    const std::string user = table_.simulated.senders[0].user.text();
    const auto put_in = [&text](const std::string& old, const std::string& now) {
        const auto at = text.find(old);
        ASSERT_NE(at, std::string::npos);
        text.replace(at, old.size(), now);
    };
    put_in("recordings/scanned/full/FULL-" + user, "recordings/stranger/full/FULL-" + user);
    put(kManifest, text);
    lose_all_but_the_store();
    EXPECT_THAT(scanned().damaged, ElementsAre(HasSubstr("recordings/stranger/full")));
    for (const auto& row : rows().recordings) EXPECT_THAT(row.key, HasSubstr("recordings/scanned/full"));
}

TEST_F(ScanStore, OldLayoutsAreReadByTheirKeysAndForeignFilesNamed) {
    lose_all_but_the_store();
    put("backup/disk.img", "x");  // of somebody else, in the same bucket
    const std::vector<std::string> foreign{"recordings/12/strange/deep/er/5-1760000000000.mp3",
                                           "recordings/not-a-guild/evening/5-1760000000000.mp3", "recordings/notes.txt",
                                           "recordings/plain/full/FULL-abc-1760000000000.mp3",
                                           "recordings/plain/master/MASTER-other.mp3"};
    for (const auto& one : foreign) put(one, "x");
    put(key("recordings/plain/full/FULL-{}-{}.mp3", UserId{1}, seconds(5)), "x");
    put(key("recordings/plain/full/FULL-{}-{}.mp3", UserId{2}, seconds(2)), "x");
    put(key("recordings/12345/guilded/{}-{}.mp3", UserId{3}, seconds(9)), "x");
    put(key("recordings/12345/guilded/chunks/{}-{}.mp3", UserId{3}, seconds(309)), "x");
    put("recordings/12345/guilded/MASTER-guilded.mp3", "x");
    put(key("recordings/bare/FULL-{}-{}.mp3", UserId{4}, seconds(11)), "x");
    put(key("recordings/{}-{}.mp3", UserId{5}, seconds(20)), "x");
    put(key("recordings/FULL-{}-{}.mp3", UserId{6}, seconds(80)), "x");
    put(key("recordings/{}-{}.mp3", UserId{5}, std::chrono::hours(30)), "x");
    const Scan scan = scanned();
    EXPECT_EQ(scan.foreign, foreign);
    std::vector<std::string> ids;
    for (const auto& id : scan.sessions) ids.push_back(id.text());
    EXPECT_THAT(ids, ElementsAre("plain", "guilded", "bare", "flat-1760000020000", "flat-1760108000000"));
    const auto row = [&](const char* id) { return rows(*SessionId::parse(id)); };
    EXPECT_EQ(row("plain").session.start, kStart + seconds(2));
    EXPECT_EQ(row("plain").session.status, SessionStatus::interrupted);
    EXPECT_THAT(row("plain").recordings, SizeIs(2));
    EXPECT_EQ(row("guilded").session.guild_id, "12345");
    EXPECT_EQ(row("guilded").session.status, SessionStatus::complete);
    EXPECT_THAT(row("guilded").chunks, SizeIs(2));
    EXPECT_THAT(row("bare").recordings, SizeIs(1));
    EXPECT_THAT(row("flat-1760000020000").recordings, SizeIs(1));
    EXPECT_THAT(row("flat-1760000020000").chunks, SizeIs(1));
    EXPECT_THAT(desk_.store().gets, IsEmpty());
    for (const auto& id : scan.sessions) EXPECT_THAT(*desk_.catalog().transcriptions(id), IsEmpty());
}

TEST_F(ScanStore, WhatTheCatalogKnowsStaysTimeZeroFirstOfAll) {
    put(key("recordings/scanned/full/FULL-{}-{}.mp3", UserId{1}, seconds(5)), "x");
    const Scan scan = scanned();
    EXPECT_THAT(scan.sessions, ElementsAre(kId));
    const auto row = rows();
    EXPECT_EQ(row.session.start, kStart) << "not the earliest timestamp";
    EXPECT_EQ(row.session.guild_id, "7");
    EXPECT_THAT(row.recordings, SizeIs(1));
}

TEST_F(ScanStore, ARottenTimestampMovesNoTimeZero) {
    lose_all_but_the_store();
    for (int i = 0; i < 3; ++i) put(key("recordings/rotten/full/FULL-{}-{}.mp3", UserId{1}, seconds(i)), "x");
    put("recordings/rotten/full/FULL-1-5.mp3", "x");
    put("recordings/rotten/full/FULL-1-9223372036854775807.mp3", "x");
    const Scan scan = scanned();
    EXPECT_EQ(rows(*SessionId::parse("rotten")).session.start, kStart);
    EXPECT_THAT(scan.foreign, SizeIs(2));
}

TEST_F(ScanStore, OneThatIsRecordedIsLeftAlone) {
    auto journal = desk_.journal(table_.simulated.start_time, table_.records());
    ASSERT_TRUE(journal.grow_to(seconds(5)).ok());
    put(key("recordings/scanned/full/FULL-{}-{}.mp3", UserId{1}, seconds(5)), "x");
    EXPECT_THAT(scanned().sessions, IsEmpty());
    EXPECT_THAT(rows().recordings, IsEmpty());
}

TEST_F(ScanStore, AMasterAloneIsOfTheTimeOfItsUlid) {
    lose_all_but_the_store();
    put("recordings/01K7A5W4R0ABCDEFGHJKMNPQRS/master/MASTER-01K7A5W4R0ABCDEFGHJKMNPQRS.mp3", "x");
    put("recordings/nameless/master/MASTER-nameless.mp3", "x");
    const Scan scan = scanned();
    ASSERT_THAT(scan.sessions, SizeIs(1));
    const auto start = desk_.catalog().session(scan.sessions[0])->start;
    EXPECT_EQ(std::chrono::floor<std::chrono::days>(start), std::chrono::sys_days(std::chrono::year(2025) / 10 / 11));
    EXPECT_THAT(scan.lost, ElementsAre(HasSubstr("nameless")));
}

}  // namespace
}  // namespace lestapenna::workflows
