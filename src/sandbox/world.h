// What there is in the loopback Discord: guilds, channels, people, bots, messages, interactions, who is in which voice
// channel. Pure state: nobody is told of a change here, and nothing is checked but that ids exist (who may do what is
// in permissions.h).
//
// Ids are real-size snowflakes (beyond 2^53, so that whatever passes them through a double breaks at once), rising,
// drawn from the seed like tokens and everything else. One thread at a time. Pointers are valid until the next add_*.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/ids.h"
#include "base/time.h"
#include "discord/events.h"
#include "sandbox/random.h"

namespace lestapenna::sandbox {

struct WorldUser {
    UserId id;
    std::string name;
    bool bot = false;
    std::string token;            ///< of a bot; its application has the bot's id
    bool refuses_direct = false;  ///< takes no direct messages
};

struct WorldChannel {
    ChannelId id;
    std::optional<GuildId> guild;  ///< nothing: a direct channel
    discord::ChannelKind kind = discord::ChannelKind::text;
    std::string name;
    int user_limit = 0;                ///< voice; 0: none
    std::vector<UserId> recipients{};  ///< of a direct channel
    std::vector<discord::Overwrite> overwrites{};
};

struct Membership {
    std::string nick;  ///< empty: none
    UnixTime joined;
    std::set<discord::RoleId> roles;  ///< besides @everyone
};

struct WorldGuild {
    GuildId id;
    std::string name;
    UserId owner;
    std::string locale = "it";
    int premium_tier = 0;
    std::vector<discord::Role> roles;  ///< the first is @everyone, which has the guild's id
    std::vector<ChannelId> channels;
    std::map<UserId, Membership> members;
    std::map<UserId, discord::VoiceState> voice_states;  ///< of those in a voice channel
};

struct Attachment {
    std::uint64_t id = 0;
    std::string name;
    std::string content_type;
    std::size_t bytes = 0;
};

struct WorldMessage {
    MessageId id;
    ChannelId channel;
    UserId author;
    std::string content;
    nlohmann::json embeds = nlohmann::json::array();
    nlohmann::json components = nlohmann::json::array();
    std::vector<Attachment> attachments;
    std::uint32_t flags = 0;  ///< 64: ephemeral, 128: "is thinking"
    int type = 0;             ///< 0: a message, 19: a reply, 20: answers a slash command
    std::optional<MessageId> answers;
    std::uint64_t interaction = 0;  ///< it came through this one's token
    std::string nonce;
    UnixTime written;
    std::optional<UnixTime> edited;
    static constexpr std::uint32_t kEphemeral = 1U << 6;
    static constexpr std::uint32_t kLoading = 1U << 7;
};

struct WorldInteraction {
    std::uint64_t id = 0;
    std::string token;
    UserId bot;
    UserId user;
    ChannelId channel;
    std::string command;
    std::string locale;  ///< of the person's Discord
    BootTime asked{};
    bool answered = false;              ///< a second callback gets 40060
    std::optional<MessageId> original;  ///< what @original is
};

class World {
  public:
    explicit World(std::uint64_t seed);

    /// Its owner is one person who is member of all guilds; set_owner() of the Loopback changes that.
    GuildId add_guild(std::string name);
    ChannelId add_channel(GuildId guild, discord::ChannelKind kind, std::string name, int user_limit);
    /// Member of every guild that is there; with `only` of that one alone.
    UserId add_user(std::string name, bool bot, std::optional<GuildId> only = std::nullopt);
    /// Does nothing for who is one, or does not exist.
    void add_member(GuildId guild, UserId user);
    void remove_member(GuildId guild, UserId user);
    discord::RoleId add_role(GuildId guild, std::string name, std::uint64_t permissions);
    void remove_role(GuildId guild, discord::RoleId role);
    /// The direct channel of these two; made when there is none.
    ChannelId direct_channel(UserId one, UserId other);
    void remove_channel(ChannelId channel);

    [[nodiscard]] const WorldUser* user(UserId id) const;
    [[nodiscard]] WorldUser* user(UserId id);
    [[nodiscard]] const WorldUser* bot_by_token(std::string_view token) const;
    [[nodiscard]] const WorldGuild* guild(GuildId id) const;
    [[nodiscard]] WorldGuild* guild(GuildId id);
    [[nodiscard]] const WorldChannel* channel(ChannelId id) const;
    [[nodiscard]] WorldChannel* channel(ChannelId id);
    [[nodiscard]] discord::Role* role(GuildId guild, discord::RoleId id);
    [[nodiscard]] bool is_member(GuildId guild, UserId user) const;
    /// The guilds a user is in.
    [[nodiscard]] std::vector<GuildId> guilds_of(UserId user) const;
    /// Null: in no voice channel of this guild.
    [[nodiscard]] const discord::VoiceState* voice_state(GuildId guild, UserId user) const;
    [[nodiscard]] std::vector<UserId> in_voice(ChannelId channel) const;

    /// Gives it an id and the time of now. The last 10,000 are kept.
    WorldMessage& add_message(WorldMessage message);
    [[nodiscard]] WorldMessage* message(ChannelId channel, MessageId id);
    /// What its author wrote there with this nonce (enforce_nonce).
    [[nodiscard]] WorldMessage* message_with_nonce(ChannelId channel, UserId author, std::string_view nonce);
    bool remove_message(ChannelId channel, MessageId id);
    [[nodiscard]] const std::deque<WorldMessage>& messages() const { return messages_; }

    /// Gives it an id, a token and the moment. The last 10,000 are kept.
    WorldInteraction& add_interaction(WorldInteraction interaction);
    [[nodiscard]] WorldInteraction* interaction(std::string_view token);

    std::uint64_t next_id();
    /// Hexadecimal digits nobody can guess who does not know the seed.
    std::string secret(std::size_t digits);

  private:
    std::string bot_token(UserId bot);

    Random random_;
    std::uint64_t last_ms_;  ///< of the latest snowflake, since Discord's epoch
    std::map<UserId, WorldUser> users_;
    std::map<GuildId, WorldGuild> guilds_;
    std::map<ChannelId, WorldChannel> channels_;
    std::deque<WorldMessage> messages_;
    std::deque<WorldInteraction> interactions_;
    UserId owner_;
};

}  // namespace lestapenna::sandbox
