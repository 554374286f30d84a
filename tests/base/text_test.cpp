#include "base/text.h"

#include <array>

#include <gtest/gtest.h>

#include "base/log.h"
#include "base/nearest.h"

namespace lestapenna {
namespace {

TEST(Text, OneLineWhateverTheBytes) {
    EXPECT_EQ(one_line("a\nb\x1b[31m\x7f"), "a?b?[31m?");
    EXPECT_EQ(one_line("città"), "città");
    EXPECT_EQ(one_line("abcdef", 3), "abc...");
    EXPECT_EQ(in_quotes("a"), "\"a\"");
}

TEST(Text, EditDistance) {
    EXPECT_EQ(edit_distance("", ""), 0U);
    EXPECT_EQ(edit_distance("abc", ""), 3U);
    EXPECT_EQ(edit_distance("", "abc"), 3U);
    EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
    EXPECT_EQ(edit_distance("rotaton", "rotation"), 1U);
    EXPECT_EQ(edit_distance(std::string(1000, 'a'), std::string(1000, 'b')), 64U);
}

TEST(Text, NearestIsTheFirstOfEquals) {
    constexpr std::array<std::string_view, 3> kWords{"token", "prefix", "locale"};
    EXPECT_EQ(nearest("tokn", kWords), "token");
    EXPECT_EQ(nearest("local", kWords), "locale");
    EXPECT_EQ(nearest("xy", std::array<std::string_view, 2>{"ab", "cd"}), "ab");
    EXPECT_EQ(nearest("x", {}), "");
}

TEST(Text, TrimmedAtBothEnds) {
    EXPECT_EQ(trimmed(" \t a b\r\n"), "a b");
    EXPECT_EQ(trimmed(" \n "), "");
    EXPECT_EQ(trimmed(""), "");
    EXPECT_EQ(trimmed("\r a ", " "), "\r a");
}

TEST(Text, WordsCompareWithoutCase) {
    EXPECT_TRUE(same_word("Content-Type", "content-TYPE"));
    EXPECT_FALSE(same_word("Content", "content-type"));
    EXPECT_FALSE(same_word("[", "{")) << "only letters have a case";
}

TEST(Log, GoesToStandardErrorAtTheLevelThatWasSet) {
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    EXPECT_TRUE(set_log_level("warn"));
    log().info("not this");
    log().warn("but {}", "this");
    EXPECT_FALSE(set_log_level("loud"));
    EXPECT_TRUE(set_log_level("off"));
    log().error("nor this");
    EXPECT_TRUE(set_log_level("info"));
    const auto logged = ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(::testing::internal::GetCapturedStdout(), "");
    EXPECT_NE(logged.find("but this"), std::string::npos);
    EXPECT_EQ(logged.find("not this"), std::string::npos);
    EXPECT_EQ(logged.find("nor this"), std::string::npos);
}

}  // namespace
}  // namespace lestapenna
