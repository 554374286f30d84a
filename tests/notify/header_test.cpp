#include "notify/header.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support.h"

namespace lestapenna::notify {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(HeaderText, PlainTextStaysAsItIs) {
    EXPECT_EQ(header_text(""), "");
    EXPECT_EQ(header_text("Session 7F3K2A (3 hours)"), "Session 7F3K2A (3 hours)");
}

TEST(HeaderText, OtherTextBecomesEncodedWords) {
    EXPECT_EQ(header_text("È qui"), "=?utf-8?Q?=C3=88_qui?=");
    EXPECT_EQ(header_text("=?utf-8?Q?x?="), "=?utf-8?Q?=3D=3Futf-8=3FQ=3Fx=3F=3D?=") << "it only looks like one";
}

TEST(HeaderText, NothingEndsTheHeader) {
    const auto header = header_text("a\r\nBcc: eve@example.org\n\n<p>\0x");
    EXPECT_EQ(header, "a?\?Bcc: eve@example.org?\?<p>");
    EXPECT_THAT(header_text("è\r\nBcc: x"), Not(HasSubstr("\n")));
}

/// Every text comes back from Python's reader of mail headers, whatever bytes it holds; words are short enough.
TEST(HeaderText, ComesBackFromPython) {
    constexpr unsigned kSeed = 20261122;
    std::mt19937 random(kSeed);
    const std::vector<std::string> pieces{"è", "€", "𝄞", "a", " ", "?", "=", "_", "漢字", "x y", "\"", "(", "\\", "."};
    std::string expected;
    std::string headers;
    for (int i = 0; i < 60; ++i) {
        std::string text = "è";
        for (auto n = random() % 60; n > 0; --n) text += pieces[random() % pieces.size()];
        text += "!";  // readers take blanks off the end
        const auto header = header_text(text);
        for (std::size_t at = 0; at < header.size();) {
            const auto end = std::min(header.find(' ', at), header.size());
            EXPECT_LE(end - at, 75U) << header;
            at = end + 1;
        }
        expected += text + "\n";
        headers += header + "\n";
    }
    const auto decoded = test::run_process(
        {"/usr/bin/python3", "-c",
         "import sys, email.header as h\n"
         "for line in sys.argv[1].split('\\n')[:-1]: print(str(h.make_header(h.decode_header(line))))\n",
         headers},
        {"PYTHONIOENCODING=utf-8"});
    if (decoded.exit_code != 0) GTEST_SKIP() << "no /usr/bin/python3";
    EXPECT_EQ(decoded.out, expected) << "seed " << kSeed;
}

TEST(HeaderText, AnyBytesMakeAHeader) {
    constexpr unsigned kSeed = 7;
    std::mt19937 random(kSeed);
    for (int i = 0; i < 2'000; ++i) {
        std::string text;
        for (auto n = random() % 200; n > 0; --n) text += static_cast<char>(random() % 256);
        for (const char c : header_text(text)) {
            ASSERT_GE(static_cast<unsigned char>(c), 0x20U) << "seed " << kSeed;
            ASSERT_LT(static_cast<unsigned char>(c), 0x7FU) << "seed " << kSeed;
        }
    }
}

TEST(HeaderDate, AsRfc5322HasIt) {
    EXPECT_EQ(header_date(UnixTime{milliseconds{1'795'384'800'999}}), "Sun, 22 Nov 2026 22:00:00 +0000");
    EXPECT_EQ(header_date(UnixTime{milliseconds{951'782'400'000}}), "Tue, 29 Feb 2000 00:00:00 +0000");
    EXPECT_EQ(header_date(UnixTime{}), "Thu, 01 Jan 1970 00:00:00 +0000");
}

TEST(HtmlEscaped, TextStaysText) {
    EXPECT_EQ(html_escaped("<b onclick='x'>\"A\" & è</b>"),
              "&lt;b onclick=&#39;x&#39;&gt;&quot;A&quot; &amp; è&lt;/b&gt;");
}

}  // namespace
}  // namespace lestapenna::notify
