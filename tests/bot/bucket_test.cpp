// The whole bot with a bucket of a real server (Ceph), behind a line that has trouble. Two tables: when the first one's
// evening ends the trouble begins, and the second one is recorded all through it. What must hold whatever the trouble
// was: no packet is lost, people are answered, and once it is over every file is in the store once, right to the byte,
// and everybody has heard of it once. LESTAPENNA_LONG=1: the trouble stays for a minute instead of 15 s.
#include <cstdlib>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "base/hash.h"
#include "fault_proxy.h"
#include "net/http.h"
#include "s3_server.h"
#include "store/keys.h"
#include "store/store.h"
#include "table.h"

namespace lestapenna::bot {
namespace {

using test::Fault;
using testing::HasSubstr;

constexpr std::size_t kFirst = 0;
constexpr std::size_t kSecond = 1;
constexpr std::size_t kTalkers = 2;

seconds length_of_trouble() {
    const char* const wish = std::getenv("LESTAPENNA_LONG");
    return seconds(wish != nullptr && std::string_view(wish) == "1" ? 60 : 15);
}

std::string refusal(const std::string& status, const std::string& code) {
    const std::string body = "<Error><Code>" + code + "</Code></Error>";
    return "HTTP/1.1 " + status + "\r\nDate: " + net::http_date(unix_now()) +
           "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string sha256(std::string_view bytes) {
    return hex(Sha256::of({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}));
}

class Bucket : public TableTest {
  protected:
    void SetUp() override {
        std::string why;
        server_ = store::S3Server::start("ceph", why);
        if (!server_) GTEST_SKIP() << why;
        open({.talkers = kTalkers, .length = seconds(10), .guilds = 2});
        config_.store = server_->config("evenings").store;
        direct_ = config_;
        const auto colon = config_.store.endpoint.rfind(':');
        line_.emplace(static_cast<std::uint16_t>(std::stoi(config_.store.endpoint.substr(colon + 1))));
        config_.store.endpoint.replace(colon + 1, std::string::npos, std::to_string(line_->port()));
        direct_.store.endpoint = server_->config().store.endpoint;
        for (const std::size_t guild : {kFirst, kSecond}) {
            masters_.push_back(person("Master " + std::to_string(guild + 1), stage(guild).guild));
            sit(masters_[guild], stage(guild).voice, guild);
        }
        start();
    }

    SessionId begin(std::size_t guild) {
        send(masters_[guild], "$ascolta", stage(guild).text);
        EXPECT_TRUE(eventually([&] { return last_session(guild) && is_recording_in(stage(guild).voice, guild); }));
        const auto session = last_session(guild).value();
        play(session.start, guild);
        return session.id;
    }
    void end(std::size_t guild) {
        EXPECT_TRUE(eventually([&] { return show_->over_within(milliseconds(50), guild); }));
        send(masters_[guild], "$termina", stage(guild).text);
    }

    /// Readiness is told within a second or so, and people are answered, whatever the store does.
    void expect_answers() {
        const auto asked = BootClock::now();
        const int status = fetch(admin("/readyz")).status;
        EXPECT_TRUE(status == 200 || status == 503) << status;
        EXPECT_LT(BootClock::now() - asked, seconds(4)) << "0.7 s, and what a busy machine adds";
        EXPECT_EQ(fetch(admin("/livez")).status, 200);
        EXPECT_EQ(fetch(admin("/metrics")).status, 200);
        const auto typed = BootClock::now();
        EXPECT_THAT(type(masters_[kSecond], "$stato", stage(kSecond).text), HasSubstr("Sessione"));
        EXPECT_THAT(type(masters_[kFirst], "$sessioni", stage(kFirst).text), HasSubstr("$scarica"));
        EXPECT_LT(BootClock::now() - typed, seconds(15));
    }

    void expect_no_packet_lost(const SessionId& id, std::size_t guild) {
        ASSERT_TRUE(eventually([&] { return show_->sent_to_bot(guild).has_value(); }));
        std::uint64_t received = 0;
        std::int64_t lost = 0;
        const auto tracks = catalog().tracks(id);
        ASSERT_TRUE(tracks);
        for (const auto& track : *tracks) {
            received += static_cast<std::uint64_t>(track.received);
            lost += track.lost;
        }
        EXPECT_EQ(received, show_->sent_to_bot(guild));
        EXPECT_EQ(lost, 0);
        std::printf("  table %zu: %llu packets sent, %llu journaled\n", guild + 1,
                    static_cast<unsigned long long>(show_->sent_to_bot(guild).value_or(0)),
                    static_cast<unsigned long long>(received));
    }

    /// All that should be there is, with the catalog's size and hash, and nothing besides.
    void expect_every_file_once(const SessionId& id) {
        const auto bucket = store::open_store(direct_);
        ASSERT_TRUE(bucket);
        std::map<std::string, std::optional<catalog::Content>> expected;
        const auto chunks = catalog().chunks(id);
        const auto fragments = catalog().recordings(id);
        const auto master = catalog().master(id);
        ASSERT_TRUE(chunks && fragments && master && *master);
        for (const auto& chunk : *chunks) expected.emplace(chunk.key, chunk.content);
        for (const auto& fragment : *fragments) expected.emplace(fragment.key, fragment.content);
        expected.emplace((*master)->key, (*master)->content);
        EXPECT_EQ(chunks->size(), kTalkers);
        EXPECT_EQ(fragments->size(), kTalkers);

        const auto there = (*bucket)->list(store::session_prefix(id));
        ASSERT_TRUE(there) << there.error().message;
        std::size_t manifests = 0;
        for (const auto& object : *there) {
            if (object.key == store::key(store::ManifestKey{id})) {
                ++manifests;
                continue;
            }
            const auto row = expected.extract(object.key.text());
            ASSERT_FALSE(row.empty()) << object.key.text() << " is nobody's";
            ASSERT_TRUE(row.mapped()) << object.key.text();
            const auto file = folder_ / "back";
            ASSERT_TRUE((*bucket)->get(object.key, file));
            EXPECT_EQ(sha256(read_text_file(file, 1u << 30).value()), row.mapped()->sha256) << object.key.text();
        }
        EXPECT_EQ(manifests, 1U);
        EXPECT_TRUE(expected.empty()) << expected.begin()->first << " is missing";
    }

    /// One report for all, one link for who ended it, and the link is good.
    void expect_told_once(const SessionId& id, std::size_t guild) {
        std::size_t reports = 0;
        std::string link;
        std::size_t links = 0;
        for (const auto& post : posted()) {
            if (post.channel == stage(guild).text && post.content.find("Chi c'era riceve") != std::string::npos)
                ++reports;
            if (post.direct_to != masters_[guild] || link_in(post.content).empty()) continue;
            ++links;
            link = link_in(post.content);
        }
        EXPECT_EQ(reports, 1U);
        EXPECT_EQ(links, 1U);
        const auto file = fetch(link);
        EXPECT_EQ(file.status, 200);
        EXPECT_EQ(sha256(file.body), catalog().master(id).value()->content->sha256);
    }

    void survive(Fault fault, const std::string& answer = "") {
        const auto first = begin(kFirst);
        EXPECT_TRUE(eventually([&] { return show_->over_within(milliseconds(50), kFirst); }));
        line_->set(fault, answer);
        const auto troubled_since = BootClock::now();
        end(kFirst);
        const auto second = begin(kSecond);
        expect_answers();
        end(kSecond);
        EXPECT_TRUE(eventually([&] { return BootClock::now() - troubled_since >= length_of_trouble(); }, seconds(90)));
        line_->set(Fault::none);
        wait_until_idle();
        for (const auto& [id, guild] : {std::pair{first, kFirst}, {second, kSecond}}) {
            SCOPED_TRACE("table " + std::to_string(guild + 1));
            EXPECT_EQ(catalog().session(id)->status, catalog::SessionStatus::complete);
            expect_no_packet_lost(id, guild);
            expect_every_file_once(id);
            expect_told_once(id, guild);
        }
        const auto jobs = catalog().job_counts();
        ASSERT_TRUE(jobs);
        EXPECT_FALSE(jobs->contains(catalog::JobStatus::failed));
        EXPECT_LE(line_->most_uploads(), 4U) << "capture's network comes first";
        std::printf("  at most %zu uploads at a time; %zu connections met the trouble\n", line_->most_uploads(),
                    line_->troubled());
    }

    std::unique_ptr<store::S3Server> server_;
    std::optional<test::FaultProxy> line_;
    Config direct_;  ///< past the line
    std::vector<UserId> masters_;
};

TEST_F(Bucket, HangsWhileATableIsRecorded) {
    survive(Fault::hangs);
    // A link that is asked for now comes when the bucket is back; meanwhile nobody waits.
    line_->set(Fault::hangs);
    const auto typed = BootClock::now();
    EXPECT_THAT(type(masters_[kFirst], "$scarica", stage(kFirst).text), HasSubstr("⏳"));
    EXPECT_LT(BootClock::now() - typed, seconds(15)) << "3 s for the bucket, and what a busy machine adds";
    const auto links = [&] {
        return std::ranges::count_if(posted(), [&](const Posted& post) {
            return post.direct_to == masters_[kFirst] && !link_in(post.content).empty();
        });
    };
    EXPECT_EQ(links(), 1) << "the one of the end";
    line_->set(Fault::none);
    EXPECT_TRUE(eventually([&] { return links() == 2; }, seconds(120)));
    // And the program ends at once, whatever hangs.
    line_->set(Fault::hangs);
    send(masters_[kFirst], "$scarica", stage(kFirst).text);
    EXPECT_TRUE(eventually([&] { return line_->troubled() > 0; }));
    const auto stopped = BootClock::now();
    stop();
    EXPECT_LT(BootClock::now() - stopped, seconds(15));
}
TEST_F(Bucket, Answers500WhileATableIsRecorded) {
    survive(Fault::answers, refusal("500 Internal Server Error", "InternalError"));
}
TEST_F(Bucket, CallsOurClockWrongWhileATableIsRecorded) {
    survive(Fault::answers, refusal("403 Forbidden", "RequestTimeTooSkewed"));
}
TEST_F(Bucket, TakesTenKibibytesASecondWhileATableIsRecorded) {
    survive(Fault::slow);
}
TEST_F(Bucket, IsNotThereWhileATableIsRecorded) {
    survive(Fault::refuses);
}
TEST_F(Bucket, HangsUpInTheMiddleOfUploadsWhileATableIsRecorded) {
    survive(Fault::cuts);
}

}  // namespace
}  // namespace lestapenna::bot
