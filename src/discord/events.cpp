#include "discord/events.h"

#include <utility>

#include "discord/json.h"

namespace lestapenna::discord {

std::optional<User> parse_user(const Json& from) {
    const auto id = json::id<UserId>(from, "id");
    if (!id) return std::nullopt;
    return User{*id, json::text(from, "username"), json::text(from, "global_name"), json::flag(from, "bot")};
}

namespace {

using Parsed = std::variant<Event, NoEvent>;

/// What a member object says without its user.
Member member_of(User user, const Json& from) {
    Member member;
    member.user = std::move(user);
    member.nick = json::text(from, "nick");
    for (const Json& role : json::array(from, "roles")) {
        const auto* text = role.get_ptr<const Json::string_t*>();
        const auto id = text != nullptr ? RoleId::parse(*text) : std::nullopt;
        if (id) member.roles.push_back(*id);
    }
    member.permissions = json::decimal(from, "permissions");
    return member;
}

std::optional<Member> parse_member(const Json& from) {
    auto user = parse_user(json::object(from, "user"));
    if (!user) return std::nullopt;
    return member_of(std::move(*user), from);
}

/// `guild` where the state itself need not name it, in GUILD_CREATE.
std::optional<VoiceState> parse_voice_state(const Json& from, std::optional<GuildId> guild) {
    if (!guild) guild = json::id<GuildId>(from, "guild_id");
    const auto user = json::id<UserId>(from, "user_id");
    if (!guild || !user) return std::nullopt;
    VoiceState state;
    state.guild = *guild;
    state.user = *user;
    state.channel = json::id<ChannelId>(from, "channel_id");
    // Null means "left": something unreadable must not.
    if (!state.channel && json::field(from, "channel_id") != nullptr) return std::nullopt;
    state.session_id = json::text(from, "session_id");
    state.deaf = json::flag(from, "deaf");
    state.mute = json::flag(from, "mute");
    state.self_deaf = json::flag(from, "self_deaf");
    state.self_mute = json::flag(from, "self_mute");
    state.suppress = json::flag(from, "suppress");
    state.member = parse_member(json::object(from, "member"));
    return state;
}

ChannelKind kind_of(const Json& channel) {
    switch (json::integer<int>(channel, "type").value_or(-1)) {
        case 0:
            return ChannelKind::text;
        case 2:
            return ChannelKind::voice;
        case 5:
            return ChannelKind::announcement;
        case 13:
            return ChannelKind::stage;
        default:
            return ChannelKind::other;
    }
}

std::optional<Channel> parse_channel(const Json& from, std::optional<GuildId> guild) {
    if (!guild) guild = json::id<GuildId>(from, "guild_id");
    const auto id = json::id<ChannelId>(from, "id");
    if (!guild || !id) return std::nullopt;
    Channel channel{*id, *guild, kind_of(from), json::text(from, "name"), {}, 0};
    channel.user_limit = json::integer<int>(from, "user_limit").value_or(0);
    for (const Json& overwrite : json::array(from, "permission_overwrites")) {
        const auto of = json::decimal(overwrite, "id");
        const auto type = json::integer<int>(overwrite, "type");
        if (!of || !type) continue;
        channel.overwrites.push_back({*of, *type == 0, json::decimal(overwrite, "allow").value_or(0),
                                      json::decimal(overwrite, "deny").value_or(0)});
    }
    return channel;
}

std::optional<Role> parse_role(const Json& from) {
    const auto id = json::id<RoleId>(from, "id");
    if (!id) return std::nullopt;
    return Role{*id, json::text(from, "name"), json::decimal(from, "permissions").value_or(0)};
}

/// The readable ones of `list`; `parse` gives an optional.
template <class T, class Parse>
std::vector<T> parse_all(const Json& list, Parse parse) {
    std::vector<T> all;
    for (const Json& one : list) {
        if (auto value = parse(one)) all.push_back(std::move(*value));
    }
    return all;
}

Parsed ready(const Json& data) {
    auto self = parse_user(json::object(data, "user"));
    if (!self) return NoEvent::malformed;
    Ready event;
    event.self = std::move(*self);
    event.application = json::id<ApplicationId>(json::object(data, "application"), "id").value_or(ApplicationId{});
    event.guilds = parse_all<GuildId>(json::array(data, "guilds"),
                                      [](const Json& guild) { return json::id<GuildId>(guild, "id"); });
    return event;
}

/// What GUILD_CREATE and GUILD_UPDATE have in common.
template <class E>
void describe(E& guild, const Json& data) {
    guild.name = json::text(data, "name");
    guild.owner = json::id<UserId>(data, "owner_id").value_or(UserId{});
    guild.preferred_locale = json::text(data, "preferred_locale");
    guild.premium_tier = json::integer<int>(data, "premium_tier").value_or(0);
    guild.roles = parse_all<Role>(json::array(data, "roles"), parse_role);
}

Parsed guild_create(const Json& data) {
    const auto id = json::id<GuildId>(data, "id");
    if (!id) return NoEvent::malformed;
    GuildCreate event;
    event.id = *id;
    event.unavailable = json::flag(data, "unavailable");
    if (event.unavailable) return event;
    describe(event, data);
    event.channels = parse_all<Channel>(json::array(data, "channels"),
                                        [&](const Json& channel) { return parse_channel(channel, id); });
    event.members = parse_all<Member>(json::array(data, "members"), parse_member);
    event.voice_states = parse_all<VoiceState>(json::array(data, "voice_states"),
                                               [&](const Json& state) { return parse_voice_state(state, id); });
    return event;
}

Parsed guild_update(const Json& data) {
    const auto id = json::id<GuildId>(data, "id");
    if (!id) return NoEvent::malformed;
    GuildUpdate event;
    event.id = *id;
    describe(event, data);
    return event;
}

Parsed guild_delete(const Json& data) {
    const auto id = json::id<GuildId>(data, "id");
    if (!id) return NoEvent::malformed;
    return GuildDelete{*id, json::flag(data, "unavailable")};
}

template <class E>
Parsed channel_event(const Json& data) {
    auto channel = parse_channel(data, std::nullopt);
    if (!channel) return NoEvent::malformed;
    return E{std::move(*channel)};
}

Parsed channel_delete(const Json& data) {
    const auto id = json::id<ChannelId>(data, "id");
    const auto guild = json::id<GuildId>(data, "guild_id");
    if (!id || !guild) return NoEvent::malformed;
    return ChannelDelete{*id, *guild};
}

Parsed role_change(const Json& data) {
    const auto guild = json::id<GuildId>(data, "guild_id");
    auto role = parse_role(json::object(data, "role"));
    if (!guild || !role) return NoEvent::malformed;
    return RoleChange{*guild, std::move(*role)};
}

Parsed role_delete(const Json& data) {
    const auto guild = json::id<GuildId>(data, "guild_id");
    const auto role = json::id<RoleId>(data, "role_id");
    if (!guild || !role) return NoEvent::malformed;
    return RoleDelete{*guild, *role};
}

Parsed member_update(const Json& data) {
    const auto guild = json::id<GuildId>(data, "guild_id");
    auto member = parse_member(data);
    if (!guild || !member) return NoEvent::malformed;
    return MemberUpdate{*guild, std::move(*member)};
}

Parsed voice_state(const Json& data) {
    auto state = parse_voice_state(data, std::nullopt);
    if (!state) return NoEvent::malformed;
    return std::move(*state);
}

Parsed voice_server(const Json& data) {
    const auto guild = json::id<GuildId>(data, "guild_id");
    const std::string& token = json::text(data, "token");
    if (!guild || token.empty()) return NoEvent::malformed;
    return VoiceServer{*guild, token, json::text(data, "endpoint")};
}

Parsed message_create(const Json& data) {
    const auto id = json::id<MessageId>(data, "id");
    const auto channel = json::id<ChannelId>(data, "channel_id");
    auto author = parse_user(json::object(data, "author"));
    if (!id || !channel || !author) return NoEvent::malformed;
    MessageCreate event;
    event.id = *id;
    event.channel = *channel;
    event.guild = json::id<GuildId>(data, "guild_id");
    event.author = member_of(std::move(*author), json::object(data, "member"));
    event.content = json::text(data, "content");
    event.type = json::integer<int>(data, "type").value_or(0);
    event.webhook = json::field(data, "webhook_id") != nullptr;
    return event;
}

/// Subcommands and their groups hold the next level's options; the others hold a value.
void flatten(const Json& options, Interaction& into) {
    constexpr int kSubcommand = 1;
    constexpr int kGroup = 2;
    for (const Json& option : options) {
        const std::string& name = json::text(option, "name");
        if (name.empty()) continue;
        const int type = json::integer<int>(option, "type").value_or(0);
        if (type == kSubcommand || type == kGroup) {
            into.subcommands.push_back(name);
            flatten(json::array(option, "options"), into);
        } else if (const Json* value = json::field(option, "value")) {
            const auto* text = value->get_ptr<const Json::string_t*>();
            into.options[name] = text != nullptr ? *text : print_json(*value);
        }
    }
}

Parsed interaction_create(const Json& data) {
    constexpr int kCommand = 2;
    const auto id = json::decimal(data, "id");
    const auto application = json::id<ApplicationId>(data, "application_id");
    const auto type = json::integer<int>(data, "type");
    const std::string& token = json::text(data, "token");
    const Json& command = json::object(data, "data");
    auto member = parse_member(json::object(data, "member"));
    if (!member) {  // in a direct message
        if (auto user = parse_user(json::object(data, "user"))) member = member_of(std::move(*user), Json::object());
    }
    if (!id || !application || !type || token.empty() || !member) return NoEvent::malformed;
    if (*type == kCommand && json::text(command, "name").empty()) return NoEvent::malformed;

    Interaction event;
    event.id = *id;
    event.application = *application;
    event.token = token;
    event.type = *type;
    event.guild = json::id<GuildId>(data, "guild_id");
    event.channel = json::id<ChannelId>(data, "channel_id");
    event.author = std::move(*member);
    event.locale = json::text(data, "locale");
    event.guild_locale = json::text(data, "guild_locale");
    event.app_permissions = json::decimal(data, "app_permissions").value_or(0);
    event.command = json::text(command, "name");
    flatten(json::array(command, "options"), event);
    return event;
}

Parsed resumed(const Json& /*data*/) {
    return Resumed{};
}

}  // namespace

std::variant<Event, NoEvent> parse_event(const std::string& name, const Json& data) {
    static const std::map<std::string, Parsed (*)(const Json&), std::less<>> kParsers = {
        {"READY", ready},
        {"RESUMED", resumed},
        {"GUILD_CREATE", guild_create},
        {"GUILD_UPDATE", guild_update},
        {"GUILD_DELETE", guild_delete},
        {"CHANNEL_CREATE", channel_event<ChannelCreate>},
        {"CHANNEL_UPDATE", channel_event<ChannelUpdate>},
        {"CHANNEL_DELETE", channel_delete},
        {"GUILD_ROLE_CREATE", role_change},
        {"GUILD_ROLE_UPDATE", role_change},
        {"GUILD_ROLE_DELETE", role_delete},
        {"GUILD_MEMBER_UPDATE", member_update},
        {"VOICE_STATE_UPDATE", voice_state},
        {"VOICE_SERVER_UPDATE", voice_server},
        {"MESSAGE_CREATE", message_create},
        {"INTERACTION_CREATE", interaction_create},
    };
    const auto parser = kParsers.find(name);
    return parser == kParsers.end() ? Parsed(NoEvent::unknown) : parser->second(data);
}

}  // namespace lestapenna::discord
