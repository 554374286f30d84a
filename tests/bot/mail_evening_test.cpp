// The report by mail, from a table that plays to a real mail server.
#include <cstdlib>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "mail_server.h"
#include "store/keys.h"
#include "table.h"

namespace lestapenna::bot {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class MailEvening : public TableTest {
  protected:
    void SetUp() override {
        server_ = test::MailServer::start(why_);
        if (server_ == nullptr) GTEST_SKIP() << why_;
        TableSetup setup;
        setup.talkers = 2;
        ASSERT_NO_FATAL_FAILURE(open(std::move(setup)));
        config_.mail.smtp_url = Secret("smtp://127.0.0.1:" + server_->port());
        config_.mail.from = "bot@example.org";
        config_.mail.to = {"ops@example.org"};
        config_.mail.guilds = {{guild().text(), {"anna@example.org"}}, {"1", {"eve@example.org"}}};
        bice_ = person("Bice");
        sit(bice_);
    }
    /// Everybody plays for some seconds.
    void play_a_little() {
        type(bice_, "$ascolta");
        ASSERT_TRUE(eventually([&] { return is_recording_in(voice()) && last_session(); }));
        play(last_session()->start);
        ASSERT_TRUE(eventually([&] { return show_->sent_to_bot().value_or(0) > 200; }));
        type(bice_, "$termina");
    }
    [[nodiscard]] json mail_to(const std::string& address) const {
        for (std::size_t n = 1; n <= server_->mails(); ++n) {
            if (server_->envelope(n) == "bot@example.org\n" + address) return json::parse(server_->read(n));
        }
        ADD_FAILURE() << "no mail to " << address;
        return {};
    }

    std::unique_ptr<test::MailServer> server_;
    std::string why_;
    UserId bice_;
};

TEST_F(MailEvening, BringsTheTableItsLinksAndTheOperatorACopy) {
    ASSERT_NO_FATAL_FAILURE(start());
    ASSERT_NO_FATAL_FAILURE(play_a_little());
    wait_until_idle();
    ASSERT_EQ(server_->mails(), 2U) << "one each, none to another guild's";
    const auto table = mail_to("anna@example.org")["text"].get<std::string>();
    EXPECT_THAT(table, AllOf(HasSubstr(last_session()->id.text()), HasSubstr("Player 1: "), HasSubstr("Player 2: "),
                             HasSubstr("Chiamata: cifrata end-to-end"), HasSubstr("LUFS"), HasSubstr(" MB")));
    EXPECT_THAT(mail_to("ops@example.org")["text"].get<std::string>(), Not(HasSubstr("http")));

    auto link = link_in(table);
    link = link.substr(0, link.find('\n'));
    const auto fetched = fetch(link);
    ASSERT_EQ(fetched.status, 200) << link;
    const auto key = store::key(store::MasterKey{last_session()->id});
    EXPECT_TRUE(fetched.body == *read_text_file(config_.data.dir / "store" / key.text(), 64U << 20));
    EXPECT_THAT(fetch(admin("/metrics")).body, HasSubstr("lestapenna_mails_total{outcome=\"sent\"} 2\n"));
}

TEST_F(MailEvening, AnEndThatADownloadMakesIsReportedToo) {
    server_->say("rcpt 550 no such mailbox");
    ASSERT_NO_FATAL_FAILURE(start());
    ASSERT_NO_FATAL_FAILURE(play_a_little());
    wait_until_idle();
    ASSERT_EQ(server_->mails(), 0U);
    server_->say("");
    // As the end's own job leaves it when it gives up.
    ASSERT_TRUE(catalog().set_status(last_session()->id, catalog::SessionStatus::ending));
    type(bice_, "$scarica");
    EXPECT_TRUE(eventually([&] { return server_->mails() == 2; }));
    wait_until_idle();
    EXPECT_EQ(server_->mails(), 2U);
}

TEST_F(MailEvening, ASilentServerHoldsUpNothing) {
    server_->say("data silent");
    ASSERT_NO_FATAL_FAILURE(start());
    ASSERT_NO_FATAL_FAILURE(play_a_little());
    EXPECT_THAT(wait_for_direct(bice_, "http").content, HasSubstr("Ecco l'audio"));
    ASSERT_TRUE(eventually([&] { return server_->mails() == 1; }));
    type(bice_, "$ascolta");
    EXPECT_TRUE(eventually([&] { return is_recording_in(voice()); })) << "the next one is recorded";
    type(bice_, "$termina");
    const auto begun = BootClock::now();
    stop();
    EXPECT_LT(BootClock::now() - begun, seconds(40)) << "not the minute that a mail may take";
}

TEST_F(MailEvening, AKillBetweenTheMailAndItsAnswerSendsItOnceMoreUnderTheSameName) {
    const std::vector<std::pair<const char*, std::string>> variables{
        {"LESTAPENNA_MAIL_SMTP_URL", config_.mail.smtp_url.reveal()},
        {"LESTAPENNA_MAIL_FROM", "bot@example.org"},
        {"LESTAPENNA_MAIL_TO", "ops@example.org"}};
    for (const auto& [name, value] : variables) ASSERT_EQ(::setenv(name, value.c_str(), 1), 0);
    server_->say("data silent");
    ASSERT_NO_FATAL_FAILURE(start_program());
    ASSERT_NO_FATAL_FAILURE(play_a_little());
    EXPECT_TRUE(eventually([&] { return server_->mails() == 1; }));
    kill_program();
    server_->say("");
    for (int run = 0; run < 2; ++run) {
        ASSERT_NO_FATAL_FAILURE(start_program());
        EXPECT_TRUE(eventually([&] { return server_->mails() == 2; })) << program_log();
        wait_until_idle();
        kill_program();
    }
    for (const auto& [name, value] : variables) ::unsetenv(name);
    ASSERT_EQ(server_->mails(), 2U) << "the answer was written down";
    EXPECT_EQ(json::parse(server_->read(1))["headers"]["message-id"],
              json::parse(server_->read(2))["headers"]["message-id"]);
}

}  // namespace
}  // namespace lestapenna::bot
