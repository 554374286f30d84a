// Our client against a real mail server, as it should be and as servers are.
#include "notify/smtp.h"

#include <future>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <unistd.h>

#include "hanging_names.h"
#include "mail_server.h"

namespace lestapenna::notify {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;
using Verdict = Reply::Verdict;

const std::atomic<bool> kGoOn{false};

Mail report() {
    return {"anna@example.org",
            "01KXB2V6Q4ZJ9W0000007F3K2A.1795384800000.0123456789abcdef@example.org",
            UnixTime{milliseconds{1'795'384'800'000}},
            "L'audio della sessione 7F3K2A è pronto (22 novembre 2026, 3 ore e 12 minuti)",
            "L'audio è pronto\n\n.una riga che comincia con un punto\n" + std::string(300, 'x') + "=\n",
            "<p>L'audio è pronto: <a href=\"https://x/?a=1&amp;b=2\">ascolta</a></p>\n"};
}

class Smtp : public ::testing::Test {
  protected:
    static void SetUpTestSuite() {
        folder_ = new test::TempDir;
        right_ = test::make_certificate(folder_->path(), "right", "DNS:localhost,IP:127.0.0.1");
        other_ = test::make_certificate(folder_->path(), "other", "DNS:mail.example.org");
    }
    static void TearDownTestSuite() { delete folder_; }

    /// Starts one; false: there is none here.
    bool serve(const std::vector<std::string>& words = {}) {
        server_ = test::MailServer::start(why_, words);
        return server_ != nullptr;
    }
    static std::vector<std::string> tls(const char* kind, const test::CertificateFiles& files) {
        return {kind, files.certificate.string(), files.key.string()};
    }
    static std::vector<std::string> with_account(std::vector<std::string> words) {
        words.insert(words.end(), {"account", "lesta", "s3cret"});
        return words;
    }
    [[nodiscard]] Config config(const std::string& scheme = "smtp", const std::string& host = "127.0.0.1") const {
        Config config;
        config.mail.smtp_url = Secret(scheme + "://" + host + ":" + (server_ ? server_->port() : "1"));
        config.mail.from = "bot@example.org";
        config.mail.to = {"anna@example.org"};
        return config;
    }
    static Server open(const Config& config) {
        auto opened = Server::open(config);
        EXPECT_TRUE(opened && *opened) << (opened ? "no server" : opened.error().message);
        return **opened;
    }

    static test::TempDir* folder_;
    static test::CertificateFiles right_;
    static test::CertificateFiles other_;
    std::unique_ptr<test::MailServer> server_;
    std::string why_;
};
test::TempDir* Smtp::folder_ = nullptr;
test::CertificateFiles Smtp::right_;
test::CertificateFiles Smtp::other_;

// ---- as it should be

TEST_F(Smtp, AMailArrivesAsItWasWritten) {
    if (!serve()) GTEST_SKIP() << why_;
    const auto mail = report();
    const auto reply = open(config()).send(mail, kGoOn);
    ASSERT_EQ(reply.verdict, Verdict::accepted) << reply.message;
    ASSERT_EQ(server_->mails(), 1U);
    EXPECT_EQ(server_->envelope(1), "bot@example.org\nanna@example.org");
    const auto read = Json::parse(server_->read(1));
    EXPECT_EQ(read["defects"], Json::array()) << read;
    EXPECT_EQ(read["headers"]["subject"], mail.subject);
    EXPECT_EQ(read["headers"]["from"], "Lestapenna <bot@example.org>");
    EXPECT_EQ(read["headers"]["to"], "anna@example.org");
    EXPECT_EQ(read["headers"]["date"], "Sun, 22 Nov 2026 22:00:00 +0000");
    EXPECT_EQ(read["headers"]["message-id"], "<" + mail.message_id + ">");
    EXPECT_EQ(read["headers"]["auto-submitted"], "auto-generated");
    EXPECT_EQ(read["text"], mail.text);
    EXPECT_EQ(read["html"], mail.html);
    EXPECT_EQ(read["types"], Json({"multipart/mixed", "multipart/alternative", "text/plain", "text/html"}))
        << "no attachment";
    EXPECT_THAT(server_->raw(1), Not(HasSubstr("\xC3"))) << "seven bits on the way";
}

TEST_F(Smtp, AMailFullOfOddBytesArrivesByteForByte) {
    if (!serve()) GTEST_SKIP() << why_;
    auto mail = report();
    mail.text = "è\t\"\\ = =C3 =\n..\n.\n \n-- \n" + std::string(2'000, '.') + "\n漢字 🎲\n";
    mail.html = "<p>" + std::string(5'000, '=') + "</p>\n";
    ASSERT_EQ(open(config()).send(mail, kGoOn).verdict, Verdict::accepted);
    const auto read = Json::parse(server_->read(1));
    EXPECT_EQ(read["text"], mail.text);
    EXPECT_EQ(read["html"], mail.html);
}

TEST_F(Smtp, StartTlsWithAnAccount) {
    if (!serve(with_account(tls("starttls", right_)))) GTEST_SKIP() << why_;
    auto with = config("smtp", "localhost");
    with.mail.ca_file = right_.certificate;
    with.mail.username = "lesta";
    with.mail.password = Secret("s3cret");
    const auto server = open(with);
    EXPECT_EQ(server.greet().verdict, Verdict::accepted) << server.greet().message;
    EXPECT_EQ(server_->mails(), 0U) << "a greeting sends nothing";
    const auto reply = server.send(report(), kGoOn);
    EXPECT_EQ(reply.verdict, Verdict::accepted) << reply.message;
    EXPECT_EQ(server_->mails(), 1U);
}

TEST_F(Smtp, ImplicitTlsWithAnAccount) {
    if (!serve(with_account(tls("implicit", right_)))) GTEST_SKIP() << why_;
    auto with = config("smtps", "localhost");
    with.mail.ca_file = right_.certificate;
    with.mail.username = "lesta";
    with.mail.password = Secret("s3cret");
    const auto server = open(with);
    EXPECT_EQ(server.greet().verdict, Verdict::accepted) << server.greet().message;
    const auto reply = server.send(report(), kGoOn);
    EXPECT_EQ(reply.verdict, Verdict::accepted) << reply.message;
    EXPECT_EQ(server_->mails(), 1U);
}

// ---- no

TEST_F(Smtp, TheReplysCodeDecides) {
    if (!serve()) GTEST_SKIP() << why_;
    const auto server = open(config());
    const auto answer = [&](const std::string& said) {
        server_->say(said);
        return server.send(report(), kGoOn);
    };
    for (const auto* const later : {"mail 421 closing down", "rcpt 451 try later", "rcpt 450 greylisted",
                                    "data 451 busy", "data 452 disk full"}) {
        const auto reply = answer(later);
        EXPECT_EQ(reply.verdict, Verdict::later) << later;
        EXPECT_THAT(reply.message, HasSubstr(std::string(later).substr(5))) << "as the server said it";
        EXPECT_FALSE(reply.perhaps) << later;
    }
    for (const auto* const never :
         {"rcpt 550 no such mailbox", "mail 553 not you", "data 552 too large", "data 554 spam"}) {
        const auto reply = answer(never);
        EXPECT_EQ(reply.verdict, Verdict::refused) << never;
        EXPECT_THAT(reply.message, HasSubstr(std::string(never).substr(5)));
        EXPECT_THAT(reply.message, HasSubstr(server.place()));
    }
    EXPECT_EQ(server_->mails(), 0U);
    EXPECT_EQ(answer("").verdict, Verdict::accepted);
}

TEST_F(Smtp, AWrongPasswordIsRefusedAndNeverShown) {
    if (!serve(with_account(tls("starttls", right_)))) GTEST_SKIP() << why_;
    auto with = config("smtp", "localhost");
    with.mail.ca_file = right_.certificate;
    with.mail.username = "lesta";
    with.mail.password = Secret("wr0ng-pass");
    for (const auto& reply : {open(with).send(report(), kGoOn), open(with).greet()}) {
        EXPECT_EQ(reply.verdict, Verdict::refused);
        EXPECT_THAT(reply.message, AllOf(HasSubstr("535"), HasSubstr("mail.password"), Not(HasSubstr("wr0ng"))));
    }
    with.mail.username.clear();
    with.mail.password = Secret();
    const auto none = open(with).send(report(), kGoOn);
    EXPECT_EQ(none.verdict, Verdict::refused);
    EXPECT_THAT(none.message, AllOf(HasSubstr("530"), HasSubstr("wants an account")));
    EXPECT_EQ(server_->mails(), 0U);
}

TEST_F(Smtp, ACertificateOfSomebodyElseEndsIt) {
    if (!serve(tls("starttls", other_))) GTEST_SKIP() << why_;
    auto with = config("smtp", "localhost");
    with.mail.ca_file = other_.certificate;
    const auto wrong_name = open(with).send(report(), kGoOn);
    EXPECT_EQ(wrong_name.verdict, Verdict::later) << "somebody may mend it";
    EXPECT_THAT(wrong_name.message, HasSubstr("certificate"));
    with.mail.ca_file = right_.certificate;
    EXPECT_THAT(open(with).greet().message, HasSubstr("mail.ca_file"));
    with.mail.ca_file = folder_->path() / "none.pem";
    EXPECT_THAT(open(with).greet().message, HasSubstr("mail.ca_file holds no certificate"));
    EXPECT_EQ(server_->mails(), 0U);
}

TEST_F(Smtp, AnUntrustedCertificateOfImplicitTlsEndsIt) {
    if (!serve(tls("implicit", right_))) GTEST_SKIP() << why_;
    const auto reply = open(config("smtps", "localhost")).send(report(), kGoOn);
    EXPECT_EQ(reply.verdict, Verdict::later);
    EXPECT_THAT(reply.message, HasSubstr("certificate"));
    EXPECT_EQ(server_->mails(), 0U);
}

TEST_F(Smtp, TlsWhereThereIsNone) {
    if (!serve()) GTEST_SKIP() << why_;
    const auto reply = open(config("smtps", "localhost")).send(report(), kGoOn);
    EXPECT_EQ(reply.verdict, Verdict::later);
    EXPECT_THAT(reply.message, HasSubstr("does not speak TLS"));
}

/// This machine's own address on a network, where plain text would be read on the way.
std::string outward_address() {
    const auto found = test::run_process({"hostname", "-I"});
    const auto first = found.out.substr(0, found.out.find_first_of(" \n"));
    return first.find(':') == std::string::npos ? first : "";
}

TEST_F(Smtp, PlainTextLeavesThisMachineOnlyWhenItMay) {
    const auto address = outward_address();
    if (address.empty()) GTEST_SKIP() << "this machine has no address on a network";
    if (!serve({"everywhere", "-", "-"})) GTEST_SKIP() << why_;
    auto with = config("smtp", address);
    const auto reply = open(with).send(report(), kGoOn);
    EXPECT_EQ(reply.verdict, Verdict::later);
    EXPECT_THAT(reply.message, AllOf(HasSubstr("offers no encryption"), HasSubstr("mail.allow_plaintext")));
    EXPECT_EQ(server_->mails(), 0U);
    with.mail.allow_plaintext = true;
    EXPECT_EQ(open(with).send(report(), kGoOn).verdict, Verdict::accepted);
}

// ---- nothing

/// Takes connections and says nothing.
class Mute {
  public:
    Mute() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof at;
        EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&at), size), 0);
        EXPECT_EQ(::listen(socket_, 8), 0);
        EXPECT_EQ(::getsockname(socket_, reinterpret_cast<sockaddr*>(&at), &size), 0);
        port_ = std::to_string(ntohs(at.sin_port));
    }
    Mute(const Mute&) = delete;
    Mute& operator=(const Mute&) = delete;
    ~Mute() { ::close(socket_); }
    [[nodiscard]] const std::string& port() const { return port_; }

  private:
    int socket_;
    std::string port_;
};

TEST_F(Smtp, NobodyThereOrNobodyWhoSpeaks) {
    const auto nobody = open(config()).send(report(), kGoOn);
    EXPECT_EQ(nobody.verdict, Verdict::later);
    EXPECT_THAT(nobody.message, HasSubstr("127.0.0.1:1 does not take our call"));

    const Mute mute;
    auto with = config();
    with.mail.smtp_url = Secret("smtp://127.0.0.1:" + mute.port());
    auto server = open(with);
    server.patience.total = 300ms;
    const auto silent = server.send(report(), kGoOn);
    EXPECT_EQ(silent.verdict, Verdict::later);
    EXPECT_THAT(silent.message, HasSubstr("does not answer"));
    EXPECT_FALSE(silent.perhaps);

    with.mail.smtp_url = Secret("smtp://no-such-host.invalid");
    EXPECT_THAT(open(with).greet().message, HasSubstr("no-such-host.invalid:587 is not known"));
}

TEST_F(Smtp, SilenceAfterTheMailMayMeanThatItWasSent) {
    if (!serve()) GTEST_SKIP() << why_;
    auto server = open(config());
    server.patience.total = 3s;
    for (const auto* const end : {"data silent", "data cut"}) {
        server_->say(end);
        const auto reply = server.send(report(), kGoOn);
        EXPECT_EQ(reply.verdict, Verdict::later) << end;
        EXPECT_TRUE(reply.perhaps) << end << ": " << reply.message;
    }
    EXPECT_EQ(server_->mails(), 2U) << "it was";
    EXPECT_EQ(Json::parse(server_->read(1))["headers"]["message-id"],
              Json::parse(server_->read(2))["headers"]["message-id"]);
}

TEST_F(Smtp, IsStoppedWhileNothingComes) {
    const Mute mute;
    auto with = config();
    with.mail.smtp_url = Secret("smtp://127.0.0.1:" + mute.port());
    const auto server = open(with);
    std::atomic<bool> stop{true};
    const auto reply = server.send(report(), stop);
    EXPECT_EQ(reply.verdict, Verdict::interrupted);
    EXPECT_FALSE(reply.perhaps);
}

TEST_F(Smtp, IsStoppedSoonAfterTheMailWasSent) {
    if (!serve()) GTEST_SKIP() << why_;
    server_->say("data silent");
    const auto server = open(config());
    std::atomic<bool> stop{false};
    const auto begun = std::chrono::steady_clock::now();
    std::thread sending([&] {
        const auto reply = server.send(report(), stop);
        EXPECT_EQ(reply.verdict, Verdict::interrupted);
        EXPECT_TRUE(reply.perhaps);
    });
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    while (server_->mails() == 0 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    stop = true;
    sending.join();
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 50s) << "not the minute that a mail may take";
    EXPECT_EQ(server_->mails(), 1U);
}

// ---- [mail]

TEST_F(Smtp, EachMistakeIsOneSentence) {
    const auto wrong = [this](auto&& change) {
        auto with = config();
        change(with.mail);
        const auto opened = Server::open(with);
        if (opened) return std::string("it was taken");
        EXPECT_EQ(opened.error().kind, ErrorKind::usage);
        EXPECT_THAT(opened.error().message, Not(HasSubstr("\n")));
        return opened.error().message;
    };
    using M = Config::Mail;
    for (const auto* const url :
         {"mail.example.org", "http://mail.example.org", "smtp://", "smtp://a b", "smtp://host:port",
          "smtp://host:99999", "smtp://host/path", "smtp://host?x=1", "smtp://ho\nst", "smtp://host#x"}) {
        EXPECT_THAT(wrong([&](M& mail) { mail.smtp_url = Secret(url); }), HasSubstr("mail.smtp_url is no address"))
            << url;
    }
    EXPECT_THAT(wrong([](M& mail) { mail.smtp_url = Secret("smtp://me:pass@host"); }),
                AllOf(HasSubstr("mail.username and mail.password"), Not(HasSubstr("me:pass"))));
    EXPECT_THAT(wrong([](M& mail) { mail.username = "me"; }), HasSubstr("only one is set"));
    EXPECT_THAT(wrong([](M& mail) { mail.password = Secret("x"); }), HasSubstr("only one is set"));
    EXPECT_THAT(wrong([](M& mail) { mail.from = ""; }), HasSubstr("mail.from has to be set"));
    EXPECT_THAT(wrong([](M& mail) { mail.from = "Bot <bot@example.org>"; }), HasSubstr("mail.from: \"Bot <bot@"));
    EXPECT_THAT(wrong([](M& mail) {
                    mail.to = {"a@b.org", "a@b.org\nBcc: c@d.org"};
                }),
                AllOf(HasSubstr("mail.to: \"a@b.org?Bcc"), HasSubstr("line break")));
    EXPECT_THAT(wrong([](M& mail) { mail.guilds = {{"77", {"nobody"}}}; }), HasSubstr("mail.guilds, 77: \"nobody\""));
    EXPECT_THAT(wrong([](M& mail) { mail.smtp_url = Secret(); }), HasSubstr("mail.smtp_url names no server"));
}

TEST_F(Smtp, NothingConfiguredIsNoMistake) {
    const auto none = Server::open(Config{});
    ASSERT_TRUE(none) << none.error().message;
    EXPECT_FALSE(*none);
    auto nobody = config();
    nobody.mail.to.clear();
    const auto idle = Server::open(nobody);
    EXPECT_TRUE(idle && *idle);
}

TEST_F(Smtp, PortsAreTheCustomaryOnes) {
    auto with = config();
    with.mail.smtp_url = Secret("smtp://mail.example.org");
    EXPECT_EQ(open(with).place(), "mail.example.org:587");
    with.mail.smtp_url = Secret("smtps://mail.example.org/");
    EXPECT_EQ(open(with).place(), "mail.example.org:465");
    with.mail.smtp_url = Secret("smtp://[::1]:2525");
    EXPECT_EQ(open(with).place(), "[::1]:2525");
}

TEST_F(Smtp, StopWaitsForNoNameLookup) {
    auto away = config("smtp", "mail.example.org");
    away.mail.allow_plaintext = true;
    const auto server = open(away);
    std::atomic<bool> stop{false};
    std::future<Reply> sent;
    const test::HangingNames hanging;
    sent = std::async(std::launch::async, [&] { return server.send(report(), stop); });
    ASSERT_TRUE(hanging.is_asked());
    stop = true;
    ASSERT_EQ(sent.wait_for(30s), std::future_status::ready) << "libcurl waits for its resolver";
    EXPECT_EQ(sent.get().verdict, Verdict::interrupted);
}

}  // namespace
}  // namespace lestapenna::notify
