// Who is told no, and that nothing comes of it: strangers, other guilds, ids that are none, bots, direct messages, two
// at once, and a Discord that does not let the bot in.
#include <set>

#include "ways.h"

namespace lestapenna::bot {
namespace {

using testing::HasSubstr;
using testing::Not;

class Refused : public CommandTest, public testing::WithParamInterface<Way> {
  protected:
    void expect_refusal(UserId who, Verb verb, Refusal why, const std::string& argument = "") {
        const auto answer = use(GetParam(), who, verb, argument);
        EXPECT_EQ(answer.content, text::refusal(GetParam().language, why, prefix_of(GetParam())));
        EXPECT_EQ(answer.ephemeral, GetParam().slash) << "no concern of the table's";
    }
    std::string told(UserId who, Verb verb, const std::string& argument = "") {
        return use(GetParam(), who, verb, argument).content;
    }
};
INSTANTIATE_TEST_SUITE_P(Command, Refused, testing::ValuesIn(kWays), name_of_case);

TEST_P(Refused, WhoIsNotOfTheSession) {
    open();
    const UserId anna = person("Anna");
    const UserId bice = person("Bice");
    const UserId stranger = person("Stranger");
    const UserId boss = manager("Boss");
    start();
    expect_refusal(anna, Verb::listen, Refusal::not_in_voice);
    const SessionId id = record(anna);
    sit(bice);
    for (const Verb verb : {Verb::stop, Verb::pause, Verb::resume}) {
        expect_refusal(stranger, verb, Refusal::not_of_the_session);
    }
    expect_refusal(stranger, Verb::note, Refusal::not_of_the_session, "ciao");
    expect_refusal(stranger, Verb::recover, Refusal::not_manager);
    expect_refusal(stranger, Verb::recover, Refusal::not_manager, text::short_id(id));
    expect_refusal(stranger, Verb::download, Refusal::not_recorded, text::short_id(id));
    expect_refusal(stranger, Verb::listen, Refusal::not_in_voice);
    EXPECT_THAT(told(bice, Verb::status), Not(HasSubstr("⏸️"))) << "none of it happened";

    EXPECT_EQ(told(bice, Verb::pause), text::paused(GetParam().language, prefix_of(GetParam()))) << "in the channel";
    EXPECT_EQ(told(boss, Verb::resume), text::resumed(GetParam().language)) << "manages the server";
    sit(anna, std::nullopt);
    EXPECT_THAT(told(anna, Verb::stop), HasSubstr("⏹️")) << "started it";
    EXPECT_EQ(last_session()->status == catalog::SessionStatus::recording, false);
}

TEST_P(Refused, WhoLacksTheRole) {
    open();
    const UserId anna = person("Anna");
    const UserId bice = person("Bice");
    role("Game Master", 0, {bice});
    config_.discord.start_role = "game master";
    sit(anna);
    sit(bice);
    start();
    expect_refusal(anna, Verb::listen, Refusal::lacks_role);
    EXPECT_FALSE(last_session());
    EXPECT_THAT(told(bice, Verb::listen), HasSubstr("🎲"));
    EXPECT_EQ(told(anna, Verb::pause), text::paused(GetParam().language, prefix_of(GetParam())))
        << "only the start needs the role";
}

class Refusals : public CommandTest {
  protected:
    static bool is_one_of(const std::string& text, const std::set<std::string>& texts) { return texts.contains(text); }
};

TEST_F(Refusals, WhatIsAnotherGuildsIsUnknown) {
    TableSetup setup;
    setup.guilds = 2;
    open(setup);
    const UserId anna = person("Anna");
    const UserId boss = manager("Boss", 1);
    start();
    const SessionId id = record(anna);
    const auto elsewhere = stage(1).text;
    for (const Way& way : kWays) {
        SCOPED_TRACE(way);
        for (const std::string& argument : {id.text(), text::short_id(id)}) {
            for (const UserId who : {anna, boss}) {
                EXPECT_EQ(use(way, who, Verb::download, argument, elsewhere).content,
                          text::unknown_session(way.language, prefix_of(way)));
            }
            EXPECT_EQ(use(way, boss, Verb::recover, argument, elsewhere).content,
                      text::unknown_session(way.language, prefix_of(way)));
        }
        const auto not_recording = text::not_recording(way.language, prefix_of(way));
        for (const Verb verb : {Verb::stop, Verb::pause, Verb::resume}) {
            EXPECT_EQ(use(way, anna, verb, "", elsewhere).content, not_recording);
        }
        EXPECT_EQ(use(way, boss, Verb::recover, "", elsewhere).content, text::nothing_to_recover(way.language));
        EXPECT_EQ(use(way, anna, Verb::status, "", elsewhere).content,
                  text::idle(way.language, std::nullopt, prefix_of(way)));
        EXPECT_EQ(use(way, anna, Verb::sessions, "", elsewhere).content,
                  text::sessions(way.language, {}, prefix_of(way)));
        EXPECT_EQ(use(way, anna, Verb::download, "", elsewhere).content,
                  text::nothing_recorded_here(way.language, prefix_of(way)));
        EXPECT_EQ(use(way, anna, Verb::listen, "", elsewhere).content,
                  text::refusal(way.language, Refusal::not_in_voice, prefix_of(way)))
            << "in a voice channel, but not of this guild";
    }
    EXPECT_TRUE(is_recording_in(voice()));
    EXPECT_EQ(sessions_known(), 1U);
}

TEST_F(Refusals, WhatIsNoIdIsUnknown) {
    open();
    const UserId boss = manager("Boss");
    start();
    const SessionId id = record(boss);
    const std::string ids[] = {"../",
                               "../../etc/passwd",
                               "..",
                               "/etc/passwd",
                               "..%2f..%2f",
                               "C:\\x",
                               "a b",
                               "';DROP TABLE sessions;--",
                               "%s%n%",
                               "_%",
                               "<@1>",
                               id.text() + "x",
                               id.text().substr(id.text().size() - 5),
                               std::string(65, 'A'),
                               std::string(10'000, 'a'),
                               std::string("a\0b", 3),
                               kRightToLeft + id.text()};
    const auto expect_unknown = [&](const Way& way, const std::string& bad) {
        SCOPED_TRACE(bad.substr(0, 80));
        for (const Verb verb : {Verb::download, Verb::recover}) {
            EXPECT_EQ(use(way, boss, verb, bad).content, text::unknown_session(way.language, prefix_of(way)));
        }
    };
    // Discord takes five messages in five seconds: typed are only the two that matter most.
    for (const std::string& bad : ids) expect_unknown({true, Language::it}, bad);
    for (const Way& way : kWays) {
        expect_unknown(way, "../");
        expect_unknown(way, std::string(10'000, 'a'));
    }
    EXPECT_TRUE(is_recording_in(voice()));
    EXPECT_EQ(sessions_known(), 1U);
}

TEST_F(Refusals, AnEndingThatSeveralHave) {
    TableSetup setup;
    setup.guilds = 2;
    open(setup);
    const UserId boss = manager("Boss");
    start();
    const auto add = [&](const std::string& id, std::size_t guild) {
        catalog::Session session{*SessionId::parse(id)};
        session.guild_id = stage(guild).guild.text();
        session.channel_id = stage(guild).voice.text();
        session.start = unix_now();
        session.status = catalog::SessionStatus::failed;
        ASSERT_TRUE(catalog().insert_session(session).ok());
    };
    add("first-TWINS7", 0);
    add("second-TWINS7", 0);
    add("third-ALONE7", 0);
    add("fourth-ALONE7", 1);
    for (const Way& way : kWays) {
        EXPECT_EQ(use(way, boss, Verb::download, "twins7").content, text::ambiguous_session(way.language));
        EXPECT_NE(use(way, boss, Verb::download, "t-twins7").content, text::ambiguous_session(way.language));
        EXPECT_NE(use(way, boss, Verb::download, "alone7").content, text::ambiguous_session(way.language))
            << "another guild's is as if it were not";
    }
}

TEST_F(Refusals, TwiceAtOnceIsOnce) {
    open();
    const UserId anna = person("Anna");
    const UserId bice = person("Bice");
    sit(anna);
    sit(bice);
    start();
    const auto answers = [&](const std::string& of_anna, const std::string& of_bice) {
        const auto first = send(anna, of_anna);
        const auto second = send(bice, of_bice);
        EXPECT_TRUE(eventually([&] { return answer_to(first) && answer_to(second); }));
        return std::pair(answer_to(first).value_or(Posted{}).content, answer_to(second).value_or(Posted{}).content);
    };
    const auto begun = answers("$ascolta", "$ascolta");
    const auto session = last_session();
    ASSERT_TRUE(session);
    EXPECT_EQ(begun.first, text::listening(Language::it, session->id, voice(), kPrefix));
    EXPECT_PRED2(is_one_of, begun.second,
                 (std::set{text::busy(Language::it),
                           text::already_listening(Language::it, session->id, voice(), session->start)}));
    EXPECT_EQ(sessions_known(), 1U);

    const auto paused = answers("$pausa", "$pausa");
    EXPECT_EQ(paused.first, text::paused(Language::it, kPrefix));
    EXPECT_EQ(paused.second, text::already_paused(Language::it, kPrefix));

    const auto ended = answers("$termina", "$termina");
    EXPECT_THAT(ended.first, HasSubstr("⏹️"));
    EXPECT_EQ(ended.second, text::not_recording(Language::it, kPrefix));
    wait_until_idle();
    const auto told = text::no_audio(Language::it, session->id);
    const auto all = posted();
    EXPECT_EQ(std::ranges::count(all, told, &Posted::content), 1);
    EXPECT_EQ(sessions_known(), 1U);
}

TEST_F(Refusals, BotsAreNotObeyed) {
    open();
    const UserId anna = person("Anna");
    const auto other = direct([](sandbox::Loopback& discord) { return discord.add_bot("Other").user; });
    sit(anna);
    sit(other);
    start();
    const auto typed = send(other, "$ascolta");
    const auto chosen = send_slash(other, "ascolta");
    EXPECT_EQ(type(anna, "$aiuto"), text::help(Language::it, kPrefix)) << "commands are taken in order";
    EXPECT_FALSE(answer_to(typed));
    EXPECT_TRUE(answers_to(chosen).empty());
    EXPECT_FALSE(last_session());
}

TEST_F(Refusals, WhereTheBotMayNotWriteItWritesToThePerson) {
    open();
    const UserId anna = person("Anna");
    start();
    deny(text(), permission::send_messages);
    const auto answer = ask(anna, "$aiuto");
    EXPECT_EQ(answer.direct_to, anna);
    EXPECT_EQ(answer.content, text::help(Language::it, kPrefix));
    // ... and what is typed there is heard, but there is nothing to record.
    for (const auto& [command, language] : {std::pair("$ascolta", Language::it), std::pair("$status", Language::en)}) {
        EXPECT_EQ(type(anna, command, answer.channel), text::only_in_a_guild(language));
    }
    EXPECT_FALSE(last_session());
}

TEST_F(Refusals, WhenDiscordDoesNotLetUsIn) {
    open();
    const UserId anna = person("Anna");
    sit(anna);
    start();
    const recorder::StartError no_answer{recorder::StartTrouble::no_answer, ""};
    for (const Way& way : kWays) {
        SCOPED_TRACE(way);
        for (const std::uint64_t missing : {permission::connect, permission::view_channel}) {
            deny(voice(), missing);
            EXPECT_EQ(use(way, anna, Verb::listen).content,
                      text::could_not_start(way.language, no_answer, {missing, 0, false}, voice()));
        }
        deny(voice(), 0);
        direct([&](sandbox::Loopback& discord) { discord.set_user_limit(voice(), 1); });
        EXPECT_EQ(use(way, anna, Verb::listen).content,
                  text::could_not_start(way.language, no_answer, {0, 0, true}, voice()));
        direct([&](sandbox::Loopback& discord) { discord.set_user_limit(voice(), 0); });
    }
    EXPECT_FALSE(last_session()) << "nothing was begun";
    record(anna);
}

TEST_F(Refusals, NothingIsRecordedWithoutASign) {
    open();
    const UserId anna = person("Anna");
    sit(anna);
    start();
    direct([&](sandbox::Loopback& discord) {
        const auto usual = permission::view_channel | permission::send_messages | permission::connect;
        discord.set_role(guild(), discord::RoleId{guild().value}, usual);
    });
    deny(text(), permission::send_messages);
    const recorder::StartError no_sign{recorder::StartTrouble::no_sign, ""};
    for (const Way& way : kWays) {
        SCOPED_TRACE(way);
        EXPECT_EQ(use(way, anna, Verb::listen).content,
                  text::could_not_start(way.language, no_sign, {0, permission::send_messages, false}, voice()));
        EXPECT_FALSE(is_recording_in(voice()));
        EXPECT_EQ(last_session()->status, catalog::SessionStatus::failed);
        EXPECT_FALSE(std::filesystem::exists(journal(last_session()->id)));
    }
    // One of the two is enough.
    deny(text(), 0);
    record(anna);
}

}  // namespace
}  // namespace lestapenna::bot
