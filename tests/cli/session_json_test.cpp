#include "cli/session_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "cli/session_text.h"
#include "store/directory.h"
#include "store/links.h"
#include "support.h"

namespace lestapenna::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const SessionId kId = *SessionId::parse("01J0ABCDEFGH");
const UserId kAnna{80351110224678912};
UnixTime at(std::int64_t ms) {
    return UnixTime{milliseconds{ms}};
}

class SessionJson : public ::testing::Test {
  protected:
    void store_file(const std::string& key) {
        ASSERT_TRUE(write_file(folder_ / "file", std::string_view("x")));
        ASSERT_TRUE(store_->put(folder_ / "file", *store::Key::parse(key)));
    }
    Json object(std::string_view id = "01J0ABCDEFGH") {
        auto made = session_json(tools(), id);
        EXPECT_TRUE(made) << made.error().message;
        return made ? *made : Json();
    }
    workflows::Tools tools() { return {config_, catalog_, *store_, {}}; }
    void insert(const std::optional<std::string>& guild = "7") {
        ASSERT_TRUE(catalog_.insert_session(
            {.id = kId, .guild_id = guild, .channel_id = guild, .start = at(1000), .end = at(62'500)}));
    }

    test::TempDir folder_;
    Config config_;
    catalog::Catalog catalog_ = std::move(*catalog::Catalog::open(folder_ / "catalog.sqlite"));
    std::unique_ptr<store::ObjectStore> store_ = std::move(*store::DirectoryStore::open(folder_ / "store"));
};

std::vector<std::string> keys(const Json& object) {
    std::vector<std::string> names;
    for (const auto& [name, value] : object.items()) names.push_back(name);
    return names;
}

TEST_F(SessionJson, HasTheKeysOfTheContractAndNullsUntilTheyAreKnown) {
    ASSERT_TRUE(catalog_.insert_session({.id = kId, .start = at(5)}));
    const auto session = object();
    EXPECT_THAT(keys(session), ElementsAre("session", "guild_id", "channel_id", "status", "start_time", "duration_ms",
                                           "encryption", "privacy_code", "storage", "master", "transcript", "tracks"));
    EXPECT_EQ(session["session"], "01J0ABCDEFGH");
    EXPECT_EQ(session["status"], "recording");
    EXPECT_EQ(session["start_time"], 5);
    for (const auto* key : {"guild_id", "channel_id", "duration_ms", "encryption", "privacy_code", "master"})
        EXPECT_TRUE(session[key].is_null()) << key;
    EXPECT_EQ(session["tracks"], Json::array());
    const Json nothing{{"objects", 0}, {"bytes", 0}};
    EXPECT_EQ(session["storage"],
              (Json{{"chunks", nothing}, {"fragments", nothing}, {"masters", nothing}, {"journal_bytes", nullptr}}));
}

TEST_F(SessionJson, ShowsEverythingThatWasMade) {
    insert();
    const std::string fragment = "recordings/01J0ABCDEFGH/full/FULL-80351110224678912-1500.mp3";
    const std::string chunk = "recordings/01J0ABCDEFGH/chunks/80351110224678912-1500.mp3";
    const std::string master = "recordings/01J0ABCDEFGH/master/MASTER-01J0ABCDEFGH.mp3";
    store_file(fragment);
    store_file(master);
    ASSERT_TRUE(catalog_.upsert_track({.session = kId,
                                       .user = kAnna,
                                       .name = "Anna",
                                       .received = 3,
                                       .lost = 2,
                                       .undecryptable = 3,
                                       .closed = {0, 0, 2, 1}}));
    ASSERT_TRUE(catalog_.upsert_recording({.session = kId,
                                           .key = fragment,
                                           .user = kAnna,
                                           .start = at(1500),
                                           .status = catalog::FileStatus::stored,
                                           .duration = milliseconds(60'000),
                                           .levels = {-23.1, -1.5},
                                           .gain_db = 4.25,
                                           .speech_lufs = -22.5,
                                           .level_flag = "capped"}));
    ASSERT_TRUE(catalog_.upsert_chunk(
        {.session = kId, .key = chunk, .user = kAnna, .start = at(1500), .duration = milliseconds(60'000)}));
    ASSERT_TRUE(catalog_.set_master(
        {.session = kId, .key = master, .duration = milliseconds(61'500), .levels = {-23.0, -1.1}}));

    const auto session = object();
    EXPECT_EQ(session["guild_id"], "7");
    EXPECT_EQ(session["duration_ms"], 61'500);
    EXPECT_EQ(session["master"], (Json{{"path", (folder_ / "store" / master).string()},
                                       {"key", master},
                                       {"link", nullptr},
                                       {"duration_ms", 61'500},
                                       {"loudness_lufs", -23.0},
                                       {"true_peak_dbtp", -1.1},
                                       {"source", nullptr}}));
    ASSERT_EQ(session["tracks"].size(), 1U);
    EXPECT_EQ(session["tracks"][0],
              (Json{{"user_id", "80351110224678912"},
                    {"name", "Anna"},
                    {"fragments", Json::array({{{"path", (folder_ / "store" / fragment).string()},
                                                {"key", fragment},
                                                {"link", nullptr},
                                                {"start_time", 1500},
                                                {"duration_ms", 60'000},
                                                {"loudness_lufs", -23.1},
                                                {"true_peak_dbtp", -1.5},
                                                {"gain_db", 4.25},
                                                {"speech_lufs", -22.5},
                                                {"level_flag", "capped"}}})},
                    {"chunks", Json::array({{{"key", chunk}, {"start_time", 1500}, {"duration_ms", 60'000}}})},
                    {"packets_received", 3},
                    {"packets_lost", 2},
                    {"packets_undecryptable", 3},
                    {"undecryptable",
                     {{"unknown", 0}, {"no_user", 0}, {"no_key", 2}, {"forged", 1}, {"plain", 0}, {"overflow", 0}}}}));
}

TEST_F(SessionJson, SaysWhetherTheCallWasEncrypted) {
    insert();
    ASSERT_TRUE(catalog_.set_encryption(
        {.id = kId, .encryption = catalog::Encryption::partly, .privacy_code = "090606058512345"}));
    EXPECT_EQ(object()["encryption"], "partly");
    EXPECT_EQ(object()["privacy_code"], "090606058512345");
}

TEST_F(SessionJson, PathIsNullWhereTheFileIsNotHere) {
    insert();
    ASSERT_TRUE(catalog_.set_master({.session = kId, .key = "recordings/01J0ABCDEFGH/master/MASTER-01J0ABCDEFGH.mp3"}));
    ASSERT_TRUE(catalog_.upsert_recording({.session = kId, .key = "../../etc/passwd", .user = kAnna}));
    const auto session = object();
    EXPECT_TRUE(session["master"]["path"].is_null());
    EXPECT_TRUE(session["tracks"][0]["fragments"][0]["path"].is_null()) << "a key that is none is never looked up";
}

TEST_F(SessionJson, LinksToWhatIsInTheStoreAreOurOwnAndSigned) {
    insert();
    const std::string master = "recordings/01J0ABCDEFGH/master/MASTER-01J0ABCDEFGH.mp3";
    const std::string fragment = "recordings/01J0ABCDEFGH/full/FULL-80351110224678912-1500.mp3";
    const std::string lost = "recordings/01J0ABCDEFGH/full/FULL-80351110224678912-2500.mp3";
    ASSERT_TRUE(catalog_.set_master({.session = kId, .key = master}));
    ASSERT_TRUE(catalog_.upsert_recording({.session = kId, .key = fragment, .user = kAnna, .start = at(1500)}));
    ASSERT_TRUE(catalog_.upsert_recording({.session = kId, .key = lost, .user = kAnna, .start = at(2500)}));
    store_file(master);
    store_file(fragment);
    config_.data.dir = folder_.path();
    EXPECT_TRUE(object()["master"]["link"].is_null()) << "nowhere to link to";
    EXPECT_FALSE(std::filesystem::exists(folder_ / "link-secret"));

    config_.web.public_url = "https://table.example/";
    const auto session = object();
    const auto links = store::Links::open(config_);
    ASSERT_TRUE(links) << links.error().message;
    const auto target = [&](const Json& link) {
        const std::string text = link.get<std::string>();
        EXPECT_THAT(text, ::testing::StartsWith("https://table.example/audio/"));
        return links->check(text.substr(std::string("https://table.example").size()), unix_now());
    };
    const auto to_master = target(session["master"]["link"]);
    ASSERT_TRUE(to_master.ok());
    EXPECT_EQ(to_master->key.text(), master);
    EXPECT_EQ(to_master->name, store::master_name(kId, at(1000)));
    const auto to_fragment = target(session["tracks"][0]["fragments"][0]["link"]);
    ASSERT_TRUE(to_fragment.ok());
    EXPECT_EQ(to_fragment->key.text(), fragment);
    EXPECT_EQ(to_fragment->name, "FULL-80351110224678912-1500.mp3");
    EXPECT_TRUE(session["tracks"][0]["fragments"][1]["link"].is_null()) << "it is not there";
}

TEST_F(SessionJson, FilesOfUsersWithoutALedgerAreShown) {
    insert();
    ASSERT_TRUE(catalog_.upsert_track({.session = kId, .user = UserId{10}, .name = "Ten"}));
    ASSERT_TRUE(catalog_.upsert_chunk({.session = kId, .key = "c", .user = UserId{9}, .start = at(1)}));
    const auto tracks = object()["tracks"];
    ASSERT_EQ(tracks.size(), 2U);
    EXPECT_EQ(tracks[0]["user_id"], "9") << "by number";
    EXPECT_EQ(tracks[0]["name"], "9");
    EXPECT_TRUE(tracks[0]["packets_lost"].is_null());
    EXPECT_EQ(tracks[1]["name"], "Ten");
}

TEST_F(SessionJson, KnowsSessionsByTheirEnding) {
    insert();
    EXPECT_EQ(object("cdefgh")["session"], "01J0ABCDEFGH");
    EXPECT_EQ(session_json(tools(), "nobody").error().kind, ErrorKind::not_found);
}

TEST_F(SessionJson, AnyNameCanBeShown) {
    insert();
    ASSERT_TRUE(catalog_.upsert_track({.session = kId, .user = kAnna, .name = "\xff\x1b[2J\"\n</script>"}));
    const auto session = object();
    EXPECT_TRUE(Json::accept(dump(session)));
    EXPECT_THAT(session_text(session), Not(HasSubstr("\x1b")));
}

TEST_F(SessionJson, TextSaysTheSame) {
    EXPECT_THAT(sessions_text(Json::array()), HasSubstr("no sessions yet"));
    insert();
    ASSERT_TRUE(catalog_.upsert_track({.session = kId, .user = kAnna, .name = "Anna", .received = 3000, .lost = 17}));
    ASSERT_TRUE(catalog_.upsert_recording({.session = kId,
                                           .key = "k/one.mp3",
                                           .user = kAnna,
                                           .start = at(1500),
                                           .duration = milliseconds(3'661'000),
                                           .levels = {-23.04, -1.5}}));
    ASSERT_TRUE(catalog_.upsert_recording({.session = kId, .key = "k/two.mp3", .user = kAnna, .start = at(9500)}));
    const auto text = session_text(object());
    EXPECT_THAT(text, HasSubstr("Anna    1:01:01  3000     17    0       -23.0         k/one.mp3\n"));
    EXPECT_THAT(text, HasSubstr("        -                               -             k/two.mp3\n"));
    EXPECT_THAT(text, HasSubstr("not made yet"));
    const auto list = sessions_text(Json::array({object()}));
    EXPECT_THAT(list, HasSubstr("01J0ABCDEFGH  "));
    EXPECT_THAT(list, HasSubstr("  0:01:01  recording  1        -\n"));
}

}  // namespace
}  // namespace lestapenna::cli
