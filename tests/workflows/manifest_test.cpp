// What a bucket says of itself.
#include "workflows/manifest.h"

#include <random>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "growing_table.h"

namespace lestapenna::workflows {
namespace {

using Json = nlohmann::json;
using ::testing::IsEmpty;

const SessionId kId = *SessionId::parse("manifested");
const std::string kKey = "recordings/manifested/session.json";

Json stored(Desk& desk) {
    const auto text = stored_manifest(desk.tools(), kId);
    EXPECT_TRUE(text.ok() && *text);
    return Json::parse(**text, nullptr, false);
}

TEST(Manifest, NamesWhoWhenAndEveryFileWithItsSum) {
    const BuzzingTable table(2, seconds(40));
    Desk desk(kId, table.simulated.start_time);
    ASSERT_TRUE(desk.journal(table.simulated.start_time, table.records()).end().ok());
    desk.finish();
    const Json json = stored(desk);
    EXPECT_EQ(json["manifest"], 1);
    EXPECT_EQ(json["session"], "manifested");
    EXPECT_EQ(json["guild_id"], "7");
    EXPECT_EQ(json["status"], "complete");
    EXPECT_EQ(json["start_time"], table.simulated.start_time.time_since_epoch().count());
    ASSERT_EQ(json["users"].size(), 2U);
    std::vector<Json> files{json["master"]};
    for (const Json& user : json["users"]) {
        ASSERT_EQ(user["connections"].size(), 1U);
        EXPECT_EQ(user["connections"][0]["start_time"], json["start_time"]);
        EXPECT_EQ(user["connections"][0]["duration_ms"], user["fragments"][0]["duration_ms"]);
        files.insert(files.end(), user["fragments"].begin(), user["fragments"].end());
        files.insert(files.end(), user["chunks"].begin(), user["chunks"].end());
    }
    const auto objects = desk.objects();
    EXPECT_EQ(files.size() + 1, objects.size()) << "all but itself";
    for (const Json& file : files) {
        const auto& bytes = objects.at(file["key"]);
        EXPECT_EQ(file["bytes"], bytes.size());
        EXPECT_EQ(file["sha256"], hex(Sha256::of(bytes)));
        EXPECT_TRUE(file["start_time"].is_number_integer());
        EXPECT_TRUE(file["duration_ms"].is_number_integer());
    }
}

TEST(Manifest, IsWrittenOnlyWhenItSaysSomethingNew) {
    Desk desk(kId, UnixTime{milliseconds(5)});
    for (const bool remote : {false, true}) {
        desk.store().remote = remote;
        const int before = desk.store().puts[kKey];
        ASSERT_TRUE(desk.catalog().upsert_track({.session = kId, .user = UserId{9}, .name = remote ? "a" : "b"}).ok());
        for (int i = 0; i < 3; ++i) ASSERT_TRUE(write_manifest(desk.tools(), kId).ok());
        EXPECT_EQ(desk.store().puts[kKey], before + 1);
    }
    EXPECT_THAT(
        std::vector<std::filesystem::path>(std::filesystem::directory_iterator(desk.config().data.dir / "cache"), {}),
        IsEmpty());
}

// `forget` in a process of its own: its manifest is written, and ours, which still had the person, comes after it.
TEST(Manifest, NamesNobodyWhoWasForgottenWhileItWasWritten) {
    Desk desk(kId, UnixTime{milliseconds(5)});
    for (const UserId user : {UserId{9}, UserId{10}}) {
        ASSERT_TRUE(desk.catalog().upsert_track({.session = kId, .user = user, .name = "x"}).ok());
    }
    desk.store().in_a_put = [&] {
        ASSERT_TRUE(desk.catalog().forget_user(kId, UserId{9}).ok());
        ASSERT_TRUE(write_manifest(desk.tools(), kId).ok());
    };
    ASSERT_TRUE(write_manifest(desk.tools(), kId).ok());
    EXPECT_EQ(stored(desk)["users"].size(), 1U);
    EXPECT_EQ(stored(desk)["users"][0]["user_id"], "10");
    EXPECT_EQ(desk.store().puts[kKey], 3);
}

TEST(Manifest, SaysWhatALostCatalogNeeds) {
    Desk desk(kId, UnixTime{milliseconds(1'234'567)});
    auto row = *desk.catalog().session(kId);
    row.encryption = catalog::Encryption::end_to_end;
    row.privacy_code = "090606058512345";
    ASSERT_TRUE(desk.catalog().set_encryption(row).ok());
    ASSERT_TRUE(desk.catalog()
                    .upsert_track({.session = kId, .user = UserId{9}, .name = "Zo\xC3\xAB \"\xFF", .bot = true})
                    .ok());
    const auto text = manifest_text(desk.catalog(), kId);
    ASSERT_TRUE(text.ok());
    const auto contents = read_manifest(*text);
    ASSERT_TRUE(contents);
    EXPECT_EQ(contents->session, *desk.catalog().session(kId));
    ASSERT_EQ(contents->tracks.size(), 1U);
    EXPECT_EQ(contents->tracks[0].user, UserId{9});
    EXPECT_EQ(contents->tracks[0].name, "Zo\xC3\xAB \"\xEF\xBF\xBD");
    EXPECT_TRUE(contents->tracks[0].bot);
    EXPECT_EQ(manifest_text(desk.catalog(), *SessionId::parse("another")).error().kind, ErrorKind::not_found);
}

TEST(Manifest, HoldsAllThatTheCatalogKnowsOfAFinishedSession) {
    const BuzzingTable table(2, seconds(40));
    Desk desk(kId, table.simulated.start_time);
    ASSERT_TRUE(desk.journal(table.simulated.start_time, table.records()).end().ok());
    desk.finish();
    auto recordings = *desk.catalog().recordings(kId);
    auto late = recordings[1];
    late.start += seconds(60);
    late.key = store::key(store::FragmentKey{kId, late.user, late.start}).text();
    late.status = catalog::FileStatus::expired;
    ASSERT_TRUE(desk.catalog().upsert_recording(late));
    auto tracks = *desk.catalog().tracks(kId);
    tracks[0].lost = 3;
    tracks[0].closed[2] = tracks[0].undecryptable = 7;
    ASSERT_TRUE(desk.catalog().upsert_track(tracks[0]));
    const auto contents = read_manifest(*manifest_text(desk.catalog(), kId));
    ASSERT_TRUE(contents);
    EXPECT_EQ(contents->session, *desk.catalog().session(kId));
    EXPECT_EQ(contents->tracks, *desk.catalog().tracks(kId));
    EXPECT_EQ(contents->chunks, *desk.catalog().chunks(kId));
    EXPECT_EQ(contents->master, *desk.catalog().master(kId));
    const catalog::Recording gone{.session = kId,
                                  .key = late.key,
                                  .user = late.user,
                                  .start = late.start,
                                  .status = late.status,
                                  .duration = late.duration};
    EXPECT_THAT(contents->recordings, ::testing::ElementsAre(recordings[0], recordings[1], gone));
}

TEST(Manifest, WhatIsNoneIsNothing) {
    for (const char* text :
         {"", "x", "[]", "null", "{}", "{\"manifest\": 2}", "{\"manifest\": 1}",
          R"({"manifest": 1, "session": "../x", "start_time": 1, "status": "complete"})",
          R"({"manifest": 1, "session": "x", "start_time": 1e99, "status": "complete"})",
          R"({"manifest": 1, "session": "x", "start_time": 18446744073709551615, "status": "complete"})",
          R"({"manifest": 1, "session": "x", "start_time": 1, "status": "odd"})"}) {
        EXPECT_FALSE(read_manifest(text)) << text;
    }
    const auto odd = read_manifest(
        R"({"manifest": 1, "session": "x", "start_time": 1, "status": "failed", "guild_id": "1'); --", "language": 3})");
    ASSERT_TRUE(odd);
    EXPECT_EQ(odd->session.guild_id, std::nullopt);
    EXPECT_EQ(odd->session.language, "");
}

TEST(Manifest, SurvivesRubbish) {
    Desk desk(kId, UnixTime{milliseconds(1)});
    ASSERT_TRUE(desk.catalog().upsert_track({.session = kId, .user = UserId{9}, .name = "a"}).ok());
    catalog::Recording row{.session = kId, .key = "recordings/manifested/full/FULL-9-1.mp3", .user = UserId{9}};
    row.status = catalog::FileStatus::stored;
    row.content = catalog::Content{5, std::string(64, 'a')};
    ASSERT_TRUE(desk.catalog().upsert_recording(row).ok());
    const std::string good = *manifest_text(desk.catalog(), kId);
    std::mt19937 random(7);
    for (int i = 0; i < 3'000; ++i) {
        std::string text = good;
        for (unsigned n = random() % 4 + 1; n > 0; --n) text[random() % text.size()] = static_cast<char>(random());
        if (i % 3 == 0) text.resize(random() % text.size());
        const auto contents = read_manifest(text);
        if (!contents) continue;
        EXPECT_LE(contents->tracks.size(), 1U);
        for (const auto& track : contents->tracks) EXPECT_GE(track.received, 0);
    }
    EXPECT_FALSE(read_manifest(std::string(100'000, '[')));
}

}  // namespace
}  // namespace lestapenna::workflows
