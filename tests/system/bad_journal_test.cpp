// Journals that were harmed: what can be read is used, what can not is named, and nobody else's audio changes.
#include <random>

#include "journal/reader.h"
#include "journal/writer.h"
#include "program.h"
#include "simulated_journal.h"

namespace lestapenna::system_test {
namespace {

Bytes first(const Bytes& bytes, std::size_t count) {
    return {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count)};
}

std::size_t count(const Json& records, const std::string& type) {
    return static_cast<std::size_t>(
        std::ranges::count_if(records, [&](const Json& record) { return record["type"] == type; }));
}

class BadJournal : public Program {
  protected:
    /// "victim", in segments of 2 s, and "bystander", finished.
    void SetUp() override {
        import(table_, "bystander");
        order({"master", "bystander"});
        before_ = belongings("bystander");
        import(table_, "victim", {"--start", std::to_string(table_.start_time.time_since_epoch().count())});
        fs::remove_all(journal("victim"));
        const Status written = test::write_journal(table_, data() / "journal", *SessionId::parse("victim"), {},
                                                   {.segment_span = seconds(2)});
        ASSERT_TRUE(written.ok()) << written.error().message;
        ASSERT_TRUE(fs::exists(segment("victim", 4)));
        ASSERT_EQ(ask({"journal", "verify", journal("victim").string()})["clean"], true);
    }
    void TearDown() override { EXPECT_EQ(belongings("bystander"), before_); }

    /// Every verb on a journal that is harmed in `places` places: what is readable is used, exit 4.
    void expect_damage(const std::string& what, std::size_t places = 1) {
        SCOPED_TRACE(what);
        const auto path = journal("victim").string();
        const auto harmed = digests(path);
        const auto verified = ask({"journal", "verify", path}, kDamaged);
        EXPECT_EQ(verified["clean"], false);
        EXPECT_EQ(verified["damage"].size(), places) << verified["damage"];
        EXPECT_THAT(verified["damage"].dump(), HasSubstr(what));
        const auto plain = run({"journal", "verify", path});
        EXPECT_EQ(plain.exit_code, kDamaged);
        EXPECT_THAT(plain.out, HasSubstr(what));
        const auto dumped = ask({"journal", "dump", path}, kDamaged);
        EXPECT_EQ(count(dumped, "damage"), places);
        EXPECT_GT(dumped.size(), 50U);

        const auto result = run({"master", "victim", "--json"});
        EXPECT_EQ(result.exit_code, kDamaged) << result.err;
        EXPECT_EQ(std::ranges::count(result.err, '\n'), static_cast<std::ptrdiff_t>(places))
            << "a line per damage: " << result.err;
        EXPECT_THAT(result.err, HasSubstr(what));
        const auto session = value(result);
        EXPECT_EQ(session["status"], "complete");
        EXPECT_EQ(session["tracks"].size(), 2U);
        EXPECT_TRUE(fs::exists(master_of("victim")));
        for (const std::string format : {"opus", "wav"})
            order({"export", "victim", "--format", format, "--out", "out"}, kDamaged);
        EXPECT_EQ(digests(path), harmed) << "reading repairs nothing and breaks nothing";
    }

    const sandbox::SimulatedTable table_ = play();
    Belongings before_;
};

TEST_F(BadJournal, AFlippedByteCostsItsRecordOnly) {
    auto bytes = slurp(segment("victim", 2));
    const auto whole = ask({"journal", "dump", journal("victim").string()}).size();
    bytes.at(4'096 + 5'000) ^= 0x10;
    spit(segment("victim", 2), bytes);
    expect_damage("000002.log");
    EXPECT_GE(ask({"journal", "dump", journal("victim").string()}, kDamaged).size(), whole - 1);
}

TEST_F(BadJournal, ATornTail) {
    const auto last = segment("victim", 4);
    const auto bytes = slurp(last);
    spit(last, first(bytes, bytes.size() - 70));
    expect_damage("000004.log");
}

TEST_F(BadJournal, ATruncatedSegmentInTheMiddle) {
    const auto bytes = slurp(segment("victim", 2));
    spit(segment("victim", 2), first(bytes, 4'096 + 3'000));
    expect_damage("000002.log");
}

TEST_F(BadJournal, AnEmptySegment) {
    spit(segment("victim", 3), std::string_view());
    expect_damage("is empty");
}

TEST_F(BadJournal, AForeignFileInItsPlace) {
    spit(segment("victim", 2), std::string(20'000, 'x'));
    expect_damage("000002.log");
    fs::copy_file(segment("bystander"), segment("victim", 2), fs::copy_options::overwrite_existing);
    fs::remove_all(stored("victim"));
    expect_damage("says in its header that it is 000001.log");
}

TEST_F(BadJournal, AMissingSegment) {
    fs::remove(segment("victim", 2));
    expect_damage("missing");
}

TEST_F(BadJournal, WithoutTheFirstSegmentTheOthersStillKnowWhoSpeaks) {
    auto table = table_;  // with a break of 5 min 10 s in the middle
    for (auto& arrival : table.arrivals) {
        if (arrival.time >= table.start_time + seconds(4)) arrival.time += seconds(310);
    }
    import(table, "long");
    ASSERT_TRUE(fs::exists(segment("long", 2)));
    fs::remove(segment("long", 1));
    const auto session = ask({"master", "long"}, kDamaged);
    ASSERT_EQ(session["tracks"].size(), 2U);
    for (std::size_t i = 0; i < 2; ++i) {
        EXPECT_EQ(session["tracks"][i]["user_id"], table.senders[i].user.text());
        EXPECT_EQ(session["tracks"][i]["fragments"].size(), 1U);
        EXPECT_GE(session["tracks"][i]["fragments"][0]["start_time"],
                  session["start_time"].get<std::int64_t>() + 310'000);
    }
}

TEST_F(BadJournal, SeveralAtOnce) {
    spit(segment("victim", 2), std::string_view());
    auto bytes = slurp(segment("victim", 3));
    bytes.at(4'096 + 1'000) ^= 0x01;
    spit(segment("victim", 3), bytes);
    expect_damage("000003.log", 2);
}

TEST_F(BadJournal, FilesThatAreNoSegmentsAreNobodysBusiness) {
    spit(journal("victim") / "notes.txt", std::string_view("hello"));
    spit(journal("victim") / "7.log", std::string_view("hello"));
    fs::create_directory(journal("victim") / "000009.log.d");
    EXPECT_EQ(ask({"journal", "verify", journal("victim").string()})["clean"], true);
    EXPECT_EQ(ask({"master", "victim"})["status"], "complete");
}

TEST_F(BadJournal, OneThatCanNotBeReadAtAll) {
    for (int n = 2; fs::exists(segment("victim", n)); ++n) fs::remove(segment("victim", n));
    const auto good = slurp(segment("victim"));
    const auto refused = [&](const std::string& hint) {
        const auto path = journal("victim").string();
        for (const Words& words :
             {Words{"journal", "verify", path}, Words{"journal", "dump", path}, Words{"master", "victim"},
              Words{"export", "victim", "--format", "wav", "--out", "out"}}) {
            expect_refused(words, kDamaged, "damaged", hint);
        }
        EXPECT_FALSE(fs::exists(folder_ / "out"));
        EXPECT_EQ(ask({"sessions", "victim"})["status"], "ending");
    };
    spit(segment("victim"), std::string_view());
    refused("is empty");
    spit(segment("victim"), std::string_view("no journal"));
    refused("000001.log");
    spit(segment("victim"), std::string(100'000, '\0'));
    refused("000001.log");
    // A later format: its first 16 bytes keep their meaning, so that it can be told from damage.
    auto newer = good;
    newer.at(8) = newer.at(2'048 + 8) = 2;
    spit(segment("victim"), newer);
    refused("newer");
}

TEST_F(BadJournal, OneThatIsGone) {
    const auto path = journal("victim").string();
    const auto bytes = slurp(segment("victim"));
    fs::remove_all(path);
    for (const Words& words : {Words{"journal", "verify", path}, Words{"journal", "dump", path}})
        expect_refused(words, kFailed, "not_found", path);
    for (const Words& words : {Words{"master", "victim"}, Words{"export", "victim", "--format", "wav", "--out", "out"}})
        expect_refused(words, kFailed, "not_found", "bring it back there");
    fs::create_directory(path);
    expect_refused({"master", "victim"}, kFailed, "not_found", "bring it back there");
    spit(segment("victim"), first(bytes, bytes.size()));
    order({"master", "victim"}, kDone);
}

TEST_F(BadJournal, WhatWasMadeOfAWholeOneStays) {
    const auto made = ask({"master", "victim"});
    const auto files = digests(stored("victim"));
    auto bytes = slurp(segment("victim", 1));
    std::fill(bytes.begin() + 4'096, bytes.end(), std::uint8_t{0xAA});
    spit(segment("victim", 1), bytes);
    EXPECT_EQ(ask({"master", "victim"}, kDamaged), made) << "the ledger, too";
    EXPECT_EQ(digests(stored("victim")), files);

    // What is missing is made of what is left; what is there stays all the same.
    const auto lost = fs::directory_iterator(stored("victim") / "chunks")->path();
    fs::remove(lost);
    order({"master", "victim"}, kDamaged);
    for (const auto& [file, digest] : files) {
        if (stored("victim") / file == lost || file == "session.json") continue;  // which names the new one
        EXPECT_EQ(digests(stored("victim")).at(file), digest) << file;
    }
}

TEST_F(BadJournal, AFinishedSessionNeedsNone) {
    const auto without_sizes = [](Json session) {
        session.erase("storage");  // of the journal too
        return session;
    };
    const auto made = without_sizes(ask({"master", "victim"}));
    const auto files = digests(stored("victim"));
    fs::remove_all(journal("victim"));
    EXPECT_EQ(without_sizes(ask({"master", "victim", "--out", "again.mp3"})), made);
    EXPECT_EQ(slurp(folder_ / "again.mp3"), slurp(master_of("victim")));
    spit(segment("victim"), std::string_view("no journal"));
    EXPECT_EQ(without_sizes(ask({"master", "victim"}, kDamaged)), made);
    EXPECT_EQ(digests(stored("victim")), files);
    fs::remove(master_of("victim"));
    EXPECT_EQ(ask({"master", "victim"}, kDamaged)["master"]["source"], "fragments");
    fs::remove_all(stored("victim"));
    expect_refused({"master", "victim"}, kDamaged, "damaged", "000001.log");
}

TEST_F(BadJournal, OneThatIsBeingWritten) {
    journal::Committer committer(1);
    auto writer = journal::Writer::open(committer, data() / "journal",
                                        {*SessionId::parse("victim"), table_.start_time, BootTime{}, BootId{}});
    ASSERT_TRUE(writer.ok());
    expect_refused({"master", "victim"}, kFailed, "locked", "is being recorded");
    EXPECT_EQ(ask({"sessions", "victim"})["session"], "victim");
    EXPECT_EQ(ask({"journal", "verify", journal("victim").string()})["state"], "recording");
    order({"export", "victim", "--format", "opus", "--out", "out"});
    order({"export", "victim", "--format", "wav", "--from", "0:01", "--to", "3", "--out", "out"});
    order({"master", "bystander"});
    EXPECT_FALSE(fs::exists(stored("victim")));
}

TEST_F(BadJournal, NoiseAnywhereIsSurvived) {
    std::mt19937_64 random(kSeed);
    SCOPED_TRACE("seed " + std::to_string(kSeed));
    const auto good = slurp(segment("victim", 2));
    for (int round = 0; round < 25; ++round) {
        auto noisy = good;
        for (int i = 0; i < 20; ++i) noisy[random() % noisy.size()] = static_cast<std::uint8_t>(random());
        spit(segment("victim", 2), noisy);
        for (const std::string verb : {"verify", "dump"}) {
            const auto result = run({"journal", verb, segment("victim", 2).string(), "--json"});
            EXPECT_THAT(result.exit_code, ::testing::AnyOf(kDone, kDamaged));
            value(result);
        }
    }
    order({"master", "victim"}, kDamaged);
}

}  // namespace
}  // namespace lestapenna::system_test
