#include "bot/permissions.h"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

namespace lestapenna::bot {
namespace {

using discord::Channel;
using discord::ChannelKind;
using discord::RoleId;
using Guild = discord::Guilds::Guild;
namespace p = permission;

constexpr GuildId kGuild{1};
constexpr RoleId kEveryone{1};
constexpr RoleId kMasters{5};
constexpr ChannelId kTable{10};
constexpr ChannelId kChat{11};
constexpr UserId kOwner{100};
constexpr UserId kAnna{101};
constexpr UserId kBot{102};
constexpr std::uint64_t kUsual = p::view_channel | p::send_messages | p::connect;

Guild tavern() {
    Guild guild;
    guild.owner = kOwner;
    guild.roles = {{kEveryone, {kEveryone, "@everyone", kUsual}}, {kMasters, {kMasters, "Game Masters", 0}}};
    guild.channels = {{kTable, {kTable, kGuild, ChannelKind::voice, "Table", {}, 0}},
                      {kChat, {kChat, kGuild, ChannelKind::text, "Chat", {}, 0}}};
    guild.members[kBot] = {{kBot, "lestapenna", "", true}, "", {kMasters}, {}};
    return guild;
}

/// Discord's documentation word by word, one permission at a time: whoever speaks last decides.
bool model_has(const Guild& guild, UserId user, const std::vector<RoleId>& roles, const Channel* channel,
               std::uint64_t bit) {
    if (user == guild.owner) return true;
    const auto granted_by_a_role = [&](std::uint64_t wanted) {
        for (const auto& [id, role] : guild.roles) {
            const bool mine = id == kEveryone || std::ranges::count(roles, id) > 0;
            if (mine && (role.permissions & wanted) != 0) return true;
        }
        return false;
    };
    if (granted_by_a_role(p::administrator)) return true;
    bool answer = granted_by_a_role(bit);
    if (channel == nullptr) return answer;
    for (int rank = 0; rank < 3; ++rank) {
        for (const bool allow : {false, true}) {
            for (const auto& overwrite : channel->overwrites) {
                const bool for_all = overwrite.for_role && overwrite.id == kGuild.value;
                const bool for_my_role =
                    overwrite.for_role && !for_all && std::ranges::count(roles, RoleId{overwrite.id}) > 0;
                const bool for_me = !overwrite.for_role && overwrite.id == user.value;
                const bool of_this_rank = rank == 0 ? for_all : rank == 1 ? for_my_role : for_me;
                if (of_this_rank && ((allow ? overwrite.allow : overwrite.deny) & bit) != 0) answer = allow;
            }
        }
    }
    if (!answer) return false;
    if (bit != p::view_channel && !model_has(guild, user, roles, channel, p::view_channel)) return false;
    const bool entered = channel->kind == ChannelKind::voice || channel->kind == ChannelKind::stage;
    return !entered || bit == p::connect || bit == p::view_channel ||
           model_has(guild, user, roles, channel, p::connect);
}

TEST(Permissions, AsASlowModelSays) {
    const auto seed = std::random_device{}();
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    const std::uint64_t bits[] = {p::administrator, p::manage_guild, p::view_channel, p::send_messages,
                                  p::attach_files,  p::connect,      p::move_members, p::change_nickname};
    const auto one_of = [&](int n) { return static_cast<int>(random() % static_cast<std::uint64_t>(n)); };
    const auto some_bits = [&](int one_in) {
        std::uint64_t some = 0;
        for (const auto bit : bits) {
            if (bit != p::administrator && one_of(one_in) == 0) some |= bit;
        }
        return some;
    };
    int yes = 0;
    int no = 0;
    for (int turn = 0; turn < 20'000; ++turn) {
        Guild guild;
        guild.owner = UserId{static_cast<std::uint64_t>(1 + one_of(8))};  // ids of users and roles overlap on purpose
        for (std::uint64_t id = 1; id <= 6; ++id) {
            guild.roles[RoleId{id}] = {RoleId{id}, "r", some_bits(2) | (one_of(40) == 0 ? p::administrator : 0)};
        }
        if (one_of(10) == 0) guild.roles.erase(kEveryone);
        Channel channel{kTable, kGuild, one_of(2) == 0 ? ChannelKind::text : ChannelKind::voice, "c", {}, 0};
        if (one_of(5) == 0) channel.kind = ChannelKind::stage;
        for (int i = one_of(5); i > 0; --i) {
            channel.overwrites.push_back(
                {static_cast<std::uint64_t>(1 + one_of(8)), one_of(2) == 0, some_bits(4), some_bits(4)});
        }
        guild.channels[kTable] = channel;
        std::vector<RoleId> roles;
        for (std::uint64_t id = 2; id <= 8; ++id) {
            if (one_of(3) == 0) roles.push_back(RoleId{id});
        }
        const UserId user{static_cast<std::uint64_t>(1 + one_of(8))};
        const auto in_channel = permissions_of(guild, kGuild, user, roles, kTable);
        const auto in_guild = permissions_of(guild, kGuild, user, roles, std::nullopt);
        EXPECT_EQ(permissions_of(guild, kGuild, user, roles, ChannelId{999}), in_guild) << "an unknown channel";
        for (const auto bit : bits) {
            ASSERT_EQ((in_channel & bit) != 0, model_has(guild, user, roles, &channel, bit)) << turn << ' ' << bit;
            ASSERT_EQ((in_guild & bit) != 0, model_has(guild, user, roles, nullptr, bit)) << turn << ' ' << bit;
            ++((in_channel & bit) != 0 ? yes : no);
        }
    }
    EXPECT_GT(yes, 20'000) << "both answers are common";
    EXPECT_GT(no, 20'000);
}

TEST(Permissions, WhatIsHiddenOrClosedDeniesTheRest) {
    Guild guild = tavern();
    guild.channels[kChat].overwrites = {{kEveryone.value, true, p::attach_files, p::view_channel}};
    EXPECT_EQ(permissions_of(guild, kGuild, kAnna, {}, kChat), 0U);
    guild.channels[kTable].overwrites = {{kEveryone.value, true, 0, p::connect}};
    EXPECT_EQ(permissions_of(guild, kGuild, kAnna, {}, kTable), p::view_channel);
    EXPECT_EQ(permissions_of(guild, kGuild, kOwner, {}, kTable), ~0ULL);
    guild.roles[kMasters].permissions = p::administrator;
    EXPECT_EQ(permissions_of(guild, kGuild, kAnna, {kMasters}, kChat), ~0ULL);
}

// ---- who may

Asker at(std::optional<ChannelId> where, std::vector<RoleId> roles = {}, std::uint64_t permissions = kUsual) {
    return {kAnna, std::move(roles), permissions, where};
}

TEST(MayStart, WhoeverIsInVoice) {
    const Guild guild = tavern();
    EXPECT_EQ(may_start(at(kTable), guild, "any"), std::nullopt);
    EXPECT_EQ(may_start(at(kTable), guild, "Any"), std::nullopt);
    EXPECT_EQ(may_start(at(kTable), guild, "@everyone"), std::nullopt);
    EXPECT_EQ(may_start(at(std::nullopt), guild, "any"), Refusal::not_in_voice);
    EXPECT_EQ(may_start(at(std::nullopt, {kMasters}, ~0ULL), guild, "any"), Refusal::not_in_voice);
}

TEST(MayStart, WhoeverHasTheRole) {
    const Guild guild = tavern();
    for (const char* role : {"5", "Game Masters", "game masters"}) {
        EXPECT_EQ(may_start(at(kTable, {kMasters}), guild, role), std::nullopt) << role;
        EXPECT_EQ(may_start(at(kTable), guild, role), Refusal::lacks_role) << role;
        EXPECT_EQ(may_start(at(kTable, {RoleId{6}}), guild, role), Refusal::lacks_role) << role;
    }
    EXPECT_EQ(may_start(at(kTable, {kMasters}), guild, "Bards"), Refusal::lacks_role);
    EXPECT_EQ(may_start(at(std::nullopt, {kMasters}), guild, "5"), Refusal::not_in_voice);
    EXPECT_EQ(may_start(at(kTable, {RoleId{77}}), guild, "77"), std::nullopt) << "a role we were not told of";
}

TEST(MaySteer, StarterChannelOrManager) {
    EXPECT_EQ(may_steer(at(std::nullopt), kAnna, kTable), std::nullopt);
    EXPECT_EQ(may_steer(at(kTable), kOwner, kTable), std::nullopt);
    EXPECT_EQ(may_steer(at(std::nullopt, {}, p::manage_guild), kOwner, kTable), std::nullopt);
    EXPECT_EQ(may_steer(at(std::nullopt, {}, p::administrator), kOwner, kTable), std::nullopt);
    EXPECT_EQ(may_steer(at(std::nullopt), kOwner, kTable), Refusal::not_of_the_session);
    EXPECT_EQ(may_steer(at(ChannelId{12}), kOwner, kTable), Refusal::not_of_the_session);
}

TEST(MayDownload, RecordedStarterOrManager) {
    catalog::Session session{*SessionId::parse("S")};
    const catalog::Track annas{session.id, kAnna};
    const catalog::Track anothers{session.id, kOwner};
    EXPECT_EQ(may_download(at(std::nullopt), session, {anothers, annas}), std::nullopt);
    EXPECT_EQ(may_download(at(kTable), session, {anothers}), Refusal::not_recorded);
    EXPECT_EQ(may_download(at(kTable), session, {}), Refusal::not_recorded);
    session.started_by = kAnna.text();
    EXPECT_EQ(may_download(at(std::nullopt), session, {}), std::nullopt);
    session.started_by = kOwner.text();
    EXPECT_EQ(may_download(at(std::nullopt), session, {}), Refusal::not_recorded);
    EXPECT_EQ(may_download(at(std::nullopt, {}, p::manage_guild), session, {}), std::nullopt);
    EXPECT_EQ(may_download(at(std::nullopt, {}, p::administrator), session, {}), std::nullopt);
}

TEST(MayRecover, Managers) {
    EXPECT_EQ(may_recover(at(kTable)), Refusal::not_manager);
    EXPECT_EQ(may_recover(at(std::nullopt, {}, p::manage_guild)), std::nullopt);
    EXPECT_EQ(may_recover(at(std::nullopt, {}, p::administrator)), std::nullopt);
}

// ---- what stands in our way

class ObstaclesOf : public testing::Test {
  protected:
    Obstacles found() {
        discord::Guilds guilds;
        discord::GuildCreate create;
        create.id = kGuild;
        create.owner = kOwner;
        for (const auto& [id, role] : guild_.roles) create.roles.push_back(role);
        for (const auto& [id, channel] : guild_.channels) create.channels.push_back(channel);
        for (const auto& [id, member] : guild_.members) create.members.push_back(member);
        for (const UserId user : there_) {
            discord::VoiceState state;
            state.guild = kGuild;
            state.user = user;
            state.channel = kTable;
            create.voice_states.push_back(state);
        }
        guilds.apply(create);
        return obstacles(guilds, kGuild, kBot, kTable, text_);
    }

    Guild guild_ = tavern();
    std::vector<UserId> there_{UserId{1}, UserId{2}};
    ChannelId text_ = kChat;
};

TEST_F(ObstaclesOf, NoneUsually) {
    const auto none = found();
    EXPECT_EQ(none.missing_in_voice, 0U);
    EXPECT_EQ(none.missing_in_text, 0U);
    EXPECT_FALSE(none.full);
}

TEST_F(ObstaclesOf, SaysExactlyWhatToGrant) {
    guild_.channels[kTable].overwrites = {{kEveryone.value, true, 0, p::view_channel}};
    EXPECT_EQ(found().missing_in_voice, p::view_channel) << "connect is granted; it only does not help yet";
    guild_.channels[kTable].overwrites = {{kMasters.value, true, 0, p::connect}};
    EXPECT_EQ(found().missing_in_voice, p::connect);
    guild_.channels[kChat].overwrites = {{kBot.value, false, 0, p::send_messages}};
    EXPECT_EQ(found().missing_in_text, p::send_messages);
    text_ = kTable;  // the voice channel's own chat
    EXPECT_EQ(found().missing_in_text, p::connect);
    guild_.roles[kMasters].permissions = p::administrator;
    EXPECT_EQ(found().missing_in_voice | found().missing_in_text, 0U);
}

TEST_F(ObstaclesOf, AFullChannel) {
    guild_.channels[kTable].user_limit = 3;
    EXPECT_FALSE(found().full);
    guild_.channels[kTable].user_limit = 2;
    EXPECT_TRUE(found().full);
    there_.push_back(kBot);
    EXPECT_FALSE(found().full) << "we are in already";
    there_.pop_back();
    guild_.roles[kMasters].permissions = p::move_members;
    EXPECT_FALSE(found().full) << "who may move members passes the limit";
}

TEST_F(ObstaclesOf, WhatIsUnknownIsNone) {
    text_ = ChannelId{999};  // a thread
    EXPECT_EQ(found().missing_in_text, 0U);
    guild_.roles[kEveryone].permissions = 0;
    guild_.members.clear();
    EXPECT_EQ(found().missing_in_voice, 0U) << "our roles are not known: Discord decides";
    EXPECT_EQ(obstacles(discord::Guilds{}, kGuild, kBot, kTable, kChat).missing_in_voice, 0U);
}

}  // namespace
}  // namespace lestapenna::bot
