// A voice server on a loop of the test's own, and clients as bare as can be (voice_peer.h) that come to it.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "net/tls.h"
#include "sandbox/voice_server.h"
#include "voice_peer.h"

namespace lestapenna::sandbox::test_voice {

inline constexpr GuildId kGuild{1'090'000'000'000'000'001};
inline constexpr ChannelId kChannel{1'090'000'000'000'000'002};
inline constexpr UserId kAda{1'090'000'000'000'000'100}, kBob{1'090'000'000'000'000'101};

inline const net::Certificate& certificate() {
    static const net::Certificate made = *net::make_self_signed({"127.0.0.1", "localhost"});
    return made;
}

struct VoiceServerRig : testing::Test {
    net::Loop loop;
    std::unique_ptr<VoiceServer> server;

    void start(VoiceServerOptions options = {}) {
        if (options.modes.empty()) {
            options.modes = {discord::TransportMode::aes256_gcm, discord::TransportMode::xchacha20_poly1305};
        }
        auto started = VoiceServer::start(loop, certificate(), std::move(options));
        ASSERT_TRUE(started.ok()) << started.error().message;
        server = std::move(*started);
    }
    void admit(UserId user, ChannelId channel = kChannel) {
        server->admit({kGuild, channel, user, "session-" + user.text(), "token-" + user.text(), false});
    }
    std::unique_ptr<GatewayPeer> connect(const std::string& target = "/?v=8") {
        return std::make_unique<GatewayPeer>(loop, server->endpoint(), certificate().certificate_pem, target);
    }
    static json identify(UserId user) {
        return {{"op", 0},
                {"d",
                 {{"server_id", kGuild.text()},
                  {"user_id", user.text()},
                  {"session_id", "session-" + user.text()},
                  {"token", "token-" + user.text()},
                  {"max_dave_protocol_version", 1}}}};
    }
    static json resume(UserId user, int seq_ack) {
        return {{"op", 7},
                {"d",
                 {{"server_id", kGuild.text()},
                  {"session_id", "session-" + user.text()},
                  {"token", "token-" + user.text()},
                  {"seq_ack", seq_ack}}}};
    }
    static json select(const std::string& mode = "aead_aes256_gcm_rtpsize") {
        return {{"op", 1},
                {"d", {{"protocol", "udp"}, {"data", {{"address", "127.0.0.1"}, {"port", 1}, {"mode", mode}}}}}};
    }
    static json speaking(int flags) { return {{"op", 5}, {"d", {{"speaking", flags}, {"delay", 0}, {"ssrc", 1}}}}; }
    bool waits(const GatewayPeer& peer, int op, std::size_t times = 1) {
        return run_until(loop, [&] { return peer.has(op, times); });
    }
    bool closes(const GatewayPeer& peer, int code) {
        return run_until(loop, [&] { return peer.closed().has_value(); }) && peer.closed() == code;
    }
    /// Up to op 2.
    std::unique_ptr<GatewayPeer> join(UserId user) {
        admit(user);
        auto peer = connect();
        peer->send(identify(user));
        EXPECT_TRUE(waits(*peer, 2));
        return peer;
    }
    /// Up to op 4.
    std::unique_ptr<GatewayPeer> join_and_select(UserId user) {
        auto peer = join(user);
        peer->send(select());
        EXPECT_TRUE(waits(*peer, 4));
        return peer;
    }
    /// The media side of a member that has got op 4.
    std::unique_ptr<MediaPeer> media(const GatewayPeer& peer) {
        const json ready = peer.got(2).back()["d"];
        const json description = peer.got(4).back()["d"];
        auto made =
            std::make_unique<MediaPeer>(loop, ready["port"].get<std::uint16_t>(), ready["ssrc"].get<std::uint32_t>());
        std::array<std::uint8_t, 32> key{};
        std::ranges::copy(description["secret_key"].get<std::vector<std::uint8_t>>(), key.begin());
        made->set_key(*discord::parse_transport_mode(description["mode"].get<std::string>()), key);
        return made;
    }
};

}  // namespace lestapenna::sandbox::test_voice
