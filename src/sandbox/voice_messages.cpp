#include "sandbox/voice_messages.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "discord/json.h"

namespace lestapenna::sandbox {
namespace voice {
namespace {

using discord::Json;
namespace json = discord::json;

constexpr std::size_t kMaxMessageBytes = 64 << 10;  // the longest that clients send has some hundred bytes
constexpr std::size_t kMaxBinaryBytes = 1 << 20;    // a commit and welcome of 100 members has 60 kB
constexpr Refused kMalformed{4002};
constexpr Refused kUnknown{4001};

ClientMessage identify(const Json& data) {
    const auto guild = json::id<GuildId>(data, "server_id");
    const auto user = json::id<UserId>(data, "user_id");
    if (!guild || !user) return kMalformed;
    return Identify{*guild, *user, json::text(data, "session_id"), json::text(data, "token"),
                    json::integer<int>(data, "max_dave_protocol_version").value_or(0)};
}

ClientMessage resume(const Json& data) {
    const auto guild = json::id<GuildId>(data, "server_id");
    if (!guild) return kMalformed;
    return Resume{*guild, json::text(data, "session_id"), json::text(data, "token"),
                  json::integer<std::int64_t>(data, "seq_ack").value_or(-1)};
}

ClientMessage speaking(const Json& data) {
    if (const auto flags = json::integer<std::int64_t>(data, "speaking")) return Speaking{*flags};
    return json::field(data, "speaking") == nullptr ? ClientMessage(kMalformed)
                                                    : Speaking{json::flag(data, "speaking") ? 1 : 0};
}

/// Version 8 wraps the nonce in an object; older clients send it bare.
ClientMessage heartbeat(const Json& message) {
    const Json* const bare = json::field(message, "d");
    const Json* const nonce = bare != nullptr && bare->is_object() ? json::field(*bare, "t") : bare;
    return Heartbeat{nonce == nullptr ? "null" : discord::print_json(*nonce)};
}

template <class Message>
ClientMessage about_transition(const Json& data) {
    const auto transition = json::integer<std::uint16_t>(data, "transition_id");
    return transition ? ClientMessage(Message{*transition}) : kMalformed;
}

}  // namespace

ClientMessage parse_client_message(std::string_view text) {
    if (text.size() > kMaxMessageBytes) return kMalformed;
    const auto message = discord::parse_json(text);
    if (!message) return kMalformed;
    const auto op = json::integer<int>(*message, "op");
    if (!op) return kMalformed;
    const Json& data = json::object(*message, "d");
    switch (*op) {
        case 0:
            return identify(data);
        case 1: {
            const Json& chosen = json::object(data, "data");
            return SelectProtocol{json::text(data, "protocol"), json::text(chosen, "mode")};
        }
        case 3:
            return heartbeat(*message);
        case 5:
            return speaking(data);
        case 7:
            return resume(data);
        case 23:
            return about_transition<ReadyForTransition>(data);
        case 31:
            return about_transition<InvalidCommit>(data);
        default:
            // 12 video, 14 to 20 statistics and wishes, 32 no route.
            return *op == 12 || (*op >= 14 && *op <= 20) || *op == 32 ? ClientMessage(Ignored{}) : kUnknown;
    }
}

ClientMessage parse_client_binary(std::string_view bytes) {
    if (bytes.empty() || bytes.size() > kMaxBinaryBytes) return kMalformed;
    switch (bytes.front()) {
        case 26:
            return DaveKeyPackage{bytes.substr(1)};
        case 28:
            return DaveCommit{bytes.substr(1)};
        default:
            return kUnknown;
    }
}

std::string data_of(const Ready& ready) {
    std::vector<std::string_view> modes;
    std::transform(ready.modes.begin(), ready.modes.end(), std::back_inserter(modes),
                   [](discord::TransportMode mode) { return discord::to_string(mode); });
    return fmt::format(R"({{"ssrc":{},"ip":"127.0.0.1","port":{},"modes":["{}"],"experiments":[]}})", ready.ssrc,
                       ready.port, fmt::join(modes, "\",\""));
}

std::string data_of(const SessionDescription& description) {
    return fmt::format(
        R"({{"mode":"{}","secret_key":[{}],"dave_protocol_version":{},"audio_codec":"opus","media_session_id":"{:016x}"}})",
        discord::to_string(description.mode), fmt::join(description.key, ","), description.dave_version,
        description.media_session);
}

std::string clients_connect(std::span<const UserId> users) {
    std::vector<std::string> ids;
    std::transform(users.begin(), users.end(), std::back_inserter(ids), [](UserId user) { return user.text(); });
    return fmt::format(R"({{"user_ids":["{}"]}})", fmt::join(ids, "\",\""));
}

std::string client_disconnect(UserId user) {
    return fmt::format(R"({{"user_id":"{}"}})", user.value);
}

std::string speaking(UserId user, std::uint32_t ssrc, std::int64_t flags) {
    return fmt::format(R"({{"speaking":{},"delay":0,"ssrc":{},"user_id":"{}"}})", flags, ssrc, user.value);
}

std::string plain_message(int op, std::string_view data) {
    return fmt::format(R"({{"op":{},"d":{}}})", op, data);
}

}  // namespace voice

const Outbox::Numbered& Outbox::number(int op, std::string_view data) {
    const auto seq = static_cast<std::uint16_t>(++numbered_);
    return keep(false, fmt::format(R"({{"op":{},"d":{},"seq":{}}})", op, data, seq));
}

const Outbox::Numbered& Outbox::number_binary(std::uint8_t op, std::string_view body) {
    const auto seq = static_cast<std::uint16_t>(++numbered_);
    std::string bytes{static_cast<char>(seq >> 8), static_cast<char>(seq & 0xFF), static_cast<char>(op)};
    return keep(true, bytes.append(body));
}

const Outbox::Numbered& Outbox::keep(bool binary, std::string bytes) {
    if (kept_.size() == kKept) kept_.pop_front();
    return kept_.emplace_back(Numbered{binary, std::move(bytes)});
}

std::optional<std::vector<const Outbox::Numbered*>> Outbox::after(std::int64_t seq_ack) const {
    if (seq_ack < -1 || seq_ack > 0xFFFF) return std::nullopt;
    // -1: none was seen, so all there ever were are missing.
    const std::uint64_t missing =
        seq_ack == -1 ? numbered_ : static_cast<std::uint16_t>(numbered_ - static_cast<std::uint64_t>(seq_ack));
    if (missing > kept_.size()) return std::nullopt;
    std::vector<const Numbered*> all;
    std::transform(kept_.end() - static_cast<std::ptrdiff_t>(missing), kept_.end(), std::back_inserter(all),
                   [](const Numbered& one) { return &one; });
    return all;
}

}  // namespace lestapenna::sandbox
