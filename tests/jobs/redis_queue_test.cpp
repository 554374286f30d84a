// The queue on Redis, against a real redis-server. Its workers are played by hand here, as BullMQ's leave the keys; the
// real ones are in tests/queue.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "jobs/bullmq.h"
#include "redis_server.h"

namespace lestapenna::jobs {
namespace {

using catalog::Segment;
using catalog::TranscriptionStatus;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

constexpr const char* kJob = "FULL-5-1700000003000.mp3";
constexpr const char* kWords = R"([{"start":1,"end":2.5,"text":"ciao"}])";
const Segment kCiao{milliseconds(1'000), milliseconds(2'500), "ciao"};

class RedisQueueTest : public ::testing::Test {
  protected:
    void SetUp() override {
        if (!test::has_program("redis-server")) GTEST_SKIP() << "needs redis-server (tools/packages test)";
        table_.config.queue.url = server_.url();
        table_.session("one");
        key_ = table_.fragment("one", 5, seconds(3), "the audio");
    }

    static std::string key(const std::string& name) { return "bull:audio-processing:" + name; }
    bool queued(const std::string& id) {
        return test::eventually([&] { return server_.run({"EXISTS", key(id)}).integer == 1; });
    }
    void end(const std::string& id, const char* field, const std::string& value, const char* set, const char* event) {
        server_.run({"LREM", key("wait"), "0", id});
        server_.run({"ZREM", key("failed"), id});
        server_.run({"HSET", key(id), field, value});
        server_.run({"ZADD", key(set), "1", id});
        server_.run({"XADD", key("events"), "*", "event", event, "jobId", id, "prev", "active"});
    }
    void complete(const std::string& id, const std::string& json) {
        end(id, "returnvalue", json, "completed", "completed");
    }
    bool becomes(TranscriptionStatus status) { return table_.becomes(key_, status); }
    std::vector<Segment> words() { return *table_.catalog().segments(key_); }
    /// What the transcriber says of a server that it can not work with.
    std::string trouble(const std::string& url) {
        Config config;
        config.queue.url = Secret(url);
        const auto place = RedisPlace::of(config);
        if (!place) return place.error().message;
        const std::atomic<bool> no{false};
        auto queue = BullQueue::connect(*place, config.queue.name, no);
        if (!queue) return queue.error().message;
        const auto checked = queue->check_memory();
        return checked ? "" : checked.error().message;
    }

    test::RedisServer server_;
    test::TranscribedTable table_;
    std::string key_;
};

TEST_F(RedisQueueTest, AFragmentGoesThereAndItsWordsComeBack) {
    server_.start();
    table_.start();
    ASSERT_TRUE(queued(kJob));
    ASSERT_TRUE(becomes(TranscriptionStatus::queued));
    EXPECT_EQ(server_.run({"HGET", key(kJob), "name"}).text, "transcribe-job");
    const auto data = nlohmann::json::parse(server_.run({"HGET", key(kJob), "data"}).text);
    EXPECT_EQ(data["sessionId"], "one");
    EXPECT_EQ(data["fileName"], key_);
    EXPECT_EQ(data["userId"], "5");
    EXPECT_EQ(data["timestamp"], 1'700'000'003'000);
    EXPECT_EQ(data["delay"], 3'000);
    EXPECT_EQ(data["duration"], 4'000);
    EXPECT_THAT(data["link"], ::testing::Truly([](const auto& link) {
                    return link.template get<std::string>().starts_with("https://example.org/audio/");
                }));
    const std::filesystem::path there = data["filePath"].get<std::string>();
    EXPECT_TRUE(there.is_absolute());
    EXPECT_FALSE(std::filesystem::exists(there)) << "today's worker would delete it";
    EXPECT_THAT(there.native(), Not(HasSubstr("/store/")));
    EXPECT_EQ(nlohmann::json::parse(server_.run({"HGET", key(kJob), "opts"}).text),
              nlohmann::json::parse(R"({"attempts":5,"backoff":{"type":"exponential","delay":2000},
                                        "removeOnComplete":{"age":604800},"removeOnFail":false,
                                        "jobId":"FULL-5-1700000003000.mp3"})"));
    complete(kJob, kWords);
    ASSERT_TRUE(becomes(TranscriptionStatus::done));
    EXPECT_THAT(words(), ElementsAre(kCiao));
    EXPECT_THAT(table_.jobs(), ElementsAre("transcript one"));
}

TEST_F(RedisQueueTest, RedisMayBeAwayForAsLongAsItLikes) {
    table_.start();
    ASSERT_TRUE(test::eventually([&] { return table_.metric("lestapenna_transcription_troubles_total") >= 8; }));
    EXPECT_EQ(table_.metric("lestapenna_transcription_away"), 1);
    EXPECT_EQ(table_.row(key_).status, TranscriptionStatus::waiting);
    EXPECT_EQ(table_.row(key_).attempts, 0) << "more often than a fragment is tried";
    server_.start();
    ASSERT_TRUE(becomes(TranscriptionStatus::queued));
    EXPECT_TRUE(test::eventually([&] { return table_.metric("lestapenna_transcription_away") == 0; }));
}

TEST_F(RedisQueueTest, WhoIsStartedAnewAndEmptyGetsEverythingAgain) {
    server_.start();
    table_.start();
    ASSERT_TRUE(queued(kJob));
    ASSERT_TRUE(becomes(TranscriptionStatus::queued));
    server_.stop();
    server_.start();
    ASSERT_TRUE(queued(kJob));
    server_.run({"FLUSHALL"});  // without a word
    ASSERT_TRUE(queued(kJob));
    complete(kJob, kWords);
    ASSERT_TRUE(becomes(TranscriptionStatus::done));
    EXPECT_THAT(words(), ElementsAre(kCiao));
}

TEST_F(RedisQueueTest, WhatEndedWhileNobodyListenedIsTaken) {
    server_.start();
    table_.start();
    ASSERT_TRUE(becomes(TranscriptionStatus::queued));
    table_.transcriber.reset();
    complete(kJob, kWords);
    server_.run({"DEL", key("events")});
    table_.start();
    ASSERT_TRUE(becomes(TranscriptionStatus::done));
    EXPECT_THAT(words(), ElementsAre(kCiao));
}

TEST_F(RedisQueueTest, AKillBeforeTheRowIsWrittenAddsNothingTwice) {
    server_.start();
    table_.start();
    ASSERT_TRUE(becomes(TranscriptionStatus::queued));
    table_.transcriber.reset();
    auto row = table_.row(key_);
    row.status = TranscriptionStatus::waiting;  // as the kill left it
    row.job.clear();
    ASSERT_TRUE(table_.catalog().set_transcription(row));
    complete(kJob, kWords);  // by a quick worker
    table_.start();
    ASSERT_TRUE(becomes(TranscriptionStatus::done));
    EXPECT_THAT(words(), ElementsAre(kCiao));
    EXPECT_EQ(server_.run({"LLEN", key("wait")}).integer, 0);
}

TEST_F(RedisQueueTest, TwoFilesOfOneNameAreTwoJobs) {
    table_.session("two");
    const auto other = table_.fragment("two", 5, seconds(3), "the same capture");
    server_.start();
    table_.start();
    ASSERT_TRUE(becomes(TranscriptionStatus::queued));
    ASSERT_TRUE(table_.becomes(other, TranscriptionStatus::queued));
    EXPECT_THAT((std::vector<std::string>{table_.row(key_).job, table_.row(other).job}),
                ElementsAre(kJob, std::string(kJob) + "-two"));
    complete(std::string(kJob) + "-two", kWords);
    ASSERT_TRUE(table_.becomes(other, TranscriptionStatus::done));
    EXPECT_EQ(table_.row(key_).status, TranscriptionStatus::queued);
}

TEST_F(RedisQueueTest, WhatFailedForGoodIsSaidAndATryByPeopleStillCounts) {
    server_.start();
    table_.start();
    ASSERT_TRUE(queued(kJob));
    ASSERT_TRUE(becomes(TranscriptionStatus::queued));
    end(kJob, "failedReason", "no\nmodel", "failed", "failed");
    ASSERT_TRUE(becomes(TranscriptionStatus::failed));
    EXPECT_EQ(table_.row(key_).error, "the worker gave up: no?model");
    EXPECT_THAT(table_.jobs(), ElementsAre("transcript one"));
    complete(kJob, kWords);  // its failedReason stays
    ASSERT_TRUE(becomes(TranscriptionStatus::done));
    EXPECT_THAT(words(), ElementsAre(kCiao));
}

TEST_F(RedisQueueTest, OfALinkInAWorkersWordsTheKeyIsKeptNowhere) {
    const auto other = table_.fragment("one", 6, seconds(4), "more");
    server_.start();
    table_.start();
    ASSERT_TRUE(becomes(TranscriptionStatus::queued));
    ASSERT_TRUE(table_.becomes(other, TranscriptionStatus::queued));
    end(kJob, "failedReason", "GET https://b/a.mp3?X-Amz-Signature=beef: 403", "failed", "failed");
    complete(table_.row(other).job, R"({"status":"skipped","reason":"https://b/a.mp3?expires=1&mac=beef"})");
    ASSERT_TRUE(becomes(TranscriptionStatus::failed));
    ASSERT_TRUE(table_.becomes(other, TranscriptionStatus::done));
    EXPECT_EQ(table_.row(key_).error, "the worker gave up: GET https://b/a.mp3?... 403");
    EXPECT_EQ(table_.row(other).error, "skipped by the worker: https://b/a.mp3?...");
}

TEST_F(RedisQueueTest, TodaysWorkerKeepsTheText) {
    server_.start();
    table_.start();
    ASSERT_TRUE(queued(kJob));
    ASSERT_TRUE(becomes(TranscriptionStatus::queued));
    complete(kJob, R"({"status":"transcribed","segmentsCount":7})");
    ASSERT_TRUE(becomes(TranscriptionStatus::done));
    EXPECT_EQ(table_.row(key_).error, "the worker kept the text");
    EXPECT_THAT(words(), IsEmpty());
}

TEST_F(RedisQueueTest, ATranscriptBesideTheFragmentIsTaken) {
    table_.put("recordings/one/full/FULL-5-1700000003000.srt", "1\n00:00:01,000 --> 00:00:02,500\nciao\n");
    server_.start();
    table_.start();
    ASSERT_TRUE(queued(kJob));
    ASSERT_TRUE(becomes(TranscriptionStatus::queued));
    complete(kJob, R"({"status":"transcribed","segmentsCount":1})");
    ASSERT_TRUE(becomes(TranscriptionStatus::done));
    EXPECT_THAT(words(), ElementsAre(kCiao));
    EXPECT_FALSE(std::filesystem::exists(table_.config.data.dir / "cache" / ".transcribe")) << "nothing stays";
}

TEST_F(RedisQueueTest, AnEndlessTranscriptIsOneClearError) {
    server_.start();
    table_.start();
    ASSERT_TRUE(queued(kJob));
    ASSERT_TRUE(becomes(TranscriptionStatus::queued));
    complete(kJob, "[" + std::string(90 << 20, ' ') + "]");
    ASSERT_TRUE(becomes(TranscriptionStatus::failed));
    EXPECT_THAT(table_.row(key_).error, HasSubstr("returned 90 MiB, more than the 16"));
    const auto second = table_.fragment("one", 6, seconds(4), "more");
    EXPECT_TRUE(table_.becomes(second, TranscriptionStatus::queued)) << "the queue goes on";
}

TEST_F(RedisQueueTest, AnEventLargerThanAnyAnswerIsPassedOver) {
    server_.start();
    table_.start();
    ASSERT_TRUE(queued(kJob));
    ASSERT_TRUE(becomes(TranscriptionStatus::queued));
    server_.run(
        {"XADD", key("events"), "*", "event", "completed", "jobId", "x", "returnvalue", std::string(80 << 20, ' ')});
    complete(kJob, kWords);
    ASSERT_TRUE(becomes(TranscriptionStatus::done));
    EXPECT_GE(table_.metric("lestapenna_transcription_troubles_total"), 1) << "it did not see it";
}

TEST_F(RedisQueueTest, ALostScriptIsGivenAgain) {
    server_.start();
    Config config;
    config.queue.url = server_.url();
    const std::atomic<bool> no{false};
    auto queue = BullQueue::connect(*RedisPlace::of(config), "audio-processing", no);
    ASSERT_TRUE(queue) << queue.error().message;
    server_.run({"SCRIPT", "FLUSH"});
    const auto added = queue->add({"a.mp3", "x", "{}"}, unix_now());
    ASSERT_TRUE(added) << added.error().message;
    EXPECT_TRUE(*added);
    EXPECT_FALSE(*queue->add({"a.mp3", "x", "{}"}, unix_now()));
    EXPECT_EQ(server_.run({"LLEN", key("wait")}).integer, 1);
}

TEST_F(RedisQueueTest, ARedisThatHangsHoldsNobodyUp) {
    server_.start();
    table_.start();
    ASSERT_TRUE(becomes(TranscriptionStatus::queued));
    server_.signal(SIGSTOP);
    const auto begun = BootClock::now();
    table_.transcriber.reset();
    EXPECT_LT(BootClock::now() - begun, seconds(8)) << "a tenth of a second, on a machine that does nothing else";
    server_.signal(SIGCONT);
}

TEST_F(RedisQueueTest, WhatIsNoQueueIsSaidInOneSentence) {
    server_.password = Secret("a/b@c%");
    server_.start({"--requirepass", "a/b@c%"});
    const auto at = "127.0.0.1:" + std::to_string(server_.port);
    EXPECT_THAT(trouble("redis://" + at), HasSubstr("needs a password: put it into queue.url"));
    EXPECT_THAT(trouble("redis://:wrong@" + at),
                AllOf(HasSubstr("does not take the user and password"), Not(HasSubstr("wrong"))));
    EXPECT_EQ(trouble("redis://:a%2Fb%40c%25@" + at), "");
    EXPECT_EQ(trouble("redis://default:a%2Fb%40c%25@" + at + "/3"), "");
    EXPECT_THAT(trouble("redis://:a%2Fb%40c%25@" + at + "/99"), HasSubstr("refuses: ERR DB index is out of range"));

    server_.run({"SET", key("wait"), "x"});
    EXPECT_THAT(trouble("redis://:a%2Fb%40c%25@" + at), AllOf(HasSubstr("wrong type"), HasSubstr("queue.name")));
    server_.run({"DEL", key("wait")});
    server_.run({"CONFIG", "SET", "maxmemory", "100mb"});
    server_.run({"CONFIG", "SET", "maxmemory-policy", "allkeys-lru"});
    EXPECT_THAT(trouble("redis://:a%2Fb%40c%25@" + at), HasSubstr("maxmemory-policy noeviction"));
    server_.run({"CONFIG", "SET", "maxmemory-policy", "noeviction"});
    EXPECT_EQ(trouble("redis://:a%2Fb%40c%25@" + at), "");
    server_.stop();
    EXPECT_THAT(trouble("redis://" + at), AllOf(HasSubstr("no connection to Redis at"), HasSubstr("refused")));
}

TEST_F(RedisQueueTest, WhatItSaysOfAPasswordThatItDoesNotWantIsNotRepeated) {
    const auto at = "127.0.0.1:" + std::to_string(server_.port);
    server_.start();
    EXPECT_THAT(trouble("redis://:hunter2@" + at), AllOf(HasSubstr("refuses AUTH"), Not(HasSubstr("hunter2"))));
    server_.stop();
    server_.start({"--rename-command", "AUTH", ""});
    EXPECT_THAT(trouble("redis://me:hunter2@" + at),
                AllOf(HasSubstr("refuses AUTH"), Not(HasSubstr("hunter2")), Not(HasSubstr("'me'"))));
}

TEST_F(RedisQueueTest, DataOfTheWrongTypeHoldsUpAndCountsForNone) {
    server_.start();
    server_.run({"SET", key("wait"), "x"});
    table_.start();
    ASSERT_TRUE(test::eventually([&] { return table_.metric("lestapenna_transcription_troubles_total") >= 6; }));
    EXPECT_EQ(table_.row(key_).status, TranscriptionStatus::waiting);
    server_.run({"FLUSHALL"});
    ASSERT_TRUE(becomes(TranscriptionStatus::queued));
}

TEST_F(RedisQueueTest, WhoSpeaksAnotherLanguageIsNoRedis) {
    const Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(listener.get(), 4), 0);
    ASSERT_EQ(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
    const auto url = "redis://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    for (const std::string greeting :
         {"HTTP/1.1 400 Bad Request\r\n\r\n", "220 mail ready\r\n", "+OK hello\r\n", "*-7\r\n"}) {
        std::thread other([&] {
            const Fd client(::accept(listener.get(), nullptr, nullptr));
            EXPECT_EQ(::send(client.get(), greeting.data(), greeting.size(), MSG_NOSIGNAL),
                      static_cast<ssize_t>(greeting.size()));
            std::array<char, 256> ignored{};
            while (::recv(client.get(), ignored.data(), ignored.size(), 0) > 0) continue;
        });
        EXPECT_THAT(trouble(url), HasSubstr("is no Redis")) << greeting;
        other.join();
    }
}

TEST(RedisPlaceTest, ReadsAddressesAndRefusesTheRest) {
    const auto of = [](const std::string& url, bool plaintext = false) {
        Config config;
        config.queue.url = Secret(url);
        config.queue.allow_plaintext = plaintext;
        return RedisPlace::of(config);
    };
    const auto full = of("redis://me:p%40ss:word@localhost:7000/12");
    ASSERT_TRUE(full) << full.error().message;
    EXPECT_EQ(full->host, "localhost");
    EXPECT_EQ(full->port, 7000);
    EXPECT_EQ(full->user, "me");
    EXPECT_EQ(full->password.reveal(), "p@ss:word");
    EXPECT_EQ(full->database, 12);
    EXPECT_EQ(of("redis://[::1]/")->name(), "Redis at [::1]:6379");
    EXPECT_EQ(of("redis://127.0.0.9")->name(), "Redis at 127.0.0.9:6379");
    for (const char* bad :
         {"redis://", "redis://:6379", "redis://localhost:0", "redis://localhost:65536", "redis://localhost:x",
          "redis://localhost/x", "redis://localhost/-1", "redis://user@localhost", "redis://a:%zz@localhost",
          "redis://a:%4@localhost", "redis://[::1", "redis://a b", "http://x"}) {
        const auto place = of(bad, true);
        ASSERT_FALSE(place) << bad;
        EXPECT_EQ(place.error().kind, ErrorKind::usage);
    }
    const auto remote = of("redis://:secret@redis.example.org");
    ASSERT_FALSE(remote);
    EXPECT_THAT(remote.error().message, AllOf(HasSubstr("queue.allow_plaintext"), Not(HasSubstr("secret"))));
    EXPECT_TRUE(of("redis://:secret@redis.example.org", true));
}

TEST(BullQueueTest, KnowsWhatCanBeAnId) {
    for (const char* good : {"FULL-5-1700000003000.mp3", "a", "FULL-1-2.mp3-one", "waiting"})
        EXPECT_TRUE(is_job_id(good));
    for (const char* bad : {"", "1", "0", "007", "-5", "a:b", "0:x", "wait", "meta", "id", "events", "stalled-check",
                            "de", "pc", "marker", "metrics"}) {
        EXPECT_FALSE(is_job_id(bad)) << bad;
    }
    EXPECT_TRUE(is_queue_name("audio-processing"));
    EXPECT_FALSE(is_queue_name(""));
    EXPECT_FALSE(is_queue_name("a:b"));
}

}  // namespace
}  // namespace lestapenna::jobs
