#include "discord/guilds.h"

#include <gtest/gtest.h>

namespace lestapenna::discord {
namespace {

constexpr GuildId kGuild{1};
constexpr ChannelId kTable{10};
constexpr ChannelId kKitchen{11};
constexpr UserId kAnna{100};
constexpr UserId kBruno{101};

Member member(UserId id, const std::string& name, const std::string& nick = "", bool bot = false) {
    Member member;
    member.user = {id, name, "", bot};
    member.nick = nick;
    return member;
}

VoiceState in(UserId user, std::optional<ChannelId> channel) {
    VoiceState state;
    state.guild = kGuild;
    state.user = user;
    state.channel = channel;
    return state;
}

GuildCreate tavern() {
    GuildCreate guild;
    guild.id = kGuild;
    guild.name = "Tavern";
    guild.owner = kAnna;
    guild.roles = {{RoleId{1}, "@everyone", 8}};
    guild.channels = {{kTable, kGuild, ChannelKind::voice, "Table", {}},
                      {kKitchen, kGuild, ChannelKind::voice, "Kitchen", {}}};
    guild.members = {member(kAnna, "anna", "Elf"), member(kBruno, "bruno", "", true)};
    guild.voice_states = {in(kAnna, kTable), in(kBruno, kKitchen)};
    return guild;
}

TEST(Guilds, KnowsWhoIsWhere) {
    Guilds guilds;
    guilds.apply(tavern());
    EXPECT_EQ(guilds.channel_of(kGuild, kAnna), kTable);
    ASSERT_EQ(guilds.in_channel(kGuild, kTable).size(), 1U);
    EXPECT_EQ(guilds.in_channel(kGuild, kTable)[0].user, kAnna);

    guilds.apply(in(kBruno, kTable));
    EXPECT_EQ(guilds.in_channel(kGuild, kTable).size(), 2U);
    guilds.apply(in(kAnna, std::nullopt));
    EXPECT_EQ(guilds.channel_of(kGuild, kAnna), std::nullopt);
    EXPECT_EQ(guilds.in_channel(kGuild, kTable).size(), 1U);

    guilds.apply(ChannelDelete{kTable, kGuild});
    EXPECT_TRUE(guilds.in_channel(kGuild, kTable).empty());
    EXPECT_EQ(guilds.channel_of(kGuild, kBruno), std::nullopt);
    EXPECT_FALSE(guilds.guild(kGuild)->channels.contains(kTable));
}

TEST(Guilds, FollowsTheGuildAndItsMembers) {
    Guilds guilds;
    guilds.apply(tavern());
    GuildUpdate update;
    update.id = kGuild;
    update.name = "Inn";
    update.owner = kBruno;
    update.preferred_locale = "it";
    update.premium_tier = 2;
    update.roles = {{RoleId{1}, "@everyone", 0}, {RoleId{5}, "Master", 32}};
    guilds.apply(update);
    EXPECT_EQ(guilds.guild(kGuild)->name, "Inn");
    EXPECT_EQ(guilds.guild(kGuild)->owner, kBruno);
    EXPECT_EQ(guilds.guild(kGuild)->preferred_locale, "it");
    EXPECT_EQ(guilds.guild(kGuild)->premium_tier, 2);
    EXPECT_EQ(guilds.guild(kGuild)->roles.size(), 2U);
    EXPECT_EQ(guilds.in_channel(kGuild, kTable).size(), 1U) << "who is where stays";

    Member anna = member(kAnna, "anna", "Queen");
    anna.roles = {RoleId{5}};
    guilds.apply(MemberUpdate{kGuild, anna});
    EXPECT_EQ(guilds.name_of(kGuild, kAnna), "Queen");
    EXPECT_EQ(guilds.guild(kGuild)->members.at(kAnna).roles, anna.roles);

    update.id = GuildId{9};
    guilds.apply(update);
    guilds.apply(MemberUpdate{GuildId{9}, anna});
    EXPECT_EQ(guilds.guild(GuildId{9}), nullptr);
}

TEST(Guilds, NamesPeople) {
    Guilds guilds;
    guilds.apply(tavern());
    EXPECT_EQ(guilds.name_of(kGuild, kAnna), "Elf");
    EXPECT_EQ(guilds.name_of(kGuild, kBruno), "bruno");
    EXPECT_EQ(guilds.name_of(kGuild, UserId{7}), "7");
    EXPECT_EQ(guilds.name_of(GuildId{9}, kAnna), "100");
    EXPECT_TRUE(guilds.is_bot(kGuild, kBruno));
    EXPECT_FALSE(guilds.is_bot(kGuild, kAnna));
    EXPECT_FALSE(guilds.is_bot(kGuild, UserId{7}));

    VoiceState carla = in(UserId{102}, kTable);
    carla.member = member(UserId{102}, "carla");
    guilds.apply(carla);
    EXPECT_EQ(guilds.name_of(kGuild, UserId{102}), "carla");
    guilds.apply(in(UserId{102}, std::nullopt));
    guilds.apply(tavern());
    EXPECT_EQ(guilds.name_of(kGuild, UserId{102}), "carla") << "who has left keeps a name";
}

TEST(Guilds, ReplacesVoiceStatesAndChannels) {
    Guilds guilds;
    guilds.apply(tavern());
    GuildCreate later = tavern();
    later.voice_states = {in(kBruno, kTable)};
    later.channels.pop_back();
    guilds.apply(later);
    EXPECT_EQ(guilds.channel_of(kGuild, kAnna), std::nullopt);
    EXPECT_EQ(guilds.channel_of(kGuild, kBruno), kTable);
    EXPECT_EQ(guilds.guild(kGuild)->channels.size(), 1U);
}

TEST(Guilds, AnOutageIsNoRemoval) {
    Guilds guilds;
    guilds.apply(tavern());
    guilds.apply(GuildDelete{kGuild, true});
    ASSERT_NE(guilds.guild(kGuild), nullptr);
    EXPECT_FALSE(guilds.guild(kGuild)->available);
    EXPECT_EQ(guilds.channel_of(kGuild, kAnna), kTable);

    GuildCreate outage;
    outage.id = kGuild;
    outage.unavailable = true;
    guilds.apply(outage);
    EXPECT_EQ(guilds.guild(kGuild)->name, "Tavern");
    guilds.apply(tavern());
    EXPECT_TRUE(guilds.guild(kGuild)->available);

    guilds.apply(GuildDelete{kGuild, false});
    EXPECT_EQ(guilds.guild(kGuild), nullptr);
    EXPECT_TRUE(guilds.ids().empty());
}

TEST(Guilds, ANewSessionForgetsOnlyWhatIsNotListed) {
    Guilds guilds;
    guilds.apply(tavern());
    GuildCreate other;
    other.id = GuildId{2};
    guilds.apply(other);
    Ready ready;
    ready.guilds = {kGuild, GuildId{3}};
    guilds.apply(ready);
    EXPECT_EQ(guilds.ids(), (std::vector{kGuild, GuildId{3}}));
    EXPECT_FALSE(guilds.guild(kGuild)->available);
    EXPECT_EQ(guilds.channel_of(kGuild, kAnna), kTable);
}

TEST(Guilds, RolesAndChannelsChange) {
    Guilds guilds;
    guilds.apply(tavern());
    guilds.apply(RoleChange{kGuild, {RoleId{5}, "Players", 32}});
    EXPECT_EQ(guilds.guild(kGuild)->roles.at(RoleId{5}).permissions, 32U);
    guilds.apply(RoleDelete{kGuild, RoleId{5}});
    EXPECT_FALSE(guilds.guild(kGuild)->roles.contains(RoleId{5}));
    guilds.apply(ChannelCreate{{ChannelId{12}, kGuild, ChannelKind::text, "chat", {}}});
    guilds.apply(ChannelUpdate{{kTable, kGuild, ChannelKind::voice, "Round table", {}}});
    EXPECT_EQ(guilds.guild(kGuild)->channels.at(ChannelId{12}).name, "chat");
    EXPECT_EQ(guilds.guild(kGuild)->channels.at(kTable).name, "Round table");
}

TEST(Guilds, EventsOfUnknownGuildsAreIgnored) {
    Guilds guilds;
    guilds.apply(in(kAnna, kTable));
    guilds.apply(ChannelDelete{kTable, kGuild});
    guilds.apply(ChannelCreate{{kTable, kGuild, ChannelKind::voice, "Table", {}}});
    guilds.apply(RoleChange{kGuild, {}});
    guilds.apply(GuildDelete{kGuild, true});
    EXPECT_EQ(guilds.guild(kGuild), nullptr);
    EXPECT_TRUE(guilds.in_channel(kGuild, kTable).empty());
}

}  // namespace
}  // namespace lestapenna::discord
