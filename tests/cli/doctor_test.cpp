// Doctor, by its figures and against a Discord on loopback.
#include "cli/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include "base/files.h"
#include "bot/permissions.h"
#include "catalog/catalog.h"
#include "cli/doctor_checks.h"
#include "net/loop_thread.h"
#include "sandbox/loopback.h"
#include "store/links.h"
#include "store/store.h"
#include "support.h"
#include "web/site.h"

namespace lestapenna::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const UnixTime kNow{milliseconds{1'795'361'000'000}};

// ---- figures

TEST(Doctor, MessageContentIsOnInEitherWay) {
    discord::OwnApplication application{discord::ApplicationId{77}, "Lestapenna", 0};
    const auto off = intents_check(application);
    EXPECT_FALSE(off.ok);
    EXPECT_THAT(off.message, HasSubstr("https://discord.com/developers/applications/77/bot"));
    for (const unsigned bit : {18U, 19U}) {
        application.flags = 1ULL << bit;
        EXPECT_TRUE(intents_check(application).ok) << bit;
    }
    application.flags = ~(1ULL << 18 | 1ULL << 19);
    EXPECT_FALSE(intents_check(application).ok);
}

TEST(Doctor, NamesWhatEachGuildDoesNotGive) {
    using namespace bot;
    const discord::OwnApplication application{discord::ApplicationId{77}, "Lestapenna", 0};
    const std::uint64_t all = permission::view_channel | permission::send_messages | permission::attach_files |
                              permission::connect | permission::change_nickname;
    const std::vector<discord::OwnGuild> guilds{
        {GuildId{1}, "All\nof it", all},
        {GuildId{2}, "Administrator", permission::administrator},
        {GuildId{3}, "Some", all & ~permission::connect & ~permission::attach_files},
        {GuildId{4}, "None", 0},
    };
    const auto checks = guild_checks(application, guilds);
    ASSERT_EQ(checks.size(), 4U);
    EXPECT_TRUE(checks[0].ok);
    EXPECT_THAT(checks[0].message, HasSubstr("\"All?of it\" (1)"));
    EXPECT_TRUE(checks[1].ok);
    EXPECT_FALSE(checks[2].ok);
    EXPECT_THAT(checks[2].message, AllOf(HasSubstr("lacks Attach Files, Connect,"), HasSubstr("client_id=77")));
    EXPECT_THAT(checks[3].message, HasSubstr("View Channel, Send Messages, Attach Files, Connect, Change Nickname"));

    const auto nowhere = guild_checks(application, {});
    ASSERT_EQ(nowhere.size(), 1U);
    EXPECT_FALSE(nowhere[0].ok);
    EXPECT_THAT(nowhere[0].message, HasSubstr("scope=bot+applications.commands&permissions=" + std::to_string(all)));
}

TEST(Doctor, AClockMayBeFiveSecondsOff) {
    const auto check = [](seconds theirs_behind, milliseconds took = milliseconds(200)) {
        return clock_check(kNow - theirs_behind, kNow, kNow + took);
    };
    EXPECT_TRUE(check(seconds(0)).ok);
    EXPECT_TRUE(check(seconds(4)).ok);
    EXPECT_TRUE(check(seconds(-4)).ok);
    EXPECT_FALSE(check(seconds(8)).ok);
    EXPECT_THAT(check(seconds(60)).message, AllOf(HasSubstr("60 s ahead"), HasSubstr("timedatectl")));
    EXPECT_THAT(check(seconds(-60)).message, HasSubstr("60 s behind"));
    EXPECT_TRUE(check(seconds(-8), seconds(20)).ok) << "the answer took longer than that";
}

TEST(Doctor, DiskAndKernel) {
    constexpr std::uint64_t kHour = 48'000ULL * 3600;
    EXPECT_TRUE(disk_check("/data", 12 * kHour).ok);
    EXPECT_THAT(disk_check("/data", 100 * kHour).message, HasSubstr("17.3 GB free in /data: 100 hours"));
    EXPECT_FALSE(disk_check("/data", 12 * kHour - 1).ok);
    EXPECT_TRUE(udp_check(4 << 20, 4 << 20).ok);
    EXPECT_FALSE(udp_check(212'992, 4 << 20).ok);
    EXPECT_THAT(udp_check(212'992, 4 << 20).message, HasSubstr("net.core.rmem_max=4194304"));
}

// ---- a Discord, and this machine

class DoctorTest : public ::testing::Test {
  protected:
    void SetUp() override {
        thread.call([this] {
            auto started = sandbox::Loopback::start(thread.loop(), {});
            ASSERT_TRUE(started) << started.error().message;
            discord = std::move(*started);
            guild = discord->add_guild("La Stapenna");
            bot = discord->add_bot("lestapenna");
            config.discord.api_base = discord->addresses().api_base;
        });
        config.discord.token = Secret(bot.token);
        config.data.dir = folder / "data";
        config.web.listen.port = 0;
        config.web.admin_listen.port = 0;
        config.web.public_url = "https://example.org";
    }
    void TearDown() override {
        thread.call([this] { discord.reset(); });
    }
    static const Check* find(const std::vector<Check>& checks, std::string_view name) {
        const auto found = std::ranges::find(checks, name, &Check::name);
        return found == checks.end() ? nullptr : &*found;
    }
    static std::string told(const std::vector<Check>& checks, std::string_view name) {
        const auto* const check = find(checks, name);
        return check == nullptr ? "not checked" : (check->ok ? "ok: " : "wrong: ") + check->message;
    }

    test::TempDir folder;
    net::LoopThread thread;
    std::unique_ptr<sandbox::Loopback> discord;
    GuildId guild;
    sandbox::Loopback::Bot bot;
    Config config;
};

TEST_F(DoctorTest, AllIsWellWithDiscord) {
    const auto checks = check_discord(config);
    EXPECT_THAT(told(checks, "token"), HasSubstr("ok: Discord knows the bot as lestapenna"));
    EXPECT_THAT(told(checks, "clock"), HasSubstr("ok: "));
    EXPECT_THAT(told(checks, "intents"), HasSubstr("ok: "));
    for (const auto& check : checks) {
        EXPECT_TRUE(check.ok || check.name == "guild") << check.name << ": " << check.message;
    }
    EXPECT_THAT(told(checks, "guild"), HasSubstr("La Stapenna"));
}

TEST_F(DoctorTest, SaysWhatAGuildDoesNotGive) {
    thread.call([this] { discord->set_role(guild, {guild.value}, bot::permission::view_channel); });
    EXPECT_THAT(told(check_discord(config), "guild"),
                HasSubstr("lacks Send Messages, Attach Files, Connect, Change Nickname"));
    thread.call([this] { discord->set_role(guild, {guild.value}, ~std::uint64_t{0} >> 12); });
    EXPECT_THAT(told(check_discord(config), "guild"), HasSubstr("ok: "));
}

TEST_F(DoctorTest, ATokenThatDiscordDoesNotTake) {
    config.discord.token = Secret("not.a.token");
    const auto checks = check_discord(config);
    EXPECT_THAT(told(checks, "token"), AllOf(HasSubstr("wrong: "), HasSubstr("discord.token")));
    EXPECT_EQ(find(checks, "intents"), nullptr);
    for (const auto& check : checks) EXPECT_THAT(check.message, Not(HasSubstr("not.a.token")));

    config.discord.token = Secret("");
    const auto none = check_discord(config);
    ASSERT_EQ(none.size(), 1U);
    EXPECT_THAT(told(none, "token"), AllOf(HasSubstr("wrong: "), HasSubstr("DISCORD_TOKEN"), HasSubstr("developers")));

    config.discord.token = Secret("two\nlines");
    EXPECT_THAT(told(check_discord(config), "token"), HasSubstr("wrong: "));
}

TEST_F(DoctorTest, ADiscordThatSaysNoOrNothing) {
    const auto answer = [this](const char* path, int status) {
        sandbox::RestFault fault{"GET", path, 100, status, "<html>no</html>", {}};
        thread.call([&] { discord->add_fault(std::move(fault)); });
    };
    answer("/users/@me/guilds", 403);
    EXPECT_THAT(told(check_discord(config), "guild"), HasSubstr("wrong: "));
    answer("/applications/@me", 403);
    EXPECT_THAT(told(check_discord(config), "intents"), HasSubstr("wrong: "));
    config.discord.api_base = "http://127.0.0.1:1/api/v10";  // nobody listens there
    const auto checks = check_discord(config);
    EXPECT_THAT(told(checks, "token"), HasSubstr("wrong: no answer from Discord"));
    EXPECT_EQ(find(checks, "clock"), nullptr);
    config.discord.api_base = "http://discord.example/api/v10";
    EXPECT_THAT(told(check_discord(config), "token"), HasSubstr("https"));
}

TEST_F(DoctorTest, AllIsWellWithTheMachine) {
    const auto checks = check_machine(config);
    for (const auto* name : {"data", "store", "queue", "web", "links"}) {
        EXPECT_THAT(told(checks, name), HasSubstr("ok: ")) << name;
    }
    EXPECT_NE(find(checks, "disk"), nullptr);
    EXPECT_NE(find(checks, "udp"), nullptr);
    // Nothing of ours is left in the store or beside it.
    EXPECT_TRUE(std::filesystem::is_empty(folder / "data" / "store"));
    for (const auto& entry : std::filesystem::directory_iterator(folder / "data")) {
        EXPECT_THAT(entry.path().filename().string(), Not(HasSubstr("doctor")));
    }
}

TEST_F(DoctorTest, AFolderThatOthersMayLookInto) {
    std::filesystem::create_directory(folder / "data");
    ASSERT_EQ(::chmod((folder / "data").c_str(), 0755), 0);
    const auto checks = check_machine(config);
    EXPECT_THAT(told(checks, "data"), AllOf(HasSubstr("wrong: "), HasSubstr("chmod 700 ")));
    EXPECT_EQ(find(checks, "store"), nullptr) << "left alone";
    EXPECT_TRUE(std::filesystem::is_empty(folder / "data"));

    ASSERT_EQ(::chmod((folder / "data").c_str(), 0700), 0);
    ASSERT_TRUE(write_file(folder / "data" / "link-secret", std::string(64, 'a')));
    ASSERT_EQ(::chmod((folder / "data" / "link-secret").c_str(), 0644), 0);
    EXPECT_THAT(told(check_machine(config), "data"), HasSubstr("chmod 600 "));
}

TEST_F(DoctorTest, QueueAndJobsAreCounted) {
    ASSERT_TRUE(make_folders(folder / "data"));
    {
        auto catalog = catalog::Catalog::open(folder / "data" / "catalog.sqlite");
        ASSERT_TRUE(catalog) << catalog.error().message;
        const auto session = SessionId::make();
        ASSERT_TRUE(catalog->insert_session({session}));
        ASSERT_TRUE(catalog->add_transcription({session, "recordings/a.mp3", UserId{1}, kNow}));
        ASSERT_TRUE(catalog->add_transcription({session, "recordings/b.mp3", UserId{1}, kNow}));
        ASSERT_TRUE(catalog->add_job({"finish", session.text(), session}));
    }
    EXPECT_THAT(told(check_machine(config), "queue"), HasSubstr("ok: embedded; 2 files wait"));
    EXPECT_THAT(told(check_machine(config), "jobs"), HasSubstr("ok: 1 to do"));
    {
        auto catalog = catalog::Catalog::open(folder / "data" / "catalog.sqlite");
        ASSERT_TRUE(catalog);
        const auto job = catalog->take_job(kNow);
        ASSERT_TRUE(job && *job);
        ASSERT_TRUE(catalog->fail_job((*job)->id, "the disk\nis full"));
    }
    EXPECT_THAT(told(check_machine(config), "jobs"), AllOf(HasSubstr("wrong: 1 given up"), HasSubstr("disk?is full")));
}

TEST_F(DoctorTest, AQueueThatNobodyCanWorkWithIsSaid) {
    ASSERT_TRUE(make_folders(folder / "data"));
    const auto queue = [&] { return told(check_machine(config), "queue"); };
    EXPECT_THAT(queue(), HasSubstr("ok: embedded; nothing was recorded yet"));
    config.queue.command = {"sh", "{file}"};
    EXPECT_THAT(queue(), HasSubstr("ok: embedded, by sh"));
    config.queue.command = {"no-such-recogniser", "{file}"};
    EXPECT_THAT(queue(), AllOf(HasSubstr("wrong: "), HasSubstr("there is no such program")));
    config.queue.command = {"sh"};
    EXPECT_THAT(queue(), AllOf(HasSubstr("wrong: "), HasSubstr("{file}")));
    config.queue.command.clear();
    config.queue.url = Secret("redis://:hush@127.0.0.1:1");
    EXPECT_THAT(queue(), AllOf(HasSubstr("wrong: no connection to Redis at 127.0.0.1:1"), Not(HasSubstr("hush"))));
}

TEST_F(DoctorTest, AddressesAreFreeOrOursOrTaken) {
    ASSERT_TRUE(make_folders(folder / "data"));
    auto store = store::open_store(config);
    auto links = store::Links::open(config);
    ASSERT_TRUE(store && links);
    auto site = web::Site::open({config, *links, **store, [] { return web::Health{}; }});
    ASSERT_TRUE(site) << site.error().message;
    config.web.listen.port = (*site)->port();
    config.web.admin_listen.port = (*site)->admin_port();
    EXPECT_THAT(told(check_machine(config), "web"), HasSubstr("ok: the bot runs"));
    config.web.admin_listen.port = (*site)->port();  // no admin address, whoever that is
    EXPECT_THAT(told(check_machine(config), "web"),
                AllOf(HasSubstr("wrong: web.listen"), HasSubstr(std::to_string((*site)->port()))));
}

TEST_F(DoctorTest, LinksNeedAnAddressAndASecretWorthItsName) {
    config.web.public_url.clear();
    EXPECT_THAT(told(check_machine(config), "links"), AllOf(HasSubstr("wrong: "), HasSubstr("web.public_url")));
    config.web.public_url = "example.org";
    EXPECT_THAT(told(check_machine(config), "links"), AllOf(HasSubstr("wrong: "), HasSubstr("https://")));
    config.web.public_url = "https://example.org";
    config.web.link_secret = Secret("short");
    EXPECT_THAT(told(check_machine(config), "links"),
                AllOf(HasSubstr("wrong: "), HasSubstr("link_secret"), Not(HasSubstr("\"short\""))));
}

// ---- the verb

TEST_F(DoctorTest, PrintsALineOrAnObjectForEach) {
    const std::vector<std::string> environment{
        "DISCORD_TOKEN=" + bot.token, "LESTAPENNA_DISCORD_API_BASE=" + config.discord.api_base,
        "LESTAPENNA_DATA_DIR=" + config.data.dir.string(), "LESTAPENNA_WEB_LISTEN=127.0.0.1:0",
        "LESTAPENNA_WEB_ADMIN_LISTEN=127.0.0.1:0"};
    const auto result = test::run_process({LESTAPENNA_BINARY, "doctor", "--json"}, environment, folder.path());
    EXPECT_EQ(result.exit_code, kFailed) << "without web.public_url there are no links";
    const auto array = Json::parse(result.out, nullptr, false);
    ASSERT_TRUE(array.is_array()) << result.out << result.err;
    std::vector<std::string> names;
    for (const auto& one : array) {
        ASSERT_EQ(one.size(), 3U) << one;
        names.push_back(one["check"].get<std::string>());
        EXPECT_TRUE(one["ok"].is_boolean());
        EXPECT_FALSE(one["message"].get<std::string>().empty());
    }
    EXPECT_THAT(names, ::testing::ElementsAre("configuration", "token", "clock", "intents", "guild", "data", "store",
                                              "queue", "disk", "udp", "web", "links"));
    EXPECT_THAT(result.out + result.err, Not(HasSubstr(bot.token)));

    const auto text = test::run_process({LESTAPENNA_BINARY, "doctor"}, environment, folder.path());
    EXPECT_EQ(std::ranges::count(text.out, '\n'), 12) << text.out;
    EXPECT_THAT(text.out, HasSubstr("ok    token         Discord knows the bot as lestapenna\n"));
    EXPECT_THAT(text.out, HasSubstr("\nWRONG links         none can be given out"));
    const auto wrong =
        test::run_process({LESTAPENNA_BINARY, "doctor", "--json"}, {"LESTAPENNA_WEB_LISTEN=nowhere"}, folder.path());
    EXPECT_EQ(wrong.exit_code, kUsage);
}

}  // namespace
}  // namespace lestapenna::cli
