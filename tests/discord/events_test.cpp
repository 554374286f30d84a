#include "discord/events.h"

#include <gtest/gtest.h>

#include "discord/json.h"

namespace lestapenna::discord {
namespace {

/// The event in `text`; fails the test when there is none of that type.
template <class E>
E event(const std::string& name, const std::string& text) {
    const auto data = parse_json(text);
    EXPECT_TRUE(data) << text;
    if (!data) return {};
    const auto parsed = parse_event(name, *data);
    const auto* some = std::get_if<Event>(&parsed);
    const auto* wanted = some != nullptr ? std::get_if<E>(some) : nullptr;
    EXPECT_NE(wanted, nullptr) << name << ": " << text;
    return wanted != nullptr ? *wanted : E{};
}

std::optional<NoEvent> no_event(const std::string& name, const std::string& text) {
    const auto parsed = parse_event(name, parse_json(text).value_or(Json()));
    const auto* none = std::get_if<NoEvent>(&parsed);
    return none != nullptr ? std::optional(*none) : std::nullopt;
}

TEST(Json, WhatIsNotThereIsNothing) {
    const auto json = parse_json(R"({"null":null,"text":"a","number":7,"big":18446744073709551615,"minus":-1,
        "real":41250.9,"huge":1e300,"yes":true,"id":"18446744073709551615","over":"18446744073709551616","list":[1],"in":{}})");
    ASSERT_TRUE(json);
    EXPECT_EQ(json::field(*json, "null"), nullptr);
    EXPECT_EQ(json::text(*json, "text"), "a");
    EXPECT_EQ(json::text(*json, "number"), "");
    EXPECT_EQ(json::integer<int>(*json, "number"), 7);
    EXPECT_EQ(json::integer<std::uint64_t>(*json, "big"), 18446744073709551615U);
    EXPECT_EQ(json::integer<std::int64_t>(*json, "big"), std::nullopt);
    EXPECT_EQ(json::integer<std::uint32_t>(*json, "minus"), std::nullopt);
    EXPECT_EQ(json::integer<std::int8_t>(*json, "minus"), -1);
    EXPECT_EQ(json::integer<int>(*json, "real"), 41250);
    EXPECT_EQ(json::integer<std::uint64_t>(*json, "huge"), std::nullopt);
    EXPECT_EQ(json::integer<int>(*json, "text"), std::nullopt);
    EXPECT_EQ(json::number(*json, "huge"), 1e300);
    EXPECT_TRUE(json::flag(*json, "yes"));
    EXPECT_FALSE(json::flag(*json, "number"));
    EXPECT_EQ(json::id<UserId>(*json, "id"), UserId{18446744073709551615U});
    EXPECT_EQ(json::id<UserId>(*json, "over"), std::nullopt);
    EXPECT_EQ(json::id<UserId>(*json, "number"), std::nullopt);
    EXPECT_EQ(json::array(*json, "list").size(), 1U);
    EXPECT_TRUE(json::array(*json, "in").empty());
    EXPECT_TRUE(json::object(*json, "list").empty());
    EXPECT_EQ(json::text(Json(7), "any"), "");
}

TEST(Json, WhatIsNoneIsRefused) {
    EXPECT_FALSE(parse_json(""));
    EXPECT_FALSE(parse_json("<html>"));
    EXPECT_FALSE(parse_json(R"({"a":)"));
    EXPECT_FALSE(parse_json(R"({"a":1e999})"));
    EXPECT_FALSE(parse_json("\"\xff\""));
    EXPECT_TRUE(parse_json(std::string(64, '[') + std::string(64, ']')));
    EXPECT_FALSE(parse_json(std::string(65, '[') + std::string(65, ']')));
    EXPECT_FALSE(parse_json(std::string(1U << 20, '[')));
    EXPECT_TRUE(parse_json(R"(["\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["])"));
}

TEST(Json, PrintsBytesThatAreNoText) {
    EXPECT_EQ(print_json(Json{{"a", "\xff"}}), "{\"a\":\"\xef\xbf\xbd\"}");
}

TEST(Events, Ready) {
    const auto ready = event<Ready>("READY", R"({"v":10,"user":{"id":"1090123456789012345","username":"lestapenna",
        "discriminator":"0","global_name":null,"avatar":null,"bot":true},"guilds":[{"id":"41771983423143937",
        "unavailable":true},{"id":7},"x"],"session_id":"abc","application":{"id":"1090123456789012346","flags":0}})");
    EXPECT_EQ(ready.self.id, UserId{1090123456789012345U});
    EXPECT_TRUE(ready.self.bot);
    EXPECT_EQ(ready.self.display(), "lestapenna");
    EXPECT_EQ(ready.application, ApplicationId{1090123456789012346U});
    EXPECT_EQ(ready.guilds, std::vector{GuildId{41771983423143937U}});
    EXPECT_EQ(no_event("READY", R"({"guilds":[]})"), NoEvent::malformed);
    event<Resumed>("RESUMED", "null");
}

TEST(Events, GuildCreate) {
    const auto guild = event<GuildCreate>("GUILD_CREATE", R"({"id":"1","name":"Tavern","owner_id":"2",
        "preferred_locale":"it","premium_tier":2,"roles":[{"id":"1","name":"@everyone","permissions":"104324673"},{}],
        "channels":[{"id":"10","type":2,"name":"Table","permission_overwrites":[
            {"id":"1","type":0,"allow":"0","deny":"1024"},{"id":"3","type":1,"allow":"1024","deny":"0"},{"id":[]}],"user_limit":6},
            {"id":"11","type":0,"user_limit":"6"},{"id":"12","type":13},{"id":"13","type":99},7],
        "members":[{"user":{"id":"3","username":"anna","global_name":"Anna"},"nick":"Elf","roles":["5",6]},{"nick":"x"}],
        "voice_states":[{"channel_id":"10","user_id":"3","session_id":"s","self_mute":true},{"channel_id":"10"}]})");
    EXPECT_EQ(guild.id, GuildId{1});
    EXPECT_EQ(guild.name, "Tavern");
    EXPECT_EQ(guild.owner, UserId{2});
    EXPECT_EQ(guild.preferred_locale, "it");
    EXPECT_EQ(guild.premium_tier, 2);
    ASSERT_EQ(guild.roles.size(), 1U);
    EXPECT_EQ(guild.roles[0].permissions, 104324673U);
    ASSERT_EQ(guild.channels.size(), 4U);
    EXPECT_EQ(guild.channels[0].kind, ChannelKind::voice);
    EXPECT_EQ(guild.channels[0].guild, GuildId{1});
    EXPECT_EQ(guild.channels[0].user_limit, 6);
    EXPECT_EQ(guild.channels[1].user_limit, 0);
    EXPECT_EQ(guild.channels[1].kind, ChannelKind::text);
    EXPECT_EQ(guild.channels[2].kind, ChannelKind::stage);
    EXPECT_EQ(guild.channels[3].kind, ChannelKind::other);
    ASSERT_EQ(guild.channels[0].overwrites.size(), 2U);
    EXPECT_TRUE(guild.channels[0].overwrites[0].for_role);
    EXPECT_EQ(guild.channels[0].overwrites[0].deny, 1024U);
    EXPECT_FALSE(guild.channels[0].overwrites[1].for_role);
    ASSERT_EQ(guild.members.size(), 1U);
    EXPECT_EQ(guild.members[0].display(), "Elf");
    EXPECT_EQ(guild.members[0].roles, std::vector{RoleId{5}});
    ASSERT_EQ(guild.voice_states.size(), 1U);
    EXPECT_EQ(guild.voice_states[0].guild, GuildId{1});
    EXPECT_EQ(guild.voice_states[0].channel, ChannelId{10});
    EXPECT_TRUE(guild.voice_states[0].self_mute);

    const auto update = event<GuildUpdate>("GUILD_UPDATE", R"({"id":"1","name":"Inn","owner_id":"3",
        "preferred_locale":"en-GB","premium_tier":3,"roles":[{"id":"1","name":"@everyone","permissions":"8"}]})");
    EXPECT_EQ(update.id, GuildId{1});
    EXPECT_EQ(update.name, "Inn");
    EXPECT_EQ(update.owner, UserId{3});
    EXPECT_EQ(update.preferred_locale, "en-GB");
    EXPECT_EQ(update.premium_tier, 3);
    ASSERT_EQ(update.roles.size(), 1U);
    EXPECT_EQ(update.roles[0].permissions, 8U);
    EXPECT_EQ(no_event("GUILD_UPDATE", R"({"name":"Inn"})"), NoEvent::malformed);

    const auto member = event<MemberUpdate>("GUILD_MEMBER_UPDATE", R"({"guild_id":"1","user":{"id":"9","username":"bot",
        "bot":true},"nick":"[REC] bot","roles":["5","6"]})");
    EXPECT_EQ(member.guild, GuildId{1});
    EXPECT_EQ(member.member.user.id, UserId{9});
    EXPECT_EQ(member.member.nick, "[REC] bot");
    EXPECT_EQ(member.member.roles.size(), 2U);
    EXPECT_EQ(no_event("GUILD_MEMBER_UPDATE", R"({"guild_id":"1","nick":"x"})"), NoEvent::malformed);
    EXPECT_EQ(no_event("GUILD_MEMBER_UPDATE", R"({"user":{"id":"9"}})"), NoEvent::malformed);

    EXPECT_TRUE(event<GuildCreate>("GUILD_CREATE", R"({"id":"1","unavailable":true})").unavailable);
    EXPECT_TRUE(event<GuildDelete>("GUILD_DELETE", R"({"id":"1","unavailable":true})").unavailable);
    EXPECT_FALSE(event<GuildDelete>("GUILD_DELETE", R"({"id":"1"})").unavailable);
    EXPECT_EQ(no_event("GUILD_CREATE", R"({"name":"Tavern"})"), NoEvent::malformed);
}

TEST(Events, VoiceState) {
    const auto state = event<VoiceState>("VOICE_STATE_UPDATE", R"({"guild_id":"41771983423143937",
        "channel_id":"127121515262115840","user_id":"104694319306248192","member":{"user":{"id":"104694319306248192",
        "username":"anna","global_name":"Anna","bot":false},"nick":null,"roles":[]},"session_id":"9032","deaf":true,
        "mute":true,"self_deaf":true,"self_mute":true,"self_video":false,"suppress":true})");
    EXPECT_EQ(state.channel, ChannelId{127121515262115840U});
    EXPECT_EQ(state.session_id, "9032");
    EXPECT_TRUE(state.deaf && state.mute && state.self_deaf && state.self_mute && state.suppress);
    ASSERT_TRUE(state.member);
    EXPECT_EQ(state.member->display(), "Anna");

    const auto left =
        event<VoiceState>("VOICE_STATE_UPDATE", R"({"guild_id":"1","channel_id":null,"user_id":"2","session_id":"s"})");
    EXPECT_FALSE(left.channel);
    EXPECT_FALSE(left.member);
    // What can not be read is not "left".
    EXPECT_EQ(no_event("VOICE_STATE_UPDATE", R"({"guild_id":"1","channel_id":5,"user_id":"2"})"), NoEvent::malformed);
    EXPECT_EQ(no_event("VOICE_STATE_UPDATE", R"({"guild_id":"1","channel_id":"-5","user_id":"2"})"),
              NoEvent::malformed);
    EXPECT_EQ(no_event("VOICE_STATE_UPDATE", R"({"channel_id":"1","user_id":"2"})"), NoEvent::malformed);
    EXPECT_EQ(no_event("VOICE_STATE_UPDATE", R"({"guild_id":"1","channel_id":"1"})"), NoEvent::malformed);
}

TEST(Events, VoiceServer) {
    const auto server =
        event<VoiceServer>("VOICE_SERVER_UPDATE", R"({"token":"t","guild_id":"1","endpoint":"a.discord.media:2048"})");
    EXPECT_EQ(server.token, "t");
    EXPECT_EQ(server.endpoint, "a.discord.media:2048");
    EXPECT_EQ(event<VoiceServer>("VOICE_SERVER_UPDATE", R"({"token":"t","guild_id":"1","endpoint":null})").endpoint,
              "");
    EXPECT_EQ(no_event("VOICE_SERVER_UPDATE", R"({"guild_id":"1","endpoint":"a"})"), NoEvent::malformed);
}

TEST(Events, ChannelsAndRoles) {
    EXPECT_EQ(event<ChannelCreate>("CHANNEL_CREATE", R"({"id":"2","guild_id":"1","type":2,"name":"a"})").channel.kind,
              ChannelKind::voice);
    EXPECT_EQ(event<ChannelUpdate>("CHANNEL_UPDATE", R"({"id":"2","guild_id":"1","type":5})").channel.kind,
              ChannelKind::announcement);
    EXPECT_EQ(event<ChannelDelete>("CHANNEL_DELETE", R"({"id":"2","guild_id":"1"})").id, ChannelId{2});
    EXPECT_EQ(event<RoleChange>("GUILD_ROLE_CREATE", R"({"guild_id":"1","role":{"id":"3","permissions":"8"}})")
                  .role.permissions,
              8U);
    EXPECT_EQ(event<RoleChange>("GUILD_ROLE_UPDATE", R"({"guild_id":"1","role":{"id":"3"}})").role.permissions, 0U);
    EXPECT_EQ(event<RoleDelete>("GUILD_ROLE_DELETE", R"({"guild_id":"1","role_id":"3"})").id, RoleId{3});
    EXPECT_EQ(no_event("CHANNEL_UPDATE", R"({"id":"2","type":2})"), NoEvent::malformed);
    EXPECT_EQ(no_event("GUILD_ROLE_UPDATE", R"({"guild_id":"1","role":[]})"), NoEvent::malformed);
}

TEST(Events, Message) {
    const auto message = event<MessageCreate>("MESSAGE_CREATE", R"({"id":"1","channel_id":"2","guild_id":"3",
        "author":{"id":"4","username":"anna","bot":false},"member":{"nick":"Elf","roles":["9"]},"content":"$registra",
        "type":19,"mentions":[],"attachments":[]})");
    EXPECT_EQ(message.guild, GuildId{3});
    EXPECT_EQ(message.author.user.id, UserId{4});
    EXPECT_EQ(message.author.display(), "Elf");
    EXPECT_EQ(message.author.roles, std::vector{RoleId{9}});
    EXPECT_EQ(message.content, "$registra");
    EXPECT_EQ(message.type, 19);
    EXPECT_FALSE(message.webhook);
    const auto direct = event<MessageCreate>(
        "MESSAGE_CREATE", R"({"id":"1","channel_id":"2","author":{"id":"4"},"webhook_id":"8","type":"0"})");
    EXPECT_FALSE(direct.guild);
    EXPECT_TRUE(direct.webhook);
    EXPECT_EQ(no_event("MESSAGE_CREATE", R"({"id":"1","channel_id":"2","author":"4"})"), NoEvent::malformed);
}

TEST(Events, Interaction) {
    const auto command =
        event<Interaction>("INTERACTION_CREATE", R"({"id":"5","application_id":"6","type":2,"token":"T",
        "version":1,"guild_id":"7","channel_id":"8","locale":"it","guild_locale":"en-US","app_permissions":"2147483647",
        "member":{"user":{"id":"9","username":"u","global_name":"N"},"nick":null,"roles":[],"permissions":"32"},
        "data":{"id":"10","name":"record","type":1,"options":[{"name":"group","type":2,"options":[{"name":"start",
        "type":1,"options":[{"name":"title","type":3,"value":"x"},{"name":"loud","type":5,"value":true},
        {"name":"count","type":4,"value":12},{"name":"none","type":3},{"type":3,"value":"y"}]}]}]}})");
    EXPECT_EQ(command.id, 5U);
    EXPECT_EQ(command.application, ApplicationId{6});
    EXPECT_EQ(command.token, "T");
    EXPECT_EQ(command.type, 2);
    EXPECT_EQ(command.guild, GuildId{7});
    EXPECT_EQ(command.channel, ChannelId{8});
    EXPECT_EQ(command.author.display(), "N");
    EXPECT_EQ(command.author.permissions, 32U);
    EXPECT_EQ(command.app_permissions, 2147483647U);
    EXPECT_EQ(command.locale, "it");
    EXPECT_EQ(command.command, "record");
    EXPECT_EQ(command.subcommands, (std::vector<std::string>{"group", "start"}));
    EXPECT_EQ(command.options, (std::map<std::string, std::string>{{"title", "x"}, {"loud", "true"}, {"count", "12"}}));

    const auto direct = event<Interaction>("INTERACTION_CREATE", R"({"id":"5","application_id":"6","type":2,"token":"T",
        "user":{"id":"9","username":"u"},"data":{"name":"record"}})");
    EXPECT_FALSE(direct.guild);
    EXPECT_EQ(direct.author.user.id, UserId{9});
    const std::string nobody = R"({"id":"5","application_id":"6","type":2,"token":"T","data":{"name":"record"}})";
    EXPECT_EQ(no_event("INTERACTION_CREATE", nobody), NoEvent::malformed);
    const std::string no_token = R"({"id":"5","application_id":"6","type":2,"user":{"id":"9"},"data":{"name":"a"}})";
    EXPECT_EQ(no_event("INTERACTION_CREATE", no_token), NoEvent::malformed);
}

TEST(Events, UnknownOnesAndWrongShapes) {
    EXPECT_EQ(no_event("PRESENCE_UPDATE", "{}"), NoEvent::unknown);
    EXPECT_EQ(no_event("", "{}"), NoEvent::unknown);
    for (const char* name : {"READY", "GUILD_CREATE", "GUILD_DELETE", "CHANNEL_CREATE", "CHANNEL_UPDATE",
                             "CHANNEL_DELETE", "GUILD_ROLE_CREATE", "GUILD_ROLE_UPDATE", "GUILD_ROLE_DELETE",
                             "VOICE_STATE_UPDATE", "VOICE_SERVER_UPDATE", "MESSAGE_CREATE", "INTERACTION_CREATE"}) {
        for (const char* data : {"null", "7", "\"text\"", "[]", "[{}]", "{}", R"({"id":{"id":"1"}})", R"({"id":1e300})",
                                 R"({"user":[],"guild_id":[],"id":[],"role":7,"author":null,"data":[]})"}) {
            EXPECT_EQ(no_event(name, data), NoEvent::malformed) << name << ' ' << data;
        }
    }
}

}  // namespace
}  // namespace lestapenna::discord
