// Every close code: the table itself, and what Voice did next when a server really closed with it.
#include "discord/voice_close.h"

#include <string>

#include <gtest/gtest.h>

#include "scripted_voice.h"

namespace lestapenna::discord {
namespace {

using test::VoiceTable;

struct Case {
    std::uint16_t code;
    CloseAction action;
    int tries;
};
// discord-voice.md section 4; 4017 ends, 4021 waits long, what is not named there is a rejoin.
constexpr Case kCases[] = {
    {0, CloseAction::resume, 0},    {1000, CloseAction::resume, 0}, {1001, CloseAction::resume, 0},
    {1011, CloseAction::resume, 0}, {3999, CloseAction::resume, 0}, {4000, CloseAction::rejoin, 0},
    {4001, CloseAction::rejoin, 1}, {4002, CloseAction::rejoin, 1}, {4003, CloseAction::rejoin, 1},
    {4004, CloseAction::rejoin, 5}, {4005, CloseAction::rejoin, 1}, {4006, CloseAction::rejoin, 0},
    {4007, CloseAction::rejoin, 0}, {4008, CloseAction::rejoin, 0}, {4009, CloseAction::rejoin, 0},
    {4010, CloseAction::rejoin, 0}, {4011, CloseAction::rejoin, 0}, {4012, CloseAction::rejoin, 1},
    {4013, CloseAction::resume, 0}, {4014, CloseAction::wait, 0},   {4015, CloseAction::resume, 0},
    {4016, CloseAction::rejoin, 1}, {4017, CloseAction::end, 0},    {4018, CloseAction::rejoin, 0},
    {4020, CloseAction::rejoin, 1}, {4021, CloseAction::rejoin, 0}, {4022, CloseAction::wait, 0},
    {4999, CloseAction::rejoin, 0},
};

std::string name_of(const testing::TestParamInfo<Case>& info) {
    return std::to_string(info.param.code);
}

class EveryCloseCode : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(VoiceClose, EveryCloseCode, testing::ValuesIn(kCases), name_of);

TEST_P(EveryCloseCode, IsInTheTable) {
    const CloseRule rule = close_rule(GetParam().code);
    EXPECT_EQ(rule.action, GetParam().action);
    EXPECT_EQ(rule.tries, GetParam().tries);
    EXPECT_EQ(rule.slowly, GetParam().code == 4021);
    EXPECT_GT(std::string(rule.meaning).size(), 3U);
}

/// Closed by the server while connected: what happened until packets flow again, or it was over.
TEST_P(EveryCloseCode, IsFollowed) {
    VoiceTable table;
    ASSERT_TRUE(table.join());
    const BootTime closed = BootClock::now();
    if (GetParam().code == 0) {
        table.server.drop();
    } else {
        table.server.close(GetParam().code);
    }
    ASSERT_TRUE(table.until([&] { return table.heard.count<Connected>() == 2 || table.heard.count<Ended>() == 1; }));
    const nanoseconds took = BootClock::now() - closed;
    switch (GetParam().action) {
        case CloseAction::resume:
            EXPECT_EQ(table.heard.story(), "Connected Disconnected Connected");
            EXPECT_TRUE(table.heard.last<Connected>()->resumed);
            EXPECT_TRUE(table.heard.last<Disconnected>()->media_goes_on);
            EXPECT_EQ(table.asked.size(), 1U);
            break;
        case CloseAction::rejoin:
        case CloseAction::wait: {
            EXPECT_EQ(table.heard.story(), "Connected Disconnected Connected");
            EXPECT_FALSE(table.heard.last<Connected>()->resumed);
            EXPECT_EQ(table.heard.last<Connected>()->generation, 2);
            EXPECT_EQ(table.asked.size(), 2U);
            const VoiceTiming timing = VoiceTable::options().timing;
            const bool slowly = GetParam().code == 4021;
            const bool waits = GetParam().action == CloseAction::wait;
            const nanoseconds least = slowly ? timing.rate_limited : waits ? timing.moved : nanoseconds{0};
            EXPECT_GE(took, least);
            break;
        }
        case CloseAction::end:
            EXPECT_EQ(table.heard.story(), "Connected Ended");
            EXPECT_EQ(table.heard.last<Ended>()->reason, EndReason::refused);
            EXPECT_EQ(table.asked.back(), std::nullopt) << "we do not stay in the channel as a ghost";
            break;
    }
    if (GetParam().action == CloseAction::end) return;
    EXPECT_EQ(table.heard.last<Disconnected>()->code, GetParam().code);
    ASSERT_TRUE(table.server.voice(1, 1, {1, 2, 3}));
    EXPECT_TRUE(table.until([&] { return table.heard.packets.size() == 1; })) << "packets flow again";
}

/// Closed with the same code at each identify: for as long as it takes, or as often as the table says.
TEST_P(EveryCloseCode, IsFollowedAgainAndAgain) {
    VoiceTable table;
    table.server.manners().close_identify = GetParam().code;
    table.voice->join(test::kChannel);
    const bool bounded = GetParam().action == CloseAction::end || GetParam().tries > 0;
    const auto identifies = std::size_t{1} + static_cast<std::size_t>(GetParam().tries);
    if (bounded) {
        ASSERT_TRUE(table.until([&] { return table.heard.count<Ended>() == 1; }));
        EXPECT_EQ(table.server.count(0), identifies);
        const auto* ended = table.heard.last<Ended>();
        EXPECT_EQ(ended->reason, EndReason::refused);
        EXPECT_EQ(ended->code, GetParam().code);
        EXPECT_NE(ended->message.find(std::to_string(GetParam().code)), std::string::npos);
        EXPECT_EQ(ended->message.find("token-"), std::string::npos) << "no secret";
        table.idle(milliseconds(100));
        EXPECT_EQ(table.server.count(0), identifies);
        EXPECT_EQ(table.heard.story(), "Ended");
        return;
    }
    ASSERT_TRUE(table.until([&] { return table.server.count(0) >= 4; }));
    EXPECT_EQ(table.heard.story(), "") << "never connected, never lost, never over";
    table.server.manners().close_identify.reset();
    ASSERT_TRUE(table.connected(1));
    EXPECT_EQ(table.heard.last<Connected>()->generation, 1);
}

TEST(VoiceClose, RefusalsAreForgottenOnceItStood) {
    VoiceOptions options = VoiceTable::options();
    options.timing.steady = nanoseconds{0};
    VoiceTable table(options);
    ASSERT_TRUE(table.join());
    for (std::size_t i = 2; i < 6; ++i) {
        table.server.close(4002);
        ASSERT_TRUE(table.connected(i)) << "each after a connection that stood";
    }
}

TEST(VoiceClose, ItBacksOff) {
    VoiceOptions options = VoiceTable::options();
    options.timing.backoff_first = milliseconds(40);
    options.timing.backoff_most = milliseconds(80);
    VoiceTable table(options);
    table.server.manners().close_identify = 4011;
    table.voice->join(test::kChannel);
    std::vector<BootTime> tries;
    ASSERT_TRUE(table.until([&] {
        while (tries.size() < table.server.count(0)) tries.push_back(BootClock::now());
        return tries.size() >= 6;
    }));
    // At once, then 40, 80, 80, 80 ms, each a quarter more or less.
    const std::vector<nanoseconds> least{nanoseconds{0}, milliseconds(30), milliseconds(60), milliseconds(60),
                                         milliseconds(60)};
    for (std::size_t i = 0; i < least.size(); ++i) EXPECT_GE(tries[i + 1] - tries[i], least[i] - milliseconds(20)) << i;
    EXPECT_GE(tries[5] - tries[0], milliseconds(210 - 20));
}

}  // namespace
}  // namespace lestapenna::discord
