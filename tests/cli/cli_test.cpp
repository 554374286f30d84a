// The whole program, as a person or a script meets it.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <signal.h>
#include <unistd.h>

#include "base/files.h"
#include "catalog/catalog.h"
#include "cli/cli11.h"
#include "cli/context.h"
#include "small_filesystem.h"

namespace lestapenna::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class Program : public ::testing::Test {
  protected:
    test::ProcessResult run(std::vector<std::string> words, const std::vector<std::string>& environment = {}) {
        words.insert(words.begin(), LESTAPENNA_BINARY);
        return test::run_process(words, environment, folder_.path());
    }
    /// Exactly one JSON value, on standard output.
    static Json json(const test::ProcessResult& result) {
        EXPECT_TRUE(Json::accept(result.out)) << result.out;
        return Json::parse(result.out, nullptr, false);
    }
    void expect_usage(const std::vector<std::string>& words, const std::string& sentence) {
        const auto plain = run(words);
        EXPECT_EQ(plain.exit_code, kUsage);
        EXPECT_THAT(plain.out, IsEmpty());
        EXPECT_THAT(plain.err, StartsWith("lestapenna: "));
        EXPECT_THAT(plain.err, HasSubstr(sentence));
        EXPECT_EQ(std::ranges::count(plain.err, '\n'), 1) << plain.err;

        auto with_json = words;
        with_json.emplace_back("--json");
        const auto result = run(with_json);
        EXPECT_EQ(result.exit_code, kUsage);
        const auto object = json(result);
        EXPECT_EQ(object["error"]["code"], "usage");
        EXPECT_THAT(object["error"]["message"].get<std::string>(), HasSubstr(sentence));
    }

    test::TempDir folder_;
};

TEST_F(Program, SaysWhatItIs) {
    EXPECT_THAT(run({"--version"}).out, StartsWith("lestapenna "));
    for (const auto& words : std::vector<std::vector<std::string>>{{"--help"}, {"sessions", "--help"}}) {
        const auto help = run(words);
        EXPECT_EQ(help.exit_code, kDone);
        EXPECT_THAT(help.out, HasSubstr("--json"));
        EXPECT_THAT(help.err, IsEmpty());
    }
    EXPECT_THAT(run({"--help-config"}).out, HasSubstr("`LESTAPENNA_CAPTURE_ROTATION`"));
    EXPECT_TRUE(json(run({"--json", "--version"})).is_object());
    EXPECT_TRUE(json(run({"sessions", "--help", "--json"})).is_object());
}

TEST_F(Program, ALineThatIsNotUnderstoodIsOneHint) {
    expect_usage({}, "say what to do");
    expect_usage({"sesions"}, "unknown verb \"sesions\"; did you mean sessions?");
    expect_usage({"sessions", "--jso"}, "unknown option \"--jso\"; did you mean --json?");
    expect_usage({"sessions", "a", "b"}, "\"b\" is one word too many");
    EXPECT_THAT(run({"sessions", "--config"}).err, HasSubstr("--config: 1 required PATH missing"));
    expect_usage({"--conf=x", "sessions"}, "unknown option \"--conf\"; did you mean --config?");
}

TEST_F(Program, SessionsOfAFreshFolder) {
    const auto none = run({"sessions", "--json"});
    EXPECT_EQ(none.exit_code, kDone);
    EXPECT_EQ(json(none), Json::array());
    EXPECT_THAT(run({"sessions"}).out, HasSubstr("no sessions yet"));
    EXPECT_EQ(std::filesystem::status(folder_ / "data").permissions(), std::filesystem::perms::owner_all);
}

TEST_F(Program, SessionsByListAndById) {
    ASSERT_EQ(run({"sessions"}).exit_code, kDone);
    {
        auto catalog = std::move(*catalog::Catalog::open(folder_ / "data/catalog.sqlite"));
        for (const auto* id : {"01JAAAXYZ123", "01JBBBXYZ123"}) {
            ASSERT_TRUE(catalog.insert_session({.id = *SessionId::parse(id)}));
        }
    }
    EXPECT_EQ(json(run({"--json", "sessions"})).size(), 2U);
    EXPECT_EQ(json(run({"sessions", "bxyz123", "--json"}))["session"], "01JBBBXYZ123");
    EXPECT_THAT(run({"sessions", "01JAAAXYZ123"}).out, HasSubstr("Session 01JAAAXYZ123, recording"));

    const auto unknown = run({"sessions", "unknown", "--json"});
    EXPECT_EQ(unknown.exit_code, kFailed);
    EXPECT_EQ(json(unknown)["error"]["code"], "not_found");
    expect_usage({"sessions", "XYZ123"}, "write more of it");
}

TEST_F(Program, AWrongConfigurationIsAUsageError) {
    ASSERT_TRUE(write_file(folder_ / "lestapenna.toml", std::string_view("[capture]\nrotaton = \"5m\"\n")));
    expect_usage({"sessions"}, "lestapenna.toml:2: \"rotaton\" is not a key of [capture]; did you mean \"rotation\"?");
    EXPECT_FALSE(std::filesystem::exists(folder_ / "data")) << "nothing is made before the configuration is understood";
    expect_usage({"--config", "nowhere.toml", "sessions"}, "can not read nowhere.toml");
    ASSERT_TRUE(write_file(folder_ / "s3.toml", std::string_view("[store]\nurl = \"s3://b\"\n")));
    expect_usage({"sessions", "--config", "s3.toml"}, "store.url names the bucket \"b\", which no bucket is called");
}

TEST_F(Program, EnvironmentBeatsDotenvBeatsFile) {
    ASSERT_TRUE(write_file(folder_ / "lestapenna.toml", std::string_view("[data]\ndir = \"one\"\n")));
    ASSERT_EQ(run({"sessions"}).exit_code, kDone);
    EXPECT_TRUE(std::filesystem::exists(folder_ / "one/catalog.sqlite"));
    ASSERT_TRUE(write_file(folder_ / ".env", std::string_view("LESTAPENNA_DATA_DIR=two\n")));
    ASSERT_EQ(run({"sessions"}).exit_code, kDone);
    EXPECT_TRUE(std::filesystem::exists(folder_ / "two/catalog.sqlite"));
    const auto third = run({"sessions", "--json"}, {"LESTAPENNA_DATA_DIR=three", "LESTAPENNA_DATA_DIRE=x"});
    EXPECT_TRUE(std::filesystem::exists(folder_ / "three/catalog.sqlite"));
    EXPECT_EQ(json(third), Json::array()) << "a warning is no output";
    EXPECT_THAT(third.err, HasSubstr("did you mean LESTAPENNA_DATA_DIR?"));
}

TEST_F(Program, ADamagedCatalogHasItsOwnExitCode) {
    ASSERT_EQ(run({"sessions"}).exit_code, kDone);
    ASSERT_TRUE(write_file(folder_ / "data/catalog.sqlite", std::string(5000, 'x')));
    const auto damaged = run({"sessions", "--json"});
    EXPECT_EQ(damaged.exit_code, kDamaged);
    EXPECT_EQ(json(damaged)["error"]["code"], "damaged");
}

TEST_F(Program, AnUnwritableOrFullDataFolderIsOneSentence) {
    ASSERT_TRUE(write_file(folder_ / "file", std::string_view("x")));
    const auto blocked = run({"sessions"}, {"LESTAPENNA_DATA_DIR=file/data"});
    EXPECT_EQ(blocked.exit_code, kFailed);
    EXPECT_THAT(blocked.err, HasSubstr("data.dir in the configuration says where"));

    const test::SmallFilesystem disk(8 << 10);
    if (!disk.mounted()) GTEST_SKIP() << test::kNeedsRoot;
    const auto full = run({"sessions", "--json"}, {"LESTAPENNA_DATA_DIR=" + disk.path().string()});
    EXPECT_EQ(full.exit_code, kFailed);
    EXPECT_EQ(json(full)["error"]["code"], "failed");
    EXPECT_THAT(json(full)["error"]["message"].get<std::string>(), HasSubstr("no space left on device"));
}

TEST_F(Program, AResultThatCouldNotBeWrittenIsAFailure) {
    const auto lost = test::run_process({"/bin/sh", "-c", std::string(LESTAPENNA_BINARY) + " sessions > /dev/full"}, {},
                                        folder_.path());
    EXPECT_EQ(lost.exit_code, kFailed);
    EXPECT_THAT(lost.err, HasSubstr("can not write to standard output"));
}

TEST(Verbs, RunAfterTheLineAndMayBeStopped) {
    CLI::App app;
    Context context;
    int runs = 0;
    auto* const verb = context.add_verb(app, "work", "", [&]() -> Result<Exit> { return ++runs, kGaps; });
    context.add_threads(*verb);
    app.parse("work --threads 3");
    EXPECT_EQ(runs, 0);
    EXPECT_EQ(*context.chosen()(), kGaps);
    EXPECT_EQ(context.threads(), 3U);
    EXPECT_THROW(app.parse("work --threads 0"), CLI::ValidationError);

    EXPECT_FALSE(Context::stop());
    catch_signals();
    raise(SIGTERM);
    EXPECT_TRUE(Context::stop());
}

TEST(Verbs, UseTheCpusTheyMay) {
    EXPECT_GE(usable_cpus(), 1U);
    EXPECT_EQ(Context().threads(), usable_cpus());
}

}  // namespace
}  // namespace lestapenna::cli
