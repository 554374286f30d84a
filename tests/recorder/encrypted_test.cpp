// What a session keeps of an encrypted call, over its members' coming and going and over a restart of ours.
#include <gmock/gmock.h>

#include "live.h"

namespace lestapenna::recorder {
namespace {

using catalog::Encryption;
using ::testing::SizeIs;

class EncryptedCall : public Live {
  protected:
    [[nodiscard]] std::string code() const { return bot_->report().call.privacy_code; }
    [[nodiscard]] catalog::Session row() const { return *rows_->session(bot_->session()); }
};

TEST_F(EncryptedCall, IsHeardWholeAndItsLastCodeIsKept) {
    ASSERT_NO_FATAL_FAILURE(record(3));
    ASSERT_TRUE(eventually([&] { return bot_->report().call.encrypted; }));
    EXPECT_THAT(code(), SizeIs(30));
    // Each second what is new is written down: a kill keeps it.
    EXPECT_TRUE(eventually([&] { return row().privacy_code == code() && row().encryption == Encryption::end_to_end; }));
    ASSERT_TRUE(hears_more(200));
    const std::string last = code();
    ASSERT_TRUE(bot_->stop().ok());
    EXPECT_EQ(row().encryption, Encryption::end_to_end);
    EXPECT_EQ(row().privacy_code, last);
    const auto timeline = this->timeline();
    EXPECT_EQ(timeline.connections.size(), 3U);
    for (const UserId user : stage().players) {
        const auto counts = timeline.counts_of(user);
        EXPECT_GT(counts.received, 20U);
        EXPECT_EQ(counts.undecryptable + counts.lost + counts.late, 0U) << user.value;
    }
    EXPECT_TRUE(told<CannotOpen>().empty());
}

TEST_F(EncryptedCall, OfASessionThatGoesOnTheCodeIsThatOfTheEnd) {
    ASSERT_NO_FATAL_FAILURE(record(2));
    ASSERT_TRUE(eventually([&] { return !row().privacy_code.empty(); }));
    const auto session = bot_->session();
    const std::string before = row().privacy_code;
    const auto left = cut_off();
    EXPECT_EQ(rows_->session(session)->privacy_code, before);
    ASSERT_TRUE(bot_->start(where(), left).ok());
    EXPECT_EQ(row().privacy_code, before) << "until there is a new one";
    ASSERT_TRUE(eventually([&] { return bot_->report().call.encrypted; }));
    ASSERT_TRUE(hears_more(100));
    const std::string last = code();
    EXPECT_NE(last, before);
    ASSERT_TRUE(bot_->stop().ok());
    EXPECT_EQ(bot_->session(), session);
    EXPECT_EQ(row().encryption, Encryption::end_to_end);
    EXPECT_EQ(row().privacy_code, last);
}

TEST_F(EncryptedCall, AStageIsHeardInTheClearAndNotCalledEncrypted) {
    open(1);
    ASSERT_NO_FATAL_FAILURE(log_in());
    Where stage_channel = where();
    direct([&](sandbox::Loopback& discord) {
        stage_channel.voice_channel = discord.add_stage_channel(stage().guild, "Palco");
    });
    ASSERT_TRUE(bot_->start(stage_channel).ok());
    ASSERT_TRUE(eventually([&] { return is_at(stage_channel.voice_channel); }));
    EXPECT_FALSE(bot_->report().call.encrypted);
    ASSERT_TRUE(bot_->stop().ok());
    EXPECT_NE(row().encryption, Encryption::end_to_end);
    EXPECT_EQ(row().privacy_code, "");
}

}  // namespace
}  // namespace lestapenna::recorder
