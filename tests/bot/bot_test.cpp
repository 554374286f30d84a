// The bot's own promises, against a Discord on loopback: one recorder per guild, answers that find their way, what a
// restart goes on with, and what is told and handed over at the end.
#include <algorithm>
#include <chrono>

#include <gmock/gmock.h>

#include "bot/command.h"
#include "bot/line.h"
#include "bot/registration.h"
#include "bot/text.h"
#include "table.h"
#include "workflows/job_names.h"

namespace lestapenna::bot {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class BotTest : public TableTest {
  protected:
    /// A sample of /metrics, all labels together; what others of the name say is added.
    double metric(const std::string& beginning) {
        const std::string all = "\n" + fetch(admin("/metrics")).body;
        double sum = 0;
        for (std::size_t at = 0; (at = all.find("\n" + beginning, at)) != std::string::npos; ++at) {
            const auto line = all.substr(at + 1, all.find('\n', at + 1) - at - 1);
            sum += std::strtod(line.c_str() + line.rfind(' '), nullptr);
        }
        return sum;
    }
    /// So many packets more were journaled: two seconds of talk are a hundred.
    bool hears(double more) {
        const std::string accepted = "lestapenna_packets_total{outcome=\"accepted\"}";
        const double before = metric(accepted);
        return eventually([&] { return metric(accepted) >= before + more; });
    }
};

sandbox::RestFault refused(std::string path, int times = 1'000'000) {
    sandbox::RestFault fault;
    fault.path = std::move(path);
    fault.times = times;
    fault.status = 403;
    fault.body = R"({"message": "Missing Access", "code": 50001})";
    return fault;
}

// ---- without a Discord

TEST(Line, FirstComeFirstServed) {
    net::Loop loop{1};
    Line line(loop);
    std::vector<int> order;
    const auto stand = [](net::Loop& on, Line& in, std::vector<int>& done, int who) -> net::Task<> {
        const auto turn = co_await in.enter();
        done.push_back(who);
        net::Signal never(on);
        static_cast<void>(co_await never.wait_for(milliseconds(1)));
        done.push_back(-who);
    };
    for (int who = 1; who <= 4; ++who) net::spawn(loop, stand(loop, line, order, who));
    loop.run();
    EXPECT_THAT(order, ::testing::ElementsAre(1, -1, 2, -2, 3, -3, 4, -4));
}

TEST(Registration, WhatDiscordAddsMakesNoDifference) {
    const auto ours = slash_commands();
    auto known = ours;
    for (auto& command : known) {
        command["id"] = "1";
        command["version"] = "2";
        command["nsfw"] = false;
        if (!command.contains("options")) continue;
        for (auto& option : command["options"]) {
            if (option["required"] == false) option.erase("required");  // as Discord leaves it out
        }
    }
    std::reverse(known.begin(), known.end());
    EXPECT_TRUE(same_commands(ours, known));

    auto renamed = known;
    renamed[0]["name"] = "other";
    EXPECT_FALSE(same_commands(ours, renamed));
    auto described = known;
    described[0]["description_localizations"]["en-GB"] = "Something else";
    EXPECT_FALSE(same_commands(ours, described));
    auto more = known;
    more.push_back(more[0]);
    EXPECT_FALSE(same_commands(ours, more));
    EXPECT_FALSE(same_commands(ours, discord::Json::array()));
    EXPECT_FALSE(same_commands(ours, discord::Json()));
}

// ---- a session

TEST_F(BotTest, AnEveningFromListenToLink) {
    open({.talkers = 2, .length = seconds(20)});
    start();
    const UserId master = person("Master");
    sit(master);
    const auto heard = type(master, "$ascolta");
    const auto session = last_session();
    ASSERT_TRUE(session.has_value());
    EXPECT_THAT(heard, HasSubstr(text::short_id(session->id)));
    EXPECT_EQ(session->status, catalog::SessionStatus::recording);
    EXPECT_EQ(session->text_channel_id, text().text());
    EXPECT_EQ(session->started_by, master.text());
    EXPECT_EQ(session->language, "it");
    play(session->start);
    wait_for_post("Player 1");  // told once that they are recorded
    ASSERT_TRUE(eventually([&] { return type(master, "$stato").find("Player 1") != std::string::npos; }));
    ASSERT_TRUE(hears(100));

    const auto stopped = type(master, "$termina");
    EXPECT_THAT(stopped, HasSubstr(text::short_id(session->id)));
    const auto direct = wait_for_direct(master, "http");
    EXPECT_THAT(wait_for_post_in(text(), "Player 2").content, Not(HasSubstr("http")));
    const auto file = fetch(link_in(direct.content));
    EXPECT_EQ(file.status, 200);
    EXPECT_GT(file.body.size(), 10'000U);
    wait_until_idle();
    EXPECT_EQ(catalog().session(session->id)->status, catalog::SessionStatus::complete);
    std::size_t told = 0;
    for (const auto& one : posted()) told += one.content.find("http") != std::string::npos ? 1U : 0U;
    EXPECT_EQ(told, 1U) << "one link, to one person";
}

TEST_F(BotTest, TwoAtOnceMakeOneSession) {
    open();
    start();
    const UserId first = person("Anna");
    const UserId second = person("Bice");
    sit(first);
    sit(second);
    const auto typed = send(first, "$ascolta");
    const auto again = send(second, "$listen");
    const auto slash_too = send_slash(second, "ascolta");
    ASSERT_TRUE(eventually([&] {
        return answer_to(typed) && answer_to(again) && !answers_to(slash_too).empty() && is_recording_in(voice());
    }));
    EXPECT_EQ(catalog().sessions()->size(), 1U);
    const auto id = text::short_id(last_session()->id);
    EXPECT_THAT(type(second, "$ascolta"), HasSubstr(id));
    // Who stops twice at once ends it once.
    const auto stop = send(first, "$termina");
    const auto stop_too = send(second, "$stop");
    ASSERT_TRUE(eventually([&] { return answer_to(stop) && answer_to(stop_too); }));
    wait_until_idle();
    EXPECT_EQ(catalog().sessions()->size(), 1U);
}

TEST_F(BotTest, TypedOneAfterTheOtherDoneOneAfterTheOther) {
    open();
    start();
    const UserId anna = person("Anna");
    sit(anna);
    const auto listen = send(anna, "$ascolta");
    const auto stop = send(anna, "$termina");
    ASSERT_TRUE(eventually([&] { return answer_to(listen) && answer_to(stop); }));
    const auto id = text::short_id(last_session()->id);
    EXPECT_THAT(answer_to(listen)->content, HasSubstr(id));
    EXPECT_THAT(answer_to(stop)->content, HasSubstr(id));
    wait_until_idle();
}

TEST_F(BotTest, SlashCommandsArePublicWhereTheTableShouldKnowAndHiddenElsewhere) {
    open();
    start();
    ASSERT_TRUE(eventually([&] { return direct([&](auto& d) { return d.commands(bot()).size(); }) > 0; }));
    const UserId anna = person("Anna");
    EXPECT_TRUE(slash(anna, "ascolta").ephemeral) << "a refusal: not in voice";
    sit(anna);
    EXPECT_FALSE(slash(anna, "ascolta").ephemeral);
    EXPECT_TRUE(slash(anna, "stato").ephemeral);
    EXPECT_FALSE(slash(anna, "nota", {{"testo", "il drago"}}).ephemeral);
    EXPECT_FALSE(slash(anna, "pausa").ephemeral);
    EXPECT_FALSE(slash(anna, "riprendi").ephemeral);
    EXPECT_TRUE(slash(anna, "sessioni").ephemeral);
    const auto stop = send_slash(anna, "termina");
    // Nobody spoke, or they did: what follows concerns who stopped it, and is hidden, or the table.
    ASSERT_TRUE(eventually([&] { return !answers_to(stop).empty(); }));
    EXPECT_FALSE(answers_to(stop)[0].ephemeral);
    wait_until_idle();
    EXPECT_THAT(direct_messages(anna), IsEmpty()) << "the slash command's answer lives: no direct message";
}

TEST_F(BotTest, TheLinkFollowsTheSlashCommandHidden) {
    open({.talkers = 1, .length = seconds(20)});
    start();
    const UserId anna = person("Anna");
    sit(anna);
    slash(anna, "ascolta");
    play(last_session()->start);
    wait_for_post("Player 1");
    ASSERT_TRUE(hears(100));
    const auto stop = send_slash(anna, "termina");
    ASSERT_TRUE(eventually([&] { return answers_to(stop).size() == 2; }));
    const auto answers = answers_to(stop);
    EXPECT_THAT(answers[0].content, Not(HasSubstr("http")));
    EXPECT_TRUE(answers[1].ephemeral);
    EXPECT_EQ(fetch(link_in(answers[1].content)).status, 200);
    EXPECT_THAT(direct_messages(anna), IsEmpty());
    wait_until_idle();
    // A recovery that had to wait for the session finds it told and handed over.
    ASSERT_TRUE(catalog().add_job(workflows::recover_job(last_session()->id)).ok());
    wait_until_idle();
    EXPECT_EQ(answers_to(stop).size(), 2U);
    EXPECT_THAT(direct_messages(anna), IsEmpty());
    // Finished already: at once, hidden.
    const auto again = slash(anna, "scarica");
    EXPECT_TRUE(again.ephemeral);
    EXPECT_EQ(fetch(link_in(again.content)).status, 200);
    // Typed: by direct message, and the channel says so.
    const auto typed = send(anna, "$scarica");
    EXPECT_EQ(fetch(link_in(wait_for_direct(anna, "http").content)).status, 200);
    ASSERT_TRUE(eventually([&] { return answer_to(typed).has_value(); }));
    EXPECT_THAT(answer_to(typed)->content, Not(HasSubstr("http")));
    // Direct messages closed: the channel says so, without a link.
    direct([&](sandbox::Loopback& discord) { discord.refuse_direct(anna, true); });
    EXPECT_THAT(type(anna, "$scarica"), AllOf(Not(HasSubstr("http")), HasSubstr("/scarica")));
}

TEST_F(BotTest, WithoutLinksTheMasterIsAttached) {
    open({.talkers = 1, .length = seconds(20)});
    config_.web.public_url.clear();
    start();
    const UserId anna = person("Anna");
    sit(anna);
    type(anna, "$ascolta");
    play(last_session()->start);
    wait_for_post("Player 1");
    ASSERT_TRUE(hears(100));
    type(anna, "$termina");
    ASSERT_TRUE(eventually([&] { return !direct_messages(anna).empty(); }));
    const auto message = direct_messages(anna)[0];
    ASSERT_EQ(message.file_names.size(), 1U);
    EXPECT_THAT(message.file_names[0], ::testing::EndsWith(".mp3"));
    EXPECT_GT(message.file_bytes[0], 10'000U);
    wait_until_idle();
}

TEST_F(BotTest, WhateverDiscordAnswersTheRecordingGoesOn) {
    open({.talkers = 1, .length = seconds(40)});
    start();
    const UserId anna = person("Anna");
    sit(anna);
    type(anna, "$ascolta");
    play(last_session()->start);
    wait_for_post("Player 1");
    // The channel takes nothing: who asked is told directly.
    direct([&](sandbox::Loopback& discord) { discord.add_fault(refused("/channels/" + text().text())); });
    const auto before = direct_messages(anna).size();
    send(anna, "$stato");
    ASSERT_TRUE(eventually([&] { return direct_messages(anna).size() > before; }));
    // Nothing is answered at all.
    direct([&](sandbox::Loopback& discord) {
        for (const int status : {500, 404, 429}) {
            auto fault = refused("/", 20);
            fault.status = status;
            discord.add_fault(fault);
        }
    });
    send(anna, "$stato");
    send(anna, "$pausa");
    send(anna, "$riprendi");
    send(anna, "../../" + std::string(1'000, 'x'));
    const auto refusals = [&] {
        return direct([](sandbox::Loopback& discord) {
            return std::ranges::count_if(discord.requests(), [](const auto& one) { return one.status == 500; });
        });
    };
    ASSERT_TRUE(eventually([&] { return refusals() >= 2; }));
    EXPECT_TRUE(is_recording_in(voice()));
    EXPECT_EQ(last_session()->status, catalog::SessionStatus::recording);
    EXPECT_EQ(service_->busy()->sessions, 1U);
}

TEST_F(BotTest, AnIdIsCheckedBeforeAnythingElse) {
    open({.guilds = 2});
    start();
    const UserId anna = person("Anna");
    sit(anna);
    type(anna, "$ascolta");
    const auto foreign = last_session()->id;
    type(anna, "$termina");
    wait_until_idle();
    const auto unknown = text::unknown_session(Language::it, "$");
    for (const std::string& id : {std::string("../../etc/passwd"), std::string(1'800, 'a'), std::string("ZZZZZZ"),
                                  std::string("'; DROP TABLE sessions"), std::string("01ARZ3NDEKTSV4RRFFQ69G5FAV")})
        EXPECT_EQ(type(anna, "$scarica " + id), unknown) << id;
    // What is another guild's is as if it were not.
    const auto other = stage(1).text;
    EXPECT_EQ(type(anna, "$scarica " + foreign.text(), other), unknown);
    EXPECT_EQ(type(anna, "$scarica " + text::short_id(foreign), other), unknown);
    EXPECT_EQ(slash(anna, "scarica", {{"sessione", foreign.text()}}, "en-GB", other).content,
              text::unknown_session(Language::en, "/"));
}

TEST_F(BotTest, BotsAreNotObeyed) {
    open();
    start();
    const auto robot = direct([](sandbox::Loopback& discord) { return discord.add_bot("Robot"); });
    sit(robot.user);
    const auto typed = send(robot.user, "$ascolta");
    const UserId anna = person("Anna");
    EXPECT_FALSE(type(anna, "$aiuto").empty());  // it has heard what came before
    EXPECT_FALSE(answer_to(typed).has_value());
    EXPECT_THAT(*catalog().sessions(), IsEmpty());
}

// ---- restarts

TEST_F(BotTest, ARestartGoesOnWithWhoIsStillThere) {
    open({.talkers = 1, .length = seconds(60)});
    start();
    const UserId anna = person("Anna");
    sit(anna);
    type(anna, "$ascolta");
    const auto before = *last_session();
    play(before.start);
    wait_for_post("Player 1");
    ASSERT_TRUE(hears(100));
    stop();  // as SIGTERM: leaves, ends nothing
    EXPECT_FALSE(is_recording_in(voice()));
    EXPECT_EQ(direct([&](auto& discord) { return discord.nickname(guild(), bot()); }), "");
    EXPECT_EQ(last_session()->status, catalog::SessionStatus::recording);

    const auto begun = BootClock::now();
    start();
    ASSERT_TRUE(eventually([&] { return is_recording_in(voice()); }));
    const auto took = std::chrono::duration<double>(BootClock::now() - begun).count();
    std::printf("recording again %.2f s after the start\n", took);
    RecordProperty("recording_again_s", std::to_string(took));
    EXPECT_EQ(catalog().sessions()->size(), 1U);
    EXPECT_EQ(last_session()->start, before.start);
    wait_for_post_in(text(), text::short_id(before.id));
    type(anna, "$termina");
    EXPECT_EQ(fetch(link_in(wait_for_direct(anna, "http").content)).status, 200);
    wait_until_idle();
    EXPECT_EQ(last_session()->status, catalog::SessionStatus::complete);
}

TEST_F(BotTest, ARestartFinishesWhatNobodyIsThereFor) {
    open({.talkers = 1, .length = seconds(60)});
    start();
    const UserId anna = person("Anna");
    sit(anna);
    type(anna, "$ascolta");
    play(last_session()->start);
    wait_for_post("Player 1");
    ASSERT_TRUE(hears(100));
    stop();
    show_->stop();
    sit(anna, std::nullopt);
    ASSERT_TRUE(eventually([&] {
        return direct([&](sandbox::Loopback& discord) {
            return !discord.voice_state(guild(), anna) && !discord.voice_state(guild(), stage().players[0]);
        });
    }));
    start();
    EXPECT_EQ(fetch(link_in(wait_for_direct(anna, "http").content)).status, 200) << "to who started it";
    wait_until_idle();
    EXPECT_EQ(last_session()->status, catalog::SessionStatus::complete);
    // Its journal has no end: whoever comes back soon goes on with it, although it is finished.
    const auto id = last_session()->id;
    sit(anna);
    EXPECT_THAT(type(anna, "$ascolta"), HasSubstr(text::short_id(id)));
    EXPECT_EQ(last_session()->id, id);
    EXPECT_EQ(last_session()->status, catalog::SessionStatus::recording);
    // It ends anew, and that is told anew, although to Discord's memory it is the same session.
    const auto links = [&] {
        const auto direct = direct_messages(anna);
        return std::ranges::count_if(direct, [](const Posted& one) { return !link_in(one.content).empty(); });
    };
    EXPECT_EQ(links(), 1);
    type(anna, "$termina");
    EXPECT_TRUE(eventually([&] { return links() == 2; }));
    wait_until_idle();
    EXPECT_EQ(links(), 2);
}

TEST_F(BotTest, TheOldNicknameComesBackAfterAKill) {
    open();
    start();
    stop();
    // As a process leaves it that was killed while it recorded.
    ASSERT_TRUE(catalog().remember_nick({guild().text(), "Scriba"}).ok());
    start();
    ASSERT_TRUE(eventually(
        [&] { return direct([&](auto& discord) { return discord.nickname(guild(), bot()); }) == "Scriba"; }));
    ASSERT_TRUE(eventually([&] { return catalog().remembered_nicks()->empty(); }));
}

}  // namespace
}  // namespace lestapenna::bot
