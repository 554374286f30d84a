#include "sandbox/forwarder.h"

#include <algorithm>
#include <array>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voice_peer.h"

namespace lestapenna::sandbox {
namespace {

using test_voice::Bytes;
using test_voice::MediaPeer;
using test_voice::run_for;
using test_voice::run_until;
using testing::ElementsAre;
using enum discord::TransportMode;

constexpr Room kRoom{GuildId{1}, ChannelId{10}};
constexpr std::uint16_t kHello = 65'000;
constexpr UserId kAda{100}, kBob{101}, kCid{102};

struct ForwarderTest : testing::Test {
    net::Loop loop;
    std::unique_ptr<Forwarder> forwarder;
    std::vector<std::unique_ptr<MediaPeer>> peers;

    void start(ForwarderOptions options = {}) { forwarder = std::move(*Forwarder::start(loop, options)); }

    /// A member that is announced, has its key, and is known by its address.
    MediaPeer& join(UserId user, std::uint32_t ssrc, bool deaf = false, discord::TransportMode mode = aes256_gcm,
                    Room room = kRoom) {
        forwarder->add(ssrc, room, user, deaf);
        MediaPeer& peer = *peers.emplace_back(std::make_unique<MediaPeer>(loop, forwarder->port(), ssrc));
        std::array<std::uint8_t, 32> key{};
        key.fill(static_cast<std::uint8_t>(ssrc));
        peer.set_key(mode, key);
        forwarder->describe(ssrc, mode, key);
        forwarder->announce(ssrc);
        peer.say(kHello, "hello");  // shows that it has the key
        EXPECT_TRUE(run_until(loop, [&] { return forwarder->uplink(user).datagrams == 1; }));
        return peer;
    }
    bool heard(const MediaPeer& peer, std::size_t count) {
        return run_until(loop, [&] { return peer.heard.size() >= count; });
    }
    Forwarded account(UserId to, std::uint32_t from) const {
        const auto all = forwarder->forwarded(to);
        const auto found = all.find(from);
        return found == all.end() ? Forwarded{} : found->second;
    }
};

TEST_F(ForwarderTest, SealsForEachReceiverWhatEachSenderSealed) {
    start();
    MediaPeer& ada = join(kAda, 7);
    MediaPeer& bob = join(kBob, 8, false, xchacha20_poly1305);
    MediaPeer& cid = join(kCid, 9);
    const std::string payload("\xFC\x00\x80\xFF", 4);
    Bytes datagram = ada.sealed(65'535, payload, true);
    ASSERT_TRUE(ada.socket.send(datagram));
    ASSERT_TRUE(heard(bob, 2) && heard(cid, 1));
    for (const MediaPeer* peer : {&bob, &cid}) {
        const auto& packet = peer->heard.back();
        EXPECT_EQ(packet.clear, Bytes(datagram.begin(), datagram.begin() + 12));
        EXPECT_EQ(packet.payload, Bytes(payload.begin(), payload.end()));
        EXPECT_TRUE(packet.parsed.header.marker);
        EXPECT_EQ(peer->not_opened, 0);
    }
    bob.say(1, "from bob");
    ASSERT_TRUE(heard(ada, 3) && heard(cid, 2));  // ada also has the others' hellos
    EXPECT_THAT(bob.seqs(), ElementsAre(kHello, 65'535)) << "nobody hears himself";
}

TEST_F(ForwarderTest, HearsWhoIsInTheRoomNotDeafAndHasTheKey) {
    start();
    MediaPeer& ada = join(kAda, 7);
    MediaPeer& deaf = join(kBob, 8, true);
    MediaPeer& elsewhere = join(kCid, 9, false, aes256_gcm, {GuildId{1}, ChannelId{11}});
    MediaPeer& hears = join(UserId{103}, 10);
    ada.say(1, "one");
    ASSERT_TRUE(heard(hears, 1));
    forwarder->set_deaf(8, false);
    forwarder->set_deaf(10, true);
    ada.say(2, "two");
    ASSERT_TRUE(heard(deaf, 1));
    forwarder->remove(8);
    ada.say(3, "three");
    ASSERT_TRUE(run_until(loop, [&] { return forwarder->uplink(kAda).datagrams == 4; }));
    EXPECT_THAT(deaf.seqs(), ElementsAre(2));
    EXPECT_THAT(hears.seqs(), ElementsAre(1));
    EXPECT_TRUE(elsewhere.heard.empty());
    EXPECT_EQ(account(kBob, 7).arrived, 1U);
    EXPECT_EQ(account(UserId{103}, 7).sent, 1U);
    EXPECT_EQ(forwarder->forwarded(kCid).size(), 0U);
}

TEST_F(ForwarderTest, WhoMayNotSpeakIsCountedAndNotHeard) {
    start();
    MediaPeer& ada = join(kAda, 7);
    MediaPeer& bob = join(kBob, 8);
    forwarder->set_silent(7, true);
    ada.say(1, "one");
    ASSERT_TRUE(run_until(loop, [&] { return forwarder->uplink(kAda).datagrams == 2; }));
    bob.say(1, "who is silent hears");
    ASSERT_TRUE(heard(ada, 2));  // and bob's hello
    forwarder->set_silent(7, false);
    ada.say(2, "two");
    ASSERT_TRUE(heard(bob, 1));
    EXPECT_THAT(bob.seqs(), ElementsAre(2));
    EXPECT_EQ(account(kBob, 7).arrived, 1U);
}

TEST_F(ForwarderTest, AMemberHearsOnceItHasShownItsKeyOrAfterAWhile) {
    start();
    MediaPeer& ada = join(kAda, 7);
    forwarder->add(8, kRoom, kBob, false);
    MediaPeer bob(loop, forwarder->port(), 8);
    const std::array<std::uint8_t, 32> key{};
    bob.set_key(aes256_gcm, key);
    forwarder->describe(8, aes256_gcm, key);
    bob.discover();
    ASSERT_TRUE(run_until(loop, [&] { return bob.raw.size() == 1; }));
    ada.say(1, "too early");
    ASSERT_TRUE(run_until(loop, [&] { return forwarder->uplink(kAda).datagrams == 2; }));
    EXPECT_EQ(account(kBob, 7).arrived, 0U) << "not yet its to hear";
    std::uint16_t seq = 2;
    ASSERT_TRUE(run_until(loop, [&] {
        ada.say(seq++, "tick");
        return !bob.heard.empty();
    }));
    EXPECT_GT(bob.heard.front().parsed.header.seq, 1);
    EXPECT_EQ(bob.not_opened, 0);
}

TEST_F(ForwarderTest, DiscoveryTellsTheAddressAndLearnsIt) {
    start();
    MediaPeer& ada = join(kAda, 7);
    forwarder->add(0xA1B2, kRoom, kBob, false);
    MediaPeer bob(loop, forwarder->port(), 0xA1B2);
    forwarder->mute_discovery(true);
    bob.discover();
    ASSERT_TRUE(run_until(loop, [&] { return forwarder->socket().discoveries == 1; }));
    forwarder->mute_discovery(false);
    bob.discover();
    ASSERT_TRUE(run_until(loop, [&] { return !bob.raw.empty(); }));
    const std::uint16_t port = bob.socket.local().port;
    Bytes expected(74);  // discord-voice.md section 5
    const std::string head(
        "\x00\x02\x00\x46\x00\x00\xA1\xB2"
        "127.0.0.1",
        17);
    std::copy(head.begin(), head.end(), expected.begin());
    expected[72] = static_cast<std::uint8_t>(port >> 8);
    expected[73] = static_cast<std::uint8_t>(port);
    EXPECT_EQ(bob.raw, std::vector<Bytes>{expected});
    bob.ssrc = 0xDEAD;
    bob.discover();
    ASSERT_TRUE(run_until(loop, [&] { return forwarder->socket().unknown_ssrc == 1; }));
    (void)ada;
}

TEST_F(ForwarderTest, ForgedReplayedAndForeignDatagramsGoNowhere) {
    start();
    MediaPeer& ada = join(kAda, 7);
    MediaPeer& bob = join(kBob, 8);
    const Bytes whole = ada.sealed(1, "a payload of some length");
    std::uint64_t sent = forwarder->socket().received;
    const auto send = [&](const Bytes& bytes) { sent += ada.socket.send(bytes) ? 1U : 0U; };
    for (std::size_t size = 1; size < whole.size(); ++size)
        send(Bytes(whole.begin(), whole.begin() + static_cast<long>(size)));
    for (std::size_t at = 0; at < whole.size(); ++at) {
        Bytes flipped = whole;
        flipped[at] ^= 1;
        send(flipped);
    }
    send(Bytes(2'000, 0xFF));
    send(Bytes(9'000, 0x80));
    Bytes foreign = bob.sealed(9, "sealed by bob, said to be ada's");
    foreign[11] = 7;
    send(foreign);
    send({0x13, 0x37, 0xCA, 0xFE, 0, 0, 0, 5});
    ASSERT_TRUE(run_until(loop, [&] { return forwarder->socket().received == sent; }));
    EXPECT_TRUE(bob.heard.empty());
    EXPECT_EQ(forwarder->uplink(kAda).datagrams, 1U);
    EXPECT_GT(forwarder->uplink(kAda).forged, 60U);
    EXPECT_GE(forwarder->socket().unknown_ssrc, 4U * 1U);
    EXPECT_GT(forwarder->socket().not_voice, 10U);
    EXPECT_EQ(forwarder->socket().keep_alives, 2U);  // one of the truncated ones has 8 bytes

    for (int i = 0; i < 3; ++i) send(whole);
    ASSERT_TRUE(heard(bob, 1));
    ASSERT_TRUE(run_until(loop, [&] { return forwarder->uplink(kAda).replayed == 2; }));
    EXPECT_EQ(bob.heard.size(), 1U);
    EXPECT_EQ(account(kBob, 7).arrived, 1U);
}

TEST_F(ForwarderTest, AForgedDatagramDoesNotMoveAnAddress) {
    start();
    MediaPeer& ada = join(kAda, 7);
    MediaPeer& bob = join(kBob, 8);
    MediaPeer thief(loop, forwarder->port(), 8);
    thief.set_key(aes256_gcm, {});
    thief.say(5, "I am bob");
    ASSERT_TRUE(run_until(loop, [&] { return forwarder->uplink(kBob).forged == 1; }));
    ada.say(1, "for bob");
    ASSERT_TRUE(heard(bob, 1));
    EXPECT_TRUE(thief.raw.empty());
}

TEST_F(ForwarderTest, FirstPacketsWaitForTheAnnouncement) {
    start();
    MediaPeer& bob = join(kBob, 8);
    forwarder->add(7, kRoom, kAda, false);
    MediaPeer ada(loop, forwarder->port(), 7);
    const std::array<std::uint8_t, 32> key{};
    ada.set_key(aes256_gcm, key);
    forwarder->describe(7, aes256_gcm, key);
    for (std::uint16_t seq = 1; seq <= 15; ++seq) ada.say(seq, "held");
    ASSERT_TRUE(run_until(loop, [&] { return forwarder->uplink(kAda).datagrams == 15; }));
    EXPECT_TRUE(bob.heard.empty());
    forwarder->announce(7);
    ada.say(16, "at once");
    ASSERT_TRUE(heard(bob, 16));
    for (std::size_t i = 0; i < 16; ++i) EXPECT_EQ(bob.seqs()[i], i + 1);
}

TEST_F(ForwarderTest, SixteenHeldPacketsOrHalfASecondAreEnough) {
    start();
    MediaPeer& bob = join(kBob, 8);
    forwarder->add(7, kRoom, kAda, false);
    MediaPeer ada(loop, forwarder->port(), 7);
    const std::array<std::uint8_t, 32> key{};
    ada.set_key(aes256_gcm, key);
    forwarder->describe(7, aes256_gcm, key);
    const auto begun = std::chrono::steady_clock::now();
    ada.say(1, "alone");
    ASSERT_TRUE(heard(bob, 1));
    EXPECT_GE(std::chrono::steady_clock::now() - begun, milliseconds(490));
    for (std::uint16_t seq = 2; seq <= 17; ++seq) ada.say(seq, "many");
    ASSERT_TRUE(heard(bob, 17));
    EXPECT_EQ(account(kBob, 7).sent, 17U);
}

/// What `count` packets from 7 to bob meet on a line; sequences wrap on the way.
struct Passage {
    std::vector<std::uint16_t> heard;
    Forwarded account;
};
struct ForwarderLine : ForwarderTest {
    Passage pass(const Forwarding& line, int count, std::uint64_t seed = 4) {
        peers.clear();
        start({.seed = seed});
        MediaPeer& bob = join(kBob, 8);
        MediaPeer& ada = join(kAda, 7);
        EXPECT_TRUE(heard(bob, 1));
        bob.heard.clear();
        const Forwarded before = account(kBob, 7);  // ada's hello
        EXPECT_EQ(before.sent, 1U);
        forwarder->set_forwarding(kBob, line);
        for (int i = 0; i < count; ++i) {
            ada.say(static_cast<std::uint16_t>(65'500 + i), "packet");
            if (i % 64 == 0)
                run_until(loop, [&] { return forwarder->uplink(kAda).datagrams == static_cast<std::uint64_t>(i) + 2; });
        }
        EXPECT_TRUE(run_until(loop, [&] {
            const Forwarded now = account(kBob, 7);
            return now.arrived == static_cast<std::uint64_t>(count) + 1 &&
                   now.arrived == now.sent + now.dropped + now.send_failed &&
                   bob.heard.size() >= now.sent + now.duplicated - 1;
        }));
        run_for(loop, milliseconds(60));  // copies come up to 30 ms later
        return {bob.seqs(), account(kBob, 7)};
    }
};

TEST_F(ForwarderLine, LosesBySeedAndKeepsExactAccount) {
    const Passage passage = pass({.loss = 0.25}, 400);
    EXPECT_EQ(passage.account.sent - 1, passage.heard.size());
    EXPECT_EQ(passage.account.dropped, passage.account.lost_seqs.size());
    EXPECT_NEAR(static_cast<double>(passage.account.dropped), 100, 35);
    std::set<std::uint16_t> all(passage.heard.begin(), passage.heard.end());
    for (const std::int64_t lost : passage.account.lost_seqs) {
        EXPECT_TRUE(all.insert(static_cast<std::uint16_t>(lost)).second) << lost << " was heard";
    }
    EXPECT_EQ(all.size(), 400U);
    EXPECT_TRUE(std::ranges::is_sorted(passage.account.lost_seqs)) << "they do not wrap";

    EXPECT_EQ(pass({.loss = 0.25}, 400).account.lost_seqs, passage.account.lost_seqs) << "the seed decides";
    EXPECT_NE(pass({.loss = 0.25}, 400, 5).account.lost_seqs, passage.account.lost_seqs);
}

TEST_F(ForwarderLine, DelaysAndKeepsTheOrderOfASender) {
    const auto begun = std::chrono::steady_clock::now();
    const Passage passage = pass({.delay = milliseconds(40), .jitter = milliseconds(30)}, 200);
    EXPECT_GE(std::chrono::steady_clock::now() - begun, milliseconds(40));
    ASSERT_EQ(passage.heard.size(), 200U);
    for (std::size_t i = 0; i < 200; ++i) EXPECT_EQ(passage.heard[i], static_cast<std::uint16_t>(65'500 + i));
    EXPECT_EQ(passage.account.base_seq, kHello);
    EXPECT_EQ(passage.account.first_seq, kHello);
    EXPECT_EQ(passage.account.last_seq, 65'500 + 199) << "not wrapped";
}

TEST_F(ForwarderLine, ReordersAndDuplicates) {
    const Passage passage = pass({.duplicate = 0.2, .reorder = 0.2}, 300);
    EXPECT_EQ(passage.account.sent, 301U);
    EXPECT_EQ(passage.heard.size(), 300 + passage.account.duplicated);
    EXPECT_NEAR(static_cast<double>(passage.account.duplicated), 60, 30);
    std::vector<std::uint16_t> first;
    for (const std::uint16_t seq : passage.heard) {
        if (std::ranges::find(first, seq) == first.end()) first.push_back(seq);
    }
    int swapped = 0;
    for (std::size_t i = 0; i < first.size(); ++i) {
        const auto place = static_cast<std::uint16_t>(first[i] - 65'500);
        swapped += place + 1U == i ? 1 : 0;  // it came one place late, behind its follower
        EXPECT_LE(place, i + 1) << "nobody overtakes but the next one";
    }
    EXPECT_NEAR(swapped, 50, 30);
}

TEST_F(ForwarderLine, ExtrasAreOnlyAround) {
    const Passage passage = pass({.extras = true}, 1);
    ASSERT_EQ(passage.heard.size(), 1U);
    const auto& packet = peers.front()->heard.front();
    EXPECT_EQ(packet.payload, (Bytes{'p', 'a', 'c', 'k', 'e', 't'}));
    ASSERT_EQ(packet.clear.size(), 20U);
    EXPECT_EQ(packet.clear[0], 0xB1);
    EXPECT_EQ(packet.clear[16], 0xBE);
    EXPECT_EQ(packet.parsed.header.ssrc, 7U);
}

TEST_F(ForwarderLine, WhatIsDelayedForWhoHasLeftIsCounted) {
    start();
    join(kBob, 8);
    MediaPeer& ada = join(kAda, 7);
    forwarder->set_forwarding({}, {.delay = milliseconds(50)});
    for (std::uint16_t seq = 1; seq <= 5; ++seq) ada.say(seq, "late");
    ASSERT_TRUE(run_until(loop, [&] { return account(kBob, 7).arrived == 6; }));
    forwarder->remove(8);
    ASSERT_TRUE(run_until(loop, [&] { return account(kBob, 7).send_failed == 5; }));
    EXPECT_EQ(account(kBob, 7).lost_seqs.size(), 5U);
}

TEST_F(ForwarderLine, MutedReceiversAndForeignDatagrams) {
    start();
    MediaPeer& bob = join(kBob, 8);
    MediaPeer& ada = join(kAda, 7);
    ASSERT_TRUE(heard(bob, 1));
    forwarder->mute(8, true);
    ada.say(1, "nobody hears");
    ASSERT_TRUE(run_until(loop, [&] { return account(kBob, 7).dropped == 1; }));
    EXPECT_TRUE(forwarder->send_datagram(8, Bytes{1, 2, 3}));
    const Bytes rtcp{0x80, 201, 0, 1, 0, 0, 0, 7};
    EXPECT_TRUE(forwarder->send_sealed(8, rtcp, Bytes{1, 2, 3, 4}));
    const std::size_t before = bob.raw.size();
    ASSERT_TRUE(run_until(loop, [&] { return bob.raw.size() == before + 2 || bob.raw.size() == 3; }));
    EXPECT_EQ(bob.raw[bob.raw.size() - 2], (Bytes{1, 2, 3}));
    EXPECT_EQ(bob.raw.back().size(), 8U + 4 + discord::kTransportOverhead);
    EXPECT_EQ(bob.heard.size(), 1U);
    EXPECT_FALSE(forwarder->send_datagram(99, Bytes{1}));
}

}  // namespace
}  // namespace lestapenna::sandbox
