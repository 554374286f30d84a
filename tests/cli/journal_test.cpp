// `lestapenna journal verify|dump`, as a person meets it.
#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/cli.h"
#include "cli/context.h"
#include "journal/writer.h"
#include "support.h"

namespace lestapenna::cli {
namespace {

using ::testing::HasSubstr;

constexpr BootTime kAnchor{seconds{1'000}};

class JournalVerbs : public ::testing::Test {
  protected:
    void SetUp() override {
        journal::Committer committer;
        auto writer = journal::Writer::open(
            committer, root_.path(),
            {*SessionId::parse("evening"), UnixTime{milliseconds{1'753'000'000'000}}, kAnchor, {}});
        ASSERT_TRUE(writer.ok()) << writer.error().message;
        const std::vector<std::uint8_t> opus(90, 7);
        ASSERT_TRUE(writer->append(journal::Join{kAnchor, UserId{5}}));
        for (std::uint16_t n = 0; n < 3; ++n) {
            ASSERT_TRUE(writer->append(
                journal::Packet{7, n, 960u * n, kAnchor + milliseconds{20 * n}, false, false, 90, opus}));
        }
        ASSERT_TRUE(writer->append(journal::Packet{
            7, 9, 960, kAnchor + milliseconds{20}, true, true, 102, {}, journal::ClosedReason::no_key}));
        ASSERT_TRUE(writer->append(journal::Marker{kAnchor + seconds{61}, UserId{5}, "a\xFF\nb"}));
        ASSERT_TRUE(writer->append(journal::End{kAnchor + seconds{62}}));
    }

    [[nodiscard]] std::filesystem::path session() const { return root_.path() / "evening"; }
    [[nodiscard]] std::filesystem::path segment() const { return session() / "000001.log"; }
    [[nodiscard]] test::ProcessResult run(std::vector<std::string> words) const {
        words.insert(words.begin(), {LESTAPENNA_BINARY, "journal"});
        return test::run_process(words, {}, root_.path());
    }
    static Json json(const test::ProcessResult& result) {
        EXPECT_TRUE(Json::accept(result.out)) << result.out;
        return Json::parse(result.out, nullptr, false);
    }
    void cut(std::uintmax_t bytes) const {
        std::filesystem::resize_file(segment(), std::filesystem::file_size(segment()) - bytes);
    }

  private:
    test::TempDir root_;
};

TEST_F(JournalVerbs, VerifySumsUpAWholeJournal) {
    for (const auto& path : {session(), segment()}) {
        const auto plain = run({"verify", path.string()});
        EXPECT_EQ(plain.exit_code, kDone) << plain.err;
        EXPECT_THAT(plain.out, HasSubstr("sealed"));
        EXPECT_THAT(plain.out, HasSubstr("0:00:00.000 - 0:01:02.000  4 packet, 1 join, 1 marker, 1 end"));
        EXPECT_THAT(plain.out, HasSubstr("clean: the session was ended"));
        const auto object = json(run({"verify", path.string(), "--json"}));
        EXPECT_EQ(object["session"], "evening");
        EXPECT_EQ(object["state"], "ended");
        EXPECT_EQ(object["segments"][0]["records"]["packet"], 4);
        EXPECT_TRUE(object["damage"].empty());
    }
}

TEST_F(JournalVerbs, AJournalThatStopsAtAWholeRecordIsClean) {
    cut(24 + 16);  // the seal and the end
    const auto result = run({"verify", session().string()});
    EXPECT_EQ(result.exit_code, kDone);
    EXPECT_THAT(result.out, HasSubstr("interrupted"));
    EXPECT_THAT(result.out, HasSubstr("was never ended"));
}

TEST_F(JournalVerbs, AJournalBeingWrittenIsCleanSoFar) {
    journal::Committer committer;
    const auto writer =
        journal::Writer::open(committer, session().parent_path(),
                              {*SessionId::parse("evening"), UnixTime{milliseconds{1'753'000'000'000}}, kAnchor, {}});
    ASSERT_TRUE(writer.ok());
    const auto object = json(run({"verify", session().string(), "--json"}));
    EXPECT_EQ(object["state"], "recording");
    EXPECT_EQ(object["segments"][1]["state"], "open");
}

TEST_F(JournalVerbs, ATornTailIsDamageWithItsPlace) {
    cut(24 + 3);
    const auto object = json(run({"verify", session().string(), "--json"}));
    ASSERT_EQ(object["damage"].size(), 1U);
    EXPECT_EQ(object["damage"][0]["torn_tail"], true);
    EXPECT_EQ(object["damage"][0]["length"], 13);
    EXPECT_EQ(object["damage"][0]["offset"], std::filesystem::file_size(segment()) - 13);
    for (const auto* const verb : {"verify", "dump"}) {
        const auto result = run({verb, session().string()});
        EXPECT_EQ(result.exit_code, kDamaged);
        EXPECT_THAT(result.out, HasSubstr("000001.log: the journal breaks off inside a record"));
    }
}

TEST_F(JournalVerbs, DumpPrintsALineOrAnObjectPerRecord) {
    const auto plain = run({"dump", session().string()});
    EXPECT_EQ(plain.exit_code, kDone);
    EXPECT_EQ(std::ranges::count(plain.out, '\n'), 7) << plain.out;
    EXPECT_THAT(plain.out, HasSubstr("0:00:00.040  packet   ssrc=7 seq=2 rtp_timestamp=1920 payload_bytes=90\n"));
    EXPECT_THAT(plain.out, HasSubstr("payload_bytes=102 undecryptable=true reason=\"no_key\" parked=true\n"));
    const auto array = json(run({"dump", session().string(), "--json"}));
    ASSERT_EQ(array.size(), 7U);
    EXPECT_EQ(array[0]["type"], "join");
    EXPECT_EQ(array[0]["user_id"], "5");
    EXPECT_EQ(array[3]["time_ns"], 40'000'000);
    EXPECT_EQ(array[3].contains("reason"), false);
    EXPECT_EQ(array[4]["undecryptable"], true);
    EXPECT_EQ(array[4]["reason"], "no_key");
    EXPECT_EQ(array[5]["text"], "a\xEF\xBF\xBD\nb") << "not UTF-8, and still one JSON value";
}

TEST_F(JournalVerbs, WhatIsNoJournalIsSaidInOneSentence) {
    const auto nothing = run({"verify", (session() / "nothing").string()});
    EXPECT_EQ(nothing.exit_code, kFailed);
    EXPECT_THAT(nothing.err, HasSubstr("there is no file or folder"));
    const auto foreign = run({"verify", LESTAPENNA_BINARY, "--json"});
    EXPECT_EQ(foreign.exit_code, kDamaged);
    EXPECT_EQ(json(foreign)["error"]["code"], "damaged");
    EXPECT_THAT(foreign.out, HasSubstr("is not a journal segment"));
}

}  // namespace
}  // namespace lestapenna::cli
