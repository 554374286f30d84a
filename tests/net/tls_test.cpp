#include "net/tls.h"

#include <fstream>

#include <gtest/gtest.h>

#include "support.h"

namespace lestapenna::net {
namespace {

TEST(Url, Parts) {
    struct Case {
        std::string text, scheme, host;
        int port;
        std::string target;
    };
    const std::vector<Case> cases = {
        {"https://discord.com/api/v10", "https", "discord.com", 443, "/api/v10"},
        {"http://127.0.0.1:8080", "http", "127.0.0.1", 8080, "/"},
        {"wss://gateway.discord.gg/?v=10&encoding=json", "wss", "gateway.discord.gg", 443, "/?v=10&encoding=json"},
        {"ws://h?x=1", "ws", "h", 80, "/?x=1"},
        {"wss://[::1]:65535/a#b", "wss", "::1", 65535, "/a"},
        {"http://h:/", "http", "h", 80, "/"},
        {"https://a_b-c.example.:443//x@y:z", "https", "a_b-c.example.", 443, "//x@y:z"},
        {"http://h/ä", "http", "h", 80, "/ä"},
    };
    for (const auto& c : cases) {
        const auto url = Url::parse(c.text);
        ASSERT_TRUE(url.ok()) << c.text << ": " << url.error().message;
        EXPECT_EQ(url->scheme, c.scheme) << c.text;
        EXPECT_EQ(url->host, c.host) << c.text;
        EXPECT_EQ(url->port, c.port) << c.text;
        EXPECT_EQ(url->target, c.target) << c.text;
    }
}

TEST(Url, RefusesWhatIsNone) {
    for (const std::string text : {"",
                                   "h",
                                   "//h",
                                   "ftp://h",
                                   "HTTP://h",
                                   "https:/h",
                                   "https://",
                                   "https:///x",
                                   "https://h:0",
                                   "https://h:65536",
                                   "https://h:8a",
                                   "https://h:-1",
                                   "https://u:p@h/",
                                   "https://[::1",
                                   "https://[h]/",
                                   "https://[1.2.3.4]/",
                                   "https://[::1]x/",
                                   "https://a b/",
                                   "https://h/a\r\nHost: evil",
                                   "https://h/\t",
                                   "https://h%41/",
                                   "://h"}) {
        EXPECT_FALSE(Url::parse(text).ok()) << text;
    }
    EXPECT_FALSE(Url::parse(std::string_view("https://h/\0", 11)).ok());
}

TEST(Url, ARefusalDoesNotQuoteWhatMayBeSecret) {
    const auto url = Url::parse("https://h:99999/webhooks/1/token");
    ASSERT_FALSE(url.ok());
    EXPECT_EQ(url.error().message.find("token"), std::string::npos) << url.error().message;
    const auto user = Url::parse("https://name:hunter2@h/");
    ASSERT_FALSE(user.ok());
    EXPECT_EQ(user.error().message.find("hunter2"), std::string::npos) << user.error().message;
}

TEST(Url, WhereASecretMayGo) {
    for (const std::string text : {"https://discord.com", "wss://x", "http://127.0.0.1", "http://127.9.9.9",
                                   "ws://[::1]", "http://localhost", "http://LocalHost:1"}) {
        EXPECT_TRUE(Url::parse(text)->safe_for_secrets()) << text;
    }
    for (const std::string text : {"http://discord.com", "ws://10.0.0.1", "http://127.0.0.1.evil.com", "http://0.0.0.0",
                                   "http://localhost.evil.com", "http://[::2]", "http://localhos", "http://127.1"}) {
        EXPECT_FALSE(Url::parse(text)->safe_for_secrets()) << text;
    }
}

TEST(SelfSigned, IsItsOwnAuthorityToOpenssl) {
    if (!test::has_program("openssl")) GTEST_SKIP() << "needs the openssl program, as a judge";
    const auto made = make_self_signed({"127.0.0.1", "::1", "localhost", "*.example.org"});
    ASSERT_TRUE(made.ok()) << made.error().message;
    const test::TempDir folder;
    std::ofstream(folder / "ca.pem") << made->certificate_pem;
    const auto shown = test::run_process({"openssl", "x509", "-noout", "-text", "-in", folder / "ca.pem"});
    for (const char* const text :
         {"CA:TRUE", "DNS:localhost", "DNS:*.example.org", "IP Address:127.0.0.1", "IP Address:0:0:0:0:0:0:0:1",
          "Digital Signature, Certificate Sign", "TLS Web Server Authentication", "prime256v1"}) {
        EXPECT_NE(shown.out.find(text), std::string::npos) << text << " is not in\n" << shown.out;
    }
    const auto verified =
        test::run_process({"openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-no-CApath", "-verify_ip",
                           "127.0.0.1", "-CAfile", folder / "ca.pem", folder / "ca.pem"});
    EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
    const auto another = make_self_signed({"localhost"});
    ASSERT_TRUE(another.ok());
    EXPECT_NE(another->key_pem, made->key_pem);
}

TEST(SelfSigned, ANameThatIsNoneIsAnError) {
    const auto made = make_self_signed({"localhost", ""});
    EXPECT_FALSE(made.ok());
}

TEST(Trust, FromAFile) {
    const test::TempDir folder;
    const auto missing = Trust::from_file(folder / "none.pem");
    ASSERT_FALSE(missing.ok());
    EXPECT_EQ(missing.error().kind, ErrorKind::not_found);
    std::ofstream(folder / "bad.pem") << "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    const auto bad = Trust::from_file(folder / "bad.pem");
    ASSERT_FALSE(bad.ok());
    EXPECT_EQ(bad.error().kind, ErrorKind::damaged);
    const auto folder_itself = Trust::from_file(folder.path());
    EXPECT_FALSE(folder_itself.ok());
    const auto made = make_self_signed({"localhost"});
    ASSERT_TRUE(made.ok());
    std::ofstream(folder / "ca.pem") << made->certificate_pem << made->certificate_pem;
    const auto good = Trust::from_file(folder / "ca.pem");
    ASSERT_TRUE(good.ok()) << good.error().message;
    EXPECT_EQ(good->extra_ca_pem, made->certificate_pem + made->certificate_pem);
}

}  // namespace
}  // namespace lestapenna::net
