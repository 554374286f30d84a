#include "sandbox/live_player.h"

#include <array>
#include <map>
#include <thread>
#include <tuple>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sandbox/speech.h"
#include "voice_peer.h"

namespace lestapenna::sandbox {
namespace {

using std::chrono::microseconds;
using test_voice::Bytes;
using test_voice::run_for;
using test_voice::run_until;

/// SSRC, sequence, timestamp, payload: all that must arrive as it was sent.
using Heard = std::tuple<std::uint32_t, std::uint16_t, std::uint32_t, Bytes>;

struct Ear : discord::Listener {
    void on_packet(const discord::VoicePacket& packet) noexcept override {
        heard.emplace_back(packet.header.ssrc, packet.header.seq, packet.header.timestamp,
                           Bytes(packet.payload.begin(), packet.payload.end()));
    }
    void on_event(const discord::VoiceEvent& event) noexcept override {
        if (const auto* bound = std::get_if<discord::SsrcBound>(&event)) users[bound->ssrc] = bound->user;
        if (const auto* ended = std::get_if<discord::Ended>(&event)) end = ended->reason;
    }
    [[nodiscard]] std::vector<Heard> of(std::uint32_t ssrc) const {
        std::vector<Heard> all;
        for (const Heard& one : heard) {
            if (std::get<0>(one) == ssrc) all.push_back(one);
        }
        return all;
    }
    std::vector<Heard> heard;
    std::map<std::uint32_t, UserId> users;
    std::optional<discord::EndReason> end;
};

struct Frame {
    TrueFrame frame;
    Bytes opus;
    [[nodiscard]] Heard heard() const { return {frame.ssrc, frame.seq, frame.timestamp, opus}; }
};

struct Actor {
    UserId user;
    Ear ear;
    std::vector<Frame> said;
    std::unique_ptr<LivePlayer> player;
    bool over = false;

    [[nodiscard]] std::vector<Heard> sent() const {
        std::vector<Heard> all;
        for (const Frame& one : said) {
            if (one.frame.sent_us != 0) all.push_back(one.heard());
        }
        return all;
    }
};

struct LivePlayerTest : testing::Test {
    net::Loop loop;
    std::unique_ptr<Loopback> discord;
    GuildId guild;
    ChannelId channel;
    std::array<Actor, 3> actors;

    void SetUp() override {
        auto started = Loopback::start(loop, {});
        ASSERT_TRUE(started.ok()) << started.error().message;
        discord = std::move(*started);
        guild = discord->add_guild("guild");
        channel = discord->add_voice_channel(guild, "table");
    }

    /// Talks from `from` for `length`; leaves at 2.5 s.
    Actor& cast(std::size_t index, milliseconds from, milliseconds length, bool hears = true, Sender sender = {}) {
        Actor& actor = actors[index];
        actor.user = discord->add_person("person");
        Player script{.user = actor.user, .join = {}, .leave = SamplePos(milliseconds(2'500)), .talks = {}};
        script.talks.push_back({SamplePos(from), buzz(voice_of(index), table_lines()[index])});
        script.talks.back().pcm.resize(static_cast<std::size_t>(Samples(length).count()), 0.01F);
        LivePlayerOptions options;
        options.sender = sender;
        options.hears = hears;
        options.early = seconds(2);
        options.listener = &actor.ear;
        options.on_frame = [&actor](const TrueFrame& frame) {
            actor.said.push_back({frame, Bytes(frame.opus.begin(), frame.opus.end())});
        };
        actor.player = std::make_unique<LivePlayer>(loop, *discord, guild, channel, script, std::move(options));
        return actor;
    }
    BootTime begin() {
        const BootTime zero = BootClock::now() + milliseconds(2'100);
        for (Actor& actor : actors) {
            if (actor.player) net::spawn(loop, act(actor, zero));
        }
        return zero;
    }
    static net::Task<> act(Actor& actor, BootTime zero) {
        co_await actor.player->play(zero);
        actor.over = true;
    }
    bool all_over() {
        return run_until(
            loop,
            [&] { return std::ranges::all_of(actors, [](const Actor& actor) { return !actor.player || actor.over; }); },
            seconds(20));
    }
};

TEST_F(LivePlayerTest, ThreeHearEachOtherBitForBit) {
    cast(0, milliseconds(300), milliseconds(900));
    cast(1, milliseconds(700), milliseconds(900), true, {.frame = Samples(milliseconds(60)), .skew_ppm = 200});
    cast(2, milliseconds(900), milliseconds(700), true, {.frozen_rtp_clock = true});
    begin();
    ASSERT_TRUE(all_over());
    for (const Actor& speaker : actors) {
        ASSERT_FALSE(speaker.said.empty());
        const auto sent = speaker.sent();
        EXPECT_EQ(sent.size(), speaker.said.size()) << "each frame found a connection";
        const std::uint32_t ssrc = std::get<0>(sent.front());
        for (const Actor& listener : actors) {
            if (&listener == &speaker) continue;
            EXPECT_EQ(listener.ear.of(ssrc), sent);
            EXPECT_EQ(listener.ear.users.at(ssrc), speaker.user);
            const auto account = discord->voice_server(channel).forwarded(listener.user).at(ssrc);
            EXPECT_EQ(account.sent, sent.size());
            EXPECT_EQ(account.arrived, sent.size());
        }
        EXPECT_EQ(speaker.ear.end, discord::EndReason::left);
        EXPECT_EQ(discord->voice_state(guild, speaker.user), std::nullopt);
    }
}

TEST_F(LivePlayerTest, FramesAreDueOnTheGridAndSentNotBefore) {
    Actor& ada = cast(0, milliseconds(100), milliseconds(600), false);
    cast(1, milliseconds(1'500), milliseconds(20), false);  // alone nobody is in a group
    const BootTime zero = begin();
    const auto unix_zero = std::chrono::system_clock::now().time_since_epoch() + (zero - BootClock::now());
    ASSERT_TRUE(run_until(
        loop, [&] { return ada.said.size() >= 5; }, seconds(20)));
    std::this_thread::sleep_for(milliseconds(210));  // the loop is held up: what is due meanwhile leaves late
    ASSERT_TRUE(all_over());
    ASSERT_EQ(ada.said.size(), 35U);
    EXPECT_NEAR(static_cast<double>(ada.said.front().frame.due_us),
                static_cast<double>(std::chrono::duration_cast<microseconds>(unix_zero).count() + 100'000), 20'000.0);
    int late = 0;
    for (std::size_t i = 0; i < ada.said.size(); ++i) {
        const TrueFrame& frame = ada.said[i].frame;
        EXPECT_EQ(frame.due_us, ada.said.front().frame.due_us + 20'000 * static_cast<std::int64_t>(i));
        EXPECT_EQ(frame.timestamp, ada.said.front().frame.timestamp + 960 * i);
        EXPECT_GE(frame.sent_us, frame.due_us - 1'000);
        EXPECT_EQ(frame.silence, i >= 30);
        late += frame.sent_us - frame.due_us > 15'000 ? 1 : 0;
    }
    EXPECT_GE(late, 8);
    EXPECT_TRUE(ada.ear.heard.empty());
}

TEST_F(LivePlayerTest, WhoIsAloneInAnEncryptedChannelSaysNothing) {
    Actor& ada = cast(0, milliseconds(100), milliseconds(200));
    begin();
    ASSERT_TRUE(all_over());
    EXPECT_EQ(ada.said.size(), 15U);
    for (const Frame& one : ada.said) EXPECT_TRUE(one.frame.silence || one.frame.sent_us == 0);
    EXPECT_EQ(ada.player->voice().counts().closed, (std::array<std::uint64_t, 6>{}));
}

TEST_F(LivePlayerTest, GoesOnOverAResume) {
    Actor& ada = cast(0, milliseconds(100), milliseconds(1'500));
    Actor& bob = cast(1, milliseconds(2'200), milliseconds(100));
    begin();
    ASSERT_TRUE(run_until(
        loop, [&] { return ada.said.size() >= 10; }, seconds(20)));
    discord->voice_server(channel).drop(guild, ada.user);
    ASSERT_TRUE(all_over());
    EXPECT_EQ(discord->voice_server(channel).traffic(ada.user).resumes, 1U);
    const auto sent = ada.sent();
    EXPECT_EQ(sent.size(), ada.said.size()) << "media goes on meanwhile";
    EXPECT_EQ(bob.ear.of(std::get<0>(sent.front())), sent);
}

TEST_F(LivePlayerTest, HasANewSsrcAfterARejoinAndSaysWhatWasNotSent) {
    Actor& ada = cast(0, milliseconds(100), milliseconds(2'200));
    Actor& bob = cast(1, milliseconds(2'200), milliseconds(100));
    begin();
    ASSERT_TRUE(run_until(
        loop, [&] { return ada.said.size() >= 10; }, seconds(20)));
    VoiceServer& server = discord->voice_server(channel);
    const std::uint32_t first = *server.ssrc(guild, ada.user);
    const auto unsent = [&] {
        return std::ranges::count_if(ada.said, [](const Frame& one) { return one.frame.sent_us == 0; });
    };
    server.mute_discovery(true);  // so that rejoining takes longer than a frame: it asks again after a second
    server.close(guild, ada.user, 4006);
    ASSERT_TRUE(run_until(
        loop, [&] { return unsent() >= 3; }, seconds(20)));
    server.mute_discovery(false);
    ASSERT_TRUE(run_until(
        loop, [&] { return server.ssrc(guild, ada.user).value_or(first) != first; }, seconds(20)));
    const std::uint32_t second = *server.ssrc(guild, ada.user);
    ASSERT_TRUE(all_over());
    std::map<std::uint32_t, std::vector<Heard>> sent;
    for (const Heard& one : ada.sent()) sent[std::get<0>(one)].push_back(one);
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_EQ(bob.ear.of(first), sent.at(first));
    EXPECT_EQ(bob.ear.of(second), sent.at(second));
    EXPECT_EQ(bob.ear.users.at(second), ada.user) << "it says again that it speaks";
    EXPECT_EQ(ada.said.size(), sent.at(first).size() + sent.at(second).size() + static_cast<std::size_t>(unsent()));
}

TEST_F(LivePlayerTest, AKickAStopAndTheEndOfThePlayerEndThePlay) {
    Actor& kicked = cast(0, milliseconds(100), milliseconds(2'000));
    Actor& stopped = cast(1, milliseconds(100), milliseconds(2'000));
    Actor& gone = cast(2, milliseconds(100), milliseconds(2'000));
    begin();
    ASSERT_TRUE(run_until(
        loop, [&] { return !kicked.said.empty() && !stopped.said.empty() && !gone.said.empty(); }, seconds(20)));
    discord->kick_from_voice(guild, kicked.user);
    stopped.player->stop();
    ASSERT_TRUE(run_until(loop, [&] { return kicked.over && stopped.over; }));
    EXPECT_EQ(kicked.ear.end, discord::EndReason::removed);
    EXPECT_EQ(stopped.ear.end, discord::EndReason::left);
    net::spawn(loop, [](Actor& actor) -> net::Task<> {  // from the loop, in the middle of its play
        actor.player.reset();
        co_return;
    }(gone));
    ASSERT_TRUE(run_until(loop, [&] { return gone.over; }));
    for (const Actor& actor : actors) {
        EXPECT_LT(actor.said.size(), 105U);
        EXPECT_TRUE(run_until(loop, [&] { return !discord->voice_state(guild, actor.user); }));
    }
    const std::size_t before = gone.said.size();
    run_for(loop, milliseconds(60));
    EXPECT_EQ(gone.said.size(), before);
}

}  // namespace
}  // namespace lestapenna::sandbox
