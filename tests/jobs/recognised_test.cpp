// The forms that recognisers and workers give a transcript.
#include "jobs/recognised.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lestapenna::jobs {
namespace {

using catalog::Segment;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Segment kHello{milliseconds(1'500), milliseconds(2'250), "ciao a tutti"};
const Segment kBye{milliseconds(3'600'000), milliseconds(3'661'001), "addio"};

std::vector<Segment> good(std::string_view text) {
    auto read = read_transcript(text);
    EXPECT_TRUE(read) << text << ": " << read.error().message;
    return read ? *read : std::vector<Segment>{};
}

TEST(RecognisedTest, EveryFormSaysTheSame) {
    EXPECT_THAT(good(R"({"systeminfo":"x","transcription":[
        {"timestamps":{"from":"00:00:01,500","to":"x"},"offsets":{"from":1500,"to":2250},"text":" ciao\na  tutti "},
        {"offsets":{"from":3600000,"to":3661001},"text":"addio"},{"offsets":{"from":1,"to":2},"text":" \n"}]})"),
                ElementsAre(kHello, kBye));
    EXPECT_THAT(
        good(R"([{"start":1.5,"end":2.25,"text":"ciao a tutti"},{"start":3600,"end":3661.001,"text":"addio"}])"),
        ElementsAre(kHello, kBye));
    EXPECT_THAT(good(R"({"text":"all","segments":[{"id":0,"start":1.5,"end":2.25,"text":"ciao a tutti"}]})"),
                ElementsAre(kHello));
    EXPECT_THAT(good("1\r\n00:00:01,500 --> 00:00:02,250\r\nciao a\r\ntutti\r\n\r\n2\r\n01:00:00,000 --> "
                     "01:01:01,001\r\naddio\r\n"),
                ElementsAre(kHello, kBye));
    EXPECT_THAT(good("\xEF\xBB\xBFWEBVTT\n\n00:01.500 --> 00:02.250 align:start\nciao a tutti\n"), ElementsAre(kHello));
    EXPECT_THAT(good("\n[00:00:01.500 --> 00:00:02.250]   ciao a tutti\n[01:00:00.000 --> 01:01:01.001]  addio\n"),
                ElementsAre(kHello, kBye));
    EXPECT_THAT(good("ciao\n\n  a tutti\n"), ElementsAre(Segment{{}, {}, "ciao"}, Segment{{}, {}, "a tutti"}));
    EXPECT_THAT(good("[BLANK_AUDIO]"), ElementsAre(Segment{{}, {}, "[BLANK_AUDIO]"}));
    EXPECT_THAT(good("--> 3 becomes --> 4"), ElementsAre(Segment{{}, {}, "--> 3 becomes --> 4"}));
    for (const char* nothing : {"", " \n", "[]", "[ ]", R"({"transcription":[]})"})
        EXPECT_THAT(good(nothing), IsEmpty());
}

TEST(RecognisedTest, OddTimesAndBytesDoNoHarm) {
    EXPECT_THAT(good(R"([{"start":-5,"end":-9,"text":"a"},{"start":5,"end":1,"text":"b"},{"start":1e300,"text":"c"}])"),
                ElementsAre(Segment{{}, {}, "a"}, Segment{seconds(5), seconds(5), "b"},
                            Segment{std::chrono::hours(2400), std::chrono::hours(2400), "c"}));
    EXPECT_THAT(good("a\x01\x1b[31mb\x7f\tc \xff\xc3\xa8 \xed\xa0\x80 \xf0\x9f\x90\x89"),
                ElementsAre(Segment{{}, {}, "a [31mb c \uFFFD\u00e8 \uFFFD\uFFFD\uFFFD \U0001F409"}));
    EXPECT_THAT(good("99999999999999999999:00 --> 1\nx"), ElementsAre(::testing::_, ::testing::_)) << "plain text";
}

TEST(RecognisedTest, WhatIsNoTranscriptIsOneSentence) {
    const auto bad = [](std::string_view text) {
        const auto read = read_transcript(text);
        EXPECT_FALSE(read) << text;
        return read ? std::string() : read.error().message;
    };
    EXPECT_THAT(bad("{\"transcription\": [{"), HasSubstr("not JSON"));
    EXPECT_THAT(bad("[{\"start\":1"), HasSubstr("not JSON"));
    EXPECT_THAT(bad("{}"), HasSubstr("neither"));
    EXPECT_THAT(bad(R"({"segments":7})"), HasSubstr("neither"));
    EXPECT_THAT(bad(R"([{"start":"1","text":"x"}])"), HasSubstr("without start or text"));
    EXPECT_THAT(bad(R"([{"start":1,"text":null}])"), HasSubstr("without start or text"));
    EXPECT_THAT(bad(R"({"transcription":[{"offsets":7,"text":"x"}]})"), HasSubstr("without start or text"));
    EXPECT_THAT(bad(R"({"a":)" + std::string(1'000'000, '[')), HasSubstr("not JSON"));
    std::string many = "[{\"start\":0,\"text\":\"x\"}";
    for (std::size_t i = 0; i < kMostSegments; ++i) many += ",{\"start\":0,\"text\":\"x\"}";
    EXPECT_THAT(bad(many + "]"), HasSubstr("more than 200000 segments"));
}

TEST(RecognisedTest, WhatWorkersReturn) {
    const auto segments = [](std::string_view json) {
        const auto returned = read_returned(json);
        EXPECT_TRUE(returned) << json << ": " << returned.error().message;
        return returned && returned->segments ? *returned->segments : std::vector<Segment>{{{}, {}, "no segments"}};
    };
    for (const char* words : {R"([{"start":1.5,"end":2.25,"text":"ciao a tutti"}])",
                              R"({"status":"transcribed","segments":[{"start":1.5,"end":2.25,"text":"ciao a tutti"}]})",
                              R"({"srt":"1\n00:00:01,500 --> 00:00:02,250\nciao a tutti\n"})",
                              R"("[00:00:01.500 --> 00:00:02.250] ciao a tutti")"}) {
        EXPECT_THAT(segments(words), ElementsAre(kHello)) << words;
    }
    EXPECT_THAT(segments(R"({"status":"transcribed","text":"ciao"})"), ElementsAre(Segment{{}, {}, "ciao"}));
    for (const char* kept :
         {"null", "7", "true", "{}", R"({"status":"transcribed","segmentsCount":7})", R"({"status":"already_done"})"}) {
        const auto returned = read_returned(kept);
        ASSERT_TRUE(returned) << kept;
        EXPECT_FALSE(returned->segments) << kept;
    }
    const auto skipped = read_returned(R"({"status":"skipped","reason":"too_small"})");
    ASSERT_TRUE(skipped && skipped->segments);
    EXPECT_THAT(*skipped->segments, IsEmpty());
    EXPECT_EQ(skipped->note, "skipped by the worker: too_small");
    EXPECT_THAT(read_returned(R"({"status":"failed","reason":"file_not_found"})").error().message,
                HasSubstr("file_not_found"));
    EXPECT_THAT(read_returned("{").error().message, HasSubstr("not JSON"));
    EXPECT_THAT(read_returned(R"({"segments":[7]})").error().message, HasSubstr("without start or text"));
}

}  // namespace
}  // namespace lestapenna::jobs
