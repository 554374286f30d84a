// The whole with everything real: a bucket of Ceph, BullMQ's own Workers (5.x and 6.x) on a redis-server, a mail
// server. A table plays and is recorded; its fragments are transcribed from their links by a Worker that deletes
// filePath, the transcript is in the bucket in time order, the mail's link is the master. Then the same while Redis is
// killed and emptied and the mail server refuses.
#include <algorithm>
#include <fstream>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "../jobs/redis_server.h"
#include "base/files.h"
#include "base/hash.h"
#include "mail_server.h"
#include "s3_server.h"
#include "store/keys.h"
#include "store/store.h"
#include "table.h"

namespace lestapenna::bot {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr std::size_t kTalkers = 3;
const std::string kRunner = std::string(LESTAPENNA_TESTS_DIR) + "/queue/run.mjs";

class Cloud : public TableTest {
  protected:
    void SetUp() override {
        std::string why;
        for (const auto* const program : {"node", "npm", "redis-server"}) {
            if (!test::has_program(program)) GTEST_SKIP() << "needs " << program;
        }
        constexpr int kCanNotRunHere = 77;
        const auto worker = test::run_process({"node", kRunner, "worker"});
        if (worker.exit_code == kCanNotRunHere) GTEST_SKIP() << worker.err;
        ASSERT_EQ(worker.exit_code, 0) << worker.err;
        mail_ = test::MailServer::start(why);
        if (!mail_) GTEST_SKIP() << why;
        bucket_ = store::S3Server::start("ceph", why);
        if (!bucket_) GTEST_SKIP() << why;
        redis_.start();
        open({.talkers = kTalkers, .length = seconds(15)});
        config_.store = bucket_->config("cloud").store;
        config_.queue.url = redis_.url();
        config_.mail.smtp_url = Secret("smtp://127.0.0.1:" + mail_->port());
        config_.mail.from = "bot@example.org";
        config_.mail.guilds = {{guild().text(), {"table@example.org"}}};
        master_ = person("Master");
        sit(master_);
        start();
    }

    /// BullMQ's Worker of that version, from now on.
    void employ(const std::string& version) {
        worker_.emplace(std::vector<std::string>{"/usr/bin/env", "node", kRunner, "worker", "--version", version,
                                                 "--port", std::to_string(redis_.port)},
                        folder_.path(), folder_ / "worker.out", folder_ / "worker.err");
    }
    /// How often the Worker did each file.
    [[nodiscard]] std::map<std::string, int> done_by_worker() const {
        std::map<std::string, int> files;
        std::ifstream lines(folder_ / "worker.out");
        for (std::string user, file; lines >> user >> file;) ++files[file];
        return files;
    }

    void record(const std::function<void()>& meanwhile = [] {}) {
        send(master_, "$ascolta");
        ASSERT_TRUE(eventually([&] { return last_session() && is_recording_in(voice()); }));
        play(last_session()->start);
        meanwhile();
        ASSERT_TRUE(eventually([&] { return show_->over_within(milliseconds(50)); }));
        send(master_, "$termina");
    }
    [[nodiscard]] bool all_are(catalog::TranscriptionStatus status) {
        const auto rows = catalog().transcriptions(last_session()->id);
        return rows && rows->size() == kTalkers &&
               std::ranges::all_of(*rows, [&](const auto& row) { return row.status == status; });
    }

    void expect_no_packet_lost() {
        ASSERT_TRUE(eventually([&] { return show_->sent_to_bot().has_value(); }));
        std::uint64_t received = 0;
        const auto tracks = catalog().tracks(last_session()->id);
        ASSERT_TRUE(tracks);
        for (const auto& track : *tracks) {
            received += static_cast<std::uint64_t>(track.received);
            EXPECT_EQ(track.lost, 0);
        }
        EXPECT_EQ(received, show_->sent_to_bot());
    }
    void expect_transcribed_once() {
        std::map<std::string, int> once;
        const auto rows = catalog().transcriptions(last_session()->id);
        ASSERT_TRUE(rows);
        for (const auto& row : *rows) once[row.file] = 1;
        EXPECT_EQ(done_by_worker(), once);
    }
    /// Two sentences of each, in time order, by the names that people have.
    void expect_transcript() {
        const auto store = store::open_store(config_);
        ASSERT_TRUE(store);
        const auto file = folder_ / "transcript.txt";
        const auto got = (*store)->get(store::key(store::TranscriptKey{last_session()->id}), file);
        ASSERT_TRUE(got) << got.error().message;
        const auto text = *read_text_file(file, 1U << 20);
        std::cout << text;
        const auto rows = catalog().transcriptions(last_session()->id);
        const auto tracks = catalog().tracks(last_session()->id);
        ASSERT_TRUE(rows && tracks);
        std::vector<std::pair<UnixTime, std::string>> expected;  // by when it was said
        for (const auto& row : *rows) {
            expected.emplace_back(row.timestamp + seconds(1), "first of " + row.user.text());
            expected.emplace_back(row.timestamp + seconds(6), "second of " + row.user.text());
        }
        std::ranges::sort(expected);
        std::map<std::string, std::string> names;
        for (const auto& track : *tracks) names[track.user.text()] = track.name;
        std::size_t at = 0;
        for (const auto& [time, words] : expected) {
            const auto found = text.find(words, at);
            ASSERT_NE(found, std::string::npos) << words << " is not where it should be";
            const auto line = text.substr(text.rfind('\n', found) + 1, found - text.rfind('\n', found) - 1);
            EXPECT_THAT(line, HasSubstr(names[words.substr(words.rfind(' ') + 1)]));
            at = found;
        }
    }
    void expect_one_mail_with_the_master() {
        ASSERT_EQ(mail_->mails(), 1U);
        const auto text = json::parse(mail_->read(1))["text"].get<std::string>();
        EXPECT_THAT(text, HasSubstr("Player 1"));
        auto link = link_in(text);
        link = link.substr(0, link.find_first_of(" \n\r"));
        const auto fetched = fetch(link);
        ASSERT_EQ(fetched.status, 200);
        const auto& body = fetched.body;
        EXPECT_EQ(hex(Sha256::of({reinterpret_cast<const std::uint8_t*>(body.data()), body.size()})),
                  catalog().master(last_session()->id).value()->content->sha256);
    }
    void expect_all() {
        ASSERT_TRUE(eventually([&] { return all_are(catalog::TranscriptionStatus::done); }, seconds(300)))
            << read_text_file(folder_ / "worker.err", 1U << 20).value();
        wait_until_idle();
        ASSERT_TRUE(eventually([&] { return mail_->mails() > 0; }));
        expect_no_packet_lost();
        expect_transcribed_once();
        expect_transcript();
        expect_one_mail_with_the_master();
        EXPECT_FALSE(catalog().job_counts()->contains(catalog::JobStatus::failed));
    }

    std::unique_ptr<test::MailServer> mail_;
    std::unique_ptr<store::S3Server> bucket_;
    test::RedisServer redis_;
    std::optional<test::Background> worker_;
    UserId master_;
};

TEST_F(Cloud, FromTheTableToTranscriptAndMailByAWorkerOfBullMq5) {
    employ("5");
    ASSERT_NO_FATAL_FAILURE(record());
    expect_all();
}

TEST_F(Cloud, RedisIsKilledAndEmptiedAndTheMailServerRefusesMeanwhileThenAWorkerOfBullMq6) {
    ASSERT_NO_FATAL_FAILURE(record([&] {
        redis_.stop();
        mail_->say("rcpt 451 try later");
    }));
    wait_for_direct(master_, "http");
    redis_.start();
    ASSERT_TRUE(eventually([&] { return all_are(catalog::TranscriptionStatus::queued); }, seconds(120)));
    redis_.stop();
    redis_.start();  // with nothing in it
    employ("6");
    ASSERT_TRUE(eventually([&] { return mail_->sessions() > 0; }));
    EXPECT_EQ(mail_->mails(), 0U);
    mail_->say("");
    expect_all();
}

}  // namespace
}  // namespace lestapenna::bot
