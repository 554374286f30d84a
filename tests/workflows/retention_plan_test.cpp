// What may go, and what it needs.
#include "workflows/retention_plan.h"

#include <gmock/gmock.h>

#include "workflows/old_bucket.h"

namespace lestapenna::workflows {
namespace {

using catalog::FileStatus;
using std::chrono::days;
using std::chrono::hours;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const SessionId kId = *SessionId::parse("table");
const UserId kAnna{5};
const UserId kBruno{6};
const UnixTime kStart{milliseconds(1'800'000'000'000)};
const UnixTime kEnd = kStart + hours(4);

catalog::Content content(std::int64_t bytes) {
    return {bytes, std::string(64, 'a')};
}

/// Anna was there for ten minutes, went, and came back; Bruno was there once.
Facts table() {
    Facts facts{{.id = kId, .guild_id = "7", .start = kStart, .end = kEnd}};
    facts.session.status = catalog::SessionStatus::complete;
    const auto add = [&](UserId user, milliseconds from, const std::string& name) {
        catalog::Recording fragment{kId, "full/" + name, user, kStart + from, FileStatus::stored};
        fragment.duration = std::chrono::minutes(10);
        fragment.content = content(1000);
        facts.fragments.push_back(fragment);
        for (int window = 0; window < 2; ++window) {
            catalog::Chunk chunk{kId, "chunks/" + name + std::to_string(window), user,
                                 kStart + from + window * std::chrono::minutes(5), FileStatus::stored};
            chunk.content = content(100);
            facts.chunks.push_back(chunk);
        }
    };
    add(kAnna, hours(0), "anna");
    add(kAnna, hours(1), "back");
    add(kBruno, hours(0), "bruno");
    facts.master = catalog::Master{.session = kId, .key = "master", .recipe = "r", .content = content(5000)};
    facts.journal = 777;
    return facts;
}

Plan plan(const Facts& facts, milliseconds age, const Config::Retention& ages = {}) {
    return plan_removals(facts, ages, kEnd + age);
}

std::vector<Tier> tiers(const Plan& plan) {
    std::vector<Tier> all;
    for (const auto& removal : plan.removals) all.push_back(removal.tier);
    return all;
}
std::vector<std::string> needed(const Removal& removal) {
    std::vector<std::string> keys;
    for (const auto& object : removal.needs) keys.push_back(object.key);
    return keys;
}
/// The one removal of a tier.
const Removal& removal(const Plan& plan, Tier tier) {
    const auto found = std::ranges::find(plan.removals, tier, &Removal::tier);
    EXPECT_NE(found, plan.removals.end()) << to_text(tier);
    return *found;
}
std::vector<std::string> reasons(const Plan& plan) {
    std::vector<std::string> all;
    for (const auto& kept : plan.kept) {
        all.push_back(std::string(to_text(kept.tier)) + " " + std::to_string(kept.files) + ": " + kept.why);
    }
    return all;
}

TEST(RetentionPlan, AnOldEveningThatIsBroughtInTodayIsAsYoungAsItsName) {
    Facts facts = table();
    facts.session.id = *SessionId::parse("01M82HFGSB5YZFXHEFQ4ZX8JCT");  // 2026-11-22
    facts.session.start = kStart - hours(24) * 3000;
    facts.session.end = kEnd - hours(24) * 3000;
    const UnixTime named = *time_of_ulid(facts.session.id);
    ASSERT_GT(named, *facts.session.end);
    const Config::Retention ages;
    EXPECT_THAT(plan_removals(facts, ages, named + hours(24)).removals, IsEmpty());
    const auto later = plan_removals(facts, ages, named + hours(24) * 8);
    ASSERT_THAT(tiers(later), Each(Tier::chunks));
    ASSERT_FALSE(later.removals.empty());
    EXPECT_THAT(later.removals.front().why, HasSubstr("brought in 8 days ago"));
}

TEST(RetentionPlan, EachTierGoesAtItsAge) {
    const auto facts = table();
    EXPECT_TRUE(plan(facts, days(7) - milliseconds(1)).empty());
    using enum Tier;
    EXPECT_THAT(tiers(plan(facts, days(7))), ElementsAre(chunks, chunks, chunks));
    EXPECT_THAT(tiers(plan(facts, days(30))), ElementsAre(journal, chunks, chunks, chunks));
    EXPECT_THAT(tiers(plan(facts, days(90))), ElementsAre(journal, chunks, chunks, chunks, fragments));
    EXPECT_THAT(tiers(plan(facts, days(36'500))), ElementsAre(journal, chunks, chunks, chunks, fragments))
        << "masters are for ever";
    Config::Retention ages;
    ages.masters = days(365);
    EXPECT_EQ(tiers(plan(facts, days(365), ages)).back(), master);
    ages = {std::nullopt, std::nullopt, std::nullopt, std::nullopt};
    EXPECT_TRUE(plan(facts, days(36'500), ages).empty());
}

TEST(RetentionPlan, WhatGoesNeedsWhatSupersedesIt) {
    const auto late = plan(table(), days(100));
    std::vector<std::string> all;
    for (const auto& one : late.removals) {
        if (one.tier != Tier::chunks) continue;
        ASSERT_THAT(one.needs, SizeIs(1));
        EXPECT_EQ(one.needs[0].content, content(1000));
        EXPECT_EQ(one.bytes, 200);
        for (const auto& key : one.keys) all.push_back(key + " by " + one.needs[0].key);
    }
    EXPECT_THAT(all,
                ElementsAre("chunks/anna0 by full/anna", "chunks/anna1 by full/anna", "chunks/back0 by full/back",
                            "chunks/back1 by full/back", "chunks/bruno0 by full/bruno", "chunks/bruno1 by full/bruno"));
    const auto& fragments = removal(late, Tier::fragments);
    EXPECT_THAT(fragments.keys, ElementsAre("full/anna", "full/back", "full/bruno"));
    EXPECT_EQ(fragments.bytes, 3000);
    EXPECT_THAT(needed(fragments), ElementsAre("master"));
    EXPECT_EQ(fragments.why, "ended 100 days ago, kept for 90 days");
    const auto& journal = removal(late, Tier::journal);
    EXPECT_THAT(journal.keys, ElementsAre("journal/table"));
    EXPECT_EQ(journal.bytes, 777);
    EXPECT_THAT(journal.needs, SizeIs(1 + 6 + 3));
}

TEST(RetentionPlan, NothingOfASessionThatIsNotOverAndDone) {
    using enum catalog::SessionStatus;
    for (const auto status : {recording, ending, interrupted, failed}) {
        auto facts = table();
        facts.session.status = status;
        EXPECT_TRUE(plan(facts, days(100)).empty()) << catalog::to_text(status);
    }
    auto facts = table();
    facts.session.end.reset();
    EXPECT_TRUE(plan(facts, days(100)).empty());
    facts = table();
    facts.recorded = true;
    EXPECT_THAT(plan(facts, days(100)).removals, IsEmpty());
    EXPECT_THAT(reasons(plan(facts, days(100))),
                ElementsAre("journal 1: the session is being recorded", "chunks 6: the session is being recorded",
                            "fragments 3: the session is being recorded"));
    facts = table();
    facts.at_work = true;
    EXPECT_THAT(plan(facts, days(100)).removals, IsEmpty());
    EXPECT_THAT(plan(facts, days(100)).kept, SizeIs(3));
}

TEST(RetentionPlan, AConfigurationThatTurnsTheOrderRoundRemovesNothingBeforeTheMasterIsThere) {
    Config::Retention ages;
    ages.journals = ages.fragments = ages.chunks = milliseconds(0);
    auto facts = table();
    facts.master.reset();
    auto now = plan(facts, hours(1), ages);
    EXPECT_THAT(tiers(now), ElementsAre(Tier::chunks, Tier::chunks, Tier::chunks)) << "their fragments are there";
    EXPECT_THAT(reasons(now), ElementsAre("journal 1: not everything that is made of it is in the store",
                                          "fragments 3: there is no master"));
    facts.master = catalog::Master{.session = kId, .key = "master"};  // in the making
    EXPECT_EQ(reasons(plan(facts, hours(1), ages)), reasons(now));
    for (auto& fragment : facts.fragments) fragment.status = FileStatus::pending;
    now = plan(facts, hours(1), ages);
    EXPECT_THAT(now.removals, IsEmpty());
    EXPECT_THAT(reasons(now), ElementsAre("journal 1: not everything that is made of it is in the store",
                                          "chunks 6: their fragment is not in the store"));
}

TEST(RetentionPlan, FragmentsStayUntilTheyAreTranscribed) {
    auto facts = table();
    facts.untranscribed = {"full/back"};
    const auto late = plan(facts, days(100));
    EXPECT_THAT(removal(late, Tier::fragments).keys, ElementsAre("full/anna", "full/bruno"));
    EXPECT_THAT(reasons(late), ElementsAre("fragments 1: they are still to be transcribed"));
}

TEST(RetentionPlan, WhatHasGoneByItsAgeIsNoHindrance) {
    auto facts = table();
    for (auto& fragment : facts.fragments) {
        fragment.status = FileStatus::expired;
        fragment.content.reset();
    }
    auto late = plan(facts, days(100));
    EXPECT_THAT(tiers(late), ElementsAre(Tier::journal, Tier::chunks));
    EXPECT_THAT(needed(removal(late, Tier::chunks)), ElementsAre("master"));
    EXPECT_THAT(removal(late, Tier::chunks).keys, SizeIs(6));
    facts.master->expired = true;
    facts.master->content.reset();
    late = plan(facts, days(100));
    EXPECT_THAT(removal(late, Tier::chunks).needs, IsEmpty());
    EXPECT_THAT(removal(late, Tier::journal).needs, SizeIs(6));
}

TEST(RetentionPlan, AChunkThatNoFragmentCoversStays) {
    auto facts = table();
    facts.chunks[3].start = kStart + hours(3);
    facts.chunks[4].user = UserId{};
    const auto late = plan(facts, days(8));
    EXPECT_THAT(reasons(late), ElementsAre("chunks 2: no fragment covers them"));
    EXPECT_THAT(late.removals, SizeIs(3));
}

TEST(RetentionPlan, AChunkOfTheLastInstantIsItsFragments) {
    auto facts = table();
    // 5 min and half a millisecond: the second window begins where the length, in whole ms, ends.
    facts.fragments[0].duration = std::chrono::minutes(5);
    EXPECT_THAT(plan(facts, days(8)).kept, IsEmpty());
}

TEST(RetentionPlan, WithoutAMixNothingWaitsForAMaster) {
    auto facts = table();
    facts.master.reset();
    facts.mixed = false;
    const auto late = plan(facts, days(100));
    EXPECT_THAT(late.kept, IsEmpty());
    EXPECT_THAT(removal(late, Tier::fragments).needs, IsEmpty());
    EXPECT_THAT(removal(late, Tier::journal).needs, SizeIs(9));
}

TEST(RetentionPlan, WhatAKillCutOffIsGoneOnWithWhateverTheAge) {
    auto facts = table();
    facts.chunks[1].status = FileStatus::expired;
    facts.fragments[2].status = FileStatus::expired;
    auto now = plan(facts, hours(1));
    EXPECT_THAT(tiers(now), ElementsAre(Tier::chunks, Tier::fragments));
    EXPECT_THAT(now.removals[0].keys, ElementsAre("chunks/anna1"));
    EXPECT_THAT(needed(now.removals[0]), ElementsAre("full/anna"));
    EXPECT_THAT(now.removals[1].keys, ElementsAre("full/bruno"));
    EXPECT_THAT(needed(now.removals[1]), ElementsAre("master"));
    for (const auto& one : now.removals) EXPECT_EQ(one.why, "begun by an earlier sweep");

    facts.master->expired = true;
    now = plan(facts, hours(1));
    EXPECT_THAT(tiers(now), ElementsAre(Tier::chunks, Tier::fragments, Tier::master));
    EXPECT_THAT(now.removals[1].needs, IsEmpty());
    EXPECT_EQ(now.removals[2].bytes, 5000);

    const auto late = plan(facts, days(100));
    EXPECT_THAT(tiers(late), ElementsAre(Tier::journal, Tier::chunks, Tier::chunks, Tier::chunks, Tier::chunks,
                                         Tier::fragments, Tier::fragments, Tier::master));
}

TEST(RetentionPlan, WhatAKillCutOffStaysWhereItIsStillNeeded) {
    auto facts = table();
    facts.fragments[2].status = FileStatus::expired;
    facts.chunks[4].status = FileStatus::expired;
    auto busy = facts;
    busy.at_work = true;
    EXPECT_THAT(plan(busy, hours(1)).removals, IsEmpty());
    facts.master.reset();  // somebody is forgotten, and it is mixed again from the fragments
    EXPECT_THAT(plan(facts, hours(1)).removals, IsEmpty());
    EXPECT_THAT(reasons(plan(facts, hours(1))),
                ElementsAre("chunks 1: their fragment is not in the store", "fragments 1: there is no master"));
    facts = table();
    facts.fragments[2].status = FileStatus::expired;
    facts.session.status = catalog::SessionStatus::recording;
    EXPECT_TRUE(plan(facts, hours(1)).empty()) << "it goes on";
}

TEST(RetentionPlan, AMasterStandsForWhatItReaches) {
    auto facts = table();
    facts.master->duration = std::chrono::minutes(30);  // before Anna came back
    auto late = plan(facts, days(100));
    EXPECT_THAT(removal(late, Tier::fragments).keys, ElementsAre("full/anna", "full/bruno"));
    EXPECT_THAT(reasons(late), ElementsAre("journal 1: not everything that is made of it is in the store",
                                           "fragments 1: the master ends before them"));
    facts.master->duration = std::chrono::minutes(70);
    EXPECT_THAT(plan(facts, days(100)).kept, IsEmpty());
    facts.fragments[1].start = UnixTime::max();
    EXPECT_THAT(removal(plan(facts, days(100)), Tier::fragments).keys, ElementsAre("full/anna", "full/bruno"));
    facts.master->duration = milliseconds::max();
    EXPECT_THAT(removal(plan(facts, days(100)), Tier::fragments).keys, ElementsAre("full/anna", "full/bruno"));
}

TEST(RetentionPlan, AJournalStaysOfWhichTheCatalogNamesNothing) {
    Facts facts{table().session};
    facts.journal = 12345;
    facts.mixed = false;
    EXPECT_THAT(plan(facts, days(40)).removals, IsEmpty());
    EXPECT_THAT(reasons(plan(facts, days(40))),
                ElementsAre("journal 1: the catalog names nothing that was made of it"));
    facts.heard = false;
    EXPECT_THAT(tiers(plan(facts, days(40))), ElementsAre(Tier::journal)) << "there was nothing to make";
}

TEST(RetentionPlan, AJournalStaysThatTheMasterWasNotMixedFrom) {
    using enum catalog::MasterSource;
    auto facts = table();
    for (const auto source : {fragments, chunks}) {
        facts.master->source = source;
        EXPECT_THAT(reasons(plan(facts, days(40))), ElementsAre("journal 1: the master was not mixed from it"));
    }
    facts.master->source = catalog::MasterSource::journal;
    EXPECT_THAT(plan(facts, days(40)).kept, IsEmpty());
}

}  // namespace
}  // namespace lestapenna::workflows
