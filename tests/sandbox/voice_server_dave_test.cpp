// End-to-end encryption at the voice server: what goes where and in which order. The delivery service itself is in
// delivery_test.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voice_server_rig.h"

namespace lestapenna::sandbox {
namespace {

using namespace test_voice;
using testing::ElementsAre;

struct VoiceServerDave : VoiceServerRig {
    static json identify_with(UserId user, const json& version) {
        json message = identify(user);
        message["d"]["max_dave_protocol_version"] = version;
        return message;
    }
};

TEST_F(VoiceServerDave, Op25ComesRightAfterOp4) {
    start();
    EXPECT_EQ(server->delivery(kGuild, kChannel), nullptr);
    const auto ada = join_and_select(kAda);
    const auto bob = join_and_select(kBob);
    ASSERT_TRUE(waits(*bob, 25));
    EXPECT_EQ(bob->got(4).front()["d"]["dave_protocol_version"], 1);
    EXPECT_THAT(bob->ops(), ElementsAre(8, 2, 11, 4, 25));
    EXPECT_EQ(bob->got(25).front()["seq"], 3) << "op 11, op 4, op 25: one count for all";
    EXPECT_EQ(bob->got(25).front()["binary"], 3 + 2 + 65 + 2 + 1 + 4);
    ASSERT_NE(server->delivery(kGuild, kChannel), nullptr);
    server->dismiss(kGuild, kAda, 0);
    server->dismiss(kGuild, kBob, 0);
    EXPECT_EQ(server->delivery(kGuild, kChannel), nullptr) << "nobody is in it any more";
}

TEST_F(VoiceServerDave, WhoDoesNotSpeakDaveIsClosedWith4017) {
    start();
    for (const json& version : {json(0), json(nullptr), json("1")}) {
        admit(kAda);
        const auto ada = connect();
        ada->send(identify_with(kAda, version));
        EXPECT_TRUE(closes(*ada, 4017)) << version;
    }
    EXPECT_EQ(server->delivery(kGuild, kChannel), nullptr);
}

TEST_F(VoiceServerDave, OrIsLetInAndTheCallGoesDown) {
    VoiceServerOptions options;
    options.delivery.plain_clients = true;
    start(std::move(options));
    const auto ada = join_and_select(kAda);
    ASSERT_TRUE(waits(*ada, 25));
    admit(kBob);
    const auto bob = connect();
    bob->send(identify_with(kBob, 0));
    ASSERT_TRUE(waits(*bob, 2));
    bob->send(select());
    ASSERT_TRUE(waits(*bob, 4));
    EXPECT_EQ(bob->got(4).front()["d"]["dave_protocol_version"], 0);
    ASSERT_TRUE(waits(*ada, 21));
    const json prepared = ada->got(21).front();
    EXPECT_EQ(prepared["d"]["protocol_version"], 0);
    EXPECT_TRUE(prepared.contains("seq"));
    ada->send({{"op", 23}, {"d", {{"transition_id", prepared["d"]["transition_id"]}}}});
    ASSERT_TRUE(waits(*ada, 22));
    EXPECT_EQ(server->delivery(kGuild, kChannel)->version(), 0);

    // It is never sent what it could only take for noise.
    const auto ada_media = media(*ada);
    const auto bob_media = media(*bob);
    for (const auto& peer : {&ada, &bob}) (*peer)->send(speaking(1));
    ada_media->discover();
    bob_media->discover();
    bob_media->say(1, "here");
    ASSERT_TRUE(run_until(loop, [&] { return server->traffic(kBob).datagrams == 1; }));
    ada_media->say(1, "encrypted \xFA\xFA");
    ada_media->say(2, "\xFA\xFA in the clear");
    ASSERT_TRUE(run_until(loop, [&] { return !bob_media->heard.empty(); }));
    EXPECT_THAT(bob_media->seqs(), ElementsAre(2));
    EXPECT_EQ(server->forwarded(kBob).at(ada_media->ssrc).dropped, 1U);

    server->dismiss(kGuild, kBob, 4014);
    ASSERT_TRUE(waits(*ada, 24));
    EXPECT_EQ(ada->got(24).front()["d"]["epoch"], 1);
    EXPECT_FALSE(bob->has(21) || bob->has(22) || bob->has(25));
}

TEST_F(VoiceServerDave, StagesAreNeverEncrypted) {
    start();
    server->admit({kGuild, kChannel, kAda, "session-" + kAda.text(), "token-" + kAda.text(), false, false, true});
    const auto ada = connect();
    ada->send(identify_with(kAda, 0));
    ASSERT_TRUE(waits(*ada, 2));
    ada->send(select());
    ASSERT_TRUE(waits(*ada, 4));
    EXPECT_EQ(ada->got(4).front()["d"]["dave_protocol_version"], 0);
    EXPECT_FALSE(server->delivery(kGuild, kChannel)->options().enabled);
}

TEST_F(VoiceServerDave, BinaryMessagesAreReplayedAfterOp9) {
    start();
    const auto ada = join_and_select(kAda);
    ASSERT_TRUE(waits(*ada, 25));
    const auto again = connect();
    again->send(resume(kAda, 0));
    ASSERT_TRUE(waits(*again, 25));
    EXPECT_THAT(again->ops(), ElementsAre(8, 9, 4, 25));
    EXPECT_EQ(again->got(25).front(), ada->got(25).front());
}

TEST_F(VoiceServerDave, BinaryMessagesThatAreNone) {
    start();
    admit(kAda);
    const auto early = connect();
    early->send_binary("\x1A");
    EXPECT_TRUE(closes(*early, 4003));
    for (const auto& [bytes, code] : {std::pair{std::string(), 4002}, {std::string("\x19"), 4001}, {"{}", 4001}}) {
        const auto ada = join(kAda);
        ada->send_binary(bytes);
        EXPECT_TRUE(closes(*ada, code)) << bytes.size();
    }
    const auto ada = join_and_select(kAda);
    ada->send_binary("\x1Arubbish");
    ada->send_binary("\x1Crubbish");
    ASSERT_TRUE(run_until(loop, [&] { return server->delivery(kGuild, kChannel)->counts().refused == 2; }));
    EXPECT_FALSE(ada->closed());
}

}  // namespace
}  // namespace lestapenna::sandbox
