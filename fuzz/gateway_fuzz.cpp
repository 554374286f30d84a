// Any text is a gateway frame or counted as none; any data under any event's name is an event, unknown or malformed,
// and what is known of guilds takes it.
#include <array>
#include <cstdlib>
#include <string>

#include "discord/events.h"
#include "discord/gateway_messages.h"
#include "discord/guilds.h"

namespace {

using namespace lestapenna;
using namespace lestapenna::discord;

constexpr std::array kNames = {"READY",
                               "RESUMED",
                               "GUILD_CREATE",
                               "GUILD_DELETE",
                               "CHANNEL_CREATE",
                               "CHANNEL_UPDATE",
                               "CHANNEL_DELETE",
                               "GUILD_ROLE_CREATE",
                               "GUILD_ROLE_UPDATE",
                               "GUILD_ROLE_DELETE",
                               "MESSAGE_CREATE",
                               "VOICE_STATE_UPDATE",
                               "VOICE_SERVER_UPDATE",
                               "INTERACTION_CREATE",
                               "SOMETHING_ELSE"};

void take(Guilds& guilds, const std::string& name, const Json& data) {
    const auto parsed = parse_event(name, data);
    const auto* event = std::get_if<Event>(&parsed);
    if (event == nullptr) return;
    guilds.apply(*event);
    const auto* state = std::get_if<VoiceState>(event);
    if (state != nullptr && guilds.guild(state->guild) != nullptr &&
        guilds.channel_of(state->guild, state->user) != state->channel) {
        std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(data, data + size);
    const auto frame = parse_gateway_frame(text);
    if (!frame) return 0;
    if (const auto interval = heartbeat_interval(frame->data)) {
        if (*interval < milliseconds(1) || *interval > seconds(3'600)) std::abort();
    }
    if (!parse_gateway_frame(heartbeat_frame(frame->sequence))) std::abort();
    if (!parse_gateway_frame(resume_frame("token", json::text(frame->data, "session_id"), 0))) std::abort();
    const std::string address = gateway_address(json::text(frame->data, "resume_gateway_url"));
    if (!address.ends_with("/?v=10&encoding=json")) std::abort();
    if (!parse_json(print_json(frame->data))) std::abort();

    Guilds guilds;
    take(guilds, frame->name, frame->data);
    for (const char* name : kNames) take(guilds, name, frame->data);
    for (const GuildId id : guilds.ids()) {
        for (const auto& [user, state] : guilds.guild(id)->voice_states) {
            if (!state.channel || guilds.name_of(id, user).empty()) std::abort();
        }
    }
    return 0;
}
