#include "store/links.h"

#include <set>
#include <thread>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/files.h"
#include "support.h"

namespace lestapenna::store {
namespace {

const SessionId kSession = *SessionId::parse("01J0ABCDEFGHJKMNPQRS7F3K2A");
const Key kMaster = key(MasterKey{kSession});
const UnixTime kNow{milliseconds{1'763'825'400'500}};

Config config_of(const std::string& public_url, const std::string& secret = "correct horse battery staple") {
    Config config;
    config.web.public_url = public_url;
    config.web.link_secret = Secret(secret);
    config.store.link_ttl = std::chrono::hours(1);
    return config;
}

Links links_of(const std::string& public_url, const std::string& secret = "correct horse battery staple") {
    auto links = Links::open(config_of(public_url, secret));
    EXPECT_TRUE(links) << links.error().message;
    return std::move(*links);
}

/// Path and query of a link on https://example.org.
std::string target_of(const std::string& link) {
    return link.substr(std::string("https://example.org").size());
}

std::string verdict(const Links& links, const std::string& target, UnixTime now = kNow) {
    const auto checked = links.check(target, now);
    if (checked) return "good";
    const BadLink why = checked.error();
    return why == BadLink::malformed ? "malformed" : why == BadLink::forged ? "forged" : "expired";
}

TEST(Links, WhatIsMadeIsGoodUntilItExpires) {
    const Links links = links_of("https://example.org");
    const auto link = links.make(kMaster, "2026-11-22-lestapenna-7F3K2A.mp3", kNow);
    ASSERT_TRUE(link);
    EXPECT_TRUE(link->starts_with("https://example.org/audio/" + kMaster.text() +
                                  "?expires=1763829001&name=2026-11-22-lestapenna-7F3K2A.mp3&mac="))
        << *link;
    const auto checked = links.check(target_of(*link), kNow);
    ASSERT_TRUE(checked);
    EXPECT_EQ(checked->key, kMaster);
    EXPECT_EQ(checked->name, "2026-11-22-lestapenna-7F3K2A.mp3");
    EXPECT_EQ(verdict(links, target_of(*link), kNow + std::chrono::hours(1)), "good");
    EXPECT_EQ(verdict(links, target_of(*link), kNow + std::chrono::hours(1) + seconds(1)), "expired");
    EXPECT_EQ(verdict(links_of("", "correct horse battery staple"), target_of(*link)), "good") << "whoever knows it";
}

// RFC 2104 by another program: printf 'lestapenna audio link 1\n%s\n1763829001\na.mp3' KEY | openssl dgst -sha256 -hmac
// ...
TEST(Links, TheMacIsHmacSha256) {
    if (!test::has_program("openssl")) GTEST_SKIP() << "no openssl program";
    const Links links = links_of("https://example.org");
    const auto link = links.make(kMaster, "a.mp3", kNow);
    ASSERT_TRUE(link);
    const test::TempDir folder;
    ASSERT_TRUE(write_file(folder / "text", "lestapenna audio link 1\n" + kMaster.text() + "\n1763829001\na.mp3"));
    const auto said = test::run_process(
        {"openssl", "dgst", "-sha256", "-hmac", "correct horse battery staple", (folder / "text").string()});
    const auto mac = link->substr(link->find("&mac=") + 5);
    EXPECT_EQ(mac.size(), 64U);
    EXPECT_NE(said.out.find(mac), std::string::npos) << said.out << said.err;
}

TEST(Links, NobodyChangesOneWithoutTheSecret) {
    const Links links = links_of("https://example.org");
    const std::string good = target_of(*links.make(kMaster, "evening.mp3", kNow));
    ASSERT_EQ(verdict(links, good), "good");
    EXPECT_EQ(verdict(links_of("https://example.org", "another secret"), good), "forged");
    // Every byte of it, changed to every other printable one.
    for (std::size_t at = 0; at < good.size(); ++at) {
        for (int c = 0x20; c < 0x7F; ++c) {
            std::string bad = good;
            bad[at] = static_cast<char>(c);
            EXPECT_EQ(verdict(links, bad) == "good", bad == good) << bad;
        }
    }
    for (std::size_t size = 0; size < good.size(); ++size) ASSERT_NE(verdict(links, good.substr(0, size)), "good");
    EXPECT_EQ(verdict(links, good + "0"), "forged");
    EXPECT_EQ(verdict(links, good + "&x=1"), "forged");
}

// The border between two fields can not be moved.
TEST(Links, FieldsDoNotFlowIntoEachOther) {
    const Links links = links_of("https://example.org");
    const auto a = target_of(*links.make(*Key::parse("a/b"), "c.mp3", kNow));
    std::string moved = a;
    moved.replace(moved.find("a/b"), 3, "a");
    EXPECT_EQ(verdict(links, moved), "forged");
    EXPECT_EQ(verdict(links, "/audio/a/b?expires=1763829001&name=c.mp3&mac="), "forged");
    for (const auto* bad :
         {"", "/", "/audio/", "/audio/a", "/audio/a?expires=1&name=b", "/audio/?expires=1&name=b&mac=c",
          "/audio/../a?expires=1&name=b&mac=c", "/audio//etc/passwd?expires=1&name=b&mac=c",
          "/audio/a%2e?expires=1&name=b&mac=c", "/audio/a?expires=&name=b&mac=c", "/audio/a?expires=-1&name=b&mac=c",
          "/audio/a?expires=01&name=b&mac=c", "/audio/a?expires=99999999999999999999&name=b&mac=c",
          "/audio/a?expires=1&name=&mac=c", "/audio/a?expires=1&name=b\r\nX: y&mac=c",
          "/audio/a?expires=1&name=\"b&mac=c", "/audio/a?name=b&expires=1&mac=c", "audio/a?expires=1&name=b&mac=c",
          "/video/a?expires=1&name=b&mac=c"}) {
        EXPECT_EQ(verdict(links, bad), "malformed") << bad;
    }
    EXPECT_EQ(verdict(links, "/audio/a?expires=9223372036854775807&name=b&mac=c"), "forged");
}

TEST(Links, NamesAreMadePlain) {
    const Links links = links_of("https://example.org");
    const std::vector<std::pair<std::string, std::string>> names{
        {"La Contessa è sveglia.mp3", "La-Contessa----sveglia.mp3"},
        {"../../etc/passwd", "audio..-..-etc-passwd"},
        {"", "audio"},
        {".hidden", "audio.hidden"},
        {"a\"\r\n&mac=0", "a----mac-0"},
        {std::string(5000, 'x'), std::string(100, 'x')},
    };
    for (const auto& [wanted, plain] : names) {
        const auto link = links.make(kMaster, wanted, kNow);
        ASSERT_TRUE(link);
        const auto checked = links.check(target_of(*link), kNow);
        ASSERT_TRUE(checked) << *link;
        EXPECT_EQ(checked->name, plain);
    }
}

TEST(Links, PublicUrlMayHaveAPathThatAProxyTakesAwayOrNot) {
    for (const auto* path : {"", "/lesta", "/lesta/penna", "/audio"}) {
        for (const auto* slash : {"", "/", "//"}) {
            const Links links = links_of("https://example.org" + std::string(path) + slash);
            const auto link = links.make(*Key::parse("recordings/audio/master/MASTER-audio.mp3"), "a.mp3", kNow);
            ASSERT_TRUE(link);
            const std::string target = target_of(*link);
            EXPECT_EQ(verdict(links, target), "good") << target;
            EXPECT_EQ(verdict(links, target.substr(std::string(path).size())), "good") << target;
        }
    }
}

TEST(Links, WithoutAPublicUrlThereIsNone) {
    EXPECT_FALSE(links_of("").make(kMaster, "a.mp3", kNow));
    for (const auto* bad : {"example.org", "ftp://example.org", "https://", "https:///x", "https://example.org/?a",
                            "https://example.org/#a", "https://user@example.org", "https://exam ple.org", "http"}) {
        const auto links = Links::open(config_of(bad));
        ASSERT_FALSE(links) << bad;
        EXPECT_EQ(links.error().kind, ErrorKind::usage);
        EXPECT_NE(links.error().message.find("web.public_url"), std::string::npos) << links.error().message;
    }
    for (const auto* good : {"http://127.0.0.1:8080", "https://[::1]:8443/x", "HTTPS://example.org"}) {
        EXPECT_TRUE(links_of(good).make(kMaster, "a.mp3", kNow)) << good;
    }
}

TEST(Links, TheyMayLeadToWhereTheServerTurnedOutToBe) {
    Links links = links_of("");
    links.lead_to("http://127.0.0.1:4321");
    const auto link = links.make(kMaster, "a.mp3", kNow);
    ASSERT_TRUE(link);
    EXPECT_TRUE(link->starts_with("http://127.0.0.1:4321/audio/recordings/")) << *link;
    EXPECT_EQ(verdict(links, link->substr(link->find("/audio/"))), "good");
}

TEST(Links, TheSecretIsMadeOnceAndKeptPrivate) {
    const test::TempDir folder;
    Config config = config_of("https://example.org", "");
    config.data.dir = folder / "not" / "yet";
    // Several at once: all go on with the same.
    std::vector<std::optional<std::string>> made(8);
    std::vector<std::thread> threads;
    for (auto& link : made) {
        threads.emplace_back([&] {
            const auto links = Links::open(config);
            if (links) link = links->make(kMaster, "a.mp3", kNow);
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(std::set(made.begin(), made.end()).size(), 1U);
    ASSERT_TRUE(made.front());

    const auto file = config.data.dir / "link-secret";
    struct stat info {};
    ASSERT_EQ(::stat(file.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U);
    const auto text = read_text_file(file, 1000);
    ASSERT_TRUE(text);
    EXPECT_EQ(text->size(), 65U);
    std::size_t files = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(config.data.dir)) ++files;
    EXPECT_EQ(files, 1U) << "nothing unfinished stays behind";

    const auto again = Links::open(config);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->make(kMaster, "a.mp3", kNow), made.front());
    std::filesystem::remove(file);
    const auto other = Links::open(config);
    ASSERT_TRUE(other);
    EXPECT_NE(other->make(kMaster, "a.mp3", kNow), made.front());
}

TEST(Links, ASecretThatIsCutShortIsNoSecret) {
    const test::TempDir folder;
    Config config = config_of("https://example.org", "");
    config.data.dir = folder.path();
    ASSERT_TRUE(write_file(folder / "link-secret", "abc\n"));
    const auto links = Links::open(config);
    ASSERT_FALSE(links);
    EXPECT_EQ(links.error().kind, ErrorKind::failed);
    EXPECT_EQ(links.error().message.find("abc"), std::string::npos);
    config.data.dir = folder / "link-secret";  // a file
    EXPECT_FALSE(Links::open(config));
}

TEST(Links, AMasterIsSavedUnderItsDayAndTheNamePeopleUse) {
    EXPECT_EQ(master_name(kSession, kNow), "2025-11-22-lestapenna-7F3K2A.mp3");
    EXPECT_EQ(master_name(*SessionId::parse("ab"), UnixTime()), "1970-01-01-lestapenna-ab.mp3");
}

}  // namespace
}  // namespace lestapenna::store
