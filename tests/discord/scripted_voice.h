// A voice server and a main gateway for tests of Voice: small, on loopback (TLS and UDP), and odd on request. What it
// does by itself is what a well-behaved server does; every member of Manners makes it do something else.
// Thread: the loop's, as all of it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <boost/asio/post.hpp>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "discord/json.h"
#include "discord/udp.h"
#include "discord/voice.h"
#include "discord/voice_messages.h"
#include "net/server.h"
#include "vectors.h"

namespace lestapenna::test {

using discord::Json;

/// Made once: a key costs more than a test.
inline const net::Certificate& test_certificate() {
    static const net::Certificate certificate = net::make_self_signed({"127.0.0.1", "localhost"}).value();
    return certificate;
}

struct Manners {
    bool hello = true;
    bool ready = true;
    bool description = true;
    std::optional<int> dave_version{};  ///< of op 4
    int early_packets = 0;              ///< of SSRC 2002, sent ahead of op 4
    bool acks = true;
    int deaf_discoveries = 0;  ///< that many requests stay unanswered
    double heartbeat_interval_ms = 13'750;
    std::vector<std::string> modes{"aead_aes256_gcm_rtpsize", "aead_xchacha20_poly1305_rtpsize"};
    std::optional<std::uint16_t> close_identify;  ///< instead of op 2; 0: dropped
    enum class Resume : std::uint8_t { accept, refuse, silent } resume = Resume::accept;
    std::vector<std::string> before_resumed{};  ///< sent ahead of op 9
    std::string bytes_after_ready{};            ///< a text of any kind
};

class ScriptedVoice {
  public:
    explicit ScriptedVoice(net::Loop& loop) : state_(std::make_shared<State>(loop)) {
        net::ServerOptions options;
        options.tls = test_certificate();
        net::Handlers handlers;
        handlers.websocket = [state = state_](net::HttpRequest request, std::unique_ptr<net::WebSocket> socket) {
            return serve(state, std::move(request), std::move(socket));
        };
        server_.emplace(net::Server::listen(loop, std::move(options), std::move(handlers)).value());
        state_->udp.emplace(
            discord::UdpSocket::bind(loop, *discord::UdpAddress::parse("127.0.0.1", 0), 1 << 20).value());
        state_->udp->read_loop([state = state_.get()](const discord::Received& r) { state->datagram(r); },
                               [](std::uint32_t) {});
    }
    ScriptedVoice(const ScriptedVoice&) = delete;
    ScriptedVoice& operator=(const ScriptedVoice&) = delete;
    ~ScriptedVoice() {
        state_->udp.reset();
        state_->socket.reset();
    }

    Manners& manners() { return state_->manners; }
    [[nodiscard]] std::string endpoint() const { return "127.0.0.1:" + std::to_string(server_->port()); }

    // ---- on the websocket that was opened last
    void say(const Json& message) { text(message.dump()); }
    void text(std::string bytes) {
        if (state_->socket) state_->socket->send(std::move(bytes));
    }
    void binary(std::string bytes) { state_->socket->send_binary(std::move(bytes)); }
    void close(std::uint16_t code) { state_->socket->close(code, "as the test says"); }
    void drop() { state_->socket->drop(); }
    /// Whatever connects from now on finds nobody.
    void go_away() { server_.reset(); }

    // ---- over UDP
    bool datagram(const Bytes& bytes) { return state_->udp->send_to(bytes, state_->client.value()); }
    bool voice(std::uint32_t ssrc, std::uint16_t seq, const Bytes& opus) { return state_->voice(ssrc, seq, opus); }

    // ---- what came
    [[nodiscard]] const std::vector<Json>& heard() const { return state_->heard; }
    /// Binary ones, each from its opcode on.
    [[nodiscard]] const std::vector<std::string>& binaries() const { return state_->binaries; }
    [[nodiscard]] std::size_t count(int op) const {
        return static_cast<std::size_t>(
            std::count_if(heard().begin(), heard().end(), [op](const Json& m) { return m.value("op", -1) == op; }));
    }
    /// The last one of that op; null when there was none.
    [[nodiscard]] Json last(int op) const {
        for (auto m = heard().rbegin(); m != heard().rend(); ++m) {
            if (m->value("op", -1) == op) return m->at("d");
        }
        return nullptr;
    }
    [[nodiscard]] int connections() const { return state_->connections; }
    [[nodiscard]] const std::string& target() const { return state_->target; }
    [[nodiscard]] const std::vector<Bytes>& packets() const { return state_->packets; }
    [[nodiscard]] int keep_alives() const { return state_->keep_alives; }
    [[nodiscard]] int discoveries() const { return state_->discoveries; }
    [[nodiscard]] std::vector<std::uint16_t> closes() const { return state_->closes; }

  private:
    struct State {
        explicit State(net::Loop& on) : loop(on) {}
        void datagram(const discord::Received& r) {
            client = r.from;
            if (r.bytes.size() == 8) {
                ++keep_alives;
            } else if (r.bytes.size() == 74 && r.bytes[1] == 1) {
                if (++discoveries <= manners.deaf_discoveries) return;
                Bytes answer(r.bytes.begin(), r.bytes.end());
                answer[1] = 2;
                const std::string ip = r.from.ip_text();
                std::copy(ip.begin(), ip.end(), answer.begin() + 8);
                answer[72] = static_cast<std::uint8_t>(r.from.port >> 8);
                answer[73] = static_cast<std::uint8_t>(r.from.port);
                udp->send_to(answer, r.from);
            } else if (opener) {
                const discord::OpenedDatagram opened = open_datagram(r.bytes, &*opener);
                if (opened.kind == discord::Datagram::voice) {
                    packets.emplace_back(opened.payload.begin(), opened.payload.end());
                    seqs.push_back(opened.header.seq);
                }
            }
        }
        net::Loop& loop;
        Manners manners;
        std::shared_ptr<net::WebSocket> socket;
        std::optional<discord::UdpSocket> udp;
        std::optional<discord::UdpAddress> client;
        bool voice(std::uint32_t of, std::uint16_t seq, const Bytes& opus) {
            Bytes bytes;
            rtp::write({.marker = false, .payload_type = 120, .seq = seq, .timestamp = seq * 960U, .ssrc = of}, {},
                       bytes);
            return transport->seal(opus, bytes) && udp->send_to(bytes, client.value());
        }

        std::optional<discord::Transport> transport;  // seals for the client
        std::optional<discord::Transport> opener;
        std::uint8_t key = 0;  // a new one for each session
        std::uint32_t ssrc = 1'000;
        int connections = 0;
        int keep_alives = 0;
        int discoveries = 0;
        std::string target;
        std::vector<Json> heard;
        std::vector<std::string> binaries;
        std::vector<Bytes> packets;
        std::vector<std::uint16_t> seqs;
        std::vector<std::uint16_t> closes;
    };

    static net::Task<> serve(std::shared_ptr<State> state, net::HttpRequest request,
                             std::unique_ptr<net::WebSocket> with) {
        const std::shared_ptr<net::WebSocket> socket = std::move(with);
        state->socket = socket;
        ++state->connections;
        state->target = request.target;
        const Manners& manners = state->manners;
        if (manners.hello) {
            send(*socket, {{"op", 8}, {"d", {{"v", 8}, {"heartbeat_interval", manners.heartbeat_interval_ms}}}});
        }
        for (;;) {
            const net::Incoming incoming = co_await socket->read();
            if (const auto* closed = std::get_if<net::Closed>(&incoming)) {
                state->closes.push_back(closed->code);
                co_return;
            }
            const auto& came = std::get<net::Message>(incoming);
            if (came.binary) {
                state->binaries.push_back(came.bytes);
                continue;
            }
            const Json message = Json::parse(came.bytes);
            state->heard.push_back(message);
            answer(*state, *socket, message);
        }
    }
    static void send(net::WebSocket& socket, const Json& message) { socket.send(message.dump()); }

    static void answer(State& state, net::WebSocket& socket, const Json& message) {
        const Manners& manners = state.manners;
        switch (message.at("op").get<int>()) {
            case 0:
                if (manners.close_identify == 0) return socket.drop();
                if (manners.close_identify) return socket.close(*manners.close_identify, "as the test says");
                if (!manners.ready) return;
                send(socket, {{"op", 2},
                              {"d",
                               {{"ssrc", ++state.ssrc},
                                {"ip", "127.0.0.1"},
                                {"port", state.udp->local().port},
                                {"modes", manners.modes}}}});
                if (!manners.bytes_after_ready.empty()) socket.send(manners.bytes_after_ready);
                return;
            case 1: {
                const auto mode = message.at("d").at("data").at("mode").get<std::string>();
                const Key key = key_of(++state.key);
                state.transport.emplace(*discord::parse_transport_mode(mode), key);
                state.opener.emplace(*discord::parse_transport_mode(mode), key);
                for (int i = 0; i < manners.early_packets; ++i)
                    EXPECT_TRUE(state.voice(2'002, static_cast<std::uint16_t>(i), {1, 2, 3}));
                if (!manners.description) return;
                Json description{{"mode", mode}, {"secret_key", key}};
                if (manners.dave_version) description["dave_protocol_version"] = *manners.dave_version;
                send(socket, {{"op", 4}, {"seq", 5}, {"d", description}});
                return;
            }
            case 3:
                if (manners.acks) send(socket, {{"op", 6}, {"d", {{"t", message.at("d").at("t")}}}});
                return;
            case 7:
                if (manners.resume == Manners::Resume::refuse) return socket.close(4006, "as the test says");
                if (manners.resume == Manners::Resume::silent) return;
                for (const std::string& text : manners.before_resumed) socket.send(text);
                send(socket, {{"op", 9}, {"d", nullptr}});
                return;
            default:
                return;
        }
    }

    std::shared_ptr<State> state_;
    std::optional<net::Server> server_;
};

/// What a Listener was told, as short texts, and the packets.
class Heard : public discord::Listener {
  public:
    struct Packet {
        rtp::Header header;
        BootTime arrival;
        Bytes payload;
        bool parked = false;
        std::optional<discord::Closed> closed{};
        std::uint16_t sealed_bytes = 0;
    };
    void on_packet(const discord::VoicePacket& packet) noexcept override {
        ++packet_count;
        if (keep) {
            packets.push_back({packet.header,
                               packet.arrival,
                               {packet.payload.begin(), packet.payload.end()},
                               packet.parked,
                               packet.closed,
                               packet.sealed_bytes});
        }
        if (then) then();
    }
    void on_event(const discord::VoiceEvent& event) noexcept override {
        events.push_back(event);
        if (then) then();
    }
    template <class T>
    [[nodiscard]] std::size_t count() const {
        return static_cast<std::size_t>(
            std::count_if(events.begin(), events.end(), [](const auto& e) { return std::holds_alternative<T>(e); }));
    }
    /// The last one of that kind.
    template <class T>
    [[nodiscard]] const T* last() const {
        for (auto e = events.rbegin(); e != events.rend(); ++e) {
            if (const T* found = std::get_if<T>(&*e)) return found;
        }
        return nullptr;
    }
    /// Kinds in order, like "Connected Disconnected".
    [[nodiscard]] std::string story() const {
        constexpr const char* kNames[] = {"Connected",        "Disconnected",  "SsrcBound", "UserConnected",
                                          "UserDisconnected", "KernelDropped", "Moved",     "Encryption",
                                          "CannotOpen",       "Ended"};
        std::string story;
        for (const auto& event : events) story += (story.empty() ? "" : " ") + std::string(kNames[event.index()]);
        return story;
    }
    std::vector<Packet> packets;
    std::uint64_t packet_count = 0;
    bool keep = true;
    std::vector<discord::VoiceEvent> events;
    std::function<void()> then;
};

inline constexpr GuildId kGuild{41'771'983'423'143'937};
inline constexpr ChannelId kChannel{700'000'000'000'000'001};
inline constexpr ChannelId kOtherChannel{700'000'000'000'000'002};
inline constexpr UserId kSelf{1'090'123'456'789'012'345};
inline constexpr UserId kSpeaker{104'694'319'306'248'192};

inline Json speaking(std::uint32_t ssrc, UserId user, int seq, int flags = 1) {
    return {{"op", 5}, {"seq", seq}, {"d", {{"speaking", flags}, {"ssrc", ssrc}, {"user_id", user.text()}}}};
}

/// A Voice with a scripted voice server and a main gateway that answers op 4 as told.
struct VoiceTable {
    enum class Answers : std::uint8_t { both, server_first, server_only, state_only, none };

    net::Loop loop;
    ScriptedVoice server{loop};
    Heard heard;
    std::vector<std::optional<ChannelId>> asked;
    Answers answers = Answers::both;
    std::string session_id = "90326b";
    int tokens = 0;
    std::unique_ptr<discord::Voice> voice;

    static discord::VoiceOptions options() {
        discord::VoiceOptions options;
        options.trust.extra_ca_pem = test_certificate().certificate_pem;
        options.receive_buffer_bytes = 1 << 20;
        options.greet = false;
        options.timing.answer = milliseconds(300);
        options.timing.open = seconds(5);
        options.timing.discovery = milliseconds(50);
        options.timing.resume = seconds(1);
        options.timing.moved = milliseconds(200);
        options.timing.backoff_first = milliseconds(10);
        options.timing.backoff_most = milliseconds(50);
        options.timing.rate_limited = milliseconds(150);
        return options;
    }

    explicit VoiceTable(const discord::VoiceOptions& with = options()) {
        voice = std::make_unique<discord::Voice>(loop, kGuild, kSelf, with, heard,
                                                 [this](std::optional<ChannelId> channel) { ask(channel); });
    }
    VoiceTable(const VoiceTable&) = delete;
    VoiceTable& operator=(const VoiceTable&) = delete;
    ~VoiceTable() { voice.reset(); }

    void ask(std::optional<ChannelId> channel) {
        asked.push_back(channel);
        if (answers == Answers::none || !channel) return;
        boost::asio::post(loop, [this, channel] {
            if (!voice) return;
            if (answers == Answers::server_first) name_server(server.endpoint());
            if (answers != Answers::server_only) state_is(channel);
            if (answers == Answers::both || answers == Answers::server_only) name_server(server.endpoint());
        });
    }
    void state_is(std::optional<ChannelId> channel, bool deaf = false) {
        discord::VoiceState state;
        state.guild = kGuild;
        state.user = kSelf;
        state.channel = channel;
        state.session_id = session_id;
        state.deaf = deaf;
        voice->on_voice_state(state);
    }
    void name_server(const std::string& endpoint) {
        voice->on_voice_server({kGuild, "token-" + std::to_string(++tokens), endpoint});
    }

    /// Runs the loop until `done`; a failed test after 10 s.
    [[nodiscard]] testing::AssertionResult until(const std::function<bool()>& done, seconds patience = seconds(10)) {
        const BootTime deadline = BootClock::now() + patience;
        while (!done()) {
            if (BootClock::now() > deadline) {
                return testing::AssertionFailure() << "not within 10 s; so far: " << heard.story();
            }
            loop.restart();
            loop.run_one_for(milliseconds(20));
        }
        return testing::AssertionSuccess();
    }
    /// Runs the loop that long: for what must not happen.
    void idle(nanoseconds time) {
        const BootTime deadline = BootClock::now() + time;
        while (BootClock::now() < deadline) {
            loop.restart();
            loop.run_one_for(milliseconds(5));
        }
    }
    [[nodiscard]] testing::AssertionResult join() {
        voice->join(kChannel);
        return connected(1);
    }
    [[nodiscard]] testing::AssertionResult connected(std::size_t times) {
        return until([this, times] { return heard.count<discord::Connected>() >= times; });
    }
};

}  // namespace lestapenna::test
