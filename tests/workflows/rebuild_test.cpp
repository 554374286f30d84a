// Journals are gone: the master comes back from the fragments, from the chunks, or says what is missing.
#include "workflows/rebuild.h"

#include <cmath>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "audio/mp3.h"
#include "growing_table.h"
#include "judge.h"
#include "workflows/manifest.h"

namespace lestapenna::workflows {
namespace {

using catalog::MasterSource;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const SessionId kId = *SessionId::parse("rebuilt");
constexpr seconds kLength{100};

/// Finds each stretch of the first master in another: how far it moved, in ms, at most.
double worst_offset_ms(const std::vector<float>& first, const std::vector<float>& second) {
    std::vector<test::Interval> stretches;
    for (seconds at{0}; at + seconds(4) <= kLength; at += seconds(4)) {
        stretches.push_back({SamplePos{at}, SamplePos{at + seconds(4)}});
    }
    const auto measured = test::Judge(second).listen(first, stretches);
    EXPECT_EQ(measured.missing, 0U);
    EXPECT_GT(measured.runs.size(), 15U);
    return measured.max_ms;
}

class Rebuild : public ::testing::Test {
  protected:
    Rebuild() {
        EXPECT_TRUE(desk_.journal(table_.simulated.start_time, table_.records()).end().ok());
        desk_.finish();
        first_ = master();
        row_ = **desk_.catalog().master(kId);
        std::filesystem::remove_all(journal_root(desk_.config()));
    }
    std::vector<float> master() {
        const auto bytes = read_file(desk_.config().data.dir / "store" / key_, 1U << 30);
        EXPECT_TRUE(bytes.ok());
        return audio::decode_mp3(*bytes)->pcm;
    }
    void lose(const std::string& part) {
        for (const auto& [key, bytes] : desk_.objects()) {
            if (key.find(part) == std::string::npos) continue;
            EXPECT_TRUE(desk_.store().remove(*store::Key::parse(key)));
        }
    }
    Rebuilt restored() {
        auto rebuilt = restore(desk_.tools(), kId);
        EXPECT_TRUE(rebuilt.ok()) << rebuilt.error().message;
        return rebuilt ? std::move(*rebuilt) : Rebuilt{};
    }
    /// The master is as it was, to 1 ms and 0.2 LU, and to the sample as long.
    void expect_as_it_was(MasterSource source) {
        const auto again = master();
        EXPECT_EQ(again.size(), first_.size());
        const double moved = worst_offset_ms(first_, again);
        EXPECT_LE(moved, 1.0);
        const auto row = **desk_.catalog().master(kId);
        EXPECT_EQ(row.source, source);
        EXPECT_EQ(row.duration, row_.duration);
        EXPECT_NEAR(*row.levels.loudness_lufs, *row_.levels.loudness_lufs, 0.2);
        EXPECT_LE(*row.levels.true_peak_dbtp, -1.0);
        EXPECT_EQ(desk_.catalog().session(kId)->status, catalog::SessionStatus::complete);
        std::printf("from %s: moved %.4f ms at most, %.3f LU from the first\n", std::string(to_text(source)).c_str(),
                    moved, *row.levels.loudness_lufs - *row_.levels.loudness_lufs);
    }

    BuzzingTable table_{3, kLength};
    Desk desk_{kId, table_.simulated.start_time};
    const std::string key_ = "recordings/rebuilt/master/MASTER-rebuilt.mp3";
    std::vector<float> first_;
    catalog::Master row_{kId};
};

TEST_F(Rebuild, LeavesAMasterThatIsThere) {
    const auto before = desk_.objects();
    const auto rebuilt = restored();
    EXPECT_EQ(rebuilt.source, MasterSource::journal);
    EXPECT_THAT(rebuilt.lost, IsEmpty());
    EXPECT_EQ(desk_.objects(), before);
}

TEST_F(Rebuild, AMasterOfTheFirstHalfIsMadeAnew) {
    auto half = row_;
    half.duration = seconds(40);
    ASSERT_TRUE(desk_.catalog().set_master(half));
    ASSERT_TRUE(desk_.catalog().reopen_session(kId));
    const auto rebuilt = restored();
    EXPECT_EQ(rebuilt.source, MasterSource::fragments);
    EXPECT_THAT(rebuilt.lost, IsEmpty());
    expect_as_it_was(MasterSource::fragments);
    EXPECT_EQ(desk_.catalog().session(kId)->end, table_.simulated.start_time + *row_.duration);
    ASSERT_TRUE(desk_.catalog().set_master(half));
    EXPECT_EQ(restored().source, MasterSource::fragments) << "also of a session that is called complete";
    EXPECT_EQ((*desk_.catalog().master(kId))->duration, row_.duration);
}

TEST_F(Rebuild, AMasterOfTheFirstHalfStaysWhereItsOwnPartsAreGone) {
    auto half = row_;
    half.duration = seconds(40);
    ASSERT_TRUE(desk_.catalog().set_master(half));
    ASSERT_TRUE(desk_.catalog().reopen_session(kId));
    auto gone = desk_.catalog().recordings(kId)->front();
    gone.duration = seconds(39);
    gone.status = catalog::FileStatus::expired;
    ASSERT_TRUE(desk_.catalog().upsert_recording(gone));
    ASSERT_TRUE(desk_.store().remove(*store::Key::parse(gone.key)));
    const auto rebuilt = restored();
    EXPECT_EQ(rebuilt.source, MasterSource::journal);
    EXPECT_THAT(rebuilt.lost, ::testing::Contains(HasSubstr("was recorded after the master was made")));
    EXPECT_EQ(desk_.store().puts[key_], 1);
}

TEST_F(Rebuild, FromFragments) {
    for (const bool remote : {false, true}) {
        desk_.store().remote = remote;
        lose("/master/");
        const auto rebuilt = restored();
        EXPECT_EQ(rebuilt.source, MasterSource::fragments);
        EXPECT_THAT(rebuilt.lost, IsEmpty());
        expect_as_it_was(MasterSource::fragments);
    }
    const auto objects = desk_.objects();
    EXPECT_EQ(restored().source, MasterSource::fragments);
    EXPECT_EQ(desk_.objects(), objects);
    EXPECT_EQ(desk_.store().puts[key_], 3) << "once by the journal, twice without";
}

TEST_F(Rebuild, FromChunks) {
    lose("/master/");
    lose("/full/");
    const auto rebuilt = restored();
    EXPECT_EQ(rebuilt.source, MasterSource::chunks);
    EXPECT_THAT(rebuilt.lost, IsEmpty());
    expect_as_it_was(MasterSource::chunks);
    (void)restored();
    EXPECT_EQ(desk_.store().puts[key_], 2) << "what is there stays";
}

TEST_F(Rebuild, OneFragmentIsGoneItsChunksStandIn) {
    lose("/master/");
    lose("/full/FULL-" + table_.simulated.senders[1].user.text());
    const auto rebuilt = restored();
    EXPECT_EQ(rebuilt.source, MasterSource::chunks);
    EXPECT_THAT(rebuilt.lost, IsEmpty());
    expect_as_it_was(MasterSource::chunks);
}

TEST_F(Rebuild, SaysWhatIsGoneForGood) {
    const std::string user = table_.simulated.senders[1].user.text();
    lose("/master/");
    lose("/full/FULL-" + user);
    lose("/chunks/" + user);
    const auto rebuilt = restored();
    EXPECT_EQ(rebuilt.source, MasterSource::fragments);
    EXPECT_EQ(rebuilt.lost.size(), 1U + 4U) << "a fragment and the chunks that could have stood in";
    EXPECT_THAT(rebuilt.lost, ::testing::Contains(HasSubstr("/full/FULL-" + user)));
    EXPECT_EQ(master().size(), first_.size()) << "its silence is there";

    lose("/master/");
    lose("/full/");
    lose("/chunks/");
    const auto nothing = restore(desk_.tools(), kId);
    ASSERT_FALSE(nothing.ok());
    EXPECT_EQ(nothing.error().kind, ErrorKind::not_found);
    EXPECT_THAT(nothing.error().message, HasSubstr("is not in the store"));
}

TEST_F(Rebuild, WhatRetentionRemovedIsNoLoss) {
    const UserId user = table_.simulated.senders[1].user;
    lose("/master/");
    lose("/chunks/");
    lose("/full/FULL-" + user.text());
    const auto chunks = *desk_.catalog().chunks(kId);
    const auto fragments = *desk_.catalog().recordings(kId);
    for (auto row : chunks) {
        row.status = catalog::FileStatus::expired;
        ASSERT_TRUE(desk_.catalog().upsert_chunk(row));
    }
    for (auto row : fragments) {
        if (row.user == user) row.status = catalog::FileStatus::expired;
        ASSERT_TRUE(desk_.catalog().upsert_recording(row));
    }
    EXPECT_THAT(restored().lost, IsEmpty());
}

TEST_F(Rebuild, ADamagedFragmentGivesWayToItsChunks) {
    const auto fragment = (*desk_.catalog().recordings(kId))[0];
    const auto path = desk_.config().data.dir / "store" / fragment.key;
    auto bytes = *read_file(path, 1U << 30);
    std::fill(bytes.begin() + 20'000, bytes.begin() + 30'000, std::uint8_t{0x55});
    ASSERT_TRUE(write_file(path, bytes).ok());
    lose("/master/");
    EXPECT_EQ(restored().source, MasterSource::chunks);
    expect_as_it_was(MasterSource::chunks);

    lose("/master/");
    lose("/chunks/");
    const auto rebuilt = restored();
    EXPECT_EQ(rebuilt.source, MasterSource::fragments);
    EXPECT_THAT(rebuilt.lost, ::testing::Contains(fragment.key + " is damaged"));
    EXPECT_LE(worst_offset_ms(first_, master()), 1.0) << "what follows the damage is in its place";
}

TEST_F(Rebuild, WithoutOnePerson) {
    const UserId user = table_.simulated.senders[1].user;
    const auto rebuilt = rebuild_master(desk_.tools(), kId, {user});
    ASSERT_TRUE(rebuilt.ok());
    EXPECT_EQ(rebuilt->source, MasterSource::fragments);
    const auto row = **desk_.catalog().master(kId);
    EXPECT_EQ(row.recipe.find(user.text()), std::string::npos);
    EXPECT_EQ(row.duration, row_.duration);
    EXPECT_NE(master(), first_);
    std::set<UserId> all;
    for (const auto& sender : table_.simulated.senders) all.insert(sender.user);
    EXPECT_EQ(rebuild_master(desk_.tools(), kId, all).error().kind, ErrorKind::not_found);
}

TEST_F(Rebuild, ARottenTimestampMakesNoMasterOfYears) {
    auto row = (*desk_.catalog().recordings(kId))[0];
    const auto name = fmt::format("recordings/rebuilt/full/FULL-{}-{}.mp3", row.user.text(), 9'000'000'000'000'000'000);
    ASSERT_TRUE(desk_.store().put(desk_.config().data.dir / "store" / row.key, *store::Key::parse(name)).ok());
    row.key = name;
    row.start = UnixTime{milliseconds{9'000'000'000'000'000'000}};
    ASSERT_TRUE(desk_.catalog().upsert_recording(row));
    lose("/master/");
    EXPECT_THAT(restored().lost, ElementsAre(HasSubstr("timestamp")));
    EXPECT_EQ(master().size(), first_.size());
}

}  // namespace
}  // namespace lestapenna::workflows
