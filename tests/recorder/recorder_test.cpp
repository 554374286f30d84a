// A session's live life against the sandbox: its sign, its row, what ends it and what does not.
#include <fstream>

#include <gmock/gmock.h>

#include "live.h"

namespace lestapenna::recorder {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;

TEST_F(Live, TheSignStandsBeforeTheFirstRecordAndTheNicknameGoesAgain) {
    open(1);
    ASSERT_NO_FATAL_FAILURE(log_in());
    talk(unix_now());
    // People talk already, and are not recorded yet.
    ASSERT_TRUE(start().ok());
    direct([&](sandbox::Loopback& discord) {
        EXPECT_EQ(discord.nickname(stage().guild, stage().bot.user), "[REC] Lestapenna");
        ASSERT_EQ(discord.posted().size(), 1U);
        EXPECT_EQ(discord.posted()[0].channel, stage().text);
        EXPECT_THAT(discord.posted()[0].content,
                    AllOf(HasSubstr("<#" + stage().voice.text() + ">"), HasSubstr(bot_->session().text().substr(20))));
    });
    EXPECT_EQ(status(), catalog::SessionStatus::recording);
    ASSERT_TRUE(hears_more(20));
    ASSERT_TRUE(bot_->stop().ok());
    EXPECT_EQ(bot_->over_within(seconds(10)), EndCause::stopped);  // told in a turn of the loop of its own
    direct([&](sandbox::Loopback& discord) {
        EXPECT_EQ(discord.nickname(stage().guild, stage().bot.user), "");
        EXPECT_EQ(discord.posted().size(), 1U) << "the notice stays: it was recorded";
        EXPECT_FALSE(discord.voice_state(stage().guild, stage().bot.user).has_value());
    });
    EXPECT_EQ(status(), catalog::SessionStatus::ending);
    const auto row = rows_->session(bot_->session());
    EXPECT_EQ(row->guild_id, stage().guild.text());
    EXPECT_EQ(row->channel_id, stage().voice.text());
    EXPECT_EQ(row->start, bot_->start_time());
    ASSERT_TRUE(row->end.has_value());
    const auto timeline = this->timeline();
    EXPECT_TRUE(timeline.ended);
    EXPECT_EQ(timeline.start, row->start);
    // The last packet's 20 ms may reach over it.
    EXPECT_LE(timeline.unix_time(timeline.end()), *row->end + milliseconds(20));
    EXPECT_FALSE(timeline.has_gaps());
    ASSERT_EQ(timeline.connections.size(), 1U);
    EXPECT_EQ(timeline.connections[0].user, stage().players[0]);
    const auto tracks = rows_->tracks(bot_->session());
    ASSERT_EQ(tracks->size(), 1U);
    EXPECT_EQ((*tracks)[0].name, "Player 0");
}

TEST_F(Live, AKickEndsTheSessionComplete) {
    ASSERT_NO_FATAL_FAILURE(record(2));
    direct([&](sandbox::Loopback& discord) { discord.kick_from_voice(stage().guild, stage().bot.user); });
    EXPECT_EQ(bot_->over_within(seconds(30)), EndCause::removed);
    EXPECT_EQ(status(), catalog::SessionStatus::ending);
    EXPECT_TRUE(timeline().ended);
    EXPECT_EQ(timeline().connections.size(), 2U);
    EXPECT_TRUE(bot_->stop().ok()) << "stopping what is over is no error";
}

TEST_F(Live, SoDoesTheEndOfTheChannel) {
    ASSERT_NO_FATAL_FAILURE(record(1));
    direct([&](sandbox::Loopback& discord) { discord.remove_channel(stage().voice); });
    EXPECT_EQ(bot_->over_within(seconds(30)), EndCause::removed);
    EXPECT_EQ(status(), catalog::SessionStatus::ending);
    EXPECT_TRUE(timeline().ended);
}

TEST_F(Live, AResumedVoiceSocketLosesNothing) {
    ASSERT_NO_FATAL_FAILURE(record(2));
    direct(
        [&](sandbox::Loopback& discord) { discord.voice_server(stage().voice).drop(stage().guild, stage().bot.user); });
    ASSERT_TRUE(eventually([&] { return bot_->report().voice.resumes == 1; }));
    ASSERT_TRUE(hears_more(50));
    ASSERT_TRUE(bot_->stop().ok());
    EXPECT_TRUE(all<journal::Gap>().empty());
    EXPECT_EQ(all<journal::Join>().size(), 2U);
    EXPECT_FALSE(timeline().has_gaps());
}

TEST_F(Live, AnotherVoiceServerIsAnOutageAndNobodysEnd) {
    ASSERT_NO_FATAL_FAILURE(record(2));
    direct([&](sandbox::Loopback& discord) { discord.change_voice_server(stage().voice, true); });
    ASSERT_TRUE(eventually([&] { return is_at(stage().voice); }));
    ASSERT_TRUE(hears_more(50));
    ASSERT_TRUE(bot_->stop().ok());
    EXPECT_EQ(all<journal::Join>().size(), 2U);
    EXPECT_TRUE(all<journal::Leave>().empty());
    const auto gaps = all<journal::Gap>();
    ASSERT_EQ(gaps.size(), 1U);
    EXPECT_EQ(gaps[0].reason, journal::GapReason::outage);
    EXPECT_LT(gaps[0].to - gaps[0].from, seconds(5));
    const auto timeline = this->timeline();
    ASSERT_EQ(timeline.connections.size(), 2U);
    for (const auto& connection : timeline.connections) EXPECT_EQ(connection.streams.size(), 2U) << "a new SSRC";
}

TEST_F(Live, WhoIsNamedLateIsNamedFromTheFirstPacketOn) {
    open(2);
    ASSERT_NO_FATAL_FAILURE(log_in());
    ASSERT_TRUE(start().ok());
    direct([&](sandbox::Loopback& discord) {
        auto& server = discord.voice_server(stage().voice);
        server.speaking_news(stage().bot.user, sandbox::SpeakingNews::late, milliseconds(1'500));
    });
    talk(bot_->start_time());
    ASSERT_TRUE(hears_more(50));
    ASSERT_TRUE(eventually([&] { return all<journal::Binding>().size() >= 2; }));
    ASSERT_TRUE(bot_->stop().ok());
    const auto timeline = this->timeline();
    ASSERT_EQ(timeline.connections.size(), 2U);
    for (const auto& connection : timeline.connections) {
        EXPECT_NE(connection.user, UserId{});
        EXPECT_TRUE(connection.has_audio());
    }
    EXPECT_LT(all<journal::Packet>().front().arrival, all<journal::Binding>().front().at);
}

TEST_F(Live, WhoIsNeverNamedIsRecordedAllTheSame) {
    open(1);
    ASSERT_NO_FATAL_FAILURE(log_in());
    ASSERT_TRUE(start().ok());
    direct([&](sandbox::Loopback& discord) {
        discord.voice_server(stage().voice).speaking_news(stage().bot.user, sandbox::SpeakingNews::never);
    });
    talk(bot_->start_time());
    ASSERT_TRUE(hears_more(100));
    ASSERT_TRUE(bot_->stop().ok());
    const auto timeline = this->timeline();
    ASSERT_EQ(timeline.connections.size(), 2U);
    EXPECT_EQ(timeline.connections.front().user, stage().players.front()) << "who was seen, and never heard";
    EXPECT_FALSE(timeline.connections.front().has_audio());
    EXPECT_EQ(timeline.connections.back().user, UserId{}) << "who was heard, and never named";
    EXPECT_EQ(timeline.counts_of(UserId{}).received, all<journal::Packet>().size());
}

TEST_F(Live, ALostMainGatewayChangesNothing) {
    ASSERT_NO_FATAL_FAILURE(record(2));
    direct([&](sandbox::Loopback& discord) { discord.drop_gateway(stage().bot.user); });
    ASSERT_TRUE(eventually([&] {
        std::uint64_t resumes = 0;
        direct([&](sandbox::Loopback& discord) { resumes = discord.traffic(stage().bot.user).resumes; });
        return resumes == 1;
    }));
    ASSERT_TRUE(hears_more(50));
    ASSERT_TRUE(bot_->stop().ok());
    EXPECT_EQ(all<journal::Join>().size(), 2U);
    EXPECT_TRUE(all<journal::Leave>().empty());
    EXPECT_TRUE(all<journal::Gap>().empty());
}

TEST_F(Live, AForgottenMainSessionComesBackIntoTheChannel) {
    ASSERT_NO_FATAL_FAILURE(record(2));
    direct([&](sandbox::Loopback& discord) {
        discord.forget_session(stage().bot.user);
        discord.drop_gateway(stage().bot.user);
    });
    ASSERT_TRUE(eventually([&] {
        std::uint64_t identifies = 0;
        direct([&](sandbox::Loopback& discord) { identifies = discord.traffic(stage().bot.user).identifies; });
        return identifies == 2;
    }));
    ASSERT_TRUE(hears_more(100));
    EXPECT_FALSE(bot_->over_within(milliseconds(0)).has_value());
    ASSERT_TRUE(bot_->stop().ok());
    EXPECT_EQ(all<journal::Join>().size(), 2U);
    EXPECT_TRUE(all<journal::Leave>().empty());
    EXPECT_EQ(timeline().connections.size(), 2U);
}

TEST_F(Live, DeafenedByAModeratorIsAGap) {
    ASSERT_NO_FATAL_FAILURE(record(1));
    const auto deafen = [&](bool deaf) {
        direct([&](sandbox::Loopback& discord) { discord.deafen(stage().guild, stage().bot.user, deaf); });
    };
    deafen(true);
    ASSERT_TRUE(eventually([&] {
        const auto before = bot_->report().packets;
        std::this_thread::sleep_for(milliseconds(300));  // how silence looks: it can not be waited for
        return bot_->report().packets == before;
    }));
    deafen(false);
    ASSERT_TRUE(hears_more(20));
    ASSERT_TRUE(bot_->stop().ok());
    const auto gaps = all<journal::Gap>();
    ASSERT_EQ(gaps.size(), 1U);
    EXPECT_EQ(gaps[0].reason, journal::GapReason::server_deaf);
    EXPECT_GT(gaps[0].to - gaps[0].from, milliseconds(300));
    EXPECT_EQ(timeline().connections.size(), 1U);
}

TEST_F(Live, MovedItGoesOnInTheOtherChannel) {
    ASSERT_NO_FATAL_FAILURE(record(2));
    ChannelId other;
    direct([&](sandbox::Loopback& discord) {
        other = discord.add_voice_channel(stage().guild, "Cripta");
        discord.move(stage().guild, stage().bot.user, other);
    });
    ASSERT_TRUE(eventually([&] { return is_at(other); }));
    // Somebody follows it there, somebody does not.
    direct([&](sandbox::Loopback& discord) { discord.move(stage().guild, stage().players[0], other); });
    ASSERT_TRUE(hears_more(20));
    ASSERT_TRUE(bot_->stop().ok());
    EXPECT_EQ(all<journal::Leave>().size(), 2U);
    EXPECT_EQ(all<journal::Join>().size(), 3U);
    EXPECT_TRUE(timeline().ended);
}

TEST_F(Live, OtherGuildsAreNobodysBusiness) {
    open(1);
    GuildId elsewhere;
    ChannelId their_channel;
    direct([&](sandbox::Loopback& discord) {
        elsewhere = discord.add_guild("Altrove");
        their_channel = discord.add_voice_channel(elsewhere, "Voci");
    });
    ASSERT_NO_FATAL_FAILURE(log_in());
    ASSERT_TRUE(start().ok());
    talk(bot_->start_time());
    ASSERT_TRUE(hears_more(20));
    direct([&](sandbox::Loopback& discord) {
        const auto stranger = discord.add_person("Straniera");
        discord.set_voice(elsewhere, stranger, their_channel, [](const discord::Event&) {});
        discord.remove_channel(their_channel);
    });
    ASSERT_TRUE(hears_more(50));
    ASSERT_TRUE(bot_->stop().ok());
    EXPECT_EQ(all<journal::Join>().size(), 1U);
    EXPECT_EQ(rows_->tracks(bot_->session())->size(), 1U);
}

TEST_F(Live, WhatIsNotStoppedIsLeftAsByAKill) {
    ASSERT_NO_FATAL_FAILURE(record(1));
    const auto session = bot_->session();
    const auto folder = journal();
    const auto heard = bot_->report().packets;
    bot_.reset();
    EXPECT_EQ(rows_->session(session)->status, catalog::SessionStatus::recording);
    EXPECT_FALSE(journal::is_locked(folder));
    const auto timeline = timeline::read(folder, seconds(300));
    ASSERT_TRUE(timeline.ok());
    EXPECT_FALSE(timeline->ended);
    EXPECT_TRUE(timeline->damages.empty());
    EXPECT_GE(timeline->counts_of(stage().players[0]).received, heard);
}

}  // namespace
}  // namespace lestapenna::recorder
