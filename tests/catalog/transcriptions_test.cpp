// A fragment on its way to its transcript.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalog/catalog.h"
#include "support.h"

namespace lestapenna::catalog {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

const auto kOne = *SessionId::parse("one");
const auto kTwo = *SessionId::parse("two");

UnixTime at(std::int64_t ms) {
    return UnixTime{milliseconds{ms}};
}

class TranscriptionsTest : public ::testing::Test {
  protected:
    TranscriptionsTest() {
        for (const auto& id : {kOne, kTwo}) {
            EXPECT_TRUE(catalog_.insert_session({.id = id, .start = at(1'000), .status = SessionStatus::complete}));
        }
    }
    Transcription added(const SessionId& session, std::string file, std::int64_t ms) {
        Transcription row{.session = session, .file = std::move(file), .user = UserId{5}, .timestamp = at(ms)};
        EXPECT_TRUE(catalog_.add_transcription(row));
        return row;
    }
    void set(Transcription& row, TranscriptionStatus status) {
        row.status = status;
        EXPECT_TRUE(catalog_.set_transcription(row));
    }

    test::TempDir folder_;
    Catalog catalog_ = std::move(*Catalog::open(folder_.path() / "catalog.sqlite"));
};

TEST_F(TranscriptionsTest, OfOneStatusThoseThatAreDueInTheOrderTheyAreDue) {
    auto a = added(kOne, "a", 1);
    auto b = added(kTwo, "b", 2);
    auto c = added(kOne, "c", 3);
    a.due = at(20);
    a.attempts = 2;
    a.error = "no";
    set(a, TranscriptionStatus::waiting);
    b.due = at(10);
    b.job = "b.mp3";
    set(b, TranscriptionStatus::waiting);
    set(c, TranscriptionStatus::queued);
    const auto waiting = [&](std::int64_t now, std::size_t most) {
        return *catalog_.transcriptions(TranscriptionStatus::waiting, at(now), most);
    };
    EXPECT_THAT(waiting(9, 9), IsEmpty());
    EXPECT_THAT(waiting(10, 9), ElementsAre(b));
    EXPECT_THAT(waiting(99, 9), ElementsAre(b, a));
    EXPECT_THAT(waiting(99, 1), ElementsAre(b));
    EXPECT_THAT(*catalog_.transcriptions(TranscriptionStatus::queued, at(0), 9), ElementsAre(c));
    EXPECT_THAT(*catalog_.transcription_counts(),
                ElementsAre(Pair(TranscriptionStatus::waiting, 2), Pair(TranscriptionStatus::queued, 1)));
    EXPECT_EQ(*catalog_.transcription_of("b.mp3"), b);
    EXPECT_EQ(*catalog_.transcription_of(""), std::nullopt) << "the others have no job at all";
    EXPECT_TRUE(catalog_.add_transcription(a)) << "its fragment was made again";
    EXPECT_EQ(waiting(99, 9).back(), a) << "all but its times stays";
}

TEST_F(TranscriptionsTest, AClockThatWasSetBackPutsNothingOffForAYear) {
    constexpr milliseconds kFarthest = std::chrono::minutes(15);
    auto a = added(kOne, "a", 1);
    a.due = at(1'000) + std::chrono::days(365);
    set(a, TranscriptionStatus::waiting);
    auto b = added(kOne, "b", 2);
    b.due = at(1'000) + kFarthest;
    set(b, TranscriptionStatus::waiting);
    const auto waiting = [&](UnixTime now) { return *catalog_.transcriptions(TranscriptionStatus::waiting, now, 9); };
    EXPECT_THAT(waiting(at(1'000)), ElementsAre(a));
    EXPECT_THAT(waiting(at(1'000) + kFarthest), ElementsAre(b, a));
    EXPECT_THAT(waiting(UnixTime::max()), ElementsAre(b, a));
}

TEST_F(TranscriptionsTest, WhatWasGivenUpIsTriedAgainWhenAsked) {
    auto a = added(kOne, "a", 1);
    auto b = added(kOne, "b", 2);
    auto c = added(kTwo, "c", 3);
    for (auto* const row : {&a, &b, &c}) {
        row->attempts = 30;
        row->due = at(500);
        set(*row, row == &b ? TranscriptionStatus::done : TranscriptionStatus::failed);
    }
    ASSERT_TRUE(catalog_.retry_transcriptions(kOne));
    a.status = TranscriptionStatus::waiting;
    a.attempts = 0;
    a.due = at(0);
    EXPECT_THAT(*catalog_.transcriptions(kOne), ElementsAre(a, b));
    EXPECT_THAT(*catalog_.transcriptions(kTwo), ElementsAre(c));
}

TEST_F(TranscriptionsTest, WordsAreReplacedAsAWholeAndGoWithTheirFragment) {
    auto row = added(kOne, "a", 1);
    const Segment hello{milliseconds(10), milliseconds(900), "ciao"};
    const Segment bye{milliseconds(5), milliseconds(7), "addio"};
    row.status = TranscriptionStatus::done;
    ASSERT_TRUE(catalog_.set_transcription(row, {bye, bye, bye}));
    ASSERT_TRUE(catalog_.set_transcription(row, {hello, bye}));
    EXPECT_THAT(*catalog_.segments("a"), ElementsAre(hello, bye)) << "in the order they were given";
    EXPECT_THAT(*catalog_.segments("b"), IsEmpty());
    Transcription nobody{.session = kOne, .file = "b"};
    EXPECT_TRUE(catalog_.set_transcription(nobody, {hello})) << "forgotten meanwhile";
    EXPECT_THAT(*catalog_.segments("b"), IsEmpty());
}

TEST_F(TranscriptionsTest, ASessionIsTranscribedWhenItIsOverAndNobodyIsWaitedFor) {
    EXPECT_FALSE(*catalog_.transcribed(kOne)) << "there is nothing to transcribe";
    auto a = added(kOne, "a", 1);
    auto b = added(kOne, "b", 2);
    added(kTwo, "c", 3);
    EXPECT_FALSE(*catalog_.transcribed(kOne));
    set(a, TranscriptionStatus::done);
    set(b, TranscriptionStatus::queued);
    EXPECT_FALSE(*catalog_.transcribed(kOne));
    set(b, TranscriptionStatus::failed);
    EXPECT_TRUE(*catalog_.transcribed(kOne));
    EXPECT_THAT(*catalog_.without_transcript(), ElementsAre(kOne));
    ASSERT_TRUE(catalog_.set_status(kOne, SessionStatus::recording));
    EXPECT_FALSE(*catalog_.transcribed(kOne));
    ASSERT_TRUE(catalog_.set_status(kOne, SessionStatus::complete));

    EXPECT_EQ(*catalog_.transcript(kOne), std::nullopt);
    const Transcript first{"recordings/one/transcript-one.txt", {5, std::string(64, 'a')}};
    const Transcript second{"recordings/one/transcript-one.txt", {7, std::string(64, 'b')}};
    ASSERT_TRUE(catalog_.set_transcript(kOne, first));
    ASSERT_TRUE(catalog_.set_transcript(kOne, second));
    EXPECT_EQ(*catalog_.transcript(kOne), second);
    EXPECT_THAT(*catalog_.without_transcript(), IsEmpty());
    EXPECT_FALSE(catalog_.set_transcript(*SessionId::parse("none"), first));
}

}  // namespace
}  // namespace lestapenna::catalog
