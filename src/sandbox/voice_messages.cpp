#include "sandbox/voice_messages.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "discord/json.h"

namespace lestapenna::sandbox {
namespace voice {
namespace {

using discord::Json;
namespace json = discord::json;

constexpr std::size_t kMaxMessageBytes = 64 << 10;  // the longest that clients send has some hundred bytes
constexpr Refused kMalformed{4002};
constexpr Refused kUnknown{4001};

ClientMessage identify(const Json& data) {
    const auto guild = json::id<GuildId>(data, "server_id");
    const auto user = json::id<UserId>(data, "user_id");
    if (!guild || !user) return kMalformed;
    return Identify{*guild, *user, json::text(data, "session_id"), json::text(data, "token")};
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
        default:
            // 12 video, 14 to 20 statistics and wishes, 21 to 31 DAVE, 32 no route.
            return *op == 12 || (*op >= 14 && *op <= 32) ? ClientMessage(Ignored{}) : kUnknown;
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
        R"({{"mode":"{}","secret_key":[{}],"dave_protocol_version":0,"audio_codec":"opus","media_session_id":"{:016x}"}})",
        discord::to_string(description.mode), fmt::join(description.key, ","), description.media_session);
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

const std::string& Outbox::number(int op, std::string_view data) {
    const auto seq = static_cast<std::uint16_t>(++numbered_);
    if (kept_.size() == kKept) kept_.pop_front();
    return kept_.emplace_back(fmt::format(R"({{"op":{},"d":{},"seq":{}}})", op, data, seq));
}

std::optional<std::vector<std::string_view>> Outbox::after(std::int64_t seq_ack) const {
    if (seq_ack < -1 || seq_ack > 0xFFFF) return std::nullopt;
    // -1: none was seen, so all there ever were are missing.
    const std::uint64_t missing =
        seq_ack == -1 ? numbered_ : static_cast<std::uint16_t>(numbered_ - static_cast<std::uint64_t>(seq_ack));
    if (missing > kept_.size()) return std::nullopt;
    return std::vector<std::string_view>(kept_.end() - static_cast<std::ptrdiff_t>(missing), kept_.end());
}

}  // namespace lestapenna::sandbox
