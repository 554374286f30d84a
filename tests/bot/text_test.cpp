#include "bot/text.h"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bot/text_parts.h"

namespace lestapenna::bot {
namespace {

using recorder::EndCause;
using recorder::StartError;
using recorder::StartTrouble;
using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

const SessionId kSession = *SessionId::parse("01JD0000000000000000A7F3K2");
const std::string kCode = "A7F3K2";
constexpr ChannelId kTable{77};
constexpr UnixTime kStart{1'700'000'000'123ms};
/// Turns round whatever follows it.
const std::string kRightToLeft{'\xE2', '\x80', '\xAE'};
/// Would ping, format, link, hide and turn the line around.
const std::string kEvil = "@everyone **b** `c` <@1> [x](http://e.vil) " + kRightToLeft + "~\n# h ||s||";

recorder::Heard heard(std::string name, std::uint64_t packets = 1'000, std::uint64_t lost = 0) {
    return {UserId{1}, std::move(name), false, true, packets, lost, BootTime(90s)};
}

text::Live live(std::vector<recorder::Heard> people) {
    text::Live live{kSession, kStart, 3h + 12min, BootTime(100s), {}, {}};
    live.report.connected = true;
    live.report.channel = kTable;
    live.report.heard = std::move(people);
    return live;
}

text::Finished finished(std::vector<text::Person> people) {
    return {kSession, kStart, 3h + 12min, true, std::move(people)};
}

catalog::Session session(catalog::SessionStatus status) {
    catalog::Session session{kSession};
    session.start = kStart;
    session.end = kStart + 2h;
    session.status = status;
    return session;
}

struct Sentence {
    const char* name;
    std::function<std::string(Language)> in;
};

/// Every function of text.h with every case it knows.
std::vector<Sentence> sentences() {
    std::vector<Sentence> all{
        {"listening", [](Language l) { return text::listening(l, kSession, kTable, "$"); }},
        {"listening_again", [](Language l) { return text::listening_again(l, kSession, kTable, kStart); }},
        {"already_listening", [](Language l) { return text::already_listening(l, kSession, kTable, kStart); }},
        {"stopped", [](Language l) { return text::stopped(l, kSession, 1h); }},
        {"paused", [](Language l) { return text::paused(l, "$"); }},
        {"already_paused", [](Language l) { return text::already_paused(l, "$"); }},
        {"resumed", [](Language l) { return text::resumed(l); }},
        {"not_paused", [](Language l) { return text::not_paused(l); }},
        {"noted", [](Language l) { return text::noted(l, 1h + 2min + 3s); }},
        {"note_is_empty", [](Language l) { return text::note_is_empty(l, "$"); }},
        {"note_is_too_long", [](Language l) { return text::note_is_too_long(l); }},
        {"newcomer", [](Language l) { return text::newcomer(l, kEvil); }},
        {"cannot_open", [](Language l) { return text::cannot_open(l, kEvil, false, "$"); }},
        {"cannot_open, given up", [](Language l) { return text::cannot_open(l, "", true, "$"); }},
        {"deafened", [](Language l) { return text::deafened(l); }},
        {"unwritten", [](Language l) { return text::unwritten(l); }},
        {"no_longer_deaf", [](Language l) { return text::no_longer_deaf(l); }},
        {"back_again", [](Language l) { return text::back_again(l, kSession, 12s); }},
        {"with_break", [](Language l) { return text::with_break(l, "", true, "$"); }},
        {"not_there_yet", [](Language l) { return text::not_there_yet(l); }},
        {"status", [](Language l) { return text::status(l, live({heard(kEvil)})); }},
        {"status of nobody", [](Language l) { return text::status(l, live({})); }},
        {"idle", [](Language l) { return text::idle(l, std::nullopt, "$"); }},
        {"sessions",
         [](Language l) {
             return text::sessions(l, {{session(catalog::SessionStatus::complete), 5}}, "$");
         }},
        {"no sessions", [](Language l) { return text::sessions(l, {}, "$"); }},
        {"report",
         [](Language l) {
             return text::report(l, finished({{kEvil, 100, 3, {0, 2, 2, 2, 2, 2}, true, true}}), "$");
         }},
        {"report of what stayed closed",
         [](Language l) {
             return text::report(l, {kSession, kStart, 1h, false, {{kEvil, 100, 0, {0, 0, 100}}}}, "$");
         }},
        {"report of silence",
         [](Language l) {
             return text::report(l, {kSession, kStart, 1h, false, {}}, "$");
         }},
        {"link", [](Language l) { return text::link(l, finished({}), "https://x.it/a?b=c", kStart); }},
        {"attached", [](Language l) { return text::attached(l, finished({})); }},
        {"no_link", [](Language l) { return text::no_link(l, finished({}), 120'000'000); }},
        {"no_audio", [](Language l) { return text::no_audio(l, kSession); }},
        {"audio_expired", [](Language l) { return text::audio_expired(l, kSession); }},
        {"preparing", [](Language l) { return text::preparing(l, kSession); }},
        {"could_not_make, disk", [](Language l) { return text::could_not_make(l, kSession, ErrorKind::failed); }},
        {"could_not_make, damaged", [](Language l) { return text::could_not_make(l, kSession, ErrorKind::damaged); }},
        {"could_not_make, gone", [](Language l) { return text::could_not_make(l, kSession, ErrorKind::not_found); }},
        {"direct_messages_closed", [](Language l) { return text::direct_messages_closed(l, kSession); }},
        {"see_direct_message", [](Language l) { return text::see_direct_message(l); }},
        {"recovering", [](Language l) { return text::recovering(l, std::vector<SessionId>(300, kSession)); }},
        {"nothing_to_recover", [](Language l) { return text::nothing_to_recover(l); }},
        {"unknown_session", [](Language l) { return text::unknown_session(l, "$"); }},
        {"ambiguous_session", [](Language l) { return text::ambiguous_session(l); }},
        {"nothing_recorded_here", [](Language l) { return text::nothing_recorded_here(l, "$"); }},
        {"not_recording", [](Language l) { return text::not_recording(l, "$"); }},
        {"only_in_a_guild", [](Language l) { return text::only_in_a_guild(l); }},
        {"busy", [](Language l) { return text::busy(l); }},
        {"something_broke", [](Language l) { return text::something_broke(l); }},
        {"help", [](Language l) { return text::help(l, "$"); }},
    };
    for (const auto cause : {EndCause::stopped, EndCause::removed, EndCause::refused, EndCause::empty}) {
        all.push_back({"ended", [cause](Language l) { return text::ended(l, kSession, cause, 1h); }});
    }
    for (const auto what : {StartTrouble::no_sign, StartTrouble::no_answer, StartTrouble::refused,
                            StartTrouble::recorded, StartTrouble::disk, StartTrouble::stopped}) {
        all.push_back({"not_back_yet", [=](Language l) { return text::not_back_yet(l, kSession, what, kTable); }});
        for (const auto& obstacles :
             {Obstacles{}, Obstacles{permission::connect, permission::send_messages, false}, Obstacles{0, 0, true}}) {
            all.push_back({"could_not_start", [=](Language l) {
                               return text::could_not_start(l, StartError{what, "secret detail"}, obstacles, kTable);
                           }});
        }
    }
    for (const auto refusal : {Refusal::not_in_voice, Refusal::lacks_role, Refusal::not_of_the_session,
                               Refusal::not_recorded, Refusal::not_manager}) {
        all.push_back({"refusal", [=](Language l) { return text::refusal(l, refusal, "$"); }});
    }
    using catalog::SessionStatus;
    for (const auto status : {SessionStatus::recording, SessionStatus::ending, SessionStatus::complete,
                              SessionStatus::interrupted, SessionStatus::failed}) {
        all.push_back({"idle", [=](Language l) { return text::idle(l, session(status), "$"); }});
        all.push_back({"sessions", [=](Language l) { return text::sessions(l, {{session(status), 0}}, "$"); }});
    }
    return all;
}

TEST(Text, EverySentenceInBothLanguages) {
    for (const Sentence& sentence : sentences()) {
        SCOPED_TRACE(sentence.name);
        const auto italian = sentence.in(Language::it);
        const auto english = sentence.in(Language::en);
        EXPECT_NE(italian, english);
        for (const auto& text : {italian, english}) {
            EXPECT_GE(text.size(), 10U);
            EXPECT_LE(text.size(), 2'000U);
            EXPECT_THAT(text, Not(HasSubstr("secret detail")));
            for (const std::string& raw : std::vector<std::string>{"@everyone", "**b", "`c`", "<@1>", "](",
                                                                   "http://e.vil", kRightToLeft, "||s", "``"}) {
                EXPECT_EQ(text.find(raw) == std::string::npos ||
                              (raw[0] == '@' && text.find("\\@everyone") + 1 == text.find(raw)),
                          true)
                    << raw << " in " << text;
            }
        }
    }
}

TEST(Text, CommandsAreNamedAsTheyAreTyped) {
    EXPECT_THAT(text::listening(Language::it, kSession, kTable, "!"), HasSubstr("`!termina`"));
    EXPECT_THAT(text::listening(Language::en, kSession, kTable, "/"), HasSubstr("`/stop`"));
    EXPECT_THAT(text::listening(Language::it, kSession, kTable, "$"), HasSubstr(kCode));
    EXPECT_THAT(text::listening(Language::it, kSession, kTable, "$"), HasSubstr("<#77>"));
    for (const Language language : {Language::it, Language::en}) {
        const auto help = text::help(language, "dm!");
        for (const Verb verb : {Verb::listen, Verb::stop, Verb::pause, Verb::resume, Verb::status, Verb::sessions,
                                Verb::download, Verb::recover, Verb::note, Verb::help}) {
            EXPECT_THAT(help, HasSubstr("`dm!" + std::string(word(verb, language))));
        }
    }
    EXPECT_THAT(text::direct_messages_closed(Language::it, kSession), HasSubstr("`/scarica`"));
}

TEST(Text, WhyItCouldNotStart) {
    const StartError no_answer{StartTrouble::no_answer, ""};
    EXPECT_THAT(text::could_not_start(Language::it, no_answer, {permission::connect, 0, true}, kTable),
                HasSubstr("«Connettiti»"));
    EXPECT_THAT(text::could_not_start(Language::en, no_answer,
                                      {permission::connect | permission::view_channel, 0, false}, kTable),
                HasSubstr("“View Channel” and “Connect”"));
    EXPECT_THAT(text::could_not_start(Language::en, no_answer, {0, 0, true}, kTable), HasSubstr("no room left"));
    const StartError no_sign{StartTrouble::no_sign, ""};
    const auto sign = text::could_not_start(Language::en, no_sign, {0, permission::view_channel, false}, kTable);
    EXPECT_THAT(sign, HasSubstr("“View Channel”"));
    EXPECT_THAT(sign, HasSubstr("“Change Nickname”"));
}

TEST(Text, StatusSaysWhoIsHeardAndWhatIsSafe) {
    auto anna = heard("Anna", 9'960, 40);
    anna.last = BootTime(99s);
    auto bruno = heard("Bruno");
    bruno.last = BootTime(-200s);
    auto carla = heard("Carla");
    carla.last.reset();
    carla.present = false;
    auto table = live({carla, anna, bruno});
    auto text = text::status(Language::it, table);
    EXPECT_THAT(text, HasSubstr("3 ore e 12 minuti"));
    EXPECT_THAT(text, HasSubstr("• Anna: adesso, persi 40 pacchetti su 10.000 (0,4 %)"));
    EXPECT_THAT(text, HasSubstr("• Bruno: 5 min fa, niente di perso"));
    EXPECT_THAT(text, HasSubstr("• Carla (non c'è più): non ha ancora parlato"));
    EXPECT_GT(text.find("Carla"), text.find("Bruno")) << "who is there comes first";
    EXPECT_THAT(text, HasSubstr("solo su questa macchina"));
    for (const char* unsaid : {"pausa", "audio:", "scollegato", "⚠️"}) EXPECT_THAT(text, Not(HasSubstr(unsaid)));

    table.report.is_paused = true;
    table.report.deaf = true;
    table.report.connected = false;
    table.report.refused = 7;
    table.report.not_durable = 2'500ms;
    table.safety = {true, 12, kStart};
    text = text::status(Language::en, table);
    EXPECT_THAT(text, HasSubstr("On a break"));
    EXPECT_THAT(text, HasSubstr("deafened"));
    EXPECT_THAT(text, HasSubstr("cut me off"));
    EXPECT_THAT(text, HasSubstr("7 packets lost by myself"));
    EXPECT_THAT(text, HasSubstr("only up to 2.5 seconds ago"));
    EXPECT_THAT(text, HasSubstr("until <t:1700000000:T> (12 pieces)"));
    EXPECT_THAT(text, HasSubstr("40 packets lost of 10,000 (0.4%)"));
    table.safety.chunks_until.reset();
    EXPECT_THAT(text::status(Language::it, table), HasSubstr("ancora nessuna, è solo su questa macchina"));
}

TEST(Text, AHundredPlayersFit) {
    std::vector<recorder::Heard> people;
    std::vector<text::Person> persons;
    std::vector<text::Listed> listed;
    for (int i = 0; i < 100; ++i) {
        const std::string name(64, i % 2 == 0 ? '*' : '~');
        people.push_back(heard(name, 1'000'000, 10'000));
        persons.push_back({name, 1'000'000, 10'000, {0, 3, 4}, true, true});
        listed.push_back({session(catalog::SessionStatus::interrupted), 1'000});
    }
    for (const Language language : {Language::it, Language::en}) {
        const std::string more = language == Language::it ? "… e altri " : "more";
        for (const auto& text : {text::status(language, live(people)), text::report(language, finished(persons), "$"),
                                 text::sessions(language, listed, "$")}) {
            EXPECT_LE(text.size(), 2'000U);
            EXPECT_GT(text.size(), 1'500U) << "as many as fit";
            EXPECT_THAT(text, HasSubstr(more));
        }
        EXPECT_THAT(text::status(language, live(people)),
                    HasSubstr(language == Language::it ? "solo su questa" : "only on this"))
            << "what is cut is the list, never what stands below it";
    }
}

TEST(Text, LinksStandAlone) {
    const std::string url = "https://voci.example/audio/a/b_c.mp3?expires=1&name=x&mac=0f";
    const auto text = text::link(Language::it, finished({}), url, kStart);
    EXPECT_THAT(text, HasSubstr("\n<" + url + ">\n"));
    EXPECT_THAT(text, HasSubstr("<t:1700000000:f>"));
    EXPECT_THAT(text::report(Language::it, finished({{"Anna", 1, 0}}), "$"), Not(HasSubstr("http")));
}

TEST(Text, ReportNamesWhatWentWrong) {
    const auto text = text::report(
        Language::it, finished({{"Anna", 9'960, 40, {0, 0, 600}, true, false}, {"Bruno", 5, 0, {}, false, true}}), "$");
    EXPECT_THAT(
        text,
        HasSubstr("• Anna: persi 40 pacchetti su 10.000 (0,4 %); non si è potuto aprire: 12 secondi (non avevo la "
                  "chiave per aprirlo); microfono sempre aperto"));
    EXPECT_THAT(text, HasSubstr("• Bruno: niente di perso; voce molto bassa"));
    EXPECT_THAT(text, HasSubstr("`$scarica " + kCode + "`"));
}

TEST(Text, WhatStayedClosedIsSaidWithItsReasons) {
    auto table = live({heard("Anna")});
    EXPECT_THAT(text::status(Language::en, table), Not(HasSubstr("could not be opened")));
    table.report.heard[0].closed = {0, 0, 9'000, 40, 0, 0};
    EXPECT_THAT(
        text::status(Language::en, table),
        HasSubstr("nothing lost; could not be opened: 3 minutes (I had no key to open it: 3 minutes, the speaker's "
                  "key did not open it: less than a second)"));
    const text::Finished nothing{kSession, kStart, 1h, false, {{"Anna", 600, 0, {600}}}};
    const auto text = text::report(Language::it, nothing, "$");
    EXPECT_THAT(text, HasSubstr("Non c'è audio da scaricare"));
    EXPECT_THAT(text, HasSubstr("• Anna: niente di perso; non si è potuto aprire: 12 secondi (non so perché)"));
    EXPECT_THAT(text, Not(HasSubstr("$scarica"))) << "there is nothing to have";
}

TEST(Text, WhatTheAudioWasRebuiltFromIsSaid) {
    auto told = finished({});
    EXPECT_THAT(text::report(Language::it, told, "$"), Not(HasSubstr("ricostruita")));
    told.source = catalog::MasterSource::journal;
    EXPECT_THAT(text::attached(Language::it, told), Not(HasSubstr("ricostruita")));
    told.source = catalog::MasterSource::fragments;
    EXPECT_THAT(text::attached(Language::it, told), HasSubstr("ricostruita dai file delle singole persone"));
    EXPECT_THAT(text::link(Language::en, told, "https://x", kStart), HasSubstr("rebuilt from each person's files"));
    told.source = catalog::MasterSource::chunks;
    EXPECT_THAT(text::report(Language::en, told, "$"), HasSubstr("rebuilt from the backup pieces"));
}

const std::string kPrivacyCode = "090606058512345678901234500001";
const std::string kShownCode = "`09060 60585 12345 67890 12345 00001`";

TEST(Text, StatusSaysWhetherTheCallIsEncrypted) {
    auto table = live({heard("Anna")});
    EXPECT_THAT(text::status(Language::it, table), Not(HasSubstr("cifrata"))) << "nothing is known yet";
    table.report.call = {true, true, 7, kPrivacyCode};
    EXPECT_THAT(text::status(Language::it, table), HasSubstr("Codice privacy: " + kShownCode));
    EXPECT_THAT(text::status(Language::it, table), HasSubstr("cambia quando qualcuno entra o esce"));
    EXPECT_THAT(text::status(Language::en, table), HasSubstr("Privacy code: " + kShownCode));
    table.report.call = {true, false, 0, ""};
    EXPECT_THAT(text::status(Language::it, table), testing::EndsWith("🔓 Chiamata non cifrata end-to-end"));
    table.stage = true;
    EXPECT_THAT(text::status(Language::it, table), HasSubstr("non cifrata end-to-end: i canali stage non lo sono mai"));
}

TEST(Text, TheReportSaysWhetherTheCallWasEncrypted) {
    using catalog::Encryption;
    auto evening = finished({{"Anna", 100, 0}});
    EXPECT_THAT(text::report(Language::it, evening, "$"), Not(HasSubstr("cifrata"))) << "nothing is known of it";
    evening.encryption = Encryption::end_to_end;
    evening.privacy_code = kPrivacyCode;
    const auto text = text::report(Language::it, evening, "$");
    EXPECT_THAT(text,
                HasSubstr("\n🔐 La chiamata era cifrata end-to-end; codice privacy alla fine: " + kShownCode + "\n"));
    EXPECT_THAT(text, HasSubstr("`$scarica " + kCode + "`"));
    evening.encryption = Encryption::partly;
    EXPECT_THAT(text::report(Language::en, evening, "$"), HasSubstr("only in part; last privacy code: " + kShownCode));
    evening.encryption = Encryption::none;
    evening.stage = true;
    EXPECT_THAT(text::report(Language::en, evening, "$"),
                HasSubstr("was not end-to-end encrypted: stage channels never are"));
}

TEST(Text, AClosedVoiceComesWithWhatToDo) {
    const auto first = text::cannot_open(Language::it, "An_na", false, "!");
    EXPECT_THAT(first, HasSubstr("la voce di An\\_na"));
    EXPECT_THAT(first, HasSubstr("`!stato`"));
    EXPECT_THAT(first, HasSubstr("esca dal canale vocale e rientri"));
    EXPECT_THAT(text::cannot_open(Language::en, "Anna", true, "$"), HasSubstr("change its region"));
    EXPECT_THAT(text::cannot_open(Language::en, "", false, "$"), HasSubstr("somebody Discord does not name"));
}

TEST(Text, ShortIds) {
    EXPECT_EQ(text::short_id(kSession), kCode);
    EXPECT_EQ(text::short_id(*SessionId::parse("abc")), "abc");
}

TEST(Parts, NamesAreHarmless) {
    EXPECT_EQ(text::escaped("Anna"), "Anna");
    EXPECT_EQ(text::escaped("a_b*c"), "a\\_b\\*c");
    EXPECT_EQ(text::escaped("È l'elfa 🧝"), "È l\\'elfa 🧝");
    EXPECT_EQ(text::escaped(""), "?");
    EXPECT_EQ(text::escaped(" \u200B" + kRightToLeft + " "), "?");
    EXPECT_EQ(text::escaped("a\nb"), "a\\?b");
    EXPECT_EQ(text::escaped("x" + kRightToLeft + "yz"), "xyz");
    EXPECT_EQ(text::escaped(std::string(100, 'a')), std::string(64, 'a') + "…");
    EXPECT_EQ(text::escaped(std::string(63, 'a') + "è"), std::string(63, 'a') + "…") << "no half character";
    EXPECT_EQ(text::escaped("\x80\xBF"), "\x80\xBF") << "what is no UTF-8 is left to JSON";
    EXPECT_EQ(text::escaped("\xE2\x80"), "\xE2\x80");
}

TEST(Parts, FiguresAsPeopleReadThem) {
    EXPECT_EQ(text::length(Language::it, 1h), "1 ora");
    EXPECT_EQ(text::length(Language::it, 2h + 1min + 40s), "2 ore e 1 minuto");
    EXPECT_EQ(text::length(Language::en, 59min + 59s), "59 minutes");
    EXPECT_EQ(text::length(Language::en, 1'999ms), "1 second");
    EXPECT_EQ(text::length(Language::en, -5s), "0 seconds");
    EXPECT_EQ(text::short_length(100h), "100 h 0 min");
    EXPECT_EQ(text::position(1h + 2min + 3s), "1:02:03");
    EXPECT_EQ(text::number(Language::it, 999), "999");
    EXPECT_EQ(text::number(Language::it, 1'234'567), "1.234.567");
    EXPECT_EQ(text::number(Language::en, 1'000), "1,000");
    EXPECT_EQ(text::percent(Language::it, 0, 0), "0,0 %");
    EXPECT_EQ(text::percent(Language::en, 1, 1'000'000), "< 0.1%");
    EXPECT_EQ(text::percent(Language::en, 1, 2), "50.0%");
    EXPECT_EQ(text::joined(Language::it, {}), "");
    EXPECT_EQ(text::joined(Language::it, {"a", "b", "c"}), "a, b e c");
    EXPECT_EQ(text::day(UnixTime(-1ms)), "<t:-1:f>");
}

TEST(Parts, ListsAreCutAndSaySo) {
    EXPECT_EQ(text::list(Language::it, "h", {"a", "b"}, "f"), "h\na\nb\nf");
    EXPECT_EQ(text::list(Language::it, "", {}, ""), "");
    const std::vector<std::string> lines(300, std::string(99, 'x'));
    const auto cut = text::list(Language::en, "head", lines, "foot");
    EXPECT_LE(cut.size(), text::kMaxBytes);
    EXPECT_THAT(cut, testing::EndsWith("… and 281 more\nfoot"));
}

}  // namespace
}  // namespace lestapenna::bot
