// Who may do what in the loopback Discord, and what it answers to those who may not.
#include "loopback_rig.h"
#include "net/http.h"
#include "sandbox/console.h"
#include "sandbox/permissions.h"

namespace lestapenna::sandbox::test_loopback {
namespace {

class Permissions : public LoopbackTest {
  protected:
    static std::string messages(ChannelId channel) { return "/channels/" + channel.text() + "/messages"; }
    [[nodiscard]] std::string own_member() const { return "/guilds/" + guild.text() + "/members/@me"; }
    Answer write(ChannelId channel) { return ask("POST", messages(channel), json{{"content", "ciao"}}); }
    Answer attach(ChannelId channel, std::size_t bytes) {
        const auto [body, type] = net::encode_form({{"payload_json", "", "application/json", R"({"content":"ecco"})"},
                                                    {"files[0]", "a.mp3", "audio/mpeg", std::string(bytes, 'x')}});
        return ask("POST", messages(channel), body, "-", type);
    }
    void deny(ChannelId channel, std::uint64_t permissions) {
        discord->set_overwrite(channel, {bot.user.value, false, 0, permissions});
    }
    void expect_error(const Answer& answer, int status, int code) {
        EXPECT_EQ(answer.status, status) << answer.text;
        EXPECT_EQ(answer.body["code"], code) << answer.text;
    }
    /// Op 4, and whether it brought the bot there; a message of a person comes after any answer.
    bool joins(const ShardPtr& shard, ChannelId channel) {
        ask_voice(shard, channel);
        const auto before = shard->dispatches("MESSAGE_CREATE").size();
        run_until([] { return false; }, milliseconds(20));
        discord->type(person, text, "marker");
        EXPECT_TRUE(run_until([&] { return shard->dispatches("MESSAGE_CREATE").size() > before; }));
        const auto state = discord->voice_state(guild, bot.user);
        return state && state->channel == channel;
    }
};

// ---- the algorithm

TEST_F(Permissions, RolesAndOverwritesAddUpAsDiscordsDo) {
    World world(1);
    const auto in = world.add_guild("Gilda");
    const auto channel = world.add_channel(in, discord::ChannelKind::text, "x", 0);
    const auto user = world.add_user("Bice", false);
    constexpr std::uint64_t kA = 1, kB = 2, kC = 4, kD = 1ULL << 40;
    world.role(in, {in.value})->permissions = kA | kB;
    const auto role = world.add_role(in, "r", kC);
    const auto other = world.add_role(in, "s", kD);
    const auto of = [&] { return permissions_in(world, *world.channel(channel), user); };
    const auto overwrite = [&](std::uint64_t id, bool for_role, std::uint64_t allow, std::uint64_t deny) {
        world.channel(channel)->overwrites.push_back({id, for_role, allow, deny});
    };
    EXPECT_EQ(of(), kA | kB);
    world.guild(in)->members.at(user).roles = {role, other};
    EXPECT_EQ(of(), kA | kB | kC | kD);
    overwrite(user.value, false, kB, kD);
    EXPECT_EQ(of(), kA | kB | kC) << "of the member";
    overwrite(role.value, true, 0, kA | kB | kC);
    overwrite(other.value, true, kC, 0);
    EXPECT_EQ(of(), kB | kC) << "one role's leave beats another one's denial, the member's beats both";
    overwrite(in.value, true, kD, kB);
    EXPECT_EQ(of(), kB | kC) << "@everyone comes first";
    world.role(in, role)->permissions |= permission::administrator;
    EXPECT_EQ(of(), permission::all);
    world.remove_role(in, role);
    EXPECT_EQ(of() & permission::administrator, 0U);
    world.guild(in)->owner = user;
    EXPECT_EQ(of(), permission::all);
    world.remove_member(in, user);
    EXPECT_EQ(of(), 0U);
}

// ---- writing

TEST_F(Permissions, WritingNeedsViewAndSend) {
    const auto shard = identified(bot);
    EXPECT_EQ(write(text).status, 200) << "until somebody takes it away";
    deny(text, permission::send_messages);
    expect_error(write(text), 403, 50013);
    EXPECT_EQ(ask("GET", messages(text)).status, 200);
    ASSERT_TRUE(run_until([&] { return shard->has("CHANNEL_UPDATE"); }));
    const auto told = shard->dispatches("CHANNEL_UPDATE")[0]["permission_overwrites"];
    EXPECT_EQ(told, json::array({{{"id", bot.user.text()}, {"type", 1}, {"allow", "0"}, {"deny", "2048"}}}));
    deny(text, permission::view_channel);
    expect_error(write(text), 403, 50001);
    const auto before = shard->dispatches("MESSAGE_CREATE").size();
    discord->type(person, text, "not for you");
    discord->type(person, voice, "for you");
    ASSERT_TRUE(run_until([&] { return shard->dispatches("MESSAGE_CREATE").size() > before; }));
    EXPECT_EQ(shard->dispatches("MESSAGE_CREATE").back()["content"], "for you");
    EXPECT_EQ(shard->dispatches("MESSAGE_CREATE").size(), before + 1);
    deny(text, 0);
    EXPECT_EQ(write(text).status, 200);
}

TEST_F(Permissions, RolesGiveAndTake) {
    const auto shard = identified(bot);
    discord->set_role(guild, {guild.value}, permission::view_channel);
    expect_error(write(text), 403, 50013);
    const auto role = discord->add_role(guild, "scribi", permission::send_messages);
    discord->give_role(guild, bot.user, role);
    EXPECT_EQ(write(text).status, 200);
    ASSERT_TRUE(run_until([&] { return shard->has("GUILD_MEMBER_UPDATE"); })) << "of itself, without the intent";
    EXPECT_EQ(shard->dispatches("GUILD_MEMBER_UPDATE")[0]["roles"], json::array({role.text()}));
    EXPECT_EQ(shard->dispatches("GUILD_ROLE_UPDATE")[0]["role"]["permissions"], "1024");
    EXPECT_EQ(shard->dispatches("GUILD_ROLE_CREATE")[0]["role"]["name"], "scribi");
    discord->remove_role(guild, role);
    expect_error(write(text), 403, 50013);
    ASSERT_TRUE(run_until([&] { return shard->has("GUILD_ROLE_DELETE"); }));
}

TEST_F(Permissions, FilesNeedLeaveAndMayNotBeTooBig) {
    constexpr std::size_t kMiB = 1U << 20;
    WorldGuild any;
    for (const auto& [tier, most] : {std::pair{0, 10U}, {1, 10U}, {2, 50U}, {3, 100U}}) {
        any.premium_tier = tier;
        EXPECT_EQ(largest_file(&any), most * kMiB);
    }
    EXPECT_EQ(attach(text, 10 * kMiB).status, 200);
    EXPECT_EQ(discord->posted().back().file_bytes, std::vector<std::size_t>{10 * kMiB});
    expect_error(attach(text, 10 * kMiB + 1), 413, 40005);
    const auto shard = identified(bot);
    discord->set_premium_tier(guild, 2);
    ASSERT_TRUE(run_until([&] { return shard->has("GUILD_UPDATE"); }));
    EXPECT_EQ(shard->dispatches("GUILD_UPDATE")[0]["premium_tier"], 2);
    EXPECT_EQ(attach(text, 10 * kMiB + 1).status, 200);
    discord->set_premium_tier(guild, 3);
    EXPECT_EQ(attach(text, 50 * kMiB + 1).status, 200);
    deny(text, permission::attach_files);
    expect_error(attach(text, 3), 403, 50013);
}

TEST_F(Permissions, WhoTakesNoDirectMessagesGetsNone) {
    discord->refuse_direct(person, true);
    const auto opened = ask("POST", "/users/@me/channels", json{{"recipient_id", person.text()}});
    ASSERT_EQ(opened.status, 200) << "the channel can be had, as on Discord";
    const auto channel = *ChannelId::parse(opened.body["id"].get<std::string>());
    expect_error(write(channel), 403, 50007);
    discord->refuse_direct(person, false);
    EXPECT_EQ(write(channel).status, 200);
    ASSERT_EQ(discord->posted().size(), 1U);
    EXPECT_EQ(discord->posted()[0].direct_to, person);
}

TEST_F(Permissions, ARepliedToMessageMustBeThereUnlessSaidOtherwise) {
    json reply{{"content", "ecco"}, {"message_reference", {{"message_id", "7"}}}};
    expect_error(ask("POST", messages(text), reply), 400, 50035);
    reply["message_reference"]["fail_if_not_exists"] = false;
    EXPECT_EQ(ask("POST", messages(text), reply).status, 200);
    EXPECT_FALSE(discord->posted().back().answers);
    const auto typed = discord->type(person, text, "?");
    reply["message_reference"]["message_id"] = typed.text();
    EXPECT_EQ(ask("POST", messages(text), reply).status, 200);
    EXPECT_EQ(discord->posted().back().answers, typed);
}

TEST_F(Permissions, TheOwnNicknameNeedsLeave) {
    discord->set_role(guild, {guild.value}, permission::view_channel);
    expect_error(ask("PATCH", own_member(), json{{"nick", "[REC]"}}), 403, 50013);
    EXPECT_EQ(discord->nickname(guild, bot.user), "");
}

// ---- voice

TEST_F(Permissions, OpFourIsAnsweredOnlyWhereOneMayConnect) {
    const auto shard = identified(bot);
    deny(voice, permission::connect);
    EXPECT_FALSE(joins(shard, voice));
    deny(voice, permission::view_channel);
    EXPECT_FALSE(joins(shard, voice));
    deny(voice, 0);
    EXPECT_TRUE(joins(shard, voice));
}

TEST_F(Permissions, AFullChannelTakesOnlyWhoMayMoveMembers) {
    const auto shard = identified(bot);
    discord->set_user_limit(voice, 1);
    discord->set_voice(guild, person, voice, {});
    EXPECT_FALSE(joins(shard, voice));
    ASSERT_TRUE(run_until([&] { return shard->has("CHANNEL_UPDATE"); }));
    EXPECT_EQ(shard->dispatches("CHANNEL_UPDATE").back()["user_limit"], 1);
    discord->give_role(guild, bot.user, discord->add_role(guild, "mods", permission::move_members));
    EXPECT_TRUE(joins(shard, voice));
}

TEST_F(Permissions, WhoJoinsAStageIsAudience) {
    const auto shard = identified(bot);
    const auto stage = discord->add_stage_channel(guild, "Palco");
    ASSERT_TRUE(run_until([&] { return shard->has("CHANNEL_CREATE"); }));
    EXPECT_EQ(shard->dispatches("CHANNEL_CREATE")[0]["type"], 13);
    EXPECT_TRUE(joins(shard, stage));
    EXPECT_TRUE(discord->voice_state(guild, bot.user)->suppress);
    const auto speak = "/guilds/" + guild.text() + "/voice-states/@me";
    expect_error(ask("PATCH", speak, json{{"suppress", false}}), 403, 50013);
    discord->give_role(guild, bot.user, discord->add_role(guild, "mods", permission::mute_members));
    EXPECT_EQ(ask("PATCH", speak, json{{"suppress", false}}).status, 204);
    EXPECT_FALSE(discord->voice_state(guild, bot.user)->suppress);
    discord->move(guild, bot.user, voice);
    discord->move(guild, bot.user, stage);
    EXPECT_TRUE(discord->voice_state(guild, bot.user)->suppress) << "each time";
    discord->move(guild, bot.user, voice);
    EXPECT_FALSE(discord->voice_state(guild, bot.user)->suppress);
}

// ---- interactions

TEST_F(Permissions, AnInteractionSaysWhoMayWhat) {
    const auto shard = identified(bot);
    const auto latest = [&](std::size_t count) {
        EXPECT_TRUE(run_until([&] { return shard->dispatches("INTERACTION_CREATE").size() >= count; }));
        return shard->dispatches("INTERACTION_CREATE").back();
    };
    deny(text, permission::send_messages);
    discord->set_locale(guild, "en-US");
    discord->give_role(guild, person, discord->add_role(guild, "capi", 32));
    discord->use_command(person, text, bot.user, "eco", json::array(), "fr");
    const auto first = latest(1);
    EXPECT_EQ(first["locale"], "fr");
    EXPECT_EQ(first["guild_locale"], "en-US");
    EXPECT_EQ(first["member"]["permissions"], std::to_string(permission::everyone | 32));
    EXPECT_EQ(first["member"]["roles"].size(), 1U);
    EXPECT_EQ(first["app_permissions"], std::to_string(permission::everyone & ~permission::send_messages));
    EXPECT_EQ(first["attachment_size_limit"], 10U << 20);
    discord->set_owner(guild, person);
    discord->use_command(person, text, bot.user, "eco", json::array());
    EXPECT_EQ(latest(2)["member"]["permissions"], std::to_string(permission::all));
}

TEST_F(Permissions, InteractionsDoNotWaitForever) {
    LoopbackOptions impatient;
    impatient.answer_within = milliseconds(0);
    begin(impatient);
    auto shard = identified(bot);
    const auto asked = [&] {
        discord->use_command(person, text, bot.user, "eco", json::array());
        EXPECT_TRUE(run_until([&] { return shard->has("INTERACTION_CREATE"); }));
        return shard->dispatches("INTERACTION_CREATE").back();
    };
    const auto paths = [&](const json& one) {
        const std::string token = one["token"];
        return std::pair{"/interactions/" + one["id"].get<std::string>() + "/" + token + "/callback",
                         "/webhooks/" + bot.user.text() + "/" + token};
    };
    const json answer{{"type", 4}, {"data", {{"content", "eco"}}}};
    const auto [late, late_hook] = paths(asked());
    expect_error(ask("POST", late, answer), 404, 10062);
    expect_error(ask("POST", late_hook, json{{"content", "x"}}), 404, 10015);

    LoopbackOptions forgetful;
    forgetful.interaction_lifetime = milliseconds(300);
    begin(forgetful);
    shard = identified(bot);
    const auto begun = std::chrono::steady_clock::now();
    const auto [callback, hook] = paths(asked());
    EXPECT_EQ(ask("POST", callback, answer).status, 204);
    ASSERT_TRUE(run_until([&] { return std::chrono::steady_clock::now() - begun > milliseconds(320); }, seconds(5)));
    expect_error(ask("POST", hook, json{{"content", "x"}}), 401, 50027);
    expect_error(ask("PATCH", hook + "/messages/@original", json{{"content", "x"}}), 401, 50027);
}

// ---- what `doctor` asks

TEST_F(Permissions, ABotSeesItsGuildsAndItsSwitches) {
    auto guilds = ask("GET", "/users/@me/guilds").body;
    ASSERT_EQ(guilds.size(), 1U);
    EXPECT_EQ(guilds[0]["id"], guild.text());
    EXPECT_EQ(guilds[0]["owner"], false);
    EXPECT_EQ(guilds[0]["permissions"], std::to_string(permission::everyone));
    EXPECT_EQ(ask("GET", "/applications/@me").body["flags"], 1 << 19);
    LoopbackOptions without;
    without.message_content_allowed = false;
    begin(without);
    EXPECT_EQ(ask("GET", "/applications/@me").body["flags"], 0);
}

// ---- coming and going

TEST_F(Permissions, ABotIsToldOfGuildsItJoinsAndLeaves) {
    const auto shard = identified(bot);
    const auto second = discord->add_guild("Seconda");
    EXPECT_EQ(ask("GET", "/guilds/" + second.text()).status, 404);
    discord->add_member(second, bot.user);
    ASSERT_TRUE(run_until([&] { return shard->dispatches("GUILD_CREATE").size() == 2; }));
    EXPECT_EQ(shard->dispatches("GUILD_CREATE")[1]["name"], "Seconda");
    EXPECT_EQ(ask("GET", "/users/@me/guilds").body.size(), 2U);
    ask_voice(shard, voice);
    ASSERT_TRUE(run_until([&] { return discord->voice_state(guild, bot.user).has_value(); }));
    discord->remove_member(guild, bot.user);
    ASSERT_TRUE(run_until([&] { return shard->has("GUILD_DELETE"); }));
    EXPECT_EQ(shard->dispatches("GUILD_DELETE")[0], (json{{"id", guild.text()}}));
    EXPECT_FALSE(discord->voice_state(guild, bot.user));
    const auto only_there = discord->add_person("Ugo", second);
    EXPECT_EQ(ask("GET", "/guilds/" + second.text() + "/members/" + only_there.text()).status, 200);
}

// ---- by words

TEST_F(Permissions, TheConsoleKnowsThemToo) {
    Console console(*discord, {guild, voice, text});
    const auto obey = [&](const json& order) { return json::parse(console.obey(order.dump())); };
    const auto role = obey({{"do", "add_role"}, {"name", "r"}, {"permissions", "32"}})["role_id"];
    EXPECT_EQ(obey({{"do", "give_role"}, {"user", person.text()}, {"role", role}})["ok"], true);
    EXPECT_EQ(ask("GET", "/guilds/" + guild.text() + "/members/" + person.text()).body["roles"], json::array({role}));
    EXPECT_EQ(obey({{"do", "take_role"}, {"user", person.text()}, {"role", role}})["ok"], true);
    EXPECT_EQ(ask("GET", "/guilds/" + guild.text() + "/members/" + person.text()).body["roles"], json::array());
    EXPECT_EQ(
        obey({{"do", "set_overwrite"}, {"channel", text.text()}, {"user", bot.user.text()}, {"deny", "2048"}})["ok"],
        true);
    expect_error(write(text), 403, 50013);
    EXPECT_EQ(obey({{"do", "set_overwrite"}, {"channel", text.text()}, {"user", bot.user.text()}})["ok"], true);
    EXPECT_EQ(write(text).status, 200);
    EXPECT_EQ(obey({{"do", "set_role"}, {"permissions", "1024"}})["ok"], true);
    expect_error(write(text), 403, 50013);
    EXPECT_EQ(obey({{"do", "set_guild"}, {"premium_tier", 3}, {"locale", "en-GB"}, {"owner", bot.user.text()}})["ok"],
              true);
    EXPECT_EQ(ask("GET", "/guilds/" + guild.text()).body["preferred_locale"], "en-GB");
    EXPECT_EQ(write(text).status, 200) << "the owner may everything";
    EXPECT_EQ(obey({{"do", "set_user_limit"}, {"limit", 2}})["ok"], true);
    EXPECT_EQ(ask("GET", "/channels/" + voice.text()).body["user_limit"], 2);
    EXPECT_EQ(obey({{"do", "refuse_direct"}, {"user", person.text()}})["ok"], true);
    const auto stage = obey({{"do", "add_channel"}, {"name", "Palco"}, {"stage", true}})["channel_id"];
    EXPECT_EQ(ask("GET", "/channels/" + stage.get<std::string>()).body["type"], 13);
    EXPECT_EQ(obey({{"do", "remove_member"}, {"user", person.text()}})["ok"], true);
    EXPECT_EQ(ask("GET", "/guilds/" + guild.text() + "/members/" + person.text()).status, 404);
    EXPECT_EQ(obey({{"do", "add_member"}, {"user", person.text()}})["ok"], true);
    for (const auto* const name : {"add_role", "set_role", "give_role", "take_role", "set_user_limit", "refuse_direct",
                                   "add_member", "remove_member", "suppress"}) {
        EXPECT_TRUE(obey({{"do", name}, {"user", 7}, {"permissions", 7}, {"limit", -1}}).contains("error")) << name;
    }
}

}  // namespace
}  // namespace lestapenna::sandbox::test_loopback
