// What the gateway does when a connection ends: resume, identify anew, or give up.
#include <ostream>

#include <gtest/gtest.h>

#include "discord/gateway.h"
#include "scripted_gateway.h"

namespace lestapenna::discord {
namespace {

enum class Then { resumes, identifies, ends };
struct CloseRow {
    std::uint16_t code;  ///< 0: the connection is cut
    Then then;
    const char* says;  ///< a word of the error
};
void PrintTo(const CloseRow& row, std::ostream* out) {
    *out << row.code;
}

class GatewayCloseCodes : public GatewayTest, public ::testing::WithParamInterface<CloseRow> {};

TEST_P(GatewayCloseCodes, WhatTheClientDoesNext) {
    const CloseRow row = GetParam();
    scripts = {[this, row](Peer& peer) -> Task<> {
        co_await stand(peer, "a", 9);
        if (row.code == 0) {
            peer.socket().drop();
        } else {
            peer.socket().close(row.code, "says Discord");
            co_await peer.until_closed();
        }
    }};
    if (row.then == Then::resumes) scripts.push_back(resume_and_end("a", 9));
    if (row.then == Then::identifies) scripts.push_back(identify_and_end());
    run_gateway();
    EXPECT_EQ(gateway->counts().closes.at(row.code), 1U);
    EXPECT_EQ(gateway->counts().resumes, row.then == Then::resumes ? 1U : 0U);
    EXPECT_EQ(gateway->counts().identifies, row.then == Then::identifies ? 2U : 1U);
    if (row.then == Then::ends) {
        ASSERT_FALSE(*status);
        EXPECT_NE(status->error().message.find(row.says), std::string::npos) << status->error().message;
        EXPECT_EQ(status->error().message.find(kToken), std::string::npos);
    } else {
        EXPECT_TRUE(*status);
    }
}

INSTANTIATE_TEST_SUITE_P(Table, GatewayCloseCodes,
                         ::testing::Values(CloseRow{0, Then::resumes, ""}, CloseRow{1000, Then::identifies, ""},
                                           CloseRow{1001, Then::resumes, ""}, CloseRow{1011, Then::resumes, ""},
                                           CloseRow{4000, Then::resumes, ""}, CloseRow{4001, Then::resumes, ""},
                                           CloseRow{4002, Then::resumes, ""}, CloseRow{4003, Then::identifies, ""},
                                           CloseRow{4004, Then::ends, "discord.token"},
                                           CloseRow{4005, Then::identifies, ""}, CloseRow{4006, Then::resumes, ""},
                                           CloseRow{4007, Then::identifies, ""}, CloseRow{4008, Then::identifies, ""},
                                           CloseRow{4009, Then::identifies, ""}, CloseRow{4010, Then::ends, "shard"},
                                           CloseRow{4011, Then::ends, "shards"},
                                           CloseRow{4012, Then::ends, "newer version"},
                                           CloseRow{4013, Then::ends, "intents"}, CloseRow{4014, Then::identifies, ""},
                                           CloseRow{4999, Then::resumes, ""}),
                         [](const auto& row) { return "Code" + std::to_string(row.param.code); });

TEST_F(GatewayTest, ARefusedPrivilegedIntentIsGivenUpOnce) {
    const auto refuse = [](std::uint32_t intents) -> Script {
        return [intents](Peer& peer) -> Task<> {
            peer.hello();
            const Json identify = co_await peer.expect(2);
            EXPECT_EQ(json::integer<std::uint32_t>(identify, "intents"), intents);
            peer.socket().close(4014, "Disallowed intent(s).");
            co_await peer.until_closed();
        };
    };
    scripts = {refuse(33409), refuse(641)};
    run_gateway();
    ASSERT_FALSE(*status);
    EXPECT_NE(status->error().message.find("Message Content Intent"), std::string::npos) << status->error().message;
    EXPECT_TRUE(gateway->lost_message_content());
    EXPECT_EQ(gateway->counts().closes.at(4014), 2U);
}

TEST_F(GatewayTest, WithoutPrivilegedIntentsARefusalIsFinal) {
    gateway_options.intents = intents::guilds;
    scripts = {[](Peer& peer) -> Task<> {
        peer.hello();
        co_await peer.expect(2);
        peer.socket().close(4014, "");
        co_await peer.until_closed();
    }};
    run_gateway();
    EXPECT_FALSE(*status);
    EXPECT_FALSE(gateway->lost_message_content());
}

TEST_F(GatewayTest, Op7Resumes) {
    scripts = {[this](Peer& peer) -> Task<> {
                   co_await stand(peer, "a", 3);
                   peer.send({{"op", 7}, {"d", nullptr}});
                   const auto closed = co_await peer.until_closed();
                   EXPECT_EQ(closed.code, 4200);
               },
               resume_and_end("a", 3)};
    run_gateway();
}

TEST_F(GatewayTest, Op9TrueResumesAfterItsWait) {
    gateway_options.timing.invalid_session_least = milliseconds(100);
    gateway_options.timing.invalid_session_most = milliseconds(150);
    BootTime asked;
    const Script resume = resume_and_end("a", 3);
    scripts = {[&](Peer& peer) -> Task<> {
                   co_await stand(peer, "a", 3);
                   asked = BootClock::now();
                   peer.send({{"op", 9}, {"d", true}});
                   co_await peer.until_closed();
               },
               [&](Peer& peer) -> Task<> {
                   EXPECT_GE(BootClock::now() - asked, milliseconds(100));
                   co_await resume(peer);
               }};
    run_gateway();
}

TEST_F(GatewayTest, Op9FalseIdentifiesAtTheOriginalAddress) {
    const Script identify = identify_and_end();
    scripts = {[this](Peer& peer) -> Task<> {
                   co_await stand(peer, "a", 3);
                   peer.socket().drop();
                   co_return;
               },
               [](Peer& peer) -> Task<> {
                   peer.hello();
                   co_await peer.expect(6);
                   peer.send({{"op", 9}, {"d", false}});
                   co_await peer.until_closed();
               },
               identify};
    run_gateway();
    EXPECT_EQ(targets,
              (std::vector<std::string>{"/?v=10&encoding=json", "/again/?v=10&encoding=json", "/?v=10&encoding=json"}));
    EXPECT_EQ(requests.size(), 2U) << "the address is asked for again, and with it what is left of the day's sessions";
}

TEST_F(GatewayTest, IdentifiesAreSpaced) {
    gateway_options.timing.identify_gap = milliseconds(200);
    BootTime first;
    const Script last = identify_and_end();
    scripts = {[&](Peer& peer) -> Task<> {
                   co_await stand(peer, "a", 3);
                   first = BootClock::now();
                   peer.socket().close(4009, "");
                   co_await peer.until_closed();
               },
               [&](Peer& peer) -> Task<> {
                   EXPECT_GE(BootClock::now() - first, milliseconds(100));
                   co_await last(peer);
               }};
    run_gateway();
}

TEST_F(GatewayTest, AfterFailedResumesANewSession) {
    scripts = {[this](Peer& peer) -> Task<> {
        co_await stand(peer, "a", 3);
        peer.socket().drop();
    }};
    for (int i = 0; i < 5; ++i) {
        scripts.push_back([](Peer& peer) -> Task<> {
            peer.hello();
            co_await peer.expect(6);
            peer.socket().drop();
        });
    }
    scripts.push_back(identify_and_end());
    run_gateway();
    EXPECT_EQ(gateway->counts().resumes, 5U);
    EXPECT_EQ(gateway->counts().identifies, 2U);
    EXPECT_EQ(gateway->counts().closes.at(0), 6U);
}

TEST_F(GatewayTest, TheTokenDoesNotGoToAResumeAddressInTheClear) {
    scripts = {[](Peer& peer) -> Task<> {
                   peer.hello();
                   co_await peer.expect(2);
                   peer.ready("a", "ws://gateway.example.invalid", 3);
                   peer.socket().close(4000, "");
                   co_await peer.until_closed();
               },
               [this](Peer& peer) -> Task<> {
                   EXPECT_EQ(peer.target(), "/?v=10&encoding=json");
                   peer.hello();
                   co_await peer.expect(6);
                   co_await end(peer);
               }};
    run_gateway();
}

}  // namespace
}  // namespace lestapenna::discord
