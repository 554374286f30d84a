// Who is in which voice channel of the loopback Discord, on which of its voice servers, with which ticket; and who is
// told of it. Every change goes to everybody in the guild as a voice state; an address to connect to goes to the one
// session that joins.
//
// Thread: the loop's. Ownership: world and servers outlive it. What is asked for and makes no sense (an unknown
// channel, one that is full or that the user may not join) gets no answer, as Discord gives none.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "net/loop.h"
#include "sandbox/loopback_gateway.h"
#include "sandbox/voice_server.h"
#include "sandbox/world.h"

namespace lestapenna::sandbox {

class VoiceDesk : public std::enable_shared_from_this<VoiceDesk> {
  public:
    struct Tell {
        std::function<void(const discord::VoiceState&)> state;
        std::function<void(UserId, const std::string& session_id, const discord::VoiceServer&)> server;
    };
    /// At least two servers, so that another one is another one.
    VoiceDesk(net::Loop& loop, World& world, std::vector<std::unique_ptr<VoiceServer>> servers, Tell tell);
    /// Nothing happens any more, neither now nor later.
    void stop();

    /// The server of this channel; neighbours in a guild are on different ones.
    [[nodiscard]] VoiceServer& server_of(ChannelId channel);

    /// Op 4. In another channel: the old voice session ends. In the same one with other flags: those change. In the
    /// same one with the same flags, or from another session: it is joined anew, with a fresh token.
    void ask(const VoiceAsk& ask);
    void hold_answers(UserId user, bool hold);
    /// Moves by a moderator: the old voice session ends with `close_code` (0: not by us).
    void move(GuildId guild, UserId user, ChannelId to, std::uint16_t close_code);
    void kick(GuildId guild, UserId user);
    void deafen(GuildId guild, UserId user, bool deaf);
    void suppress(GuildId guild, UserId user, bool suppress);
    void change_server(ChannelId channel, bool null_first);
    void end_session(const std::string& session_id);
    void empty_channel(ChannelId channel);

  private:
    using Seat = std::pair<GuildId, UserId>;

    [[nodiscard]] bool has_room(const WorldChannel& channel, UserId user) const;
    void sit_down(const discord::VoiceState& state, std::uint16_t close_code);
    void leave(GuildId guild, UserId user, std::uint16_t close_code);
    void send_address(const discord::VoiceState& state);
    void end_voice(const Seat& seat, std::size_t server, std::uint16_t code);
    static net::Task<> move_later(std::shared_ptr<VoiceDesk> self, ChannelId channel, std::vector<Seat> seats);
    static net::Task<> end_later(std::shared_ptr<VoiceDesk> self, std::vector<Seat> seats, std::size_t server);
    void announce_server(ChannelId channel, const std::vector<Seat>& seats);

    net::Loop& loop_;
    World& world_;
    std::vector<std::unique_ptr<VoiceServer>> servers_;
    Tell tell_;
    net::Signal stopping_;
    std::map<ChannelId, std::size_t> server_of_;
    std::map<Seat, std::size_t> seated_at_;  ///< the server whose ticket is good
    std::set<UserId> held_;
};

}  // namespace lestapenna::sandbox
