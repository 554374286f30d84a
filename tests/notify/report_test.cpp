#include "notify/report.h"

#include <cstdlib>
#include <ctime>
#include <regex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lestapenna::notify {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

const SessionId kSession = *SessionId::parse("01KXB2V6Q4ZJ9W0000007F3K2A");
const UnixTime kStart{milliseconds{1'795'384'800'000}};  // 2026-11-22 22:00 UTC

class ReportText : public ::testing::Test {
  protected:
    ReportText() {
        ::setenv("TZ", "CET-1", 1);
        ::tzset();
    }
    ~ReportText() override {
        ::unsetenv("TZ");
        ::tzset();
    }
    static Report evening(Language language) {
        Report report{kSession, language, kStart, 3h + 12min, CallKind::encrypted};
        report.master = AudioFile{kStart, 3h + 12min, 184'549'376, -23.04, "https://store.example.org/m?a=1&b=2"};
        report.people = {{"Anna",
                          "niente di perso",
                          3h + 2min,
                          {{kStart + 4min, 1h, 28'800'000, -22.96, "https://store.example.org/a1"},
                           {kStart + 70min, 2h + 2min, std::nullopt, std::nullopt, ""}}},
                         {"Bruno", "persi 12 pacchetti su 1.000 (1,2 %)", 0ms, {}}};
        report.links_until = kStart + std::chrono::days(7);
        report.ask = "$scarica 7F3K2A";
        return report;
    }
};

TEST_F(ReportText, SaysAllOfItInItalian) {
    const auto mail = content(evening(Language::it));
    EXPECT_EQ(mail.subject, "L'audio della sessione 7F3K2A è pronto (22 novembre 2026, 3 ore e 12 minuti)");
    EXPECT_EQ(mail.text,
              "L'audio della sessione 7F3K2A è pronto\n"
              "\n"
              "Quando: 22 novembre 2026, 23:00 CET\n"
              "Durata: 3 ore e 12 minuti\n"
              "Codice: 01KXB2V6Q4ZJ9W0000007F3K2A\n"
              "Chiamata: cifrata end-to-end\n"
              "\n"
              "Tutti insieme: 3 ore e 12 minuti, 176,0 MB, -23,0 LUFS\n"
              "https://store.example.org/m?a=1&b=2\n"
              "\n"
              "Chi è stato registrato, e per quanto\n"
              "\n"
              "Anna: 3 ore e 2 minuti\n"
              "  niente di perso\n"
              "  23:04 1 ora, 27,5 MB, -23,0 LUFS\n"
              "  https://store.example.org/a1\n"
              "  00:10 2 ore e 2 minuti\n"
              "\n"
              "Bruno: 0 secondi\n"
              "  persi 12 pacchetti su 1.000 (1,2 %)\n"
              "\n"
              "Scadenza dei link: 29 novembre 2026, 23:00 CET. Chi li ha può ascoltare, quindi non pubblicarli. Dopo, "
              "chi c'era ne riceve di nuovi su Discord con $scarica 7F3K2A\n");
}

TEST_F(ReportText, SaysTheSameInEnglish) {
    const auto mail = content(evening(Language::en));
    EXPECT_EQ(mail.subject, "The audio of session 7F3K2A is ready (22 November 2026, 3 hours and 12 minutes)");
    for (const auto* const part :
         {"When: 22 November 2026, 23:00 CET\n", "Length: 3 hours and 12 minutes\n", "Call: end-to-end encrypted\n",
          "Everybody together: 3 hours and 12 minutes, 176.0 MB, -23.0 LUFS\n", "Who was recorded, and for how long\n",
          "Anna: 3 hours and 2 minutes\n", "The links work until 29 November 2026, 23:00 CET"}) {
        EXPECT_THAT(mail.text, HasSubstr(part));
    }
}

/// What a reader of HTML shows, without the words of links.
std::string shown(std::string html) {
    html = std::regex_replace(html, std::regex("<a [^>]*>[^<]*</a>"), "");
    html = std::regex_replace(html, std::regex("<[^>]*>"), "");
    for (const auto& [code, sign] : {std::pair{"&#39;", "'"}, {"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}}) {
        html = std::regex_replace(html, std::regex(code), sign);
    }
    return html;
}

TEST_F(ReportText, BothAlternativesSayTheSame) {
    for (const Language language : {Language::it, Language::en}) {
        const auto mail = content(evening(language));
        const auto html = shown(mail.html);
        std::size_t lines = 0;
        for (std::size_t at = 0; at < mail.text.size();) {
            const auto end = mail.text.find('\n', at);
            auto line = mail.text.substr(at, end - at);
            at = end + 1;
            line.erase(0, line.find_first_not_of(' ') == std::string::npos ? 0 : line.find_first_not_of(' '));
            if (line.starts_with("https://")) {
                EXPECT_THAT(mail.html, HasSubstr("<a href=\"" + std::regex_replace(line, std::regex("&"), "&amp;")));
            } else if (!line.empty()) {
                EXPECT_THAT(html, HasSubstr(line));
                ++lines;
            }
        }
        EXPECT_EQ(lines, 14U);
    }
}

TEST_F(ReportText, TheHtmlLoadsNothingAndFitsAPhone) {
    const auto html = content(evening(Language::it)).html;
    EXPECT_THAT(html, HasSubstr("name=\"viewport\""));
    for (const auto* const never : {"<img", "<script", "<link", "src=", "url(", "@import", "<form", "<iframe"}) {
        EXPECT_THAT(html, Not(HasSubstr(never)));
    }
}

TEST_F(ReportText, ANameStaysANameInItsLine) {
    auto report = evening(Language::it);
    report.people[0].name = "<img src=x onerror=alert(1)>\r\nBcc: eve@example.org";
    report.people[1].name = "\u202Eonurb\u202C\u200B";
    const auto mail = content(report);
    EXPECT_THAT(mail.html, Not(HasSubstr("<img")));
    EXPECT_THAT(mail.html, HasSubstr("&lt;img src=x onerror=alert(1)&gt;"));
    EXPECT_THAT(mail.text, Not(HasSubstr("\nBcc")));
    EXPECT_THAT(mail.text, HasSubstr("\nonurb: 0 secondi\n"));
    EXPECT_THAT(mail.subject, Not(HasSubstr("eve")));
    report.people[1].name = " \n ";
    EXPECT_THAT(content(report).text, HasSubstr("\n?: 0 secondi\n"));
}

TEST_F(ReportText, WithoutLinksItSaysWhereTheyAre) {
    auto report = evening(Language::it);
    report.links_until.reset();
    report.master->link.clear();
    for (auto& file : report.people[0].files) file.link.clear();
    const auto mail = content(report);
    EXPECT_THAT(mail.text, HasSubstr("In questa copia non ci sono link: chi c'era riceve l'audio su Discord con "
                                     "$scarica 7F3K2A\n"));
    EXPECT_THAT(mail.text, Not(HasSubstr("http")));
    EXPECT_THAT(mail.html, Not(HasSubstr("href")));
}

TEST_F(ReportText, ASessionWithoutAudio) {
    for (const Language language : {Language::it, Language::en}) {
        auto report = evening(language);
        report.master.reset();
        report.links_until.reset();
        report.people.clear();
        report.call = CallKind::unknown;
        const auto mail = content(report);
        EXPECT_THAT(mail.subject, HasSubstr(language == Language::it ? "nessun audio" : "no audio"));
        EXPECT_THAT(mail.text, Not(HasSubstr("$scarica")));
        EXPECT_THAT(mail.text, Not(HasSubstr("LUFS")));
    }
}

TEST_F(ReportText, TellsWhetherTheCallWasEncrypted) {
    auto report = evening(Language::it);
    report.call = CallKind::open;
    EXPECT_THAT(content(report).text, HasSubstr("Chiamata: non cifrata end-to-end\n"));
    report.call = CallKind::partly_encrypted;
    EXPECT_THAT(content(report).text, HasSubstr("Chiamata: cifrata end-to-end solo in parte\n"));
    report.call = CallKind::unknown;
    EXPECT_THAT(content(report).text, Not(HasSubstr("Chiamata")));
}

}  // namespace
}  // namespace lestapenna::notify
