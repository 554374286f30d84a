// What the main gateway tells us, as values: only the fields we use (reference: Discord API v10). Parsing is total:
// fields of the wrong type count as absent; an event without what makes it one is malformed. Pure; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/ids.h"

namespace lestapenna::discord {

using RoleId = Snowflake<struct OfRole>;
using ApplicationId = Snowflake<struct OfApplication>;

struct User {
    UserId id;
    std::string username;
    std::string global_name;  ///< empty: none
    bool bot = false;
    /// What people see: the global name, else the user name.
    [[nodiscard]] const std::string& display() const { return global_name.empty() ? username : global_name; }
};

struct Member {
    User user;
    std::string nick;  ///< empty: none
    std::vector<RoleId> roles;
    std::optional<std::uint64_t> permissions;  ///< in an interaction: what the member may do in that channel
    [[nodiscard]] const std::string& display() const { return nick.empty() ? user.display() : nick; }
};

struct VoiceState {
    GuildId guild;
    std::optional<ChannelId> channel;  ///< nothing: not in a voice channel (any more)
    UserId user;
    std::string session_id;
    bool deaf = false;  ///< by a moderator
    bool mute = false;  ///< by a moderator
    bool self_deaf = false;
    bool self_mute = false;
    bool suppress = false;  ///< audience of a stage
    std::optional<Member> member;
};

struct VoiceServer {
    GuildId guild;
    std::string token;
    std::string endpoint;  ///< host:port; empty: gone, another VoiceServer will follow
};

struct Overwrite {
    std::uint64_t id = 0;  ///< a role or a member
    bool for_role = true;
    std::uint64_t allow = 0;
    std::uint64_t deny = 0;
};

enum class ChannelKind : std::uint8_t { text = 0, voice = 2, announcement = 5, stage = 13, other = 255 };
struct Channel {
    ChannelId id;
    GuildId guild;
    ChannelKind kind = ChannelKind::other;
    std::string name;
    std::vector<Overwrite> overwrites;
    int user_limit = 0;  ///< voice: how many fit in; 0: any number
};

struct Role {
    RoleId id;
    std::string name;
    std::uint64_t permissions = 0;
};

struct Ready {
    User self;
    ApplicationId application;
    std::vector<GuildId> guilds;  ///< a GuildCreate will follow for each
};
/// The old session goes on; what was missed came before this.
struct Resumed {};

struct GuildCreate {
    GuildId id;
    bool unavailable = false;  ///< an outage; the rest is empty then
    std::string name;
    UserId owner;
    std::string preferred_locale;
    int premium_tier = 0;
    std::vector<Role> roles;
    std::vector<Channel> channels;
    std::vector<Member> members;
    std::vector<VoiceState> voice_states;  ///< all there are: replaces what was known
};
/// What GuildCreate said of the guild itself is different now.
struct GuildUpdate {
    GuildId id;
    std::string name;
    UserId owner;
    std::string preferred_locale;
    int premium_tier = 0;
    std::vector<Role> roles;
};
struct GuildDelete {
    GuildId id;
    bool unavailable = false;  ///< an outage; otherwise we were removed
};
struct ChannelCreate {
    Channel channel;
};
struct ChannelUpdate {
    Channel channel;
};
struct ChannelDelete {
    ChannelId id;
    GuildId guild;
};
struct RoleChange {
    GuildId guild;
    Role role;
};
struct RoleDelete {
    GuildId guild;
    RoleId id;
};

/// A nickname or roles changed; without the GUILD_MEMBERS intent Discord tells it of ourselves only.
struct MemberUpdate {
    GuildId guild;
    Member member;
};

struct MessageCreate {
    MessageId id;
    ChannelId channel;
    std::optional<GuildId> guild;  ///< nothing: a direct message
    Member author;                 ///< in a direct message only the user
    std::string content;           ///< empty without the MESSAGE_CONTENT intent
    int type = 0;
    bool webhook = false;
};

/// A slash command, options flattened: of subcommands the path ("start"), of values their text.
struct Interaction {
    std::uint64_t id = 0;
    ApplicationId application;
    std::string token;  ///< a secret
    int type = 0;       ///< 2: a command
    std::optional<GuildId> guild;
    std::optional<ChannelId> channel;
    Member author;
    std::string locale;
    std::string guild_locale;
    std::uint64_t app_permissions = 0;
    std::string command;
    std::vector<std::string> subcommands;
    std::map<std::string, std::string> options;
};

using Event =
    std::variant<Ready, Resumed, GuildCreate, GuildUpdate, GuildDelete, ChannelCreate, ChannelUpdate, ChannelDelete,
                 RoleChange, RoleDelete, MemberUpdate, VoiceState, VoiceServer, MessageCreate, Interaction>;

/// A user object; nothing without an id.
std::optional<User> parse_user(const nlohmann::json& data);

enum class NoEvent : std::uint8_t { unknown, malformed };
/// `name` and `data` are t and d of a dispatch.
std::variant<Event, NoEvent> parse_event(const std::string& name, const nlohmann::json& data);

}  // namespace lestapenna::discord
