// What stands between a wish to record and the first packet: the sign, the row, the channel; and what is left when one
// of them fails.
#include <fstream>
#include <future>

#include <gmock/gmock.h>

#include "live.h"

namespace lestapenna::recorder {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

sandbox::RestFault refused(std::string method, std::string path) {
    sandbox::RestFault fault;
    fault.method = std::move(method);
    fault.path = std::move(path);
    fault.status = 403;
    fault.body = R"({"message": "Missing Permissions", "code": 50013})";
    return fault;
}

discord::VoiceTiming impatient() {
    discord::VoiceTiming timing;
    timing.answer = milliseconds(200);
    timing.open = milliseconds(200);
    timing.discovery = milliseconds(10);
    return timing;
}

TEST_F(Live, NeverWithoutASign) {
    open(1);
    ASSERT_NO_FATAL_FAILURE(log_in());
    direct([](sandbox::Loopback& discord) {
        discord.add_fault(refused("POST", "/messages"));
        discord.add_fault(refused("PATCH", "/members/@me"));
    });
    const auto started = start();
    ASSERT_FALSE(started.ok());
    EXPECT_EQ(started.error().what, StartTrouble::no_sign);
    EXPECT_THAT(started.error().message, AllOf(HasSubstr("Send Messages"), HasSubstr("Change Nickname")));
    EXPECT_EQ(status(), catalog::SessionStatus::failed);
    EXPECT_FALSE(std::filesystem::exists(journal()));
    EXPECT_EQ(bot_->over_within(seconds(5)), EndCause::refused);
    direct([&](sandbox::Loopback& discord) {
        EXPECT_FALSE(discord.voice_state(stage().guild, stage().bot.user).has_value()) << "it did not even join";
    });
    EXPECT_THAT(*rows_->remembered_nicks(), IsEmpty()) << "nothing was changed";
    EXPECT_THAT(bot_->told(), IsEmpty()) << "nothing has begun, so nothing ends";
}

TEST_F(Live, OneSignIsEnough) {
    open(1);
    ASSERT_NO_FATAL_FAILURE(log_in());
    direct([](sandbox::Loopback& discord) { discord.add_fault(refused("POST", "/messages")); });
    ASSERT_TRUE(start().ok());
    ASSERT_TRUE(bot_->stop().ok());
    direct([&](sandbox::Loopback& discord) {
        EXPECT_TRUE(discord.posted().empty());
        EXPECT_EQ(discord.nickname(stage().guild, stage().bot.user), "");
    });
}

TEST_F(Live, AChannelThatDoesNotAnswerLeavesNothingBehind) {
    open(1);
    ASSERT_NO_FATAL_FAILURE(log_in(impatient()));
    direct([&](sandbox::Loopback& discord) { discord.hold_voice_answers(stage().bot.user, true); });
    const auto started = start();
    ASSERT_FALSE(started.ok());
    EXPECT_EQ(started.error().what, StartTrouble::no_answer);
    EXPECT_THAT(started.error().message, HasSubstr("Connect"));
    EXPECT_EQ(status(), catalog::SessionStatus::failed);
    EXPECT_FALSE(std::filesystem::exists(journal()));
    direct([&](sandbox::Loopback& discord) {
        EXPECT_EQ(discord.nickname(stage().guild, stage().bot.user), "");
        ASSERT_EQ(discord.posted().size(), 1U);
        EXPECT_THAT(discord.requests(),
                    Contains(AllOf(Field(&sandbox::LoggedRequest::method, "DELETE"),
                                   Field(&sandbox::LoggedRequest::path, HasSubstr(discord.posted()[0].id.text())))))
            << "nothing was recorded: the notice is taken away";
    });
}

TEST_F(Live, AJournalThatCanNotBeOpenedIsSaidBeforeAnythingElse) {
    open(1);
    std::ofstream(folder_ / "journal") << "in the way";
    ASSERT_NO_FATAL_FAILURE(log_in());
    const auto started = start();
    ASSERT_FALSE(started.ok());
    EXPECT_EQ(started.error().what, StartTrouble::disk);
    EXPECT_EQ(status(), catalog::SessionStatus::failed);
    direct([](sandbox::Loopback& discord) { EXPECT_TRUE(discord.posted().empty()); });
}

TEST_F(Live, ARefusalOfDiscordIsNoSilence) {
    open(1);
    ASSERT_NO_FATAL_FAILURE(log_in());
    direct([&](sandbox::Loopback& discord) { discord.voice_server(stage().voice).mute_discovery(true); });
    auto starting = std::async(std::launch::async, [&] { return start(); });
    ASSERT_TRUE(eventually([&] { return is_at(stage().voice); }));
    direct([&](sandbox::Loopback& discord) {
        discord.voice_server(stage().voice).close(stage().guild, stage().bot.user, 4017);
    });
    const auto started = starting.get();
    ASSERT_FALSE(started.ok());
    EXPECT_EQ(started.error().what, StartTrouble::refused);
    EXPECT_THAT(started.error().message, HasSubstr("4017"));
    EXPECT_EQ(status(), catalog::SessionStatus::failed);
    EXPECT_EQ(nickname(), "");
}

TEST_F(Live, StoppedBeforeItBeganItNeverWas) {
    open(1);
    ASSERT_NO_FATAL_FAILURE(log_in());
    direct([&](sandbox::Loopback& discord) { discord.hold_voice_answers(stage().bot.user, true); });
    auto starting = std::async(std::launch::async, [&] { return start(); });
    ASSERT_TRUE(eventually([&] { return notices() == 1; }));
    EXPECT_TRUE(bot_->stop().ok());
    const auto started = starting.get();
    ASSERT_FALSE(started.ok());
    EXPECT_EQ(started.error().what, StartTrouble::stopped);
    EXPECT_EQ(bot_->over_within(seconds(30)), EndCause::stopped);
    EXPECT_EQ(status(), catalog::SessionStatus::failed);
    EXPECT_FALSE(std::filesystem::exists(journal()));
    EXPECT_FALSE(bot_->pause());
    EXPECT_FALSE(bot_->note(kStarter, "presto"));
}

TEST_F(Live, WhatCanNotGoOnIsAsItWasFound) {
    ASSERT_NO_FATAL_FAILURE(record(1));
    const auto session = bot_->session();
    const auto left = cut_off();
    ASSERT_TRUE(rows_->set_status(session, catalog::SessionStatus::complete).ok());
    ASSERT_TRUE(rows_->set_end(session, left.last_alive()).ok());
    const auto before = rows_->session(session);
    {
        journal::Committer committer{1};
        const auto head = journal::head_to_go_on(left, read_clocks(), this_boot());
        const auto other = journal::Writer::open(committer, folder_ / "journal", head);
        ASSERT_TRUE(other.ok());
        const auto locked = bot_->start(where(), left);
        ASSERT_FALSE(locked.ok());
        EXPECT_EQ(locked.error().what, StartTrouble::recorded);
        EXPECT_EQ(*rows_->session(session), *before);
    }
    ASSERT_NO_FATAL_FAILURE(log_in(impatient()));
    direct([&](sandbox::Loopback& discord) { discord.hold_voice_answers(stage().bot.user, true); });
    const auto unheard = bot_->start(where(), left);
    ASSERT_FALSE(unheard.ok());
    EXPECT_EQ(unheard.error().what, StartTrouble::no_answer);
    EXPECT_EQ(*rows_->session(session), *before);
    const auto still = journal::read_unfinished(journal());
    ASSERT_TRUE(still.ok());
    EXPECT_EQ(still->until, left.until);
    EXPECT_EQ(still->present, left.present);
}

// ---- the nickname

TEST_F(Live, TheFormerNicknameIsNotedForAsLongAsItIsChanged) {
    open(1);
    ASSERT_NO_FATAL_FAILURE(log_in());
    ASSERT_TRUE(start().ok());
    const catalog::FormerNick none{stage().guild.text(), std::nullopt};
    EXPECT_THAT(*rows_->remembered_nicks(), ElementsAre(none));
    ASSERT_TRUE(bot_->stop().ok());
    EXPECT_THAT(*rows_->remembered_nicks(), IsEmpty());
}

TEST_F(Live, ANicknameThatDiscordKeepsForNowIsGivenBackLater) {
    open(1);
    ASSERT_NO_FATAL_FAILURE(log_in());
    ASSERT_TRUE(start().ok());
    direct([](sandbox::Loopback& discord) {
        auto limited = sandbox::RestFault::rate_limit("/members/@me", seconds(600), false);
        limited.times = 2;
        discord.add_fault(limited);
    });
    ASSERT_TRUE(bot_->stop().ok()) << "the session is over all the same";
    EXPECT_EQ(nickname(), "[REC] Lestapenna");
    EXPECT_EQ(rows_->remembered_nicks()->size(), 1U);
    EXPECT_EQ(bot_->give_back_nick(), GivenBack::later) << "call it again";
    EXPECT_EQ(nickname(), "[REC] Lestapenna");
    EXPECT_EQ(rows_->remembered_nicks()->size(), 1U);
}

TEST_F(Live, WhatAKilledProcessLeftIsGivenBack) {
    ASSERT_NO_FATAL_FAILURE(record(1));
    static_cast<void>(cut_off());
    EXPECT_EQ(nickname(), "[REC] Lestapenna");
    ASSERT_NO_FATAL_FAILURE(log_in());
    EXPECT_EQ(bot_->give_back_nick(), GivenBack::yes);
    EXPECT_EQ(nickname(), "");
    EXPECT_THAT(*rows_->remembered_nicks(), IsEmpty());
    EXPECT_EQ(bot_->give_back_nick(), GivenBack::yes) << "there is nothing to give back";
}

TEST_F(Live, ANicknameThatMayNotBeGivenBackWaitsForTheNextStart) {
    ASSERT_NO_FATAL_FAILURE(record(1));
    direct([](sandbox::Loopback& discord) { discord.add_fault(refused("PATCH", "/members/@me")); });
    ASSERT_TRUE(bot_->stop().ok());
    EXPECT_EQ(rows_->remembered_nicks()->size(), 1U);
    direct([](sandbox::Loopback& discord) { discord.add_fault(refused("PATCH", "/members/@me")); });
    EXPECT_EQ(bot_->give_back_nick(), GivenBack::never) << "nothing changes by asking again";
    EXPECT_EQ(rows_->remembered_nicks()->size(), 1U);
    EXPECT_EQ(bot_->give_back_nick(), GivenBack::yes);
    EXPECT_EQ(nickname(), "");
}

TEST_F(Live, WhoGoesOnShowsItsSignAndPostsNothingTwice) {
    ASSERT_NO_FATAL_FAILURE(record(1));
    const auto left = cut_off();
    ASSERT_TRUE(bot_->start(where(), left).ok());
    EXPECT_EQ(notices(), 1U) << "the first still stands";
    EXPECT_EQ(nickname(), "[REC] Lestapenna");
    const catalog::FormerNick none{stage().guild.text(), std::nullopt};
    EXPECT_THAT(*rows_->remembered_nicks(), ElementsAre(none)) << "what we had before all of it";
    const auto again = cut_off();
    direct([](sandbox::Loopback& discord) { discord.add_fault(refused("PATCH", "/members/@me")); });
    ASSERT_TRUE(bot_->start(where(), again).ok());
    EXPECT_EQ(notices(), 2U) << "without the nickname it must be said again";
    ASSERT_TRUE(bot_->stop().ok());
    EXPECT_EQ(nickname(), "");
}

TEST_F(Live, TheRowKnowsWhereAndWhoAndInWhichLanguage) {
    open(1);
    ASSERT_NO_FATAL_FAILURE(log_in());
    Where where = this->where();
    where.language = "en";
    ASSERT_TRUE(bot_->start(where).ok());
    const auto row = rows_->session(bot_->session());
    ASSERT_TRUE(row.ok());
    EXPECT_EQ(row->guild_id, stage().guild.text());
    EXPECT_EQ(row->channel_id, stage().voice.text());
    EXPECT_EQ(row->text_channel_id, stage().text.text());
    EXPECT_EQ(row->started_by, kStarter.text());
    EXPECT_EQ(row->language, "en");
    direct([](sandbox::Loopback& discord) { EXPECT_THAT(discord.posted()[0].content, HasSubstr("Recording")); });
}

}  // namespace
}  // namespace lestapenna::recorder
