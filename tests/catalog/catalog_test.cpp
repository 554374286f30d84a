#include "catalog/catalog.h"

#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support.h"

namespace lestapenna::catalog {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

SessionId id(std::string_view text) {
    return *SessionId::parse(text);
}
UnixTime at(std::int64_t ms) {
    return UnixTime{milliseconds{ms}};
}

const SessionId kOne = id("01J0ABCDEFGH");

Session one() {
    return {.id = kOne, .guild_id = "7", .channel_id = "8", .start = at(1000)};
}

Recording fragment() {
    return {.session = kOne,
            .key = "recordings/01J0ABCDEFGH/full/FULL-5-1000.mp3",
            .user = UserId{18'446'744'073'709'551'615ULL},
            .start = at(1000),
            .status = FileStatus::stored,
            .duration = milliseconds(61'000),
            .levels = {-23.04, -1.2},
            .gain_db = 6.5,
            .speech_lufs = -22.9,
            .level_flag = "capped",
            .recipe = "r1",
            .content = Content{1'234, std::string(64, 'a')}};
}

class CatalogTest : public ::testing::Test {
  protected:
    test::TempDir folder_;
    std::filesystem::path file_ = folder_ / "catalog.sqlite";
    Catalog catalog_ = std::move(*Catalog::open(file_));
};

TEST_F(CatalogTest, KeepsSessions) {
    EXPECT_THAT(*catalog_.sessions(), IsEmpty());
    ASSERT_TRUE(catalog_.insert_session(one()));
    const Session imported{.id = id("imported"), .start = at(500), .end = at(900), .status = SessionStatus::ending};
    ASSERT_TRUE(catalog_.insert_session(imported));
    EXPECT_EQ(*catalog_.session(kOne), one());
    EXPECT_THAT(*catalog_.sessions(), ElementsAre(imported, one())) << "by start";

    ASSERT_TRUE(catalog_.set_status(kOne, SessionStatus::complete));
    ASSERT_TRUE(catalog_.set_end(kOne, at(5000)));
    EXPECT_EQ(catalog_.session(kOne)->status, SessionStatus::complete);
    EXPECT_EQ(catalog_.session(kOne)->end, at(5000));
}

TEST_F(CatalogTest, KeepsWhoStartedASessionAndWhereItIsTold) {
    auto session = one();
    session.text_channel_id = "9";
    session.started_by = "18446744073709551615";
    session.language = "it";
    ASSERT_TRUE(catalog_.insert_session(session));
    EXPECT_EQ(*catalog_.session(kOne), session);
    ASSERT_TRUE(catalog_.set_end(kOne, at(9)));
    ASSERT_TRUE(catalog_.set_status(kOne, SessionStatus::complete));
    ASSERT_TRUE(catalog_.reopen_session(kOne));
    EXPECT_EQ(*catalog_.session(kOne), session) << "recorded again, all else kept";
    EXPECT_EQ(catalog_.reopen_session(id("other")).error().kind, ErrorKind::not_found);
}

TEST_F(CatalogTest, KeepsWhetherACallWasEncrypted) {
    auto session = one();
    ASSERT_TRUE(catalog_.insert_session(session));
    EXPECT_EQ(catalog_.session(kOne)->encryption, std::nullopt);
    for (const auto encryption : {Encryption::none, Encryption::end_to_end, Encryption::partly}) {
        session.encryption = encryption;
        session.privacy_code += "09060";
        ASSERT_TRUE(catalog_.set_encryption(session));
        EXPECT_EQ(*catalog_.session(kOne), session);
        EXPECT_EQ(parse_encryption(to_text(encryption)), encryption);
    }
    EXPECT_EQ(parse_encryption("quantum"), std::nullopt);
    ASSERT_TRUE(catalog_.reopen_session(kOne));
    ASSERT_TRUE(catalog_.set_place(one()));
    EXPECT_EQ(catalog_.session(kOne)->privacy_code, "090600906009060") << "who goes on with it goes on from there";
    session.id = id("other");
    EXPECT_EQ(catalog_.set_encryption(session).error().kind, ErrorKind::not_found);
}

TEST_F(CatalogTest, AGuildSeesItsOwnSessionsOnlyTheNewestFirst) {
    for (int i = 0; i < 5; ++i) {
        ASSERT_TRUE(catalog_.insert_session(
            {.id = id("mine" + std::to_string(i)), .guild_id = "7", .start = at(i == 3 ? 1000 : i)}));
    }
    ASSERT_TRUE(catalog_.insert_session({.id = id("theirs"), .guild_id = "77", .start = at(5000)}));
    ASSERT_TRUE(catalog_.insert_session({.id = id("imported"), .start = at(5000)}));
    std::vector<std::string> names;
    const auto newest = *catalog_.sessions_of("7", 3);
    for (const auto& session : newest) names.push_back(session.id.text());
    EXPECT_THAT(names, ElementsAre("mine3", "mine4", "mine2"));
    EXPECT_EQ(catalog_.sessions_of("7", 100)->size(), 5U);
    EXPECT_THAT(*catalog_.sessions_of("", 100), IsEmpty());
}

TEST_F(CatalogTest, RefusesASecondSessionOfTheSameName) {
    ASSERT_TRUE(catalog_.insert_session(one()));
    auto other = one();
    other.start = at(2);
    const auto refused = catalog_.insert_session(other);
    EXPECT_EQ(refused.error().kind, ErrorKind::failed);
    EXPECT_THAT(refused.error().message, HasSubstr("there is already a session \"01J0ABCDEFGH\""));
    EXPECT_EQ(*catalog_.session(kOne), one());
}

TEST_F(CatalogTest, UnknownSessionsAreNotFound) {
    EXPECT_EQ(catalog_.session(kOne).error().kind, ErrorKind::not_found);
    EXPECT_EQ(catalog_.set_status(kOne, SessionStatus::failed).error().kind, ErrorKind::not_found);
    EXPECT_EQ(catalog_.set_end(kOne, at(1)).error().kind, ErrorKind::not_found);
    EXPECT_EQ(catalog_.upsert_recording(fragment()).error().kind, ErrorKind::failed) << "foreign key";
    EXPECT_THAT(*catalog_.recordings(kOne), IsEmpty());
}

TEST_F(CatalogTest, EveryStatusSurvives) {
    ASSERT_TRUE(catalog_.insert_session(one()));
    for (const auto status : {SessionStatus::recording, SessionStatus::ending, SessionStatus::complete,
                              SessionStatus::interrupted, SessionStatus::failed}) {
        ASSERT_TRUE(catalog_.set_status(kOne, status));
        EXPECT_EQ(catalog_.session(kOne)->status, status) << to_text(status);
    }
    for (const auto status : {FileStatus::pending, FileStatus::stored, FileStatus::failed, FileStatus::expired}) {
        auto recording = fragment();
        recording.status = status;
        ASSERT_TRUE(catalog_.upsert_recording(recording));
        EXPECT_EQ(catalog_.recordings(kOne)->front().status, status) << to_text(status);
    }
}

TEST_F(CatalogTest, KeepsFragmentsChunksTracksAndTheMaster) {
    ASSERT_TRUE(catalog_.insert_session(one()));
    const Recording bare{.session = kOne, .key = "k/second", .user = UserId{9}, .start = at(7)};
    ASSERT_TRUE(catalog_.upsert_recording(fragment()));
    ASSERT_TRUE(catalog_.upsert_recording(bare));
    EXPECT_THAT(*catalog_.recordings(kOne), ElementsAre(bare, fragment())) << "users by number, nulls stay null";

    const Chunk chunk{.session = kOne,
                      .key = "k/c",
                      .user = UserId{9},
                      .start = at(7),
                      .status = FileStatus::stored,
                      .duration = milliseconds(5),
                      .recipe = "x",
                      .content = Content{7, "b"}};
    ASSERT_TRUE(catalog_.upsert_chunk(chunk));
    EXPECT_THAT(*catalog_.chunks(kOne), ElementsAre(chunk));

    const Track track{.session = kOne,
                      .user = UserId{9},
                      .name = "Zoë 'x\"; DROP TABLE sessions; --",
                      .received = 1,
                      .lost = 2,
                      .undecryptable = 36,
                      .closed = {15, 1, 2, 3, 4, 11},
                      .late = 4,
                      .duplicate = 5,
                      .parked = 6,
                      .concealed = 7};
    ASSERT_TRUE(catalog_.upsert_track(track));
    EXPECT_THAT(*catalog_.tracks(kOne), ElementsAre(track));

    EXPECT_EQ(*catalog_.master(kOne), std::nullopt);
    const Master master{.session = kOne,
                        .key = "k/m",
                        .duration = milliseconds(9),
                        .levels = {-23.0, {}},
                        .recipe = "m",
                        .content = Content{9, "c"}};
    ASSERT_TRUE(catalog_.set_master(master));
    EXPECT_EQ(*catalog_.master(kOne), master);
    EXPECT_THAT(*catalog_.tracks(id("other")), IsEmpty());
}

TEST_F(CatalogTest, WritingTheSameAgainReplacesIt) {
    ASSERT_TRUE(catalog_.insert_session(one()));
    for (int i = 0; i < 2; ++i) {
        auto recording = fragment();
        recording.recipe = "r" + std::to_string(i);
        recording.levels = {};
        ASSERT_TRUE(catalog_.upsert_recording(recording));
        EXPECT_THAT(*catalog_.recordings(kOne), ElementsAre(recording));
        const Chunk chunk{.session = kOne, .key = "c", .user = UserId{1}, .start = at(i)};
        ASSERT_TRUE(catalog_.upsert_chunk(chunk));
        EXPECT_THAT(*catalog_.chunks(kOne), ElementsAre(chunk));
        const Track track{.session = kOne, .user = UserId{1}, .name = "x", .received = i};
        ASSERT_TRUE(catalog_.upsert_track(track));
        EXPECT_THAT(*catalog_.tracks(kOne), ElementsAre(track));
        const Master master{.session = kOne, .key = "m", .duration = milliseconds(i), .levels = {}, .recipe = ""};
        ASSERT_TRUE(catalog_.set_master(master));
        EXPECT_EQ(*catalog_.master(kOne), master);
    }
    ASSERT_TRUE(catalog_.remove_recording(kOne, fragment().key));
    ASSERT_TRUE(catalog_.remove_recording(kOne, fragment().key));
    ASSERT_TRUE(catalog_.remove_chunk(kOne, "c"));
    EXPECT_THAT(*catalog_.recordings(kOne), IsEmpty());
    EXPECT_THAT(*catalog_.chunks(kOne), IsEmpty());
}

TEST_F(CatalogTest, ResolvesAnIdOrItsUniqueEnding) {
    for (const auto* name : {"01JAAAXYZ123", "01JBBBXYZ123", "01JCCCqrs_-9", "abc"}) {
        ASSERT_TRUE(catalog_.insert_session({.id = id(name)}));
    }
    EXPECT_EQ(catalog_.resolve("01JAAAXYZ123")->text(), "01JAAAXYZ123");
    EXPECT_EQ(catalog_.resolve("abc")->text(), "abc") << "a whole id may be short";
    EXPECT_EQ(catalog_.resolve("BXYZ123")->text(), "01JBBBXYZ123");
    EXPECT_EQ(catalog_.resolve("bxyz123")->text(), "01JBBBXYZ123");
    EXPECT_EQ(catalog_.resolve("qrs_-9")->text(), "01JCCCqrs_-9");

    const auto several = catalog_.resolve("XYZ123");
    EXPECT_EQ(several.error().kind, ErrorKind::usage);
    EXPECT_EQ(several.error().message, "\"XYZ123\" could be any of 01JAAAXYZ123, 01JBBBXYZ123: write more of it");
    for (const auto* text : {"", "YZ123", "rs_-9", "xxxxxx", "%%%%%%", "______", "' OR 1=1 --", "01JAAA"}) {
        EXPECT_EQ(catalog_.resolve(text).error().kind, ErrorKind::not_found) << text;
    }
    EXPECT_EQ(catalog_.resolve(std::string("XYZ1\0003", 6)).error().kind, ErrorKind::not_found);
}

TEST_F(CatalogTest, ResolvesInOneGuildAsIfThereWereNoOther) {
    ASSERT_TRUE(catalog_.insert_session({.id = id("01JAAAXYZ123"), .guild_id = "7"}));
    ASSERT_TRUE(catalog_.insert_session({.id = id("01JBBBXYZ123"), .guild_id = "8"}));
    ASSERT_TRUE(catalog_.insert_session({.id = id("01JCCCIMPORT")}));
    EXPECT_EQ(catalog_.resolve_in("7", "XYZ123")->text(), "01JAAAXYZ123") << "the other guild's makes it no riddle";
    EXPECT_EQ(catalog_.resolve_in("7", "01JAAAXYZ123")->text(), "01JAAAXYZ123");
    for (const auto* text : {"01JBBBXYZ123", "BXYZ123", "01JCCCIMPORT", "IMPORT", "'7' OR guild_id"}) {
        const auto other = catalog_.resolve_in("7", text);
        ASSERT_FALSE(other) << text;
        EXPECT_EQ(other.error().kind, ErrorKind::not_found) << text;
        EXPECT_EQ(other.error().message,
                  "there is no session \"" + std::string(text) + "\"; `lestapenna sessions` lists them")
            << "as for an unknown one";
    }
    EXPECT_EQ(catalog_.resolve_in("", "01JCCCIMPORT").error().kind, ErrorKind::not_found);
    EXPECT_EQ(catalog_.resolve_in("7", std::string(10'000, 'x')).error().kind, ErrorKind::not_found);
    EXPECT_EQ(catalog_.resolve_in("7", "../../etc/passwd").error().kind, ErrorKind::not_found);
}

TEST_F(CatalogTest, ABotStaysABotWhateverTheLedgerWrites) {
    ASSERT_TRUE(catalog_.insert_session(one()));
    ASSERT_TRUE(catalog_.upsert_track({.session = kOne, .user = UserId{1}, .name = "Groovy", .bot = true}));
    ASSERT_TRUE(catalog_.upsert_track({.session = kOne, .user = UserId{1}, .name = "Groovy", .received = 5}));
    const Track kept{.session = kOne, .user = UserId{1}, .name = "Groovy", .bot = true, .received = 5};
    EXPECT_THAT(*catalog_.tracks(kOne), ElementsAre(kept));
}

TEST_F(CatalogTest, AFileIsInTheTranscriptionQueueOnce) {
    ASSERT_TRUE(catalog_.insert_session(one()));
    const Transcription late{.session = kOne, .file = "k/2", .user = UserId{5}, .timestamp = at(7)};
    Transcription early{.session = kOne, .file = "k/1", .user = UserId{6}, .timestamp = at(8)};
    ASSERT_TRUE(catalog_.add_transcription(late));
    ASSERT_TRUE(catalog_.add_transcription(early));
    early.timestamp = at(6);
    ASSERT_TRUE(catalog_.add_transcription(early));
    EXPECT_THAT(*catalog_.transcriptions(kOne), ElementsAre(early, late));
    EXPECT_THAT(*catalog_.transcriptions(id("other")), IsEmpty());
    EXPECT_EQ(catalog_.add_transcription({.session = id("other"), .file = "k/3"}).error().kind, ErrorKind::failed);
}

TEST_F(CatalogTest, TheFirstNicknameStaysUntilItIsForgotten) {
    ASSERT_TRUE(catalog_.remember_nick({.guild_id = "7", .nick = "Penna"}));
    ASSERT_TRUE(catalog_.remember_nick({.guild_id = "7", .nick = "[REC] Penna"}));
    ASSERT_TRUE(catalog_.remember_nick({.guild_id = "8", .nick = std::nullopt}));
    EXPECT_THAT(*catalog_.remembered_nicks(), ElementsAre(FormerNick{"7", "Penna"}, FormerNick{"8", std::nullopt}));
    ASSERT_TRUE(catalog_.forget_nick("7"));
    ASSERT_TRUE(catalog_.forget_nick("7"));
    EXPECT_THAT(*catalog_.remembered_nicks(), ElementsAre(FormerNick{"8", std::nullopt}));
}

TEST_F(CatalogTest, TogetherIsAllOrNothing) {
    const auto failing = catalog_.together([&]() -> Status {
        EXPECT_TRUE(catalog_.insert_session(one()));
        return Error{ErrorKind::failed, "on purpose"};
    });
    EXPECT_EQ(failing.error().message, "on purpose");
    EXPECT_THAT(*catalog_.sessions(), IsEmpty());
    EXPECT_TRUE(catalog_.together([&] { return catalog_.insert_session(one()); }));
    EXPECT_EQ(catalog_.sessions()->size(), 1U);
}

TEST_F(CatalogTest, TwoConnectionsSeeEachOther) {
    auto second = std::move(*Catalog::open(file_));
    ASSERT_TRUE(catalog_.insert_session(one()));
    EXPECT_EQ(*second.session(kOne), one());
    ASSERT_TRUE(second.set_status(kOne, SessionStatus::complete));
    EXPECT_EQ(catalog_.session(kOne)->status, SessionStatus::complete);
}

TEST_F(CatalogTest, ManyWritersLoseNothing) {
    ASSERT_TRUE(catalog_.insert_session(one()));
    constexpr int kThreads = 4;
    constexpr int kRows = 25;
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < kThreads; ++t) {
            threads.emplace_back([&, t] {
                auto mine = std::move(*Catalog::open(file_));
                for (int i = 0; i < kRows; ++i) {
                    EXPECT_TRUE(mine.upsert_chunk({.session = kOne, .key = std::to_string(t * kRows + i)}));
                }
            });
        }
    }
    EXPECT_EQ(catalog_.chunks(kOne)->size(), std::size_t{kThreads * kRows});
}

}  // namespace
}  // namespace lestapenna::catalog
