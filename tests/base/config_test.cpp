#include "base/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/config_keys.h"

namespace lestapenna {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

Result<std::string> no_secrets(const std::string& path) {
    return Error{ErrorKind::not_found, "no file " + path};
}

Result<LoadedConfig> parse(std::string text, std::vector<std::vector<Variable>> layers = {}) {
    return parse_config({"lestapenna.toml", std::move(text), std::move(layers)}, no_secrets);
}

Config good(std::string text, std::vector<std::vector<Variable>> layers = {}) {
    auto loaded = parse(std::move(text), std::move(layers));
    EXPECT_TRUE(loaded) << loaded.error().message;
    return loaded ? loaded->config : Config{};
}

std::string bad(std::string text, std::vector<std::vector<Variable>> layers = {}) {
    const auto loaded = parse(std::move(text), std::move(layers));
    EXPECT_FALSE(loaded);
    if (loaded) return "";
    EXPECT_EQ(loaded.error().kind, ErrorKind::usage);
    EXPECT_EQ(loaded.error().message.find('\n'), std::string::npos) << "one line";
    return loaded.error().message;
}

Variable env(std::string name, std::string value) {
    return {std::move(name), std::move(value), "the environment"};
}

// docs/architecture.md section 10, "Configuration", word for word.
TEST(Config, HasTheKeysAndDefaultsOfTheContract) {
    const Config defaults;
    std::vector<std::string> all;
    for (const auto& key : config::keys()) all.push_back(key.path() + "=" + key.show(defaults));
    EXPECT_THAT(
        all,
        ElementsAre(
            "discord.token=", "discord.api_base=https://discord.com/api/v10", "discord.ca_file=", "discord.prefix=$",
            "discord.locale=it", "discord.links=private", "discord.start_role=any", "discord.allow_plaintext=false",
            "data.dir=./data", "capture.rotation=5m", "capture.write_interval=10ms", "capture.sync_interval=100ms",
            "capture.ship_interval=10s", "capture.empty_end=5m", "capture.resume_within=30m", "audio.loudness=ebu-r128",
            "audio.bots=mix", "audio.stereo_table=false", "audio.leveling=off", "audio.denoise=off", "store.url=file:",
            "store.endpoint=", "store.region=", "store.access_key=", "store.secret_key=", "store.ca_file=",
            "store.link_ttl=7d", "store.allow_plaintext=false", "queue.url=(set)", "queue.name=audio-processing",
            "queue.command=", "queue.allow_plaintext=false", "retention.chunks=7d", "retention.fragments=90d",
            "retention.masters=forever", "retention.journals=30d", "mail.smtp_url=", "mail.username=", "mail.password=",
            "mail.ca_file=", "mail.from=", "mail.to=", "mail.links=false", "mail.guilds=", "mail.allow_plaintext=false",
            "web.listen=127.0.0.1:8080", "web.admin_listen=127.0.0.1:8081", "web.public_url=", "web.link_secret="));
    EXPECT_EQ(defaults.queue.url.reveal(), "embedded");
    EXPECT_TRUE(check_supported(defaults));
}

TEST(Config, EveryDefaultPassesItsOwnParserAndCheck) {
    for (const auto& key : config::keys()) {
        Config config;
        EXPECT_EQ(key.check == nullptr ? "" : key.check(config), "") << key.path();
        const auto shown = key.show(config);
        if (!key.has_variable || key.secret || shown.empty()) continue;
        EXPECT_TRUE(key.read({.shape = config::RawValue::Shape::text, .text = shown, .list = {}, .table = {}}, config))
            << key.path();
        EXPECT_EQ(key.show(config), shown);
    }
}

TEST(Config, ReadsEverySectionOfAFile) {
    const auto config = good(R"(
[discord]
token = "abc"
locale = "en"
links = "channel"
allow_plaintext = true
[data]
dir = "/var/lib/lestapenna"
[capture]
rotation = "90s"
write_interval = "20ms"
resume_within = "2h"
[audio]
loudness = "podcast"
bots = "exclude"
stereo_table = true
leveling = "on"
[store]
url = "s3://bucket/prefix"
link_ttl = "1d"
[queue]
url = "redis://u:p@localhost:6379/0"
command = ["transcribe", "--file", "a b"]
[retention]
chunks = "forever"
masters = "10d"
[mail]
to = "a@example.org b@example.org"
[mail.guilds]
"123" = "gm@example.org"
456 = ["x@example.org", "y@example.org"]
[web]
listen = "[::1]:9000"
)");
    EXPECT_EQ(config.discord.token.reveal(), "abc");
    EXPECT_EQ(config.discord.locale, Locale::en);
    EXPECT_EQ(config.discord.links, Links::channel);
    EXPECT_TRUE(config.discord.allow_plaintext);
    EXPECT_EQ(config.data.dir, "/var/lib/lestapenna");
    EXPECT_EQ(config.capture.rotation, seconds(90));
    EXPECT_EQ(config.capture.write_interval, milliseconds(20));
    EXPECT_EQ(config.capture.resume_within, hours(2));
    EXPECT_EQ(config.audio.loudness, LoudnessPreset::podcast);
    EXPECT_EQ(config.audio.bots, BotTracks::exclude);
    EXPECT_TRUE(config.audio.stereo_table);
    EXPECT_EQ(config.audio.leveling, Switch::on);
    EXPECT_EQ(config.store.url, "s3://bucket/prefix");
    EXPECT_FALSE(config.store_folder());
    EXPECT_EQ(config.store.link_ttl, days(1));
    EXPECT_EQ(config.queue.url.reveal(), "redis://u:p@localhost:6379/0");
    EXPECT_THAT(config.queue.command, ElementsAre("transcribe", "--file", "a b"));
    EXPECT_EQ(config.retention.chunks, std::nullopt);
    EXPECT_EQ(config.retention.masters, days(10));
    EXPECT_THAT(config.mail.to, ElementsAre("a@example.org", "b@example.org"));
    EXPECT_THAT(config.mail.guilds.at("456"), ElementsAre("x@example.org", "y@example.org"));
    EXPECT_THAT(config.mail.guilds.at("123"), ElementsAre("gm@example.org"));
    EXPECT_EQ(config.web.listen, (Listen{"::1", 9000}));
}

TEST(Config, LaterSourcesWin) {
    const std::string file = "[data]\ndir = \"file\"\n[capture]\nrotation = \"1m\"\n[web]\npublic_url = \"file\"";
    const auto config =
        good(file, {{{"LESTAPENNA_DATA_DIR", "dotenv", ".env:1"}, {"LESTAPENNA_WEB_PUBLIC_URL", "dotenv", ".env:2"}},
                    {env("LESTAPENNA_DATA_DIR", "environment"), env("LESTAPENNA_CAPTURE_ROTATION", "")}});
    EXPECT_EQ(config.data.dir, "environment");
    EXPECT_EQ(config.web.public_url, "dotenv");
    EXPECT_EQ(config.capture.rotation, minutes(1)) << "an empty variable counts as not set";
}

TEST(Config, TheTokenHasTwoNamesAndOursWins) {
    EXPECT_EQ(good("", {{env("DISCORD_TOKEN", "a")}}).discord.token.reveal(), "a");
    EXPECT_EQ(good("", {{env("LESTAPENNA_DISCORD_TOKEN", "b"), env("DISCORD_TOKEN", "a")}}).discord.token.reveal(),
              "b");
}

TEST(Config, SecretsMayStandInFiles) {
    const ReadSecret read = [](const std::string& path) -> Result<std::string> {
        if (path == "/run/secrets/token") return std::string("from-file\r\n");
        return Error{ErrorKind::not_found, "can not read " + path};
    };
    const auto loaded = parse_config({"f", "", {{env("LESTAPENNA_DISCORD_TOKEN_FILE", "/run/secrets/token")}}}, read);
    ASSERT_TRUE(loaded);
    EXPECT_EQ(loaded->config.discord.token.reveal(), "from-file");

    const auto missing = parse_config({"f", "", {{env("LESTAPENNA_DISCORD_TOKEN_FILE", "/nowhere")}}}, read);
    EXPECT_EQ(missing.error().message, "the environment: LESTAPENNA_DISCORD_TOKEN_FILE: can not read /nowhere");
    EXPECT_EQ(missing.error().kind, ErrorKind::usage);

    EXPECT_THAT(bad("", {{env("LESTAPENNA_DISCORD_TOKEN", "x"), env("LESTAPENNA_DISCORD_TOKEN_FILE", "/y")}}),
                HasSubstr("keep one of them"));
    const auto not_secret = parse("", {{env("LESTAPENNA_DATA_DIR_FILE", "x")}});
    ASSERT_TRUE(not_secret);
    EXPECT_THAT(not_secret->warnings, ElementsAre(HasSubstr("did you mean LESTAPENNA_DATA_DIR?")));
}

TEST(Config, WrongNamesInTheFileAreErrorsThatNameTheNearest) {
    EXPECT_EQ(bad("\n[capture]\nrotaton = \"5m\""),
              "lestapenna.toml:3: \"rotaton\" is not a key of [capture]; did you mean \"rotation\"?");
    EXPECT_EQ(bad("[captur]\n"), "lestapenna.toml:1: \"captur\" is not a section; did you mean [capture]?");
    EXPECT_EQ(bad("data = 5"), "lestapenna.toml:1: \"data\" is a section: write [data] on a line of its own");
    EXPECT_EQ(bad("[[data]]\ndir = \"x\""),
              "lestapenna.toml:1: \"data\" is a section: write [data] on a line of its own");
    EXPECT_THAT(bad("[\"a\\nb\"]"), HasSubstr("\"a?b\" is not a section"));
}

TEST(Config, UnknownVariablesAreWarnings) {
    const auto loaded =
        parse("", {{env("LESTAPENNA_CAPTURE_ROTATON", "x"), env("LESTAPENNA_MAIL_GUILDS", "x"),
                    env("LESTAPENNA_LOG", "debug"), env("LESTAPENNA_TEST_DATA", "x"), env("HOME", "/x")}});
    ASSERT_TRUE(loaded);
    EXPECT_THAT(loaded->warnings,
                ElementsAre("the environment: \"LESTAPENNA_CAPTURE_ROTATON\" is not known; did you mean "
                            "LESTAPENNA_CAPTURE_ROTATION?",
                            HasSubstr("\"LESTAPENNA_MAIL_GUILDS\" is not known")));
    EXPECT_EQ(loaded->log_level, "debug");
}

TEST(Config, WrongValuesNameKeyValueAndWhatIsAccepted) {
    EXPECT_EQ(bad("[capture]\nrotation = \"5 minutes\""),
              "lestapenna.toml:2: capture.rotation = \"5 minutes\" is not possible: it takes a whole number above zero "
              "with a "
              "unit, like \"5m\" (ms, s, m, h or d; at most 36500d)");
    EXPECT_EQ(bad("[capture]\nrotation = \"45s\""),
              "lestapenna.toml:2: capture.rotation = \"45s\" is not possible: it takes a multiple of 30s, the length "
              "of a slice");
    EXPECT_EQ(bad("", {{env("LESTAPENNA_AUDIO_LOUDNESS", "loud")}}),
              "the environment: audio.loudness = \"loud\" is not possible: it takes one of \"ebu-r128\", \"podcast\", "
              "\"streaming\"");
    EXPECT_THAT(bad("[retention]\nchunks = 7"), HasSubstr("or \"forever\""));
    EXPECT_THAT(bad("[store]\nurl = \"ftp://x\""), HasSubstr("s3://bucket/prefix"));
    EXPECT_THAT(bad("[store]\nurl = \"s3:///x\""), HasSubstr("s3://bucket/prefix"));
    EXPECT_THAT(bad("[discord]\nlocale = [\"it\"]"), HasSubstr("one of \"it\", \"en\""));
    EXPECT_THAT(bad("[mail.guilds]\nabc = \"x\""), HasSubstr("guild ids"));
    EXPECT_THAT(bad("[mail]\nto = [1]"), HasSubstr("an array of texts"));
    EXPECT_THAT(bad("[web]\nlisten = 8080"), HasSubstr("host:port"));
    EXPECT_THAT(bad("[data]\ndir = \"\""), HasSubstr("not nothing"));
    EXPECT_THAT(bad("[audio]\nstereo_table = \"yes\""), HasSubstr("true or false"));
    EXPECT_THAT(bad("[data]\ndir = 1979-05-27"), HasSubstr("a path in quotes"));
}

TEST(Config, DurationsNeedAUnitAndARange) {
    const auto written = [](const std::string& text) { return "[capture]\nempty_end = \"" + text + "\""; };
    EXPECT_EQ(good(written("1ms")).capture.empty_end, milliseconds(1));
    EXPECT_EQ(good(written("36500d")).capture.empty_end, days(36'500));
    for (const auto* text : {"", "5", "0s", "-5m", "5.5m", "5M", "5 m", "m", "36501d", "99999999999999999999ms",
                             "9223372036854775807d", "5m ", "1h30m", "forever"}) {
        EXPECT_THAT(bad(written(text)), HasSubstr("capture.empty_end")) << text;
    }
}

TEST(Config, ListensOnHostAndPortOnly) {
    const auto written = [](const std::string& text) { return "[web]\nlisten = \"" + text + "\""; };
    EXPECT_EQ(good(written("localhost:0")).web.listen, (Listen{"localhost", 0}));
    for (const auto* text :
         {"", ":80", "host", "host:", "host:65536", "host:8o", "::1:80", "a b:80", "[]:80", "http://x:80"}) {
        EXPECT_THAT(bad(written(text)), HasSubstr("web.listen")) << text;
    }
}

TEST(Config, BrokenTomlNamesLineAndColumn) {
    EXPECT_THAT(bad("[data]\ndir = \n"), HasSubstr("lestapenna.toml:2:"));
    EXPECT_THAT(bad("[data]\ndir = \"a\"\ndir = \"b\"\n"), HasSubstr("lestapenna.toml:3:"));
    EXPECT_THAT(bad("\xff\xfe"), HasSubstr("this is not TOML"));
    EXPECT_THAT(bad(std::string(100'000, '[')), HasSubstr("this is not TOML"));
    EXPECT_THAT(bad("[data]\ndir = " + std::string(100'000, '[')), HasSubstr("this is not TOML"));
}

TEST(Config, SecretsAreNeverPrinted) {
    // A wrong type, a refused value, and everything that is shown.
    EXPECT_THAT(bad("[queue]\nurl = \"rediss://user:hunter2@host\""), Not(HasSubstr("hunter2")));
    EXPECT_THAT(bad("[discord]\ntoken = 12345678"), Not(HasSubstr("12345678")));
    const auto config = good("[discord]\ntoken = \"hunter2\"");
    for (const auto& key : config::keys()) EXPECT_THAT(key.show(config), Not(HasSubstr("hunter2")));
    EXPECT_TRUE(config.holds_secrets());
    EXPECT_TRUE(good("[queue]\nurl = \"redis://h\"").holds_secrets());
    EXPECT_FALSE(good("").holds_secrets());
}

TEST(Config, SaysWhatThisVersionDoesNotDo) {
    for (const auto* text :
         {"[audio]\nstereo_table = true", "[audio]\nleveling = \"on\"", "[audio]\ndenoise = \"on\""}) {
        const auto supported = check_supported(good(text));
        ASSERT_FALSE(supported) << text;
        EXPECT_EQ(supported.error().kind, ErrorKind::usage);
        EXPECT_THAT(supported.error().message, HasSubstr("is not in this version yet: "));
    }
}

TEST(Config, FindsTheStoreFolder) {
    const auto folder = [](const std::string& url) {
        return good("[data]\ndir = \"d\"\n[store]\nurl = \"" + url + "\"").store_folder();
    };
    EXPECT_EQ(folder("file:"), "d/store");
    EXPECT_EQ(folder("file:/mnt/x"), "/mnt/x");
    EXPECT_EQ(folder("file:///mnt/x"), "/mnt/x");
    EXPECT_EQ(folder("file:x"), "x");
}

TEST(Config, DotenvLines) {
    std::vector<std::string> warnings;
    const auto variables = parse_dotenv(
        "# comment\n\nA=1\r\nexport B = \"two words\" # why\nC='#'\nD=a#b # c\nE=\nnonsense hunter2\nF "
        "G=1\n=x\nH=\"open",
        ".env", warnings);
    std::vector<std::string> shown;
    for (const auto& [name, value, origin] : variables) shown.push_back(origin + " " + name + "=" + value);
    EXPECT_THAT(shown, ElementsAre(".env:3 A=1", ".env:4 B=two words", ".env:5 C=#", ".env:6 D=a#b",
                                   ".env:7 E=", ".env:11 H=\"open"));
    EXPECT_THAT(warnings, ElementsAre(HasSubstr(".env:8: "), HasSubstr(".env:9: "), HasSubstr(".env:10: ")));
    for (const auto& warning : warnings) EXPECT_THAT(warning, Not(HasSubstr("hunter2")));
}

TEST(Config, TheReferenceNamesEveryKey) {
    const auto text = config_reference();
    for (const auto& key : config::keys()) {
        EXPECT_THAT(text, HasSubstr("| `" + std::string(key.name) + "` |"));
        EXPECT_EQ(text.find(key.variable() + "`") != std::string::npos, key.has_variable) << key.path();
    }
    EXPECT_THAT(text, HasSubstr("`LESTAPENNA_DISCORD_TOKEN`, `..._FILE`"));
    EXPECT_THAT(text, HasSubstr("| `url` | `embedded` |"));
}

}  // namespace
}  // namespace lestapenna
