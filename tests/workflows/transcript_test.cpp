// The transcript of a session, from what the catalog knows.
#include "workflows/transcript.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "support.h"

namespace lestapenna::workflows {
namespace {

using catalog::Segment;
using catalog::TranscriptionStatus;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const auto kId = *SessionId::parse("one");
const UnixTime kStart{milliseconds(1'700'000'000'000)};

class TranscriptTest : public ::testing::Test {
  protected:
    TranscriptTest() {
        config_.data.dir = folder_ / "data";
        EXPECT_TRUE(make_folders(config_.data.dir));
        catalog_.emplace(std::move(*catalog::Catalog::open(config_.data.dir / "catalog.sqlite")));
        store_ = std::move(*store::open_store(config_));
        EXPECT_TRUE(catalog_->insert_session(
            {.id = kId, .start = kStart, .status = catalog::SessionStatus::complete, .language = "it"}));
    }
    void name(std::uint64_t user, const std::string& text) {
        EXPECT_TRUE(catalog_->upsert_track({.session = kId, .user = UserId{user}, .name = text}));
    }
    catalog::Transcription fragment(std::uint64_t user, milliseconds delay) {
        catalog::Transcription row{kId, store::key(store::FragmentKey{kId, UserId{user}, kStart + delay}).text(),
                                   UserId{user}, kStart + delay};
        EXPECT_TRUE(catalog_->add_transcription(row));
        return row;
    }
    void end(catalog::Transcription row, TranscriptionStatus status, const std::vector<Segment>& segments,
             std::string why = {}) {
        row.status = status;
        row.error = std::move(why);
        EXPECT_TRUE(catalog_->set_transcription(row, segments));
    }
    Tools tools() { return {config_, *catalog_, *store_, {}}; }
    std::string stored() {
        const auto text =
            read_text_file(config_.data.dir / "store" / store::key(store::TranscriptKey{kId}).text(), 1 << 20);
        return text ? *text : "(none)";
    }

    test::TempDir folder_;
    Config config_;
    std::optional<catalog::Catalog> catalog_;
    std::unique_ptr<store::ObjectStore> store_;
};

TEST_F(TranscriptTest, LinesAreInTheOrderTheyWereSaidOnTheSessionsClock) {
    name(1, "Anna");
    name(2, "Bruno\nil \x1b[31mnano");
    const auto anna = fragment(1, milliseconds(2'000));
    const auto bruno = fragment(2, milliseconds(61'500));
    const auto later = fragment(1, std::chrono::hours(2));
    const auto silent = fragment(3, milliseconds(9'000));
    end(anna, TranscriptionStatus::done,
        {{milliseconds(500), milliseconds(900), "Apro la porta."},
         {milliseconds(60'000), milliseconds(61'000), "Tiro."}});
    end(bruno, TranscriptionStatus::done, {{milliseconds(499), milliseconds(700), "No!"}});
    end(later, TranscriptionStatus::failed, {}, "the model\nis missing");
    ASSERT_TRUE(make_transcript(tools(), kId));
    EXPECT_EQ(stored(), "(none)") << "one is waited for";
    end(silent, TranscriptionStatus::done, {});
    ASSERT_TRUE(make_transcript(tools(), kId));
    EXPECT_EQ(stored(),
              "[0:00:02] Anna: Apro la porta.\n"
              "[0:01:01] Bruno?il ?[31mnano: No!\n"
              "[0:01:02] Anna: Tiro.\n"
              "\n"
              "# [0:00:09] 3: non si è capito niente\n"
              "# [2:00:00] Anna: nessuna trascrizione: the model?is missing\n");
    const auto known = *catalog_->transcript(kId);
    ASSERT_TRUE(known);
    EXPECT_EQ(known->key, "recordings/one/transcript-one.txt");
    EXPECT_EQ(known->content.bytes, static_cast<std::int64_t>(stored().size()));
}

TEST_F(TranscriptTest, ItIsWrittenOnceAndAgainOnlyWhenThereIsMoreToSayOrItIsGone) {
    const auto row = fragment(1, milliseconds(0));
    end(row, TranscriptionStatus::failed, {}, "x");
    ASSERT_TRUE(make_transcript(tools(), kId));
    EXPECT_THAT(stored(), StartsWith("# [0:00:00] 1: "));
    const auto path = config_.data.dir / "store" / "recordings/one/transcript-one.txt";
    ASSERT_TRUE(write_file(path, std::string_view("untouched")));
    ASSERT_TRUE(make_transcript(tools(), kId));
    EXPECT_EQ(stored(), "untouched") << "what we wrote is noted";
    std::filesystem::remove(path);
    ASSERT_TRUE(make_transcript(tools(), kId));
    EXPECT_THAT(stored(), HasSubstr("nessuna trascrizione: x")) << "after a loss";
    end(row, TranscriptionStatus::done, {{{}, {}, "dopo tutto"}});
    ASSERT_TRUE(make_transcript(tools(), kId));
    EXPECT_EQ(stored(), "[0:00:00] 1: dopo tutto\n");
}

// Somebody is forgotten at this moment: what is read now may have their words in it.
TEST_F(TranscriptTest, WhoeverHasTheSessionsFilesIsWaitedFor) {
    end(fragment(1, milliseconds(0)), TranscriptionStatus::done, {{{}, {}, "a"}});
    {
        const auto forgetting = Scratch::take(config_.data.dir / "cache", kId);
        ASSERT_TRUE(forgetting);
        const Status made = make_transcript(tools(), kId);
        ASSERT_FALSE(made);
        EXPECT_EQ(made.error().kind, ErrorKind::locked);
        EXPECT_EQ(stored(), "(none)");
    }
    ASSERT_TRUE(make_transcript(tools(), kId));
    EXPECT_EQ(stored(), "[0:00:00] 1: a\n");
}

TEST_F(TranscriptTest, ASessionThatIsRecordedOrSaysNothingHasNone) {
    ASSERT_TRUE(make_transcript(tools(), kId));
    EXPECT_EQ(stored(), "(none)") << "nobody was recorded";
    end(fragment(1, milliseconds(0)), TranscriptionStatus::done, {{{}, {}, "a"}});
    ASSERT_TRUE(catalog_->set_status(kId, catalog::SessionStatus::recording));
    ASSERT_TRUE(make_transcript(tools(), kId));
    EXPECT_EQ(stored(), "(none)");
    EXPECT_EQ(make_transcript(tools(), *SessionId::parse("other")).ok(), true) << "forgotten meanwhile";
}

}  // namespace
}  // namespace lestapenna::workflows
