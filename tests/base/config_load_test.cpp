#include <array>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/config.h"
#include "base/files.h"
#include "support.h"

namespace lestapenna {
namespace {

using ::testing::HasSubstr;

/// A working folder of its own; the old one comes back at the end.
class LoadConfig : public ::testing::Test {
  protected:
    void SetUp() override { std::filesystem::current_path(folder_.path()); }
    void TearDown() override { std::filesystem::current_path(before_); }
    static void file(const char* name, std::string_view text) { ASSERT_TRUE(write_file(name, text)); }

    test::TempDir folder_;
    std::filesystem::path before_ = std::filesystem::current_path();
    std::array<const char*, 1> nothing_{nullptr};
};

TEST_F(LoadConfig, NoFileAtAllIsAllDefaults) {
    const auto loaded = load_config(std::nullopt, nothing_.data());
    ASSERT_TRUE(loaded);
    EXPECT_EQ(loaded->config.data.dir, "./data");
}

TEST_F(LoadConfig, EnvironmentBeatsDotenvBeatsFile) {
    file("lestapenna.toml", "[data]\ndir = \"1\"\n[queue]\nname = \"1\"\n[web]\npublic_url = \"1\"");
    file(".env", "LESTAPENNA_DATA_DIR=2\nLESTAPENNA_QUEUE_NAME=2\nrubbish\n");
    const std::array<const char*, 3> environment{"LESTAPENNA_DATA_DIR=3", "odd", nullptr};
    const auto loaded = load_config(std::nullopt, environment.data());
    ASSERT_TRUE(loaded) << loaded.error().message;
    EXPECT_EQ(loaded->config.data.dir, "3");
    EXPECT_EQ(loaded->config.queue.name, "2");
    EXPECT_EQ(loaded->config.web.public_url, "1");
    EXPECT_THAT(loaded->warnings, ::testing::ElementsAre(HasSubstr(".env:3: ")));
}

TEST_F(LoadConfig, ANamedFileMustBeThere) {
    const auto missing = load_config("nowhere.toml", nothing_.data());
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().kind, ErrorKind::usage);
    EXPECT_THAT(missing.error().message, HasSubstr("can not read nowhere.toml: No such file or directory"));
    file("other.toml", "[data]\ndri = \"x\"");
    EXPECT_THAT(load_config("other.toml", nothing_.data()).error().message,
                HasSubstr("other.toml:2: \"dri\" is not a key"));
}

TEST_F(LoadConfig, AnUnreadableFileIsAUsageError) {
    std::filesystem::create_directory("lestapenna.toml");
    const auto loaded = load_config(std::nullopt, nothing_.data());
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().kind, ErrorKind::usage);
}

TEST_F(LoadConfig, ReadsASecretsFile) {
    file("token", "hunter2\n");
    const std::array<const char*, 2> environment{"LESTAPENNA_DISCORD_TOKEN_FILE=token", nullptr};
    const auto loaded = load_config(std::nullopt, environment.data());
    ASSERT_TRUE(loaded);
    EXPECT_EQ(loaded->config.discord.token.reveal(), "hunter2");
}

}  // namespace
}  // namespace lestapenna
