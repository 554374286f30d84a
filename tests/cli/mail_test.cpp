// Reports by mail, from the catalog to a real mail server: who gets which, once, and what happens when the server says
// no, later or nothing.
#include "cli/mail.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "cli/doctor_checks.h"
#include "cli/mail_report.h"
#include "mail_server.h"
#include "store/keys.h"
#include "workflows/job_names.h"

namespace lestapenna::cli {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using Json = nlohmann::json;

const SessionId kSession = *SessionId::parse("01KXB2V6Q4ZJ9W0000007F3K2A");
const UnixTime kStart = std::chrono::floor<seconds>(unix_now()) - 4h;
const std::string kAnna = "anna@example.org";
const std::string kOperator = "ops@example.org";

class MailTest : public ::testing::Test {
  protected:
    void SetUp() override {
        config.data.dir = folder / "data";
        config.web.public_url = "https://audio.example.org";
        config.mail.from = "bot@example.org";
        config.mail.to = {kOperator};
        config.mail.guilds = {{"77", {kAnna}}, {"78", {"eve@example.org"}}};
        server = test::MailServer::start(why);
        if (server == nullptr) GTEST_SKIP() << why;
        config.mail.smtp_url = Secret("smtp://127.0.0.1:" + server->port());
        ASSERT_TRUE(make_folders(config.data.dir));
        ASSERT_NO_FATAL_FAILURE(open());
        ASSERT_NO_FATAL_FAILURE(record());
    }
    /// As a process that starts.
    void open() {
        mailer.reset();
        catalog.emplace(*catalog::Catalog::open(config.data.dir / "catalog.sqlite"));
        store = *store::open_store(config);
        links.emplace(*store::Links::open(config));
        auto opened = notify::Server::open(config);
        ASSERT_TRUE(opened && *opened);
        (*opened)->patience.total = 3s;
        mailer.emplace(config, **opened, *links);
    }
    /// An evening that is over: Anna was there twice, Bruno was never heard.
    void record() {
        ASSERT_TRUE(catalog->insert_session({.id = kSession,
                                             .guild_id = "77",
                                             .start = kStart,
                                             .end = kStart + 3h,
                                             .status = catalog::SessionStatus::complete,
                                             .language = "en",
                                             .encryption = catalog::Encryption::end_to_end}));
        catalog::Track anna{kSession, UserId{1}, "Anna <b>\r\nBcc: eve@example.org"};
        anna.received = 1'000;
        anna.lost = 4;
        ASSERT_TRUE(catalog->upsert_track(anna));
        catalog::Track bruno{kSession, UserId{2}, "Bruno"};
        ASSERT_TRUE(catalog->upsert_track(bruno));
        const auto fragment = [](UnixTime at, milliseconds length) {
            return catalog::Recording{.session = kSession,
                                      .key = store::key(store::FragmentKey{kSession, UserId{1}, at}).text(),
                                      .user = UserId{1},
                                      .start = at,
                                      .status = catalog::FileStatus::stored,
                                      .duration = length,
                                      .levels = {-23.04, -1.5},
                                      .level_flag = "open_mic",
                                      .content = catalog::Content{1 << 20, std::string(64, 'a')}};
        };
        ASSERT_TRUE(catalog->upsert_recording(fragment(kStart, 1h)));
        ASSERT_TRUE(catalog->upsert_recording(fragment(kStart + 2h, 30min)));
        const auto key = store::key(store::MasterKey{kSession});
        ASSERT_TRUE(write_file(folder / "master.mp3", std::string(2'097'152, 'm')));
        ASSERT_TRUE(store->put(folder / "master.mp3", key));
        ASSERT_TRUE(catalog->set_master({.session = kSession,
                                         .key = key.text(),
                                         .duration = 3h,
                                         .levels = {-22.96, -1.0},
                                         .recipe = "x",
                                         .content = catalog::Content{2'097'152, std::string(64, 'b')}}));
    }
    Result<jobs::Done> send(const std::string& address, const SessionId& session = kSession) {
        const auto job = workflows::mail_job(session, address);
        return mailer->send({.name = job.name, .subject = job.subject}, {config, *catalog, *store, {}}, go_on);
    }
    [[nodiscard]] Json read(std::size_t n) const { return Json::parse(server->read(n)); }
    [[nodiscard]] catalog::Mail row(const std::string& address) { return **catalog->mail(kSession, address); }
    [[nodiscard]] double count(const std::string& outcome) const {
        for (const auto& metric : mailer->metrics()) {
            if (metric.labels.front().second == outcome) return metric.value;
        }
        return -1;
    }

    test::TempDir folder;
    Config config;
    std::unique_ptr<test::MailServer> server;
    std::string why;
    std::optional<catalog::Catalog> catalog;
    std::unique_ptr<store::ObjectStore> store;
    std::optional<store::Links> links;
    std::optional<Mailer> mailer;
    const std::atomic<bool> go_on{false};
};

TEST_F(MailTest, TheTableGetsTheReportWithLinks) {
    const auto done = send(kAnna);
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_FALSE(done->again);
    EXPECT_EQ(server->envelope(1), "bot@example.org\n" + kAnna);
    const auto mail = read(1);
    EXPECT_THAT(mail["headers"]["subject"].get<std::string>(), HasSubstr("The audio of session 7F3K2A is ready"));
    EXPECT_THAT(mail["headers"]["message-id"].get<std::string>(), HasSubstr(kSession.text()));
    const auto text = mail["text"].get<std::string>();
    for (const auto* const part :
         {"Length: 3 hours\n", "Code: 01KXB2V6Q4ZJ9W0000007F3K2A\n", "Call: end-to-end encrypted\n",
          "Everybody together: 3 hours, 2.0 MB, -23.0 LUFS\nhttps://audio.example.org/audio/",
          "Anna <b>?\?Bcc: eve@example.org: 1 hour and 30 minutes\n",
          "4 packets lost of 1,004 (0.4%); microphone always open: raise its input threshold\n",
          "1 hour, 1.0 MB, -23.0 LUFS\n", "30 minutes, 1.0 MB, -23.0 LUFS\n", "Bruno: 0 seconds\n  nothing lost\n",
          "The links work until", "$download 7F3K2A"}) {
        EXPECT_THAT(text, HasSubstr(part));
    }
    EXPECT_THAT(mail["html"].get<std::string>(), AllOf(HasSubstr("Anna &lt;b&gt;"), Not(HasSubstr("Anna <b>"))));
    for (const auto& name : mail["names"]) EXPECT_NE(name, "Bcc");
    EXPECT_EQ(row(kAnna).attempts, 1);
    EXPECT_TRUE(row(kAnna).sent);
    EXPECT_EQ(count("sent"), 1);
}

TEST_F(MailTest, LinksOfTheMailWorkUntilItSays) {
    ASSERT_TRUE(send(kAnna));
    const auto text = read(1)["text"].get<std::string>();
    std::size_t found = 0;
    for (std::size_t at = text.find("https://"); at != std::string::npos; at = text.find("https://", at + 1)) {
        const auto link = text.substr(at, text.find('\n', at) - at);
        const auto target = link.substr(std::string("https://audio.example.org").size());
        const auto now = unix_now();
        EXPECT_TRUE(links->check(target, now + config.store.link_ttl - 5min)) << link;
        EXPECT_FALSE(links->check(target, now + config.store.link_ttl + 5min)) << link;
        ++found;
    }
    EXPECT_EQ(found, 3U) << "the master and two files";
}

TEST_F(MailTest, TheOperatorsCopyHasNoLinksUnlessWanted) {
    ASSERT_TRUE(send(kOperator));
    const auto mail = read(1);
    EXPECT_THAT(mail["text"].get<std::string>(),
                AllOf(HasSubstr("2.0 MB"), HasSubstr("There are no links in this copy"), Not(HasSubstr("https://"))));
    EXPECT_THAT(server->raw(1), Not(HasSubstr("audio.example.org")));

    config.mail.links = true;
    config.mail.to = {"ops2@example.org"};
    ASSERT_TRUE(send("ops2@example.org"));
    EXPECT_THAT(read(2)["text"].get<std::string>(), HasSubstr("https://audio.example.org/audio/"));
}

TEST_F(MailTest, JobsAreForTheTableAndTheOperator) {
    const auto subjects = [this](const char* guild) {
        catalog::Session session{.id = kSession, .end = kStart};
        if (guild != nullptr) session.guild_id = guild;
        std::vector<std::string> all;
        for (const auto& job : mail_jobs(config, session, kStart)) {
            EXPECT_EQ(job.name, workflows::kMailJob);
            EXPECT_FALSE(job.session) << "a silent server must not hold up the session's other jobs";
            all.push_back(job.subject);
        }
        return all;
    };
    EXPECT_THAT(subjects("77"), ElementsAre(kSession.text() + "/" + kAnna, kSession.text() + "/" + kOperator));
    EXPECT_THAT(subjects("9"), ElementsAre(kSession.text() + "/" + kOperator));
    EXPECT_THAT(subjects(nullptr), IsEmpty()) << "an import";
    config.mail.smtp_url = Secret();
    EXPECT_THAT(subjects("77"), IsEmpty());
}

TEST_F(MailTest, OldEveningsThatComeBackAreNoNews) {
    const catalog::Session session{.id = kSession, .guild_id = "77", .end = kStart};
    EXPECT_THAT(mail_jobs(config, session, kStart + kNews), SizeIs(2));
    EXPECT_THAT(mail_jobs(config, session, kStart + kNews + 1ms), IsEmpty()) << "years of a bucket that was scanned";
}

TEST_F(MailTest, AnotherGuildsAddressGetsNothingEvenWithAJob) {
    ASSERT_TRUE(send("eve@example.org"));
    config.mail.guilds["77"] = {"other@example.org"};
    ASSERT_TRUE(send(kAnna)) << "she was taken out of the configuration meanwhile";
    ASSERT_TRUE(send(kAnna, *SessionId::parse("unknown")));
    EXPECT_EQ(server->sessions(), 0U);
}

TEST_F(MailTest, IsSentOnceHoweverOftenItIsWanted) {
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(send(kAnna));
    open();  // as after a restart
    ASSERT_TRUE(send(kAnna));
    EXPECT_EQ(server->mails(), 1U);
}

TEST_F(MailTest, ASessionThatWentOnIsReportedAgainAtItsNextEnd) {
    ASSERT_TRUE(send(kAnna));
    ASSERT_TRUE(catalog->reopen_session(kSession));
    ASSERT_TRUE(send(kAnna)) << "not while it goes on";
    EXPECT_EQ(server->mails(), 1U);
    ASSERT_TRUE(catalog->set_end(kSession, kStart + 4h));
    ASSERT_TRUE(catalog->set_status(kSession, catalog::SessionStatus::complete));
    ASSERT_TRUE(send(kAnna));
    ASSERT_EQ(server->mails(), 2U);
    EXPECT_NE(read(1)["headers"]["message-id"], read(2)["headers"]["message-id"]);
}

TEST_F(MailTest, ASentMailThatCanNotBeWrittenDownIsStillSentOnce) {
    // Attempts can be written, that it was sent can not: as a disk that fills up in between.
    auto locked = *catalog::Database::open(config.data.dir / "catalog.sqlite");
    ASSERT_TRUE(
        locked.script("CREATE TRIGGER full BEFORE UPDATE ON mails WHEN NEW.sent IS NOT NULL "
                      "BEGIN SELECT raise(ABORT, 'full'); END"));
    EXPECT_FALSE(send(kAnna));
    EXPECT_FALSE(send(kAnna));
    EXPECT_EQ(server->mails(), 1U);
    ASSERT_TRUE(locked.script("DROP TRIGGER full"));
    EXPECT_TRUE(send(kAnna));
    EXPECT_EQ(server->mails(), 1U);
    EXPECT_TRUE(row(kAnna).sent);
}

TEST_F(MailTest, LaterIsTriedAgainForADayAndLongerEachTime) {
    server->say("rcpt 451 greylisted");
    for (const auto wait : {1min, 2min, 4min, 8min, 15min, 15min}) {
        const auto before = unix_now();
        const auto done = send(kAnna);
        ASSERT_TRUE(done) << done.error().message;
        ASSERT_TRUE(done->again);
        EXPECT_GE(*done->again - before, wait);
        EXPECT_LT(*done->again - before, wait + 30s);
    }
    EXPECT_THAT(row(kAnna).reply, HasSubstr("451 greylisted"));
    EXPECT_EQ(row(kAnna).attempts, 6);
    EXPECT_EQ(count("deferred"), 6);

    auto old = row(kAnna);
    old.since -= 24h;
    ASSERT_TRUE(catalog->upsert_mail(old));
    const auto given_up = send(kAnna);
    ASSERT_FALSE(given_up);
    EXPECT_EQ(given_up.error().kind, ErrorKind::usage) << "which the runner gives up at once";
    EXPECT_THAT(given_up.error().message, AllOf(HasSubstr("after a day"), HasSubstr("451 greylisted")));

    server->say("");
    EXPECT_TRUE(send(kAnna)) << "whoever asks again has a day anew";
    EXPECT_EQ(server->mails(), 1U);
}

TEST_F(MailTest, ARefusalIsGivenUpAndTold) {
    server->say("rcpt 550 no such mailbox");
    const auto refused = send(kAnna);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::usage);
    EXPECT_THAT(refused.error().message, HasSubstr("550 no such mailbox"));
    EXPECT_FALSE(row(kAnna).sent);
    EXPECT_EQ(count("refused"), 1);
    server->say("");
    EXPECT_TRUE(send(kOperator)) << "the others get theirs";
    EXPECT_EQ(server->mails(), 1U);
}

TEST_F(MailTest, SilenceAfterTheMailIsTheOnlyWayToGetTwo) {
    server->say("data silent");
    const auto unknown = send(kAnna);
    ASSERT_TRUE(unknown && unknown->again);
    EXPECT_THAT(row(kAnna).reply, HasSubstr("may arrive twice"));
    server->say("");
    ASSERT_TRUE(send(kAnna));
    ASSERT_EQ(server->mails(), 2U);
    EXPECT_EQ(read(1)["headers"]["message-id"], read(2)["headers"]["message-id"]) << "so that it is known as one";
}

TEST_F(MailTest, AStartTriesTheWeeksGivenUpMailsOnceMore) {
    const auto now = unix_now();
    const auto give_up = [&](const std::string& address) {
        ASSERT_TRUE(catalog->add_job(workflows::mail_job(kSession, address)));
        const auto job = catalog->take_job(now);
        ASSERT_TRUE(job && *job);
        ASSERT_TRUE(catalog->fail_job((*job)->id, "535 wrong password"));
    };
    ASSERT_NO_FATAL_FAILURE(give_up(kAnna));
    ASSERT_TRUE(try_mails_again(*catalog, now));
    const auto again = catalog->take_job(now);
    ASSERT_TRUE(again && *again);
    EXPECT_EQ((*again)->subject, kSession.text() + "/" + kAnna);
    ASSERT_TRUE(catalog->fail_job((*again)->id, "still"));
    ASSERT_TRUE(try_mails_again(*catalog, now + 8 * 24h));
    const auto old = catalog->take_job(now);
    EXPECT_TRUE(old && !*old) << "no news any more";
}

TEST_F(MailTest, DoctorSaysWhatTheServerSaysAndWhatItHasNotTaken) {
    const auto check = [this] {
        const auto all = check_mail(config);
        EXPECT_EQ(all.size(), 1U);
        return all.empty() ? Check{} : all.front();
    };
    EXPECT_TRUE(check().ok);
    EXPECT_EQ(check().message, "127.0.0.1:" + server->port() + " takes our calls");
    EXPECT_EQ(server->mails(), 0U) << "it only asks";

    server->say("rcpt 451 greylisted");
    ASSERT_TRUE(send(kAnna));
    EXPECT_FALSE(check().ok);
    EXPECT_THAT(check().message, AllOf(HasSubstr("1 not sent yet"), HasSubstr(kSession.text()), HasSubstr(kAnna),
                                       HasSubstr("451 greylisted")));
    auto old = row(kAnna);
    old.since -= kNews + 1min;
    ASSERT_TRUE(catalog->upsert_mail(old));
    EXPECT_TRUE(check().ok) << check().message;

    config.mail.username = "nobody";
    EXPECT_THAT(check().message, HasSubstr("only one is set"));
    config.mail.username.clear();
    server.reset();
    EXPECT_FALSE(check().ok);
    EXPECT_THAT(check().message, HasSubstr("nobody listens there"));
    config.mail = {};
    EXPECT_THAT(check_mail(config), IsEmpty()) << "nobody wants mail";
}

TEST_F(MailTest, ASessionWithoutAudio) {
    const auto id = *SessionId::parse("01KXB2V6Q4ZJ9W000000NOBODY");
    ASSERT_TRUE(catalog->insert_session({.id = id,
                                         .guild_id = "77",
                                         .start = kStart,
                                         .end = kStart + 5min,
                                         .status = catalog::SessionStatus::complete}));
    ASSERT_TRUE(send(kAnna, id));
    EXPECT_THAT(read(1)["text"].get<std::string>(),
                AllOf(HasSubstr("Della sessione NOBODY non c'è audio"), HasSubstr("Durata: 5 minuti")))
        << "and in the configured language, when the table's is not known";
}

}  // namespace
}  // namespace lestapenna::cli
