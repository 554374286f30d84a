// What the main gateway said about guilds, channels, roles, members and voice states, kept current: apply each event in
// order, then ask. A value with rules; one thread at a time.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "discord/events.h"

namespace lestapenna::discord {

class Guilds {
  public:
    void apply(const Event& event);

    struct Guild {
        std::string name;
        UserId owner;
        std::string preferred_locale;
        int premium_tier = 0;  ///< of its boosts: how big a file may be that is posted there
        bool available = true;
        std::map<RoleId, Role> roles;
        std::map<ChannelId, Channel> channels;
        std::map<UserId, Member> members;  ///< those the gateway told of: we, and who was in a voice channel
        std::map<UserId, VoiceState> voice_states;
    };
    /// Null when unknown. Valid until the next apply().
    [[nodiscard]] const Guild* guild(GuildId id) const;
    [[nodiscard]] std::vector<GuildId> ids() const;
    /// Who is in this voice channel.
    [[nodiscard]] std::vector<VoiceState> in_channel(GuildId guild, ChannelId channel) const;
    /// Where the user is; nothing: in no voice channel of this guild.
    [[nodiscard]] std::optional<ChannelId> channel_of(GuildId guild, UserId user) const;
    /// Nick, else global name, else user name, else the id.
    [[nodiscard]] std::string name_of(GuildId guild, UserId user) const;
    [[nodiscard]] bool is_bot(GuildId guild, UserId user) const;

  private:
    std::map<GuildId, Guild> guilds_;
};

}  // namespace lestapenna::discord
