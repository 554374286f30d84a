// Clients as bare as can be, for tests of the voice server: every message and datagram as it came, nothing by itself.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "discord/transport.h"
#include "discord/udp.h"
#include "net/loop.h"
#include "net/websocket.h"
#include "rtp/packet.h"

namespace lestapenna::sandbox::test_voice {

using Bytes = std::vector<std::uint8_t>;
using nlohmann::json;

/// Runs the loop until `holds`, at most `most`.
template <class Holds>
bool run_until(net::Loop& loop, const Holds& holds, seconds most = seconds(5)) {
    const auto deadline = std::chrono::steady_clock::now() + most;
    while (!holds() && std::chrono::steady_clock::now() < deadline) {
        loop.restart();
        loop.run_one_for(milliseconds(20));
    }
    return holds();
}
/// For what must not happen: runs the loop for a while.
inline void run_for(net::Loop& loop, milliseconds time) {
    run_until(loop,
              [until = std::chrono::steady_clock::now() + time] { return std::chrono::steady_clock::now() > until; });
}

/// The media side of a client.
struct MediaPeer {
    struct Heard {
        Bytes clear;
        rtp::Parsed parsed;
        Bytes payload;
    };

    MediaPeer(net::Loop& loop, std::uint16_t port, std::uint32_t own_ssrc)
        : ssrc(own_ssrc),
          socket(*discord::UdpSocket::connect(loop, *discord::UdpAddress::parse("127.0.0.1", port), 1 << 20)) {
        socket.read_loop([this](const discord::Received& received) { take(received); }, [](std::uint32_t) {});
    }

    void set_key(discord::TransportMode mode, const std::array<std::uint8_t, 32>& key) { transport.emplace(mode, key); }

    void take(const discord::Received& received) {
        raw.emplace_back(received.bytes.begin(), received.bytes.end());
        const rtp::Front front = rtp::parse_front(received.bytes);
        if (front.reject != rtp::Reject::none || !transport) return;
        const auto opened = transport->open(received.bytes.first(front.bytes), received.bytes.subspan(front.bytes));
        if (!opened) return void(++not_opened);
        const rtp::Parsed parsed = rtp::strip(front, *opened);
        heard.push_back({Bytes(received.bytes.begin(), received.bytes.begin() + static_cast<long>(front.bytes)), parsed,
                         Bytes(parsed.payload.begin(), parsed.payload.end())});
    }

    [[nodiscard]] Bytes sealed(std::uint16_t seq, std::string_view payload, bool marker = false) {
        Bytes datagram;
        rtp::write({marker, rtp::kOpusPayloadType, seq, 960U * seq, ssrc}, {}, datagram);
        const Bytes plain(payload.begin(), payload.end());
        EXPECT_TRUE(transport->seal(plain, datagram));
        return datagram;
    }
    void say(std::uint16_t seq, std::string_view payload) { EXPECT_TRUE(socket.send(sealed(seq, payload))); }
    void discover() {
        Bytes request(74);
        request[1] = 1;
        request[3] = 70;
        for (std::size_t i = 0; i < 4; ++i) request[4 + i] = static_cast<std::uint8_t>(ssrc >> (24 - 8 * i));
        EXPECT_TRUE(socket.send(request));
    }
    [[nodiscard]] std::vector<std::uint16_t> seqs() const {
        std::vector<std::uint16_t> all;
        for (const Heard& one : heard) all.push_back(one.parsed.header.seq);
        return all;
    }

    std::uint32_t ssrc;
    std::optional<discord::Transport> transport;
    std::vector<Heard> heard;
    std::vector<Bytes> raw;
    int not_opened = 0;
    discord::UdpSocket socket;
};

/// The websocket side of a client. A binary message is an object with "op", "seq" and "binary", which counts its bytes.
class GatewayPeer {
  public:
    GatewayPeer(net::Loop& loop, const std::string& endpoint, const std::string& ca,
                const std::string& target = "/?v=8") {
        net::ConnectOptions options;
        options.url = "wss://" + endpoint + target;
        options.trust.extra_ca_pem = ca;
        net::spawn(loop, run(state_, std::move(options)));
        EXPECT_TRUE(run_until(loop, [&] { return state_->socket || state_->closed; }));
    }
    ~GatewayPeer() { drop(); }
    GatewayPeer(const GatewayPeer&) = delete;
    GatewayPeer& operator=(const GatewayPeer&) = delete;

    void send(const json& message) { send_text(message.dump()); }
    void send_text(std::string text) { state_->socket->send(std::move(text)); }
    void send_binary(std::string bytes) { state_->socket->send_binary(std::move(bytes)); }
    void drop() {
        if (state_->socket) state_->socket->drop();
    }
    [[nodiscard]] const std::vector<json>& got() const { return state_->got; }
    [[nodiscard]] std::vector<json> got(int op) const {
        std::vector<json> matching;
        for (const json& message : state_->got) {
            if (message["op"] == op) matching.push_back(message);
        }
        return matching;
    }
    [[nodiscard]] bool has(int op, std::size_t times = 1) const { return got(op).size() >= times; }
    [[nodiscard]] std::vector<int> ops() const {
        std::vector<int> all;
        for (const json& message : state_->got) all.push_back(message["op"]);
        return all;
    }
    [[nodiscard]] std::optional<std::uint16_t> closed() const { return state_->closed; }
    /// Of the last numbered message.
    [[nodiscard]] int last_seq() const {
        int seq = -1;
        for (const json& message : state_->got) {
            if (message.contains("seq")) seq = message["seq"];
        }
        return seq;
    }

  private:
    struct State {
        std::unique_ptr<net::WebSocket> socket;
        std::vector<json> got;
        std::optional<std::uint16_t> closed;
    };

    static net::Task<> run(std::shared_ptr<State> state, net::ConnectOptions options) {
        auto connected = co_await net::connect(std::move(options));
        if (!connected) {
            state->closed = 0;
            ADD_FAILURE() << connected.error().message;
            co_return;
        }
        state->socket = std::move(*connected);
        for (;;) {
            const net::Incoming incoming = co_await state->socket->read();
            if (const auto* closed = std::get_if<net::Closed>(&incoming)) {
                state->closed = closed->code;
                co_return;
            }
            state->got.push_back(read(std::get<net::Message>(incoming)));
        }
    }
    static json read(const net::Message& message) {
        if (!message.binary) return json::parse(message.bytes, nullptr, false);
        const Bytes bytes(message.bytes.begin(), message.bytes.end());
        EXPECT_GT(bytes.size(), 3U);
        return {{"op", bytes.at(2)}, {"seq", bytes.at(0) << 8 | bytes.at(1)}, {"binary", bytes.size()}};
    }

    std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace lestapenna::sandbox::test_voice
