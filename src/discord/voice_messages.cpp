#include "discord/voice_messages.h"

#include <algorithm>

#include "discord/json.h"

namespace lestapenna::discord::voice {
namespace {

// What the server may ask for; shorter would be a flood, longer no sign of life.
constexpr double kLeastIntervalMs = 50;
constexpr double kMostIntervalMs = 300'000;
constexpr std::size_t kMostUsers = 10'000;

Body hello(const Json& data) {
    const auto interval = json::number(data, "heartbeat_interval");
    if (!interval || *interval <= 0) return Other::malformed;
    return Hello{
        nanoseconds(static_cast<std::int64_t>(std::clamp(*interval, kLeastIntervalMs, kMostIntervalMs) * 1e6))};
}

Body ready(const Json& data) {
    const auto ssrc = json::integer<std::uint32_t>(data, "ssrc");
    const auto port = json::integer<std::uint16_t>(data, "port");
    if (!ssrc || !port || *port == 0) return Other::malformed;
    const auto server = UdpAddress::parse(json::text(data, "ip"), *port);
    if (!server) return Other::malformed;
    Ready ready{*ssrc, *server, {}};
    for (const Json& name : json::array(data, "modes")) {
        const auto* text = name.get_ptr<const std::string*>();
        const auto mode = text != nullptr ? parse_transport_mode(*text) : std::nullopt;
        if (mode && ready.modes.size() < 8) ready.modes.push_back(*mode);
    }
    return ready;
}

Body session_description(const Json& data) {
    const auto mode = parse_transport_mode(json::text(data, "mode"));
    const Json& key = json::array(data, "secret_key");
    if (!mode || key.size() != kTransportKeyBytes) return Other::malformed;
    SessionDescription description{*mode, {}, json::integer<std::uint16_t>(data, "dave_protocol_version").value_or(0)};
    for (std::size_t i = 0; i < key.size(); ++i) {
        const auto* byte = key[i].get_ptr<const Json::number_unsigned_t*>();
        if (byte == nullptr || *byte > 255) return Other::malformed;
        description.key[i] = static_cast<std::uint8_t>(*byte);
    }
    return description;
}

Body speaking_of(const Json& data) {
    const auto ssrc = json::integer<std::uint32_t>(data, "ssrc");
    const auto user = json::id<UserId>(data, "user_id");
    if (!ssrc || !user) return Other::malformed;
    return Speaking{*ssrc, *user, json::integer<std::uint32_t>(data, "speaking").value_or(0) != 0};
}

/// Op 12 is not documented; what it says of a microphone is a second source (section 2).
Body video_of(const Json& data) {
    const auto ssrc = json::integer<std::uint32_t>(data, "audio_ssrc");
    const auto user = json::id<UserId>(data, "user_id");
    if (!ssrc || *ssrc == 0 || !user) return Other::ignored;
    return Speaking{*ssrc, *user, false};
}

Body clients_connect(const Json& data) {
    ClientsConnect clients;
    for (const Json& id : json::array(data, "user_ids")) {
        const auto* text = id.get_ptr<const std::string*>();
        const auto user = text != nullptr ? UserId::parse(*text) : std::nullopt;
        if (!user) return Other::malformed;
        if (clients.users.size() == kMostUsers) break;
        clients.users.push_back(*user);
    }
    if (json::field(data, "user_ids") == nullptr) return Other::malformed;
    return clients;
}

Body client_disconnect(const Json& data) {
    const auto user = json::id<UserId>(data, "user_id");
    if (!user) return Other::malformed;
    return ClientDisconnect{*user};
}

Body prepare_transition(const Json& data) {
    const auto version = json::integer<std::uint16_t>(data, "protocol_version");
    const auto transition = json::integer<std::uint16_t>(data, "transition_id");
    if (!version || !transition) return Other::malformed;
    return Dave{PrepareTransition{*version, *transition}};
}

Body execute_transition(const Json& data) {
    const auto transition = json::integer<std::uint16_t>(data, "transition_id");
    if (!transition) return Other::malformed;
    return Dave{ExecuteTransition{*transition}};
}

Body prepare_epoch(const Json& data) {
    const auto version = json::integer<std::uint16_t>(data, "protocol_version");
    const auto epoch = json::integer<std::uint64_t>(data, "epoch");
    if (!version || !epoch) return Other::malformed;
    return Dave{PrepareEpoch{*version, *epoch}};
}

using View = std::span<const std::uint8_t>;

/// ExternalSender and Proposals: all of it is for MLS.
template <class T>
Body alone(View body) {
    if (body.empty()) return Other::malformed;
    return Dave{T{body}};
}
/// Commit and Welcome: behind the number of the transition comes what MLS made.
template <class T>
Body with_transition(View body) {
    if (body.size() <= 2) return Other::malformed;
    return Dave{T{static_cast<std::uint16_t>(body[0] << 8 | body[1]), body.subspan(2)}};
}

Body binary_body(std::uint8_t op, View body) {
    switch (op) {
        case 25:
            return alone<ExternalSender>(body);
        case 27:
            return alone<Proposals>(body);
        case 29:
            return with_transition<Commit>(body);
        case 30:
            return with_transition<Welcome>(body);
        default:
            return Other::unknown;
    }
}

Body body_of(int op, const Json& data) {
    switch (op) {
        case 2:
            return ready(data);
        case 3:
            return HeartbeatRequest{};
        case 4:
            return session_description(data);
        case 5:
            return speaking_of(data);
        case 6:
            return HeartbeatAck{};
        case 8:
            return hello(data);
        case 9:
            return Resumed{};
        case 11:
            return clients_connect(data);
        case 12:
            return video_of(data);
        case 13:
            return client_disconnect(data);
        case 14:  // session update
        case 15:  // media sink wants
        case 16:  // versions
        case 17:  // channel options
        case 18:  // client flags
        case 19:  // speed test
        case 20:  // client platform
            return Other::ignored;
        case 21:
            return prepare_transition(data);
        case 22:
            return execute_transition(data);
        case 24:
            return prepare_epoch(data);
        case 25:  // these are binary
        case 27:
        case 29:
        case 30:
            return Other::malformed;
        default:
            return Other::unknown;
    }
}

std::string message(int op, Json data) {
    Json json = Json::object();
    json["op"] = op;
    json["d"] = std::move(data);
    return print_json(json);
}

std::string binary_message(std::uint8_t op, View body) {
    std::string bytes(1, static_cast<char>(op));
    bytes.append(body.begin(), body.end());
    return bytes;
}

std::string transition_message(int op, std::uint16_t transition) {
    Json data = Json::object();
    data["transition_id"] = transition;
    return message(op, std::move(data));
}

Json credentials(const Credentials& who) {
    Json data = Json::object();
    data["server_id"] = who.guild.text();
    data["session_id"] = who.session_id;
    data["token"] = who.token;
    return data;
}

}  // namespace

Message parse_text(std::string_view text) {
    const auto json = parse_json(text);
    if (!json || !json->is_object()) return {};
    Message message;
    message.seq = json::integer<std::uint16_t>(*json, "seq");
    const auto op = json::integer<int>(*json, "op");
    if (op) message.body = body_of(*op, json::object(*json, "d"));
    return message;
}

Message parse_binary(std::string_view bytes) {
    const View all(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    if (all.size() < 3) return {};
    return {.seq = static_cast<std::uint16_t>(all[0] << 8 | all[1]), .body = binary_body(all[2], all.subspan(3))};
}

std::string identify(const Credentials& who, int dave_version) {
    Json data = credentials(who);
    data["user_id"] = who.user.text();
    data["max_dave_protocol_version"] = dave_version;
    return message(0, std::move(data));
}

std::string resume(const Credentials& who, std::int32_t seq_ack) {
    Json data = credentials(who);
    data["seq_ack"] = seq_ack;
    return message(7, std::move(data));
}

std::string select_protocol(const UdpAddress& ours, TransportMode mode) {
    Json data = Json::object();
    data["address"] = ours.ip_text();
    data["port"] = ours.port;
    data["mode"] = to_string(mode);
    Json select = Json::object();
    select["protocol"] = "udp";
    select["data"] = std::move(data);
    return message(1, std::move(select));
}

std::string heartbeat(std::int64_t nonce, std::int32_t seq_ack) {
    Json data = Json::object();
    data["t"] = nonce;
    data["seq_ack"] = seq_ack;
    return message(3, std::move(data));
}

std::string speaking(bool on, std::uint32_t ssrc) {
    Json data = Json::object();
    data["speaking"] = on ? 1 : 0;
    data["delay"] = 0;
    data["ssrc"] = ssrc;
    return message(5, std::move(data));
}

std::string ready_for_transition(std::uint16_t transition) {
    return transition_message(23, transition);
}

std::string invalid_commit_welcome(std::uint16_t transition) {
    return transition_message(31, transition);
}

std::string key_package(View package) {
    return binary_message(26, package);
}

std::string commit_welcome(View commit_welcome) {
    return binary_message(28, commit_welcome);
}

std::array<std::uint8_t, kDiscoveryBytes> discovery_request(std::uint32_t ssrc) {
    std::array<std::uint8_t, kDiscoveryBytes> request{0, 1, 0, kDiscoveryBytes - 4};
    for (std::size_t i = 0; i < 4; ++i) request[4 + i] = static_cast<std::uint8_t>(ssrc >> (24 - 8 * i));
    return request;
}

std::optional<UdpAddress> parse_discovery(std::span<const std::uint8_t> datagram) {
    if (!is_discovery_answer(datagram)) return std::nullopt;
    const auto text = datagram.subspan(8, 64);
    const auto end = std::find(text.begin(), text.end(), std::uint8_t{0});
    const auto port = static_cast<std::uint16_t>(datagram[72] << 8 | datagram[73]);
    if (end == text.end() || port == 0) return std::nullopt;
    return UdpAddress::parse(std::string(text.begin(), end), port);
}

}  // namespace lestapenna::discord::voice
