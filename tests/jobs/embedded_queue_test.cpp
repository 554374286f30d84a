// The embedded queue: a program of the operator's for each fragment.
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "table.h"

namespace lestapenna::jobs {
namespace {

using catalog::Segment;
using catalog::TranscriptionStatus;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class EmbeddedQueueTest : public ::testing::Test {
  protected:
    EmbeddedQueueTest() {
        table_.session("one");
        key_ = table_.fragment("one", 5, seconds(3), "the audio");
    }
    /// A program of two lines as the command; it is given {file}, {output} and {language}.
    void command(const std::string& script, std::vector<std::string> more = {"{file}", "{output}", "{language}"}) {
        const auto path = table_.folder() / "transcribe";
        std::ofstream(path) << "#!/bin/sh\n" << script << "\n";
        ASSERT_EQ(::chmod(path.c_str(), 0700), 0);
        table_.config.queue.command = {path.native()};
        for (auto& word : more) table_.config.queue.command.push_back(std::move(word));
    }
    std::string failure(const std::string& script) {
        command(script);
        table_.start();
        EXPECT_TRUE(table_.becomes(key_, TranscriptionStatus::failed));
        table_.transcriber.reset();
        return table_.row(key_).error;
    }
    std::vector<Segment> words() { return *table_.catalog().segments(key_); }

    test::TranscribedTable table_;
    std::string key_;
};

TEST_F(EmbeddedQueueTest, TakesWhatTheProgramPrints) {
    const auto second = table_.fragment("one", 6, seconds(9), "more audio");
    command(R"(printf '[{"start":0.5,"end":1.25,"text":" %s "}]' "$(cat "$1") $3")");
    table_.start();
    ASSERT_TRUE(table_.becomes(key_, TranscriptionStatus::done)) << table_.row(key_).error;
    ASSERT_TRUE(table_.becomes(second, TranscriptionStatus::done));
    EXPECT_THAT(words(), ElementsAre(Segment{milliseconds(500), milliseconds(1'250), "the audio en"}));
    EXPECT_EQ(table_.row(key_).attempts, 1);
    EXPECT_TRUE(test::eventually([&] { return !table_.jobs().empty(); }));
    EXPECT_THAT(table_.jobs(), ElementsAre("transcript one")) << "when the last was done";
}

TEST_F(EmbeddedQueueTest, TakesWhatTheProgramWrote) {
    command(R"(echo noise; printf '1\n00:00:01,500 --> 00:00:02,000\nciao\n' > "$2.srt")");
    table_.start();
    ASSERT_TRUE(table_.becomes(key_, TranscriptionStatus::done)) << table_.row(key_).error;
    EXPECT_THAT(words(), ElementsAre(Segment{milliseconds(1'500), milliseconds(2'000), "ciao"}));
}

TEST_F(EmbeddedQueueTest, TakesWhatTheProgramWroteBesideTheFile) {
    command(R"(printf '{"transcription":[{"offsets":{"from":10,"to":20},"text":"ciao"}]}' > "$1.json")");
    table_.start();
    ASSERT_TRUE(table_.becomes(key_, TranscriptionStatus::done)) << table_.row(key_).error;
    EXPECT_THAT(words(), ElementsAre(Segment{milliseconds(10), milliseconds(20), "ciao"}));
    EXPECT_TRUE(test::eventually([&] {
        return !std::filesystem::exists(table_.config.data.dir / "cache" / ".transcribe");
    })) << "nothing stays";
}

TEST_F(EmbeddedQueueTest, TheProgramMayRemoveItsFileAndKnowsNoSecretOfOurs) {
    ASSERT_EQ(::setenv("LESTAPENNA_STORE_SECRET_KEY", "hush", 1), 0);
    ASSERT_EQ(::setenv("DISCORD_TOKEN", "hush", 1), 0);
    command(R"(rm "$1"; env | grep -c hush; nice)");
    table_.start();
    ASSERT_TRUE(table_.becomes(key_, TranscriptionStatus::done)) << table_.row(key_).error;
    ::unsetenv("LESTAPENNA_STORE_SECRET_KEY");
    ::unsetenv("DISCORD_TOKEN");
    const int nice = std::max(10, ::getpriority(PRIO_PROCESS, 0));
    EXPECT_THAT(words(), ElementsAre(Segment{{}, {}, "0"}, Segment{{}, {}, std::to_string(nice)}));
    EXPECT_TRUE(std::filesystem::exists(table_.config.data.dir / "store" / key_));
}

TEST_F(EmbeddedQueueTest, NoShellEverSeesAName) {
    command(R"(echo "$1")", {"$(touch pwned); {language}"});
    table_.config.queue.command.emplace_back("{file}");
    table_.start();
    ASSERT_TRUE(table_.becomes(key_, TranscriptionStatus::done)) << table_.row(key_).error;
    EXPECT_THAT(words(), ElementsAre(Segment{{}, {}, "$(touch pwned); en"}));
}

TEST_F(EmbeddedQueueTest, AFailureIsTriedAgain) {
    const auto count = (table_.folder() / "count").native();
    command("echo x >> " + count + "; [ $(wc -l < " + count + ") = 3 ] || { echo oh no >&2; exit 7; }; echo ciao");
    table_.start();
    ASSERT_TRUE(table_.becomes(key_, TranscriptionStatus::done)) << table_.row(key_).error;
    EXPECT_EQ(table_.row(key_).attempts, 3);
    EXPECT_THAT(words(), ElementsAre(Segment{{}, {}, "ciao"}));
}

TEST_F(EmbeddedQueueTest, WhatFailsTooOftenIsGivenUpWithItsLastWords) {
    EXPECT_THAT(failure("echo first >&2; echo the model is missing >&2; exit 7"),
                "queue.command ended with code 7: the model is missing");
    EXPECT_EQ(table_.row(key_).attempts, table_.options.attempts);
    EXPECT_THAT(table_.jobs(), ElementsAre("transcript one")) << "the others' words are not lost for it";
}

TEST_F(EmbeddedQueueTest, OfALinkInItsLastWordsTheKeyIsKeptNowhere) {
    EXPECT_THAT(
        failure(
            R"(echo 'GET "https://b/a.mp3?X-Amz-Date=1&X-Amz-Signature=beef" 403 <http://c?a=b> ok? a=b' >&2; exit 7)"),
        "queue.command ended with code 7: GET \"https://b/a.mp3?...\" 403 <http://c?...> ok? a=b");
}

TEST_F(EmbeddedQueueTest, AGigabyteOfTranscriptIsOneClearErrorAtOnce) {
    EXPECT_THAT(failure("exec head -c 1000000000 /dev/zero"), HasSubstr("printed more than 16 MiB and was killed"));
    EXPECT_EQ(table_.row(key_).attempts, 1) << "it would not be smaller the next time";
}

TEST_F(EmbeddedQueueTest, AFileOfAGigabyteIsToo) {
    EXPECT_THAT(failure("truncate -s 1000000000 \"$2.json\""), HasSubstr("16777216"));
}

TEST_F(EmbeddedQueueTest, WhatOnlyLooksLikeJsonIsOneClearError) {
    EXPECT_THAT(failure("echo '{\"transcription\": [{\"off'"), HasSubstr("not JSON"));
}

TEST_F(EmbeddedQueueTest, WhoTakesTooLongIsKilledWithAllHisChildren) {
    table_.options.command_time = milliseconds(300) - seconds(40);  // ten times four seconds come on top
    table_.options.attempts = 1;
    const auto pid = (table_.folder() / "pid").native();
    EXPECT_THAT(failure("sleep 1000 & echo $! > " + pid + "; wait"), HasSubstr("took longer than"));
    const auto child = std::stoi(*read_text_file(pid, 100));
    EXPECT_TRUE(test::eventually([&] { return ::kill(child, 0) != 0; }));
}

TEST_F(EmbeddedQueueTest, WhatItLeavesBehindDiesWithIt) {
    const auto pid = (table_.folder() / "pid").native();
    command("sleep 1000 & echo $! > " + pid + "; echo ciao");
    table_.start();
    ASSERT_TRUE(table_.becomes(key_, TranscriptionStatus::done)) << table_.row(key_).error;
    const auto child = std::stoi(*read_text_file(pid, 100));
    EXPECT_TRUE(test::eventually([&] { return ::kill(child, 0) != 0; }));
}

TEST_F(EmbeddedQueueTest, StoppingKillsTheProgramAndCountsNoAttempt) {
    const auto pid = table_.folder() / "pid";
    command("echo $$ > " + pid.native() + "; exec sleep 1000");
    table_.start();
    ASSERT_TRUE(test::eventually([&] {
        const auto text = read_text_file(pid, 100);
        return text && !text->empty();
    }));
    table_.transcriber.reset();
    const auto child = std::stoi(*read_text_file(pid, 100));
    EXPECT_NE(::kill(child, 0), 0);
    EXPECT_EQ(table_.row(key_).status, TranscriptionStatus::waiting);
    EXPECT_EQ(table_.row(key_).attempts, 0);
}

TEST_F(EmbeddedQueueTest, AMissingProgramHoldsAllUpAndCountsForNone) {
    table_.config.queue.command = {(table_.folder() / "transcribe").native(), "{file}"};
    table_.start();
    ASSERT_TRUE(test::eventually([&] { return table_.metric("lestapenna_transcription_troubles_total") >= 6; }));
    EXPECT_EQ(table_.metric("lestapenna_transcription_away"), 1);
    EXPECT_EQ(table_.row(key_).status, TranscriptionStatus::waiting);
    EXPECT_EQ(table_.row(key_).attempts, 0);
    table_.transcriber.reset();
    command("echo here I am");
    table_.start();
    ASSERT_TRUE(table_.becomes(key_, TranscriptionStatus::done)) << table_.row(key_).error;
    EXPECT_EQ(table_.metric("lestapenna_transcription_away"), 0);
}

TEST_F(EmbeddedQueueTest, AFragmentThatIsGoneIsGivenUp) {
    std::filesystem::remove(table_.config.data.dir / "store" / key_);
    EXPECT_THAT(failure("echo ciao"), HasSubstr("FULL-5-"));
}

TEST_F(EmbeddedQueueTest, AFragmentThatCanNotBeFetchedHoldsNobodyUpAndCountsForNothing) {
    const auto object = table_.config.data.dir / "store" / key_;
    std::filesystem::remove(object);
    std::filesystem::create_symlink(object, object);  // ELOOP: neither there nor gone
    const auto second = table_.fragment("one", 6, seconds(9), "more audio");
    command("cat \"$1\"");
    table_.start();
    ASSERT_TRUE(table_.becomes(second, TranscriptionStatus::done)) << table_.row(second).error;
    ASSERT_TRUE(test::eventually([&] { return table_.metric("lestapenna_transcription_troubles_total") >= 5; }));
    EXPECT_EQ(table_.row(key_).status, TranscriptionStatus::waiting);
    EXPECT_EQ(table_.row(key_).attempts, 0) << "more often than a fragment is tried";
    EXPECT_THAT(table_.row(key_).error, HasSubstr("FULL-5-"));
    std::filesystem::remove(object);
    table_.put(key_, "the audio");
    ASSERT_TRUE(table_.becomes(key_, TranscriptionStatus::done)) << table_.row(key_).error;
    EXPECT_EQ(table_.row(key_).error, "");
}

TEST_F(EmbeddedQueueTest, ADiskThatIsNotMountedForAWhileCostsNoWords) {
    table_.options.attempts = 1'000;
    const auto store = table_.config.data.dir / "store";
    std::filesystem::rename(store, table_.folder() / "away");
    command("cat \"$1\"");
    table_.start();
    ASSERT_TRUE(test::eventually([&] { return table_.row(key_).attempts >= 2; })) << table_.row(key_).error;
    std::filesystem::rename(table_.folder() / "away", store);
    ASSERT_TRUE(table_.becomes(key_, TranscriptionStatus::done)) << table_.row(key_).error;
    EXPECT_THAT(words(), ElementsAre(Segment{{}, {}, "the audio"}));
}

TEST_F(EmbeddedQueueTest, WithoutACommandFragmentsWait) {
    table_.config.queue.command.clear();
    table_.start();
    table_.transcriber.reset();
    EXPECT_EQ(table_.row(key_).status, TranscriptionStatus::waiting);
}

TEST_F(EmbeddedQueueTest, WhatRedisHadIsTranscribedHereOnceTheUrlIsChanged) {
    auto row = table_.row(key_);
    row.status = TranscriptionStatus::queued;
    row.job = "FULL-5-1700000003000.mp3";
    row.attempts = 3;
    ASSERT_TRUE(table_.catalog().set_transcription(row));
    command("echo ciao");
    table_.start();
    ASSERT_TRUE(table_.becomes(key_, TranscriptionStatus::done)) << table_.row(key_).error;
    EXPECT_EQ(table_.row(key_).attempts, 1);
    EXPECT_EQ(table_.row(key_).job, "");
    EXPECT_THAT(words(), ElementsAre(Segment{{}, {}, "ciao"}));
}

TEST_F(EmbeddedQueueTest, WhatIsWrongWithTheSectionIsSaidAtOnce) {
    Config config;
    EXPECT_TRUE(check_queue(config));
    config.queue.command = {"whisper-cli", "-oj"};
    EXPECT_THAT(check_queue(config).error().message, HasSubstr("{file}"));
    config.queue.command = {"whisper-cli", "--file={file}"};
    EXPECT_TRUE(check_queue(config));
    config.queue.url = Secret("redis://127.0.0.1");
    EXPECT_THAT(check_queue(config).error().message, HasSubstr("queue.command"));
    config.queue.command.clear();
    EXPECT_TRUE(check_queue(config));
    config.queue.name = "a:b";
    EXPECT_EQ(check_queue(config).error().kind, ErrorKind::usage);
}

}  // namespace
}  // namespace lestapenna::jobs
