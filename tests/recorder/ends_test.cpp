// The ways out of a session when something is in the way: a disk that takes nothing, a Discord that is slow, a gateway
// that is away.
#include <atomic>

#include <gmock/gmock.h>

#include "journal/files.h"
#include "live.h"

namespace lestapenna::recorder {
namespace {

/// A disk that can be full.
class FullDisk final : public journal::Files {
  public:
    std::atomic<bool> full{false};
    int create(const char* path) override { return full ? refuse() : Files::create(path); }
    ssize_t write_at(int fd, std::span<const std::uint8_t> bytes, std::uint64_t offset) override {
        return full ? refuse() : Files::write_at(fd, bytes, offset);
    }

  private:
    static int refuse() {
        errno = ENOSPC;
        return -1;
    }
};

template <class What>
bool was_told(const RecordingBot& bot) {
    const auto told = bot.told();
    return std::ranges::any_of(told, [](const Happening& one) { return std::holds_alternative<What>(one); });
}

class Ends : public Live {};

TEST_F(Ends, AFullDiskIsWaitedFor) {
    FullDisk disk;
    journal_.files = &disk;
    ASSERT_NO_FATAL_FAILURE(record(2));
    disk.full = true;
    ASSERT_TRUE(hears_more(100));
    const auto heard = bot_->report().packets;
    // Whoever waits for the end waits as long as the disk does.
    std::thread stopping([&] { EXPECT_TRUE(bot_->stop().ok()); });
    // Everything that gave up by itself before gave up by then: two flushes of some tries each.
    EXPECT_TRUE(eventually([&] { return was_told<Unwritten>(*bot_); }, seconds(120)));
    EXPECT_FALSE(was_told<Ended>(*bot_));
    disk.full = false;
    stopping.join();
    EXPECT_TRUE(was_told<Ended>(*bot_));
    EXPECT_EQ(status(), catalog::SessionStatus::ending);
    EXPECT_GE(all<journal::Packet>().size(), heard) << "what was accepted while the disk was full is there";
    EXPECT_EQ(all<journal::End>().size(), 1U);
    EXPECT_TRUE(timeline().ended);
}

TEST_F(Ends, WhereAModeratorMovedUsStandsInTheCatalog) {
    ASSERT_NO_FATAL_FAILURE(record(1));
    ChannelId other;
    direct([&](sandbox::Loopback& discord) {
        other = discord.add_voice_channel(stage().guild, "Cripta");
        discord.move(stage().guild, stage().bot.user, other);
    });
    ASSERT_TRUE(eventually([&] { return is_at(other); }));
    // Who starts anew after a kill looks for people there.
    EXPECT_TRUE(eventually([&] { return catalog_->session(bot_->session())->channel_id == other.text(); }));
    ASSERT_TRUE(bot_->stop().ok());
}

TEST_F(Ends, AnEndingIsToldBeforeDiscordHasTakenTheNicknameBack) {
    ASSERT_NO_FATAL_FAILURE(record(1));
    direct([&](sandbox::Loopback& discord) {
        sandbox::RestFault slow;
        slow.method = "PATCH";
        slow.path = "/members/@me";
        slow.delay = seconds(3);
        discord.add_fault(std::move(slow));
        discord.kick_from_voice(stage().guild, stage().bot.user);
    });
    ASSERT_TRUE(eventually([&] { return was_told<Ended>(*bot_); }));
    const auto told = bot_->told();
    const auto ending = std::ranges::find_if(told, [](const auto& one) { return std::holds_alternative<Ending>(one); });
    const auto ended = std::ranges::find_if(told, [](const auto& one) { return std::holds_alternative<Ended>(one); });
    EXPECT_LT(ending, ended);
    EXPECT_FALSE(bot_->over_within(milliseconds(0))) << "the sign is being taken down";
    EXPECT_EQ(bot_->over_within(seconds(60)), EndCause::removed);
}

TEST_F(Ends, ThrownOutWhileTheGatewayWasAwayIsAnEnd) {
    ASSERT_NO_FATAL_FAILURE(record(1));
    direct([&](sandbox::Loopback& discord) {
        discord.drop_gateway(stage().bot.user);
        discord.forget_session(stage().bot.user);
        discord.remove_member(stage().guild, stage().bot.user);
    });
    EXPECT_EQ(bot_->over_within(seconds(60)), EndCause::removed);
    EXPECT_EQ(status(), catalog::SessionStatus::ending);
    EXPECT_TRUE(timeline().ended);
}

}  // namespace
}  // namespace lestapenna::recorder
