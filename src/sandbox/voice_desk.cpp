#include "sandbox/voice_desk.h"

#include <algorithm>
#include <utility>

#include "sandbox/permissions.h"

namespace lestapenna::sandbox {

namespace {

constexpr std::uint16_t kDisconnected = 4014;  // moved, kicked, the channel is gone
constexpr std::uint16_t kSessionInvalid = 4006;
constexpr nanoseconds kNullEndpoint = milliseconds(300);  // from "it is gone" to the next address
constexpr nanoseconds kOldServer = seconds(2);            // clients leave by themselves; then they are shown out

bool is_voice(const WorldChannel& channel) {
    return channel.kind == discord::ChannelKind::voice || channel.kind == discord::ChannelKind::stage;
}

}  // namespace

VoiceDesk::VoiceDesk(net::Loop& loop, World& world, std::vector<std::unique_ptr<VoiceServer>> servers, Tell tell)
    : loop_(loop), world_(world), servers_(std::move(servers)), tell_(std::move(tell)), stopping_(loop) {}

void VoiceDesk::stop() {
    stopping_.set();
    servers_.clear();
}

VoiceServer& VoiceDesk::server_of(ChannelId channel) {
    const auto [place, _] = server_of_.try_emplace(channel, server_of_.size() % servers_.size());
    return *servers_[place->second];
}

void VoiceDesk::hold_answers(UserId user, bool hold) {
    if (hold) {
        held_.insert(user);
    } else {
        held_.erase(user);
    }
}

bool VoiceDesk::has_room(const WorldChannel& channel, UserId user) const {
    if (channel.user_limit == 0 || may(world_, user, channel, permission::move_members)) return true;
    const auto there = world_.in_voice(channel.id);
    return std::ssize(there) < channel.user_limit || std::ranges::count(there, user) > 0;
}

void VoiceDesk::ask(const VoiceAsk& ask) {
    if (!world_.is_member(ask.guild, ask.user)) return;
    if (!ask.channel) return leave(ask.guild, ask.user, kDisconnected);
    if (held_.contains(ask.user)) return;
    const auto* const before = world_.voice_state(ask.guild, ask.user);
    const auto* const channel = world_.channel(*ask.channel);
    if (channel == nullptr || channel->guild != ask.guild || !is_voice(*channel)) return;
    if (!may(world_, ask.user, *channel, permission::connect) || !has_room(*channel, ask.user)) return;

    discord::VoiceState state = before == nullptr ? discord::VoiceState{} : *before;
    if (state.channel != ask.channel) state.suppress = channel->kind == discord::ChannelKind::stage;
    const bool stays = state.channel == ask.channel && state.session_id == ask.session_id;
    const bool other_flags = state.self_deaf != ask.self_deaf || state.self_mute != ask.self_mute;
    state.guild = ask.guild;
    state.channel = ask.channel;
    state.user = ask.user;
    state.session_id = ask.session_id;
    state.self_deaf = ask.self_deaf;
    state.self_mute = ask.self_mute;
    if (!stays || !other_flags) return sit_down(state, kDisconnected);
    world_.guild(ask.guild)->voice_states[ask.user] = state;
    tell_.state(state);
    servers_[seated_at_.at({ask.guild, ask.user})]->set_deaf(ask.guild, ask.user, state.self_deaf || state.deaf);
}

// The end of the old session, state, address: the order of a real trace. Where both are on one server, admitting would
// end the old one without a word.
void VoiceDesk::sit_down(const discord::VoiceState& state, std::uint16_t close_code) {
    const Seat seat{state.guild, state.user};
    const auto* const before = world_.voice_state(state.guild, state.user);
    const bool moves = before != nullptr && before->channel != state.channel;
    if (moves && close_code != 0) servers_[seated_at_.at(seat)]->dismiss(seat.first, seat.second, close_code);
    world_.guild(state.guild)->voice_states[state.user] = state;
    tell_.state(state);
    send_address(state);
}

void VoiceDesk::send_address(const discord::VoiceState& state) {
    VoiceServer& server = server_of(*state.channel);
    seated_at_[{state.guild, state.user}] = server_of_.at(*state.channel);
    const auto token = world_.secret(16);
    server.admit({state.guild, *state.channel, state.user, state.session_id, token, state.self_deaf || state.deaf,
                  state.mute || state.suppress, world_.channel(*state.channel)->kind == discord::ChannelKind::stage});
    tell_.server(state.user, state.session_id, {state.guild, token, server.endpoint()});
}

// Where the user has a good ticket again, the old session ended when that was given.
void VoiceDesk::end_voice(const Seat& seat, std::size_t server, std::uint16_t code) {
    const auto now_at = seated_at_.find(seat);
    if (now_at != seated_at_.end() && now_at->second == server) return;
    servers_[server]->dismiss(seat.first, seat.second, code);
}

void VoiceDesk::leave(GuildId guild, UserId user, std::uint16_t close_code) {
    const auto* const before = world_.voice_state(guild, user);
    if (before == nullptr) return;
    auto state = *before;
    state.channel.reset();
    world_.guild(guild)->voice_states.erase(user);
    tell_.state(state);
    const Seat seat{guild, user};
    const auto server = seated_at_.at(seat);
    seated_at_.erase(seat);
    end_voice(seat, server, close_code);
}

void VoiceDesk::move(GuildId guild, UserId user, ChannelId to, std::uint16_t close_code) {
    const auto* const before = world_.voice_state(guild, user);
    const auto* const channel = world_.channel(to);
    if (before == nullptr || channel == nullptr || channel->guild != guild || !is_voice(*channel)) return;
    auto state = *before;
    if (state.channel != to) state.suppress = channel->kind == discord::ChannelKind::stage;
    state.channel = to;
    sit_down(state, close_code);
}

void VoiceDesk::kick(GuildId guild, UserId user) {
    leave(guild, user, kDisconnected);
}

void VoiceDesk::deafen(GuildId guild, UserId user, bool deaf) {
    const auto* const before = world_.voice_state(guild, user);
    if (before == nullptr) return;
    auto& state = world_.guild(guild)->voice_states.at(user);
    state.deaf = deaf;
    tell_.state(state);
    servers_[seated_at_.at({guild, user})]->set_deaf(guild, user, state.self_deaf || state.deaf);
}

void VoiceDesk::suppress(GuildId guild, UserId user, bool suppress) {
    if (world_.voice_state(guild, user) == nullptr) return;
    auto& state = world_.guild(guild)->voice_states.at(user);
    state.suppress = suppress;
    tell_.state(state);
    servers_[seated_at_.at({guild, user})]->set_silent(guild, user, state.mute || state.suppress);
}

void VoiceDesk::end_session(const std::string& session_id) {
    std::vector<Seat> ended;
    for (const auto& [seat, _] : seated_at_) {
        const auto* const state = world_.voice_state(seat.first, seat.second);
        if (state != nullptr && state->session_id == session_id) ended.push_back(seat);
    }
    for (const auto& [guild, user] : ended) leave(guild, user, kSessionInvalid);
}

void VoiceDesk::empty_channel(ChannelId channel) {
    const auto* const place = world_.channel(channel);
    if (place == nullptr || !place->guild) return;
    const auto guild = *place->guild;
    for (const auto user : world_.in_voice(channel)) leave(guild, user, kDisconnected);
    server_of_.erase(channel);
}

void VoiceDesk::change_server(ChannelId channel, bool null_first) {
    const auto* const place = world_.channel(channel);
    if (place == nullptr || !place->guild) return;
    (void)server_of(channel);
    const auto old_server = server_of_.at(channel);
    server_of_[channel] = (old_server + 1) % servers_.size();
    std::vector<Seat> seats;
    for (const auto user : world_.in_voice(channel)) seats.emplace_back(*place->guild, user);
    if (null_first) {
        for (const auto& [guild, user] : seats) {
            tell_.server(user, world_.voice_state(guild, user)->session_id, {guild, world_.secret(16), ""});
        }
        net::spawn(loop_, move_later(shared_from_this(), channel, seats));
    } else {
        announce_server(channel, seats);
    }
    net::spawn(loop_, end_later(shared_from_this(), std::move(seats), old_server));
}

// To those who are still there.
void VoiceDesk::announce_server(ChannelId channel, const std::vector<Seat>& seats) {
    for (const auto& [guild, user] : seats) {
        const auto* const state = world_.voice_state(guild, user);
        if (state != nullptr && state->channel == channel) send_address(*state);
    }
}

net::Task<> VoiceDesk::move_later(std::shared_ptr<VoiceDesk> self, ChannelId channel, std::vector<Seat> seats) {
    // A named local: g++ 12.2 breaks coroutines whose body has none and awaits in a condition.
    const bool stopped = co_await self->stopping_.wait_for(kNullEndpoint);
    if (!stopped) self->announce_server(channel, seats);
}

net::Task<> VoiceDesk::end_later(std::shared_ptr<VoiceDesk> self, std::vector<Seat> seats, std::size_t server) {
    const bool stopped = co_await self->stopping_.wait_for(kOldServer);
    if (stopped) co_return;
    for (const auto& seat : seats) self->end_voice(seat, server, kDisconnected);
}

}  // namespace lestapenna::sandbox
