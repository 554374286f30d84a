#include "discord/gateway_messages.h"

#include <utility>

namespace lestapenna::discord {

std::optional<GatewayFrame> parse_gateway_frame(std::string_view text) {
    auto json = parse_json(text);
    if (!json) return std::nullopt;
    const auto op = json::integer<int>(*json, "op");
    if (!op) return std::nullopt;
    GatewayFrame frame;
    frame.op = *op;
    frame.sequence = json::integer<std::int64_t>(*json, "s");
    frame.name = json::text(*json, "t");
    if (const auto data = json->find("d"); data != json->end()) frame.data = std::move(*data);
    return frame;
}

std::optional<nanoseconds> heartbeat_interval(const Json& hello) {
    constexpr std::int64_t kHour = 3'600'000;
    const auto ms = json::integer<std::int64_t>(hello, "heartbeat_interval");
    if (!ms || *ms < 1 || *ms > kHour) return std::nullopt;
    return milliseconds(*ms);
}

std::string heartbeat_frame(std::optional<std::int64_t> last_sequence) {
    const Json frame = {{"op", opcode::heartbeat}, {"d", last_sequence ? Json(*last_sequence) : Json(nullptr)}};
    return print_json(frame);
}

std::string identify_frame(const std::string& token, std::uint32_t intents) {
    constexpr const char* kName = "lestapenna";
    const Json data = {{"token", token},
                       {"intents", intents},
                       {"properties", {{"os", "linux"}, {"browser", kName}, {"device", kName}}},
                       {"large_threshold", 50}};
    const Json frame = {{"op", opcode::identify}, {"d", data}};
    return print_json(frame);
}

std::string resume_frame(const std::string& token, const std::string& session_id, std::int64_t last_sequence) {
    const Json data = {{"token", token}, {"session_id", session_id}, {"seq", last_sequence}};
    const Json frame = {{"op", opcode::resume}, {"d", data}};
    return print_json(frame);
}

std::string voice_state_frame(GuildId guild, std::optional<ChannelId> channel, bool self_mute, bool self_deaf) {
    const Json data = {{"guild_id", guild.text()},
                       {"channel_id", channel ? Json(channel->text()) : Json(nullptr)},
                       {"self_mute", self_mute},
                       {"self_deaf", self_deaf}};
    const Json frame = {{"op", opcode::voice_state}, {"d", data}};
    return print_json(frame);
}

std::string gateway_address(std::string_view url) {
    url = url.substr(0, url.find_first_of("?#"));
    std::string address(url);
    if (!address.ends_with('/')) address += '/';
    return address + "?v=10&encoding=json";
}

AfterClose after_close(std::uint16_t code) {
    switch (code) {
        case 1000:  // an orderly end: the session is over
        case 4003:  // not authenticated
        case 4005:  // already authenticated
        case 4007:  // invalid sequence
        case 4009:  // session timed out
            return AfterClose::identify;
        case 4008:  // rate limited
            return AfterClose::identify_later;
        case 4004:  // authentication failed
        case 4010:  // invalid shard
        case 4011:  // sharding required
        case 4012:  // invalid API version
        case 4013:  // invalid intents
            return AfterClose::stop;
        case 4014:  // disallowed intents
            return AfterClose::drop_intents;
        default:  // 4000 unknown error, 4001 unknown opcode, 4002 decode error, 1001, 1006 and whatever comes
            return AfterClose::resume;
    }
}

std::string advice_on_close(std::uint16_t code) {
    switch (code) {
        case 4004:
            return "Discord refuses the bot's token (4004): set discord.token to the one in its developer portal and "
                   "start again";
        case 4010:
            return "Discord calls our shard invalid (4010), which is a defect of this program: please report it";
        case 4011:
            return "Discord wants this bot split into shards (4011), which this program can not do: it is in more than "
                   "2,500 servers, remove it from some";
        case 4012:
            return "Discord serves this version of its gateway no more (4012): install a newer version of this program";
        case 4013:
            return "Discord calls our intents invalid (4013), which is a defect of this program: please report it";
        case 4014:
            return "Discord refuses an intent of this bot (4014): switch on \"Message Content Intent\" on the bot's "
                   "page in Discord's developer portal";
        default:
            return "Discord closed the gateway with " + std::to_string(code);
    }
}

}  // namespace lestapenna::discord
