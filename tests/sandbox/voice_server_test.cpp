#include "sandbox/voice_server.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sandbox/voice_messages.h"
#include "voice_server_rig.h"

namespace lestapenna::sandbox {
namespace {

using namespace test_voice;
using testing::ElementsAre;

/// Without end-to-end encryption: see voice_server_dave_test.cpp.
struct VoiceServerTest : VoiceServerRig {
    void start(VoiceServerOptions options = {}) {
        options.delivery.enabled = false;
        VoiceServerRig::start(std::move(options));
    }
};

TEST_F(VoiceServerTest, SaysHelloAtOnceAndIsReadyOnIdentify) {
    start();
    admit(kAda);
    const auto ada = connect();
    ASSERT_TRUE(waits(*ada, 8));
    EXPECT_EQ(ada->got().front(), (json{{"op", 8}, {"d", {{"v", 8}, {"heartbeat_interval", 13'750}}}}));
    ada->send(identify(kAda));
    ASSERT_TRUE(waits(*ada, 2));
    const json ready = ada->got(2).front();
    EXPECT_FALSE(ready.contains("seq"));
    EXPECT_EQ(ready["d"]["ip"], "127.0.0.1");
    EXPECT_GT(ready["d"]["port"], 0);
    EXPECT_EQ(ready["d"]["ssrc"], *server->ssrc(kGuild, kAda));
    EXPECT_EQ(ready["d"]["modes"], json::parse(R"(["aead_aes256_gcm_rtpsize","aead_xchacha20_poly1305_rtpsize"])"));
    EXPECT_EQ(ready["d"]["experiments"], json::array());
    ada->send(select("aead_xchacha20_poly1305_rtpsize"));
    ASSERT_TRUE(waits(*ada, 4));
    const json description = ada->got(4).front();
    EXPECT_EQ(description["seq"], 1);
    EXPECT_EQ(description["d"]["mode"], "aead_xchacha20_poly1305_rtpsize");
    EXPECT_EQ(description["d"]["secret_key"].size(), 32U);
    EXPECT_EQ(description["d"]["dave_protocol_version"], 0);
    EXPECT_EQ(server->traffic(kAda).identifies, 1U);
}

TEST_F(VoiceServerTest, RefusesByTheRightCode) {
    start({.modes = {discord::TransportMode::xchacha20_poly1305}});
    admit(kAda);
    const json known = identify(kAda);
    json wrong_token = known, wrong_session = known, wrong_user = known, number = known;
    wrong_token["d"]["token"] = "guessed";
    wrong_session["d"]["session_id"] = "old";
    wrong_user["d"]["user_id"] = kBob.text();
    number["d"]["server_id"] = json::array();
    json video = select("aead_xchacha20_poly1305_rtpsize");
    video["d"]["protocol"] = "webrtc";
    struct Case {
        const char* what;
        std::vector<std::string> says;
        int code;
    };
    const std::vector<Case> cases{
        {"token", {wrong_token.dump()}, 4004},
        {"user", {wrong_user.dump()}, 4004},
        {"session", {wrong_session.dump()}, 4006},
        {"twice", {known.dump(), known.dump()}, 4005},
        {"resume of nothing", {resume(kBob, 3).dump()}, 4006},
        {"select first", {select().dump()}, 4003},
        {"speaking first", {speaking(1).dump()}, 4003},
        {"no json", {"{"}, 4002},
        {"no op", {"{}"}, 4002},
        {"op of the wrong type", {R"({"op":"0"})"}, 4002},
        {"no data", {R"({"op":0})"}, 4002},
        {"data of the wrong type", {R"({"op":0,"d":7})"}, 4002},
        {"ids of the wrong type", {number.dump()}, 4002},
        {"speaking without", {known.dump(), R"({"op":5,"d":{}})"}, 4002},
        {"ready for nothing", {known.dump(), R"({"op":23,"d":{}})"}, 4002},
        {"invalid nothing", {known.dump(), R"({"op":31,"d":{"transition_id":65536}})"}, 4002},
        {"ready first", {R"({"op":23,"d":{"transition_id":1}})"}, 4003},
        {"deep", {std::string(5'000, '[')}, 4002},
        {"huge", {std::string(100'000, ' ') + "{}"}, 4002},
        {"unknown op", {R"({"op":99,"d":{}})"}, 4001},
        {"huge op", {R"({"op":99999999999999999999})"}, 4002},
        {"mode not offered", {known.dump(), select().dump()}, 4016},
        {"mode unknown", {known.dump(), select("xsalsa20").dump()}, 4016},
        {"protocol", {known.dump(), video.dump()}, 4012},
    };
    for (const Case& one : cases) {
        SCOPED_TRACE(one.what);
        const auto peer = connect();
        for (const std::string& text : one.says) peer->send_text(text);
        EXPECT_TRUE(closes(*peer, one.code)) << peer->closed().value_or(1);
    }
    EXPECT_TRUE(closes(*connect("/"), 4012));
    EXPECT_TRUE(closes(*connect("/?v=4&x=v=8"), 4012));
    EXPECT_EQ(server->traffic(kAda).bad_tokens, 1U);
    const auto good = connect("/?encoding=json&v=8");
    good->send(known);
    EXPECT_TRUE(waits(*good, 2)) << "the ticket is still good";
}

TEST_F(VoiceServerTest, TellsWhoIsThereWhoComesWhoSpeaksWhoGoes) {
    start();
    const auto ada = join_and_select(kAda);
    ada->send(speaking(1));
    ada->send({{"op", 3}, {"d", {{"t", 5}, {"seq_ack", 1}}}});
    ASSERT_TRUE(waits(*ada, 6));
    const auto bob = join(kBob);
    ASSERT_TRUE(waits(*ada, 11) && waits(*bob, 11));
    EXPECT_EQ(ada->got(11).front()["d"]["user_ids"], json::array({kBob.text()}));
    EXPECT_EQ(bob->got(11).front()["d"]["user_ids"], json::array({kAda.text()}));
    EXPECT_THAT(bob->ops(), ElementsAre(8, 2, 11));
    bob->send(select());
    ASSERT_TRUE(waits(*bob, 5));
    EXPECT_THAT(bob->ops(), ElementsAre(8, 2, 11, 4, 5));
    EXPECT_EQ(bob->got(5).front()["d"],
              (json{{"speaking", 1}, {"delay", 0}, {"ssrc", *server->ssrc(kGuild, kAda)}, {"user_id", kAda.text()}}));
    bob->send(speaking(1));
    ASSERT_TRUE(waits(*ada, 5));
    EXPECT_EQ(ada->got(5).front()["d"]["user_id"], kBob.text());
    server->dismiss(kGuild, kBob, 4014);
    EXPECT_TRUE(closes(*bob, 4014));
    ASSERT_TRUE(waits(*ada, 13));
    EXPECT_EQ(ada->got(13).front()["d"], (json{{"user_id", kBob.text()}}));
    std::vector<int> seqs;
    for (const json& message : ada->got()) {
        if (message.contains("seq")) seqs.push_back(message["seq"]);
    }
    EXPECT_THAT(seqs, ElementsAre(1, 2, 3, 4));  // 4, 11, 5, 13
    EXPECT_EQ(server->ssrc(kGuild, kBob), std::nullopt);
}

TEST_F(VoiceServerTest, OtherChannelsHearNothingOfIt) {
    start();
    const auto ada = join_and_select(kAda);
    admit(kBob, ChannelId{5});
    const auto bob = connect();
    bob->send(identify(kBob));
    bob->send(select());
    bob->send(speaking(1));
    ASSERT_TRUE(waits(*bob, 4));
    run_for(loop, milliseconds(30));
    EXPECT_FALSE(ada->has(11) || ada->has(5) || bob->has(11));
}

TEST_F(VoiceServerTest, ResumeBringsOp9AndThenWhatWasMissed) {
    start();
    const auto ada = join_and_select(kAda);
    const auto bob = join_and_select(kBob);
    ASSERT_TRUE(waits(*ada, 11));
    const std::uint32_t ssrc = *server->ssrc(kGuild, kAda);
    const int seen = ada->last_seq();
    server->drop(kGuild, kAda);
    ASSERT_TRUE(closes(*ada, 0));
    bob->send(speaking(1));
    bob->send(speaking(0));
    bob->send({{"op", 3}, {"d", {{"t", "nonce"}, {"seq_ack", -1}}}});
    ASSERT_TRUE(waits(*bob, 6));
    EXPECT_EQ(bob->got(6).front()["d"]["t"], "nonce");

    const auto again = connect();
    again->send(resume(kAda, seen));
    ASSERT_TRUE(waits(*again, 5, 2));
    EXPECT_THAT(again->ops(), ElementsAre(8, 9, 5, 5));
    EXPECT_FALSE(again->got(9).front().contains("seq"));
    EXPECT_EQ(again->got(5).front()["seq"], seen + 1);
    EXPECT_EQ(server->ssrc(kGuild, kAda), ssrc);
    EXPECT_EQ(server->traffic(kAda).resumes, 1U);
    EXPECT_FALSE(bob->has(13)) << "a resume is nobody else's business";
    bob->send(speaking(1));
    EXPECT_TRUE(waits(*again, 5, 3));

    // A second connection takes the session over, whatever the first one thinks of it.
    const auto third = connect();
    third->send(resume(kAda, -1));
    ASSERT_TRUE(waits(*third, 5, 3));
    EXPECT_THAT(third->ops(), ElementsAre(8, 9, 4, 11, 5, 5, 5));
    EXPECT_TRUE(closes(*again, 0));
}

TEST_F(VoiceServerTest, ResumesAreRefusedWhereThereIsNothingToGoOnWith) {
    start({.resume_grace = milliseconds(80)});
    const auto bob = join_and_select(kBob);
    {
        const auto ada = join_and_select(kAda);
        ASSERT_TRUE(waits(*bob, 11));
        server->close(kGuild, kAda, 4015);
        ASSERT_TRUE(closes(*ada, 4015));
        EXPECT_EQ(server->traffic(kAda).client_closes.size(), 0U);
        const auto stranger = connect();
        stranger->send(resume(kAda, 40));  // a number that was never given
        EXPECT_TRUE(closes(*stranger, 4006));
        ASSERT_TRUE(waits(*bob, 13));
    }
    {
        const auto ada = join_and_select(kAda);
        ada->drop();
        ASSERT_TRUE(waits(*bob, 13, 2)) << "nobody came back in time";
        const auto late = connect();
        late->send(resume(kAda, 1));
        EXPECT_TRUE(closes(*late, 4006));
    }
    const auto ada = join_and_select(kAda);
    server->refuse_resumes(true);
    server->drop(kGuild, kAda);
    const auto refused = connect();
    refused->send(resume(kAda, 1));
    EXPECT_TRUE(closes(*refused, 4006));
    ASSERT_TRUE(waits(*bob, 13, 3));
    const auto again = connect();
    again->send(identify(kAda));
    EXPECT_TRUE(waits(*again, 2)) << "the ticket is as good as before";
}

TEST_F(VoiceServerTest, MediaGoesOnWhileAResumeIsAwaited) {
    start();
    const auto ada = join_and_select(kAda);
    const auto bob = join_and_select(kBob);
    const auto ada_media = media(*ada);
    const auto bob_media = media(*bob);
    ada->send(speaking(1));
    bob->send(speaking(1));
    ASSERT_TRUE(waits(*ada, 5) && waits(*bob, 5));
    ada_media->say(1, "here");
    ASSERT_TRUE(run_until(loop, [&] { return server->traffic(kAda).datagrams == 1; }));
    bob_media->say(1, "there");
    ASSERT_TRUE(run_until(loop, [&] { return ada_media->heard.size() == 1; }));
    server->drop(kGuild, kAda);
    ASSERT_TRUE(closes(*ada, 0));
    bob_media->say(2, "still");
    ada_media->say(2, "still");
    ASSERT_TRUE(run_until(loop, [&] { return ada_media->heard.size() == 2 && bob_media->heard.size() == 1; }));
    const auto to_ada = server->forwarded(kAda);
    EXPECT_EQ(to_ada.at(bob_media->ssrc).sent, 2U);
    EXPECT_EQ(server->media().kernel_drops, 0U);
}

TEST_F(VoiceServerTest, ANewTicketOrANewIdentifyEndsTheOldSession) {
    start();
    const auto bob = join_and_select(kBob);
    const auto ada = join_and_select(kAda);
    const std::uint32_t first = *server->ssrc(kGuild, kAda);
    ASSERT_TRUE(waits(*bob, 11));
    admit(kAda);
    ASSERT_TRUE(waits(*bob, 13));
    EXPECT_EQ(server->ssrc(kGuild, kAda), std::nullopt);
    ada->send({{"op", 3}, {"d", 7}});
    ada->send(speaking(1));
    ASSERT_TRUE(waits(*ada, 6)) << "its socket stays, and means nothing any more";
    EXPECT_FALSE(ada->closed());

    const auto second = connect();
    second->send(identify(kAda));
    ASSERT_TRUE(waits(*second, 2));
    EXPECT_NE(server->ssrc(kGuild, kAda), first);
    const auto third = connect();
    third->send(identify(kAda));
    ASSERT_TRUE(waits(*third, 2));
    EXPECT_TRUE(closes(*second, 4006));
    ASSERT_TRUE(waits(*bob, 11, 3));
    EXPECT_EQ(bob->got(13).size(), 2U);
    EXPECT_EQ(server->traffic(kAda).identifies, 3U);
}

TEST_F(VoiceServerTest, HeartbeatsAreAnsweredUnlessMutedAndMissed) {
    start({.heartbeat_interval = milliseconds(60)});
    const auto ada = join(kAda);
    const auto bob = join(kBob);
    ASSERT_TRUE(waits(*bob, 11));
    for (std::size_t i = 1; i <= 8; ++i) {  // longer than three intervals
        ada->send({{"op", 3}, {"d", {{"t", 1'501'184'119'561U + i}, {"seq_ack", 1}}}});
        ASSERT_TRUE(waits(*ada, 6, i));
        run_for(loop, milliseconds(30));
    }
    EXPECT_EQ(ada->got(6).back(), (json{{"op", 6}, {"d", {{"t", 1'501'184'119'569U}}}}));
    EXPECT_TRUE(closes(*bob, 4009));
    ASSERT_TRUE(waits(*ada, 13));
    server->mute_heartbeat_acks(true);
    const auto before = server->traffic(kAda).heartbeats;
    ada->send({{"op", 3}, {"d", {{"t", 1}}}});
    ASSERT_TRUE(run_until(loop, [&] { return server->traffic(kAda).heartbeats == before + 1; }));
    EXPECT_EQ(ada->got(6).size(), before);
    ada->drop();
    ASSERT_TRUE(run_until(loop, [&] { return !server->traffic(kAda).client_closes.empty(); }));
    EXPECT_THAT(server->traffic(kAda).client_closes, ElementsAre(0));
}

TEST_F(VoiceServerTest, SpeakingNewsComesLateOrNeverToWhomItShould) {
    start();
    const auto ada = join_and_select(kAda);
    const auto bob = join_and_select(kBob);
    server->speaking_news(kBob, SpeakingNews::late, milliseconds(120));
    const auto begun = std::chrono::steady_clock::now();
    ada->send(speaking(1));
    ASSERT_TRUE(waits(*bob, 5));
    EXPECT_GE(std::chrono::steady_clock::now() - begun, milliseconds(120));
    server->speaking_news(kBob, SpeakingNews::never, {});
    ada->send(speaking(0));
    bob->send(speaking(1));
    ASSERT_TRUE(waits(*ada, 5)) << "the other is told as ever";
    run_for(loop, milliseconds(30));
    EXPECT_EQ(bob->got(5).size(), 1U);
}

TEST_F(VoiceServerTest, SendsWhateverItIsToldTo) {
    start();
    const auto ada = join_and_select(kAda);
    const auto ada_media = media(*ada);
    server->send_raw(kGuild, kAda, R"({"op":77,"d":null})", false);
    ASSERT_TRUE(waits(*ada, 77));
    ada->send(speaking(1));
    ada_media->say(1, "my address");
    ASSERT_TRUE(run_until(loop, [&] { return server->traffic(kAda).datagrams == 1; }));
    server->send_datagram(kGuild, kAda, {9, 9});
    ASSERT_TRUE(run_until(loop, [&] { return !ada_media->raw.empty(); }));
    EXPECT_EQ(ada_media->raw.front(), (test_voice::Bytes{9, 9}));
    server->send_raw(kGuild, kBob, "nobody", false);
    server->send_datagram(kGuild, kBob, {1});
}

TEST_F(VoiceServerTest, TheSeedDecidesSsrcsAndKeys) {
    const auto draw = [&](std::uint64_t seed) {
        start({.seed = seed});
        const auto ada = join_and_select(kAda);
        return std::pair(ada->got(2).front()["d"]["ssrc"], ada->got(4).front()["d"]["secret_key"]);
    };
    const auto first = draw(1);
    EXPECT_EQ(draw(1), first);
    EXPECT_NE(draw(2), first);
}

TEST_F(VoiceServerTest, GoesAwayUnderItsClients) {
    start();
    const auto ada = join_and_select(kAda);
    const auto bob = join_and_select(kBob);
    server.reset();
    EXPECT_TRUE(closes(*ada, 0));
    EXPECT_TRUE(closes(*bob, 0));
}

TEST(VoiceOutbox, NumbersWrapAndTheLast256AreKept) {
    Outbox outbox;
    EXPECT_TRUE(outbox.after(-1)->empty());
    EXPECT_FALSE(outbox.after(0x1'0000).has_value());
    EXPECT_EQ(outbox.number(5, "{}").bytes, R"({"op":5,"d":{},"seq":1})");
    for (int i = 2; i <= 65'535; ++i) outbox.number(5, "{}");
    EXPECT_EQ(outbox.number(13, "null").bytes, R"({"op":13,"d":null,"seq":0})");
    outbox.number(13, "null");  // 1
    EXPECT_EQ(outbox.after(1)->size(), 0U);
    EXPECT_EQ(outbox.after(0)->size(), 1U);
    EXPECT_EQ(outbox.after(65'535)->size(), 2U);
    EXPECT_EQ(outbox.after(65'281)->size(), 256U);
    EXPECT_EQ(outbox.after(65'281)->front()->bytes, R"({"op":5,"d":{},"seq":65282})");
    EXPECT_FALSE(outbox.after(65'280).has_value());
    EXPECT_FALSE(outbox.after(2).has_value()) << "never given";
    EXPECT_FALSE(outbox.after(-1).has_value());
}

TEST(VoiceOutbox, BinaryMessagesShareTheCount) {
    Outbox outbox;
    outbox.number(5, "{}");
    const auto& binary = outbox.number_binary(27, "abc");
    EXPECT_TRUE(binary.binary);
    EXPECT_EQ(binary.bytes, std::string("\0\x02\x1B"
                                        "abc",
                                        6));
    EXPECT_EQ(outbox.number(22, "{}").bytes, R"({"op":22,"d":{},"seq":3})");
    const auto missed = outbox.after(1);
    ASSERT_EQ(missed->size(), 2U);
    EXPECT_TRUE(missed->front()->binary);
    EXPECT_FALSE(missed->back()->binary);
}

}  // namespace
}  // namespace lestapenna::sandbox
