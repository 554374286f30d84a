#include "store/keys.h"

#include <gtest/gtest.h>

namespace lestapenna::store {
namespace {

const SessionId kSession = *SessionId::parse("01J0ABCDEF");
const UserId kUser{80351110224678912};
const UnixTime kStart{milliseconds{1'718'000'000'123}};

// The specification's names, letter by letter.
TEST(Keys, AreTheSpecificationsNames) {
    const std::vector<std::pair<TierKey, std::string>> names{
        {ChunkKey{kSession, kUser, kStart}, "recordings/01J0ABCDEF/chunks/80351110224678912-1718000000123.mp3"},
        {FragmentKey{kSession, kUser, kStart}, "recordings/01J0ABCDEF/full/FULL-80351110224678912-1718000000123.mp3"},
        {MasterKey{kSession}, "recordings/01J0ABCDEF/master/MASTER-01J0ABCDEF.mp3"},
        {ManifestKey{kSession}, "recordings/01J0ABCDEF/session.json"},
        {TranscriptKey{kSession}, "recordings/01J0ABCDEF/transcript-01J0ABCDEF.txt"},
        {SegmentKey{kSession, 7}, "recordings/01J0ABCDEF/journal/000007.log"},
        {SegmentKey{kSession, 1'234'567}, "recordings/01J0ABCDEF/journal/1234567.log"},
        {SegmentPartKey{kSession, 7, 65'536}, "recordings/01J0ABCDEF/journal/000007.000000065536.part"},
    };
    for (const auto& [parts, text] : names) {
        EXPECT_EQ(key(parts).text(), text);
        const auto back = parse_tier_key(text);
        ASSERT_TRUE(back) << text;
        EXPECT_EQ(*back, parts);
    }
    EXPECT_EQ(session_prefix(kSession), "recordings/01J0ABCDEF/");
    EXPECT_EQ(key(MasterKey{kSession}).filename(), "MASTER-01J0ABCDEF.mp3");
}

TEST(Keys, NothingElseIsATierKey) {
    for (const auto* text : {"",
                             "recordings",
                             "recordings/",
                             "recordings//chunks/1-2.mp3",
                             "recordings/s",
                             "recordings/s/",
                             "recordings/s/x",
                             "recordings/s/chunks/1-2.wav",
                             "recordings/s/chunks/1-2.mp3x",
                             "recordings/s/chunks/01-2.mp3",
                             "recordings/s/chunks/1-02.mp3",
                             "recordings/s/chunks/1-.mp3",
                             "recordings/s/chunks/-2.mp3",
                             "recordings/s/chunks/a-2.mp3",
                             "recordings/s/chunks/1-99999999999999999999.mp3",
                             "recordings/s/full/1-2.mp3",
                             "recordings/s/chunks/FULL-1-2.mp3",
                             "recordings/s/master/MASTER-t.mp3",
                             "recordings/s/transcript-t.txt",
                             "recordings/s/journal/7.log",
                             "recordings/s/journal/000007.part",
                             "recordings/s/journal/000007.1.part",
                             "recordings/s/journal/000007.000000000001.partx",
                             "recordings/s/journal/99999999999.log",
                             "recordings/s!/session.json",
                             "recordings/s/session.json/",
                             "x/recordings/s/session.json"}) {
        EXPECT_FALSE(parse_tier_key(text)) << text;
    }
}

TEST(Keys, WordsStandBesideTheirFragment) {
    std::vector<std::string> keys;
    for (const Key& key : words_beside("recordings/one/full/FULL-5-17.mp3")) keys.push_back(key.text());
    EXPECT_EQ(keys, (std::vector<std::string>{"recordings/one/full/FULL-5-17.json", "recordings/one/full/FULL-5-17.srt",
                                              "recordings/one/full/FULL-5-17.txt"}));
    EXPECT_TRUE(words_beside("../x.mp3").empty());
}

TEST(Keys, NoKeyLeavesItsFolder) {
    for (const auto* text : {"", "/", "/x", "x/", "x//y", "..", "../x", "x/../y", "x/..", ".", "x/./y", ".hidden",
                             "x/.tmp-abc", "x y", "x\\y", "x\n", "x%2e", "é"}) {
        EXPECT_FALSE(Key::parse(text)) << text;
    }
    EXPECT_FALSE(Key::parse(std::string_view("x\0y", 3)));
    EXPECT_FALSE(Key::parse(std::string(513, 'x')));
    EXPECT_TRUE(Key::parse(std::string(512, 'x')));
    EXPECT_TRUE(Key::parse("a/b.c/d-e_f..g"));
}

TEST(Keys, TheLongestIdsFit) {
    const auto longest = key(FragmentKey{*SessionId::parse(std::string(64, 'x')), UserId{~0ULL}, UnixTime::max()});
    EXPECT_TRUE(parse_tier_key(longest.text()));
}

}  // namespace
}  // namespace lestapenna::store
